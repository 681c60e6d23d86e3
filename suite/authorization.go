package suite

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/secret"
	"suitesign/wecom"
)

// Authorization is the consent of a corp that is in force, and what it is worth:
// the permanent_code, or the secret of an internal app.
type Authorization struct {
	TenantID      uuid.UUID
	SuiteID       wecom.SuiteID
	CorpID        wecom.CorpID // the form that the platform named
	Kind          Kind
	PermanentCode secret.String
	Version       int64 // goes up with each new code
	Blocked       bool  // WeCom refused the code of this version
}

const authorizationColumns = `a.tenant_id, a.suite_id, a.corp_id, s.kind, a.permanent_code_sealed, a.version,
	COALESCE(a.blocked_version = a.version, false)`

// scanAuthorization reads authorizationColumns, and more behind them.
func (s *Store) scanAuthorization(row pgx.CollectableRow, a *Authorization, more ...any) error {
	var sealed []byte
	err := row.Scan(append([]any{&a.TenantID, &a.SuiteID, &a.CorpID, &a.Kind, &sealed, &a.Version, &a.Blocked}, more...)...)
	if err != nil {
		return err
	}
	// One row that does not open must not take its whole batch with it: such an
	// authorization has no code, and every call with it fails before it is sent.
	a.PermanentCode, err = open(s.Ring, sealed, boundRow("authorizations", "permanent_code_sealed", a.TenantID))
	if err != nil {
		a.PermanentCode = secret.String{}
	}
	return nil
}

// Authorizations answers with those of the tenants that have one.
func (s *Store) Authorizations(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Authorization, error) {
	const q = `
SELECT ` + authorizationColumns + ` FROM authorizations a JOIN suites s USING (suite_id) WHERE a.tenant_id = ANY($1)`
	rows, err := s.Pool.Query(ctx, q, ids)
	if err != nil {
		return nil, fmt.Errorf("authorizations: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Authorization, err error) {
		err = s.scanAuthorization(row, &a)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("authorizations: %w", err)
	}
	out := make(map[uuid.UUID]Authorization, len(list))
	for _, a := range list {
		out[a.TenantID] = a
	}
	return out, nil
}

// Block says that WeCom refused the code of this version: it is not used again
// until there is another. It reports whether that was news; a code that was
// exchanged meanwhile is not blocked.
func (s *Store) Block(ctx context.Context, tenantID uuid.UUID, version int64) (bool, error) {
	const q = `
UPDATE authorizations SET blocked_version = version
WHERE tenant_id = $1 AND version = $2 AND blocked_version IS DISTINCT FROM version`
	tag, err := s.Pool.Exec(ctx, q, tenantID, version)
	if err != nil {
		return false, fmt.Errorf("block tenant %s: %w", tenantID, err)
	}
	return tag.RowsAffected() == 1, nil
}

// Unblock takes Block back for a version that WeCom accepts after all; what may
// have changed meanwhile is pulled.
func (s *Store) Unblock(ctx context.Context, tenantID uuid.UUID, version int64) error {
	const q = `
UPDATE authorizations a SET blocked_version = NULL,
	info_due_at = CASE WHEN s.kind <> 'internal' THEN clock_timestamp() ELSE a.info_due_at END
FROM suites s WHERE s.suite_id = a.suite_id AND a.tenant_id = $1 AND a.version = $2 AND a.blocked_version = $2`
	if _, err := s.Pool.Exec(ctx, q, tenantID, version); err != nil {
		return fmt.Errorf("unblock tenant %s: %w", tenantID, err)
	}
	return nil
}
