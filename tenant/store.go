package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"suitesign/reach"
	"suitesign/wecom"
)

// A Store keeps tenants, their agents and their domains in Postgres.
type Store struct {
	Pool reach.DB
}

// MaxList bounds one page of a list.
const MaxList = 200

// Sizes beyond which a text is cut, so that a stranger's answer cannot fill a row.
const (
	maxName  = 512 // an admin may give 128 characters of up to 4 bytes
	maxError = 1024
)

const tenantColumns = `t.id, t.suite_id, t.corp_id, t.name, t.status, t.health,
	t.last_error, t.last_errcode, t.last_error_at, t.authorized_at, t.cancelled_at,
	t.version, t.created_at, t.updated_at,
	ARRAY(SELECT i.corp_id FROM tenant_corp_ids i WHERE i.tenant_id = t.id AND i.is_alias ORDER BY i.corp_id)`

// Get answers with one tenant.
func (s *Store) Get(ctx context.Context, id uuid.UUID) (Tenant, error) {
	return s.one(ctx, `WHERE t.id = $1`, id)
}

// Find answers with the tenant of a suite that a form of a corp's id names: its
// own corp_id or an alias.
func (s *Store) Find(ctx context.Context, suite wecom.SuiteID, corp wecom.CorpID) (Tenant, error) {
	return s.one(ctx, `WHERE t.id = (SELECT tenant_id FROM tenant_corp_ids WHERE suite_id = $1 AND corp_id = $2)`, suite, corp)
}

func (s *Store) one(ctx context.Context, where string, args ...any) (Tenant, error) {
	ts, err := s.query(ctx, where, args...)
	if err != nil {
		return Tenant{}, fmt.Errorf("tenant: %w", err)
	}
	if len(ts) == 0 {
		return Tenant{}, fmt.Errorf("tenant: %w", ErrNotFound)
	}
	return ts[0], nil
}

// List is Page in the order in which tenants came, by their ids: from the one after the
// cursor on (uuid.Nil: from the first), with the next cursor, which is uuid.Nil at the end.
func (s *Store) List(ctx context.Context, f Filter, after uuid.UUID, limit int) ([]Tenant, uuid.UUID, error) {
	ts, next, err := s.Page(ctx, f, ByCreation, Cursor{ID: after}, limit)
	return ts, next.ID, err
}

// query reads tenants, and then the agents of all of them.
func (s *Store) query(ctx context.Context, where string, args ...any) ([]Tenant, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+tenantColumns+` FROM tenants t `+where, args...)
	if err != nil {
		return nil, err
	}
	ts, err := pgx.CollectRows(rows, scanTenant)
	if err != nil || len(ts) == 0 {
		return nil, err
	}
	byID := make(map[uuid.UUID]*Tenant, len(ts))
	ids := make([]uuid.UUID, len(ts))
	for i := range ts {
		ids[i], byID[ts[i].ID] = ts[i].ID, &ts[i]
	}
	const q = `SELECT tenant_id, agent_id, name, auth_mode FROM agents WHERE tenant_id = ANY($1) ORDER BY tenant_id, agent_id`
	rows, err = s.Pool.Query(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	var id uuid.UUID
	var a Agent
	_, err = pgx.ForEachRow(rows, []any{&id, &a.ID, &a.Name, &a.AuthMode}, func() error {
		byID[id].Agents = append(byID[id].Agents, a)
		return nil
	})
	return ts, err
}

func scanTenant(row pgx.CollectableRow) (Tenant, error) { return scanMore(row) }

// scanListed reads a tenant with its agents and what the list is sorted by.
func scanListed(row pgx.CollectableRow) (t Tenant, key string, err error) {
	var agents []Agent
	t, err = scanMore(row, &agents, &key)
	if len(agents) > 0 {
		t.Agents = agents
	}
	return t, key, err
}

// scanMore reads tenantColumns and what stands behind them.
func scanMore(row pgx.CollectableRow, more ...any) (Tenant, error) {
	var t Tenant
	var errcode *int
	var errorAt, cancelledAt *time.Time
	err := row.Scan(append([]any{&t.ID, &t.SuiteID, &t.CorpID, &t.Name, &t.Status, &t.Health,
		&t.LastError, &errcode, &errorAt, &t.AuthorizedAt, &cancelledAt,
		&t.Version, &t.CreatedAt, &t.UpdatedAt, &t.Aliases}, more...)...)
	if errcode != nil {
		t.LastErrcode = *errcode
	}
	if errorAt != nil {
		t.LastErrorAt = *errorAt
	}
	if cancelledAt != nil {
		t.CancelledAt = *cancelledAt
	}
	return t, err
}

// inTx runs f in a transaction.
func (s *Store) inTx(ctx context.Context, f func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.Pool, f)
}

// Constraints that a statement of this package can meet.
const (
	uniqueViolation     = "23505"
	foreignKeyViolation = "23503"
	rowSecurity         = "42501" // insufficient_privilege: a row out of reach of a bound key
)

func violates(err error, code string) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == code
}

// cut shortens a text to at most n bytes, at a character's border, and takes out
// what Postgres cannot keep.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}
