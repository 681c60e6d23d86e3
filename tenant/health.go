package tenant

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/changes"
	"suitesign/wecom"
)

// setHealth also tells what became of the health, so that this costs a save no
// round trip and no transaction of its own.
var setHealth = `
WITH v AS (
	SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[]) AS v (id, health, errcode, error)
),
was AS MATERIALIZED (
	SELECT t.id, t.health FROM tenants t JOIN v USING (id)
	WHERE (t.health, t.last_error, t.last_errcode) IS DISTINCT FROM (v.health, v.error, NULLIF(v.errcode, 0))
	ORDER BY t.id
	FOR NO KEY UPDATE OF t
),
changed AS (
	UPDATE tenants t
	SET health = v.health, last_error = v.error, last_errcode = NULLIF(v.errcode, 0),
		last_error_at = CASE WHEN v.error = '' AND v.errcode = 0 THEN NULL ELSE now() END
	FROM v JOIN was USING (id)
	WHERE t.id = v.id
	RETURNING t.id, t.suite_id, t.corp_id, was.health AS before, t.health, t.last_errcode
),
event AS (` + healthEvents + `)
` + audit.EmitSQL("event")

// SetHealth stores how the refresh of tenants went, in one statement, and writes
// only rows that differ: after a good refresh of a healthy tenant, none. A tenant
// may stand in the list once. Health is not part of the version.
func (s *Store) SetHealth(ctx context.Context, hs []HealthChange) error {
	if len(hs) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(hs))
	health, texts := make([]string, len(hs)), make([]string, len(hs))
	codes := make([]int32, len(hs))
	for i, h := range hs {
		ids[i], health[i], codes[i], texts[i] = h.TenantID, string(h.Health), int32(h.Errcode), cut(h.Error, maxError) //nolint:gosec // errcodes are six digits
	}
	if _, err := s.Pool.Exec(ctx, setHealth, ids, health, codes, texts); err != nil {
		return fmt.Errorf("set health: %w", err)
	}
	return nil
}

// ReplaceAgents stores the agents that a corp has authorized, in place of those
// that are stored. If nothing differs nothing is written and nobody is told.
func (s *Store) ReplaceAgents(ctx context.Context, id uuid.UUID, agents []Agent) error {
	return s.replaceAgents(ctx, id, agents, func(_ audited, old []Agent, new []Agent) audit.Entry {
		return audit.Entry{Action: audit.TenantAgents, Before: auditedAgents(old), After: auditedAgents(new)}
	})
}

// SetAgent is ReplaceAgents where an admin says which agent it is.
func (s *Store) SetAgent(ctx context.Context, id uuid.UUID, agent Agent) error {
	return s.replaceAgents(ctx, id, []Agent{agent}, func(_ audited, old []Agent, new []Agent) audit.Entry {
		return audit.Entry{Action: audit.TenantUpdate, Before: auditedAgents(old), After: auditedAgents(new)}
	})
}

// FirstAgent gives a tenant that an admin makes its agent, which is the last
// step. That the tenant was made is written down with it: one that was begun and
// not finished is no tenant yet. beside are the fields of steps before.
func (s *Store) FirstAgent(ctx context.Context, id uuid.UUID, agent Agent, beside audit.Fields) error {
	return s.replaceAgents(ctx, id, []Agent{agent}, func(t audited, _ []Agent, new []Agent) audit.Entry {
		made := t.fields()
		maps.Copy(made, auditedAgents(new))
		maps.Copy(made, beside)
		return audit.Entry{Action: audit.TenantCreate, After: made}
	})
}

func (s *Store) replaceAgents(ctx context.Context, id uuid.UUID, agents []Agent, entry func(t audited, old, new []Agent) audit.Entry) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		// The tenant's row orders two replacements of the same tenant.
		t, err := readAudited(ctx, tx, id, toChange)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT agent_id, name, auth_mode FROM agents WHERE tenant_id = $1 ORDER BY agent_id`, id)
		if err != nil {
			return err
		}
		old, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Agent])
		if err != nil {
			return err
		}
		agents = tidy(agents)
		if slices.Equal(old, agents) {
			return nil
		}
		if _, err := tx.Exec(ctx, `DELETE FROM agents WHERE tenant_id = $1`, id); err != nil {
			return err
		}
		for _, a := range agents {
			const q = `INSERT INTO agents (tenant_id, agent_id, name, auth_mode) VALUES ($1, $2, $3, $4)`
			if _, err := tx.Exec(ctx, q, id, a.ID, a.Name, a.AuthMode); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE tenants SET updated_at = now() WHERE id = $1`, id); err != nil {
			return err
		}
		e := entry(t, old, agents)
		if err := t.log(ctx, tx, e.Action, id, e.Before, e.After); err != nil {
			return err
		}
		if err := emitChanged(ctx, tx, id, "agents"); err != nil {
			return err
		}
		return changes.Append(ctx, tx, changes.Tenant, id.String())
	})
	if err != nil {
		return fmt.Errorf("replace agents of tenant %s: %w", id, err)
	}
	return nil
}

