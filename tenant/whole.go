package tenant

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Whole is a tenant with all that an admin would carry over to another system.
type Whole struct {
	Tenant
	Domains []TrustedDomain // by host and port
}

// Wholes answers with a page of the tenants that a filter selects, whole, and with
// the cursor of the next one, as [Store.Page] does. Nothing is held open between two pages.
func (s *Store) Wholes(ctx context.Context, f Filter, after Cursor) ([]Whole, Cursor, error) {
	ts, next, err := s.Page(ctx, f, ByCreation, after, MaxList)
	if err != nil || len(ts) == 0 {
		return nil, next, err
	}
	out, err := s.withDomains(ctx, ts)
	if err != nil {
		return nil, Cursor{}, fmt.Errorf("read tenants whole: %w", err)
	}
	return out, next, nil
}

func (s *Store) withDomains(ctx context.Context, ts []Tenant) ([]Whole, error) {
	out := make([]Whole, len(ts))
	ids := make([]uuid.UUID, len(ts))
	at := make(map[uuid.UUID]int, len(ts))
	for i, t := range ts {
		out[i], ids[i], at[t.ID] = Whole{Tenant: t}, t.ID, i
	}
	const q = `
		SELECT tenant_id, ` + domainColumns + ` FROM tenant_domains WHERE tenant_id = ANY($1) ORDER BY tenant_id, host, port`
	rows, err := s.Pool.Query(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var d TrustedDomain
		err := rows.Scan(&id, &d.Host, &d.Port, &d.Exact, &d.AllowHTTP, &d.VerificationName, &d.VerificationContent, &d.Version, &d.CreatedAt, &d.UpdatedAt, &d.Check)
		if err != nil {
			return nil, err
		}
		out[at[id]].Domains = append(out[at[id]].Domains, d)
	}
	return out, rows.Err()
}
