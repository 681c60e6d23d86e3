package suite

import (
	"context"
	"fmt"

	"suitesign/audit"
)

// tellLateSQL notes, once for each lateness and over all replicas, that a
// suite_ticket is older than it should become, and tells who listens.
var tellLateSQL = `
WITH late AS (
	UPDATE suite_tickets t SET late_told_at = now() FROM suites s
	WHERE s.suite_id = t.suite_id AND s.kind <> 'internal' AND t.received_at < now() - $1::interval
		AND (t.late_told_at IS NULL OR t.late_told_at < t.received_at)
	RETURNING t.suite_id, t.received_at
),
event AS (
	SELECT '` + string(audit.SuiteTicketLate) + `' AS type, suite_id, NULL::uuid AS tenant_id, jsonb_build_object('suite_id', suite_id,
		'received_at', to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) AS data
	FROM late
),
emitted AS (` + audit.EmitSQL("event") + `)
SELECT count(*) FROM late`

// tellLateTickets says how many it noted.
func (s *Store) tellLateTickets(ctx context.Context) (late int, err error) {
	if err := s.Pool.QueryRow(ctx, tellLateSQL, ticketWarnAfter).Scan(&late); err != nil {
		return 0, fmt.Errorf("look for late suite_tickets: %w", err)
	}
	return late, nil
}