// tidy brings agents into the order of their numbers, each once, and leaves out
// what is no agent.
func tidy(agents []Agent) []Agent {
	var out []Agent
	for _, a := range agents {
		if a.ID > 0 {
			a.Name = cut(a.Name, maxName)
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b Agent) int { return int(min(max(a.ID-b.ID, -1), 1)) })
	return slices.CompactFunc(out, func(a, b Agent) bool { return a.ID == b.ID })
}

// AddAlias notes another form of the corp's id. Adding the same again is no
// error; ErrConflict if the form names another tenant of the suite, or this one
// as its corp_id.
func (s *Store) AddAlias(ctx context.Context, id uuid.UUID, corp wecom.CorpID) error {
	if err := CheckCorpID(corp); err != nil {
		return err
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		suite, err := suiteOf(ctx, tx, id)
		if err != nil {
			return err
		}
		// The no-op update takes the row, and waits for one that is being inserted.
		const q = `
			INSERT INTO tenant_corp_ids AS i (suite_id, corp_id, tenant_id, is_alias) VALUES ($1, $2, $3, true)
			ON CONFLICT (suite_id, corp_id) DO UPDATE SET is_alias = i.is_alias
			RETURNING i.tenant_id = $3 AND i.is_alias, i.xmax = 0` // xmax: 0 in a row that no update made
		var ours, added bool
		err = tx.QueryRow(ctx, q, suite, corp, id).Scan(&ours, &added)
		if violates(err, rowSecurity) { // it is another tenant's, which the key does not reach
			return ErrConflict
		}
		if err != nil {
			return err
		}
		if !ours {
			return ErrConflict
		}
		if added {
			if err := logAlias(ctx, tx, audit.TenantAliasCreate, id, suite, corp); err != nil {
				return err
			}
		}
		return aliasChanged(ctx, tx, id, suite, corp)
	})
	if err != nil {
		return fmt.Errorf("add alias to tenant %s: %w", id, err)
	}
	return nil
}

// RemoveAlias forgets a form of the corp's id. The tenant's own corp_id stays.
func (s *Store) RemoveAlias(ctx context.Context, id uuid.UUID, corp wecom.CorpID) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		suite, err := suiteOf(ctx, tx, id)
		if err != nil {
			return err
		}
		const q = `DELETE FROM tenant_corp_ids WHERE suite_id = $1 AND corp_id = $2 AND tenant_id = $3 AND is_alias`
		tag, err := tx.Exec(ctx, q, suite, corp, id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotFound
		}
		if err := logAlias(ctx, tx, audit.TenantAliasDelete, id, suite, corp); err != nil {
			return err
		}
		return aliasChanged(ctx, tx, id, suite, corp)
	})
	if err != nil {
		return fmt.Errorf("remove alias of tenant %s: %w", id, err)
	}
	return nil
}

func suiteOf(ctx context.Context, tx pgx.Tx, id uuid.UUID) (suite wecom.SuiteID, err error) {
	err = tx.QueryRow(ctx, `SELECT suite_id FROM tenants WHERE id = $1 FOR NO KEY UPDATE`, id).Scan(&suite)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return suite, err
}

// aliasChanged bumps the tenant's version and tells the replicas that the corp_id leads elsewhere.
func aliasChanged(ctx context.Context, tx pgx.Tx, id uuid.UUID, suite wecom.SuiteID, corp wecom.CorpID) error {
	if _, err := tx.Exec(ctx, `UPDATE tenants SET version = version + 1, updated_at = now() WHERE id = $1`, id); err != nil {
		return err
	}
	if err := emitChanged(ctx, tx, id, "aliases"); err != nil {
		return err
	}
	if err := changes.Append(ctx, tx, changes.NewTenant, string(suite)+"/"+string(corp)); err != nil {
		return err
	}
	return changes.Append(ctx, tx, changes.Tenant, id.String())
}
