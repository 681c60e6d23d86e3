package suite

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"suitesign/wecom"
)

// Warning is a stable word for what an operator should look at.
type Warning string

// What can be wrong with a suite.
const (
	WarnTicketMissing Warning = "suite_ticket_missing" // none came yet
	WarnTicketOld     Warning = "suite_ticket_old"     // the last one is older than 20 minutes: a push is overdue
	WarnTicketExpired Warning = "suite_ticket_expired" // older than 30 minutes: WeCom takes it no more
	WarnTicketRefused Warning = "suite_ticket_refused" // waits for the next push
	WarnSecretRefused Warning = "suite_secret_refused" // waits for an admin to store the right one
	WarnIPRefused     Warning = "ip_refused"           // 60020: our address is not on the provider's list
	WarnTokenFailing  Warning = "suite_token_failing"  // the suite_access_token could not be fetched
)

// How old a suite_ticket may become (protocol.md 1.2).
const (
	ticketWarnAfter = 20 * time.Minute
	ticketLives     = 30 * time.Minute
)

// Status is how a suite's own credentials fare.
type Status struct {
	SuiteID          wecom.SuiteID
	TicketReceivedAt *time.Time    // nil: none came yet
	TicketAge        time.Duration // by the database's clock
	TokenExpiresAt   *time.Time    // nil: there is none
	LastErrcode      *int
	LastError        string // of the last fetch of the suite_access_token, if that failed
	LastErrorAt      *time.Time
	Warnings         []Warning
}

// Statuses tells how the credentials of suites fare, in the order of their ids;
// of all suites with callbacks when none is named. Internal suites have none.
func (s *Store) Statuses(ctx context.Context, ids ...wecom.SuiteID) ([]Status, error) {
	const q = `
SELECT s.suite_id, t.received_at, COALESCE(now() - t.received_at, interval '0'), k.expires_at,
	k.last_errcode, COALESCE(k.last_error, ''), k.last_error_at,
	COALESCE(k.blocked_version = s.secret_version, false), COALESCE(k.blocked_ticket = t.generation, false),
	COALESCE(k.blocked_until > now(), false), COALESCE(k.failures > 0, false)
FROM suites s LEFT JOIN suite_tickets t USING (suite_id) LEFT JOIN suite_tokens k USING (suite_id)
WHERE s.kind <> 'internal' AND (cardinality($1::text[]) = 0 OR s.suite_id = ANY($1))
ORDER BY s.suite_id`
	if ids == nil {
		ids = []wecom.SuiteID{}
	}
	rows, err := s.Pool.Query(ctx, q, ids)
	if err != nil {
		return nil, fmt.Errorf("status of suites: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Status, error) {
		var st Status
		var secretRefused, ticketRefused, ipRefused, failing bool
		err := row.Scan(&st.SuiteID, &st.TicketReceivedAt, &st.TicketAge, &st.TokenExpiresAt,
			&st.LastErrcode, &st.LastError, &st.LastErrorAt, &secretRefused, &ticketRefused, &ipRefused, &failing)
		st.TicketAge = max(st.TicketAge, 0)
		st.warn(secretRefused, ticketRefused, ipRefused, failing)
		return st, err
	})
	if err != nil {
		return nil, fmt.Errorf("status of suites: %w", err)
	}
	return out, nil
}

func (st *Status) warn(secretRefused, ticketRefused, ipRefused, failing bool) {
	for _, w := range []struct {
		on bool
		w  Warning
	}{
		{st.TicketReceivedAt == nil, WarnTicketMissing},
		{st.TicketAge >= ticketWarnAfter && st.TicketAge < ticketLives, WarnTicketOld},
		{st.TicketAge >= ticketLives, WarnTicketExpired},
		{ticketRefused, WarnTicketRefused},
		{secretRefused, WarnSecretRefused},
		{ipRefused, WarnIPRefused},
		{failing && !ticketRefused && !secretRefused && !ipRefused, WarnTokenFailing},
	} {
		if w.on {
			st.Warnings = append(st.Warnings, w.w)
		}
	}
}
