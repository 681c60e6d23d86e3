package ticket

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/reach"
	"suitesign/secret"
)

// Source reads what the Refresher keeps.
type Source struct {
	Pool reach.DB
	Ring secret.Sealer
}

// Ticket is a live ticket.
type Ticket struct {
	TenantID   uuid.UUID
	Kind       Kind
	Value      secret.String
	Generation int64         // goes up with every new value
	ExpiresAt  time.Time     // by the database's clock
	ExpiresIn  time.Duration // at the moment it was read
	RefreshIn  time.Duration // until the schedule fetches another one; below 0 while that is overdue
}

// Live reads the tickets of tenants that may be signed with now, in one query. A
// ticket that does not open counts as none.
func (s *Source) Live(ctx context.Context, ids []uuid.UUID) ([]Ticket, error) {
	const q = `
SELECT tenant_id, kind, value_sealed, generation, expires_at, expires_at - now(),
	LEAST(next_at, expires_at) - now()
FROM credentials
WHERE tenant_id = ANY($1) AND kind <> 'access_token' AND expires_at > now() AND value_sealed IS NOT NULL
ORDER BY tenant_id, kind`
	rows, err := s.Pool.Query(ctx, q, ids)
	if err != nil {
		return nil, fmt.Errorf("live tickets: %w", err)
	}
	type row struct {
		Ticket
		sealed []byte
	}
	read, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t row, err error) {
		err = r.Scan(&t.TenantID, &t.Kind, &t.sealed, &t.Generation, &t.ExpiresAt, &t.ExpiresIn, &t.RefreshIn)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("live tickets: %w", err)
	}
	out := make([]Ticket, 0, len(read))
	for _, t := range read { // after the rows: a keyring may have to ask the database for a new key
		if t.Value, err = s.Ring.Open(t.sealed, bound(t.TenantID, t.Kind)); err == nil {
			out = append(out, t.Ticket)
		}
	}
	return out, nil
}

// Credential is what an admin may know of one: never its value.
type Credential struct {
	Kind        Kind
	ExpiresAt   *time.Time // nil: there is none
	RefreshedAt *time.Time // when its value was first fetched
	NextAt      *time.Time // when the schedule looks after it again; nil: not by itself
	Generation  int64
	Failures    int // in a row
	LastErrcode *int
	LastError   string
	LastErrorAt *time.Time
}

// Credentials lists what a tenant has: access_token, jsapi_ticket, and agent_config
// if it has an agent or once had. It is empty before the tenant's first refresh.
// A tenant that is parked, for which nothing is tried, has no NextAt but for a probe.
func (s *Source) Credentials(ctx context.Context, id uuid.UUID) ([]Credential, error) {
	const q = `
SELECT c.kind, CASE WHEN c.value_sealed IS NOT NULL THEN c.expires_at END, c.refreshed_at,
	NULLIF(CASE WHEN r.forced THEN now() WHEN r.parked_reason <> '' THEN r.due_at ELSE GREATEST(c.next_at, r.due_at) END, 'infinity'),
	c.generation, c.failures, c.last_errcode, c.last_error, c.last_error_at
FROM credentials c JOIN refreshes r USING (tenant_id)
WHERE c.tenant_id = $1
ORDER BY c.kind`
	rows, err := s.Pool.Query(ctx, q, id)
	if err != nil {
		return nil, fmt.Errorf("credentials of tenant %s: %w", id, err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Credential])
	if err != nil {
		return nil, fmt.Errorf("credentials of tenant %s: %w", id, err)
	}
	return out, nil
}
