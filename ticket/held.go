package ticket

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/secret"
)

// Held is a credential as its row has it, live or past its end: to tell what a
// signature was made with, which may be what it must not be made with.
type Held struct {
	TenantID  uuid.UUID
	Kind      Kind
	Value     secret.String
	Live      bool      // by the database's clock
	Previous  bool      // it was replaced, and lives on for a while at WeCom
	FetchedAt time.Time // when this value was first fetched
	ExpiresAt time.Time
}

// Held reads the credentials of tenants, in one query: of tickets also the values
// before the present ones, until they expire. What does not open is left out.
func (s *Source) Held(ctx context.Context, ids []uuid.UUID) ([]Held, error) {
	const q = `
SELECT tenant_id, kind, value_sealed, expires_at > now(), false AS previous, refreshed_at, expires_at
FROM credentials
WHERE tenant_id = ANY($1) AND value_sealed IS NOT NULL AND expires_at IS NOT NULL AND refreshed_at IS NOT NULL
UNION ALL
SELECT tenant_id, kind, previous_sealed, false, true, previous_refreshed_at, previous_expires_at
FROM credentials
WHERE tenant_id = ANY($1) AND previous_sealed IS NOT NULL AND previous_expires_at > now()
ORDER BY tenant_id, kind, previous`
	rows, err := s.Pool.Query(ctx, q, ids)
	if err != nil {
		return nil, fmt.Errorf("held credentials: %w", err)
	}
	type row struct {
		Held
		sealed []byte
	}
	read, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (h row, err error) {
		err = r.Scan(&h.TenantID, &h.Kind, &h.sealed, &h.Live, &h.Previous, &h.FetchedAt, &h.ExpiresAt)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("held credentials: %w", err)
	}
	out := make([]Held, 0, len(read))
	for _, h := range read { // after the rows: a keyring may have to ask the database for a new key
		if h.Value, err = s.Ring.Open(h.sealed, bound(h.TenantID, h.Kind)); err == nil {
			out = append(out, h.Held)
		}
	}
	return out, nil
}
