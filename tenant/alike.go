package tenant

import (
	"context"
	"fmt"

	"suitesign/wecom"
)

// Alike lists up to limit tenants that have a form of their corp's id which is
// the given one but for upper and lower case. Ids are never folded: this is for
// telling people what they misspelt, and reads every id to do so.
func (s *Store) Alike(ctx context.Context, corp wecom.CorpID, limit int) ([]Tenant, error) {
	const where = `
		WHERE t.id IN (SELECT i.tenant_id FROM tenant_corp_ids i WHERE lower(i.corp_id) = lower($1))
		ORDER BY t.id
		LIMIT $2`
	ts, err := s.query(ctx, where, string(corp), min(max(limit, 1), MaxList))
	if err != nil {
		return nil, fmt.Errorf("list tenants of an id alike: %w", err)
	}
	return ts, nil
}
