package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/changes"
	"suitesign/secret"
	"suitesign/tenant"
	"suitesign/wecom"
)

// NewInternal is a corp's own app: what no callback tells, an admin enters.
type NewInternal struct {
	SuiteID wecom.SuiteID
	CorpID  wecom.CorpID
	AgentID wecom.AgentID
	Secret  secret.String
	Name    string // may be empty
}

// Validate reports everything that is wrong with it, as an [Invalid].
func (n NewInternal) Validate() error {
	var f Invalid
	if !wellFormedID(string(n.CorpID), maxCorpID) {
		f.add("corp_id", "must be the corp's corpid: 1 to 128 letters, digits, '-' or '_'", "须为企业的 corpid：1 到 128 个字母、数字、“-”或“_”")
	}
	if n.AgentID <= 0 {
		f.add("agent_id", "must be the app's AgentId: a number above 0", "须为应用的 AgentId：大于 0 的数字")
	}
	checkInternalSecret(&f, n.Secret)
	if n.Name != "" {
		checkName(&f, n.Name)
	}
	return f.err()
}

func checkInternalSecret(f *Invalid, v secret.String) {
	if !visibleASCII(v.Reveal(), maxSecret) {
		f.add("secret", "must be the app's Secret: 1 to 512 visible characters, no spaces", "须为应用的 Secret：1 到 512 个可见字符，不含空格")
	}
}

// CreateInternal adds a tenant to an internal suite. One that was begun and not
// finished is finished. ErrInvalid, ErrNotFound, ErrWrongKind, ErrExists.
func (s *Store) CreateInternal(ctx context.Context, n NewInternal) (tenant.Tenant, error) {
	if err := n.Validate(); err != nil {
		return tenant.Tenant{}, err
	}
	t, err := s.createInternal(ctx, n)
	if err != nil {
		return tenant.Tenant{}, fmt.Errorf("internal tenant %s of suite %s: %w", n.CorpID, n.SuiteID, err)
	}
	return t, nil
}

func (s *Store) createInternal(ctx context.Context, n NewInternal) (tenant.Tenant, error) {
	now, err := s.mustBeInternal(ctx, n.SuiteID)
	if err != nil {
		return tenant.Tenant{}, err
	}
	t, err := s.Tenants.Find(ctx, n.SuiteID, n.CorpID)
	switch {
	case err == nil && len(t.Agents) > 0:
		return tenant.Tenant{}, ErrExists
	case err != nil && !errors.Is(err, tenant.ErrNotFound):
		return tenant.Tenant{}, err
	}
	a := tenant.Activation{SuiteID: n.SuiteID, CorpID: n.CorpID, Name: n.Name, AuthorizedAt: now}
	if t, err = s.Tenants.Activate(ctx, a); err != nil {
		return tenant.Tenant{}, err
	}
	if err := s.storeInternalSecret(ctx, t, n.CorpID, n.Secret, now, false); err != nil {
		return tenant.Tenant{}, err
	}
	// The agent comes last: a tenant that has one is finished, and the audit log tells of it.
	if err := s.Tenants.FirstAgent(ctx, t.ID, tenant.Agent{ID: n.AgentID, Name: n.Name}, audit.Fields{"secret": audit.Set}); err != nil {
		return tenant.Tenant{}, err
	}
	return s.Tenants.Get(ctx, t.ID)
}

// mustBeInternal answers with the database's time.
func (s *Store) mustBeInternal(ctx context.Context, id wecom.SuiteID) (time.Time, error) {
	var kind Kind
	var now time.Time
	err := s.Pool.QueryRow(ctx, `SELECT kind, now() FROM suites WHERE suite_id = $1`, id).Scan(&kind, &now)
	if err != nil {
		return now, fromDriver(err)
	}
	if kind != Internal {
		return now, fmt.Errorf("%w: its tenants come by authorization", ErrWrongKind)
	}
	return now, nil
}

// storeInternalSecret puts a secret in force: a new version, which closes the
// breaker. The audit log is told where it takes the place of another one.
func (s *Store) storeInternalSecret(ctx context.Context, t tenant.Tenant, corp wecom.CorpID, v secret.String, at time.Time, log bool) error {
	sealed, err := seal(s.Ring, v, boundRow("authorizations", "permanent_code_sealed", t.ID))
	if err != nil {
		return err
	}
	const q = `
INSERT INTO authorizations AS a (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id) DO UPDATE SET permanent_code_sealed = EXCLUDED.permanent_code_sealed,
	version = a.version + 1, blocked_version = NULL, updated_at = now()`
	return pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, q, t.ID, t.SuiteID, corp, sealed, at); err != nil {
			return fmt.Errorf("store secret: %w", err)
		}
		if log {
			if err := logSecret(ctx, tx, t.ID, t.SuiteID); err != nil {
				return err
			}
		}
		return changes.Append(ctx, tx, changes.Tenant, t.ID.String())
	})
}

// InternalPatch changes what is not nil.
type InternalPatch struct {
	Secret  *secret.String // even the same one makes a refused secret be tried again
	AgentID *wecom.AgentID
}

// UpdateInternal changes an internal tenant's secret or agent.
// ErrInvalid, ErrWrongKind, tenant.ErrNotFound.
func (s *Store) UpdateInternal(ctx context.Context, id uuid.UUID, p InternalPatch) error {
	var f Invalid
	if p.Secret != nil {
		checkInternalSecret(&f, *p.Secret)
	}
	if p.AgentID != nil && *p.AgentID <= 0 {
		f.add("agent_id", "must be the app's AgentId: a number above 0", "须为应用的 AgentId：大于 0 的数字")
	}
	if err := f.err(); err != nil {
		return err
	}
	t, now, err := s.internalTenant(ctx, id)
	if err != nil {
		return err
	}
	if p.Secret != nil {
		if err := s.storeInternalSecret(ctx, t, t.CorpID, *p.Secret, now, true); err != nil {
			return fmt.Errorf("internal tenant %s: %w", id, err)
		}
	}
	if p.AgentID != nil {
		return s.Tenants.SetAgent(ctx, id, tenant.Agent{ID: *p.AgentID, Name: t.Name})
	}
	return nil
}

// DeleteInternal removes an internal tenant with all that hangs off it.
// ErrWrongKind, tenant.ErrNotFound, tenant.ErrVersion.
func (s *Store) DeleteInternal(ctx context.Context, id uuid.UUID, ifVersion *int64) error {
	if _, _, err := s.internalTenant(ctx, id); err != nil {
		return err
	}
	return s.Tenants.Delete(ctx, id, ifVersion)
}

func (s *Store) internalTenant(ctx context.Context, id uuid.UUID) (tenant.Tenant, time.Time, error) {
	t, err := s.Tenants.Get(ctx, id)
	if err != nil {
		return t, time.Time{}, err
	}
	now, err := s.mustBeInternal(ctx, t.SuiteID)
	if err != nil {
		return t, now, fmt.Errorf("tenant %s: %w", id, err)
	}
	return t, now, nil
}
