package ticket

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// reason says why a tenant is parked: nothing is tried for it, neither by the
// schedule (but for a slow probe where there is one) nor by requests, until what
// it waits for happens.
type reason string

const (
	parkedInactive     reason = "inactive"     // the tenant is not active; until it is
	parkedSuiteTicket  reason = "suite_ticket" // until one that WeCom did not refuse is there
	parkedSuite        reason = "suite"        // the suite's secret or our address is refused; until that is over
	parkedSuiteToken   reason = "suite_token"  // it could not be fetched yet; until it could, tried now and then
	parkedSecret       reason = "secret"       // the tenant's own secret is refused; until it changes, never probed
	parkedUnauthorized reason = "unauthorized" // the authorization is gone; until there is a new one, or a probe succeeds
	parkedRefused      reason = "refused"      // something else that does not heal by trying; the same
)

const (
	recently  = 10 * time.Minute // how far back a beat looks for rows that changed
	fullEvery = 5 * time.Minute  // all rows are looked at this often, by one replica for all
	cleanup   = 6 * time.Hour    // cells of tenants that are long gone are dropped this often
	enrolMax  = 5000             // rows of one statement
)

// scope says which rows are looked at: all, those that changed lately ($2: how
// lately), or one tenant's ($2).
type scope int

const (
	everything scope = iota
	changedLately
	oneTenant
)

// where narrows a query over tenants t, authorizations a and refreshes r: changed
// is the column that tells when what matters changed last.
func (s scope) where(changed, id string) string {
	switch s {
	case changedLately:
		if changed == "" { // few rows by themselves
			return ""
		}
		return ` AND ` + changed + ` > now() - $2::interval`
	case oneTenant:
		return ` AND ` + id + ` = $2::uuid`
	default:
		return ""
	}
}

// wakeSQL makes parked tenants due whose reason is gone; and those that got their
// first agent after their first refresh, for they lack a ticket. $1: how many.
func wakeSQL(s scope) string {
	return `
WITH gone AS (
	SELECT r.tenant_id FROM tenants t JOIN refreshes r ON r.tenant_id = t.id
	WHERE r.parked_reason = '` + string(parkedInactive) + `' AND t.status = 'active'` + s.where("t.updated_at", "t.id") + `
	UNION ALL
	SELECT r.tenant_id FROM authorizations a JOIN refreshes r USING (tenant_id)
	WHERE r.parked_reason IN ('` + string(parkedSecret) + `', '` + string(parkedUnauthorized) + `', '` + string(parkedRefused) + `')
		AND a.version IS DISTINCT FROM r.parked_version` + s.where("a.updated_at", "a.tenant_id") + `
	UNION ALL
	SELECT r.tenant_id FROM suite_tickets p LEFT JOIN suite_tokens k USING (suite_id) JOIN refreshes r USING (suite_id)
	WHERE r.parked_reason = '` + string(parkedSuiteTicket) + `'
		AND p.generation IS DISTINCT FROM k.blocked_ticket` + s.where("", "r.tenant_id") + `
	UNION ALL
	SELECT r.tenant_id FROM suite_tokens k JOIN refreshes r USING (suite_id)
	WHERE r.parked_reason = '` + string(parkedSuiteToken) + `' AND k.expires_at > now()` + s.where("", "r.tenant_id") + `
	UNION ALL
	SELECT r.tenant_id FROM suites s LEFT JOIN suite_tokens k USING (suite_id) CROSS JOIN LATERAL (
		SELECT r.tenant_id FROM refreshes r WHERE r.suite_id = s.suite_id AND r.parked_reason = '` + string(parkedSuite) + `'` + s.where("", "r.tenant_id") + `
		-- One finds out whether our address is accepted again; the rest follow if it was not refused.
		LIMIT CASE WHEN k.blocked_until > now() - interval '30 seconds' THEN 1 END
	) r
	WHERE k.blocked_version IS DISTINCT FROM s.secret_version AND (k.blocked_until IS NULL OR k.blocked_until <= now())
	UNION ALL
	SELECT r.tenant_id FROM tenants t JOIN refreshes r ON r.tenant_id = t.id
	WHERE t.status = 'active' AND r.parked_reason = '' AND r.due_at > now() AND r.failures = 0` + s.where("t.updated_at", "t.id") + `
		AND EXISTS (SELECT FROM agents g WHERE g.tenant_id = t.id)
		AND EXISTS (SELECT FROM credentials c WHERE c.tenant_id = t.id AND c.kind = '` + string(JSAPITicket) + `')
		AND NOT EXISTS (SELECT FROM credentials c WHERE c.tenant_id = t.id AND c.kind = '` + string(AgentConfig) + `')
),
free AS MATERIALIZED (
	SELECT r.tenant_id FROM refreshes r WHERE r.tenant_id IN (SELECT tenant_id FROM gone)
	LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE refreshes r SET due_at = now(), failures = 0, parked_reason = '', parked_version = NULL
FROM free f WHERE r.tenant_id = f.tenant_id`
}

// enrolSQL gives active tenants a place in the schedule that have none. $1: how many.
func enrolSQL(s scope) string {
	const enrol = `
SELECT t.id, t.suite_id, t.corp_id FROM authorizations a JOIN tenants t ON t.id = a.tenant_id
WHERE t.status = 'active' AND NOT EXISTS (SELECT FROM refreshes r WHERE r.tenant_id = t.id)`
	from := enrol + s.where("a.updated_at", "t.id")
	if s == changedLately {
		from += ` UNION ` + enrol + s.where("t.updated_at", "t.id")
	}
	return `
INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at)
SELECT id, suite_id, corp_id, now() FROM (` + from + `) AS missing
LIMIT $1
ON CONFLICT (tenant_id) DO NOTHING`
}

// enrol wakes and enrols in one round trip, within a scope; of is what it is
// narrowed by.
func (s *store) enrol(ctx context.Context, in scope, of any) (woken, enrolled int64, err error) {
	b := &pgx.Batch{}
	for _, q := range []struct {
		sql string
		n   *int64
	}{{wakeSQL(in), &woken}, {enrolSQL(in), &enrolled}} {
		args := []any{enrolMax, of}
		if in == everything {
			args = args[:1]
		}
		b.Queue(q.sql, args...).Exec(func(tag pgconn.CommandTag) error { *q.n = tag.RowsAffected(); return nil })
	}
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return 0, 0, fmt.Errorf("enrol tenants: %w", err)
	}
	return woken, enrolled, nil
}

// turn says whether it is this replica's turn to do what one does for all, at most
// once in every so long.
func (s *store) turn(ctx context.Context, scope, key string, every time.Duration) (bool, error) {
	const q = `
INSERT INTO budgets AS b (scope, key, tat) VALUES ($1, $2, now() + $3::interval)
ON CONFLICT (scope, key) DO UPDATE SET tat = EXCLUDED.tat WHERE b.tat <= now()`
	tag, err := s.pool.Exec(ctx, q, scope, key, every)
	if err != nil {
		return false, fmt.Errorf("turn %s %s: %w", scope, key, err)
	}
	return tag.RowsAffected() == 1, nil
}

// forget drops cells that are full again since long: of tenants that are gone, mostly.
func (s *store) forget(ctx context.Context) error {
	const q = `
DELETE FROM budgets WHERE scope IN ('` + scopeApp + `', '` + scopeCorp + `') AND tat < now() - interval '1 day'`
	if _, err := s.pool.Exec(ctx, q); err != nil {
		return fmt.Errorf("drop old budgets: %w", err)
	}
	return nil
}
