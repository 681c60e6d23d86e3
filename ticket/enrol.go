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
	recently    = 10 * time.Minute       // how far back the first beat looks for rows that changed
	overlap     = 30 * time.Second       // how far behind the last one each beat looks again: changes become visible when they commit
	lookEvery   = 900 * time.Millisecond // one beat of all replicas, so that ten look no more often than one
	fullEvery   = 5 * time.Minute        // all rows are looked at this often
	forgetEvery = 6 * time.Hour          // cells of tenants that are long gone are dropped this often
	enrolMax    = 5000                   // rows of one statement
	enrolAllMax = 50_000
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
// first agent after their first refresh, for they lack a ticket. Those may wait for
// a retry of something else that failed: an attempt that knew of the agent has left
// a row of its ticket in any case, so none is woken twice. $1: how many.
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
	WHERE t.status = 'active' AND r.parked_reason = '' AND r.due_at > now()` + s.where("t.updated_at", "t.id") + `
		AND EXISTS (SELECT FROM agents g WHERE g.tenant_id = t.id)
		AND EXISTS (SELECT FROM credentials c WHERE c.tenant_id = t.id AND c.kind = '` + string(JSAPITicket) + `')
		AND NOT EXISTS (SELECT FROM credentials c WHERE c.tenant_id = t.id AND c.kind = '` + string(AgentConfig) + `')
),
free AS MATERIALIZED ( -- who is being worked for is looked at again when that is over
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
ORDER BY id -- two that enrol the same tenants must not wait for each other
LIMIT $1
ON CONFLICT (tenant_id) DO NOTHING`
}

// enrol wakes and enrols within a scope; of is what it is narrowed by.
func (s *store) enrol(ctx context.Context, in scope, of any) (woken, enrolled int64, err error) {
	limit, args := int64(enrolMax), []any{of}
	if in == everything {
		limit, args = enrolAllMax, nil
	}
	args = append([]any{limit}, args...)
	for again := true; again; {
		var w, e int64
		b := &pgx.Batch{}
		b.Queue(wakeSQL(in), args...).Exec(func(tag pgconn.CommandTag) error { w = tag.RowsAffected(); return nil })
		b.Queue(enrolSQL(in), args...).Exec(func(tag pgconn.CommandTag) error { e = tag.RowsAffected(); return nil })
		if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
			return woken, enrolled, fmt.Errorf("enrol tenants: %w", err)
		}
		woken, enrolled = woken+w, enrolled+e
		again = w == limit || e == limit
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

// enrol enrols what changed since the last time, or now and then all there is. One
// replica does it for all.
func (r *Refresher) enrol(ctx context.Context) (woken, enrolled int64, err error) {
	ours, err := r.store.turn(ctx, scopeChore, "enrol", lookEvery)
	if err != nil || !ours {
		return 0, 0, err
	}
	all, err := r.store.turn(ctx, scopeChore, "enrol_all", fullEvery)
	if err != nil {
		return 0, 0, err
	}
	if !all {
		return r.enrolLately(ctx)
	}
	clean, err := r.store.turn(ctx, scopeChore, "forget", forgetEvery)
	if err == nil && clean {
		err = r.store.forget(ctx)
	}
	if err != nil {
		return 0, 0, err
	}
	if woken, enrolled, err = r.store.enrol(ctx, everything, nil); err != nil {
		return woken, enrolled, err
	}
	idle, err := r.store.wakeIdle(ctx)
	return woken + idle, enrolled, err
}

// enrolLately looks back as far as this process looked last, and some more.
func (r *Refresher) enrolLately(ctx context.Context) (woken, enrolled int64, err error) {
	began := time.Now()
	r.mu.Lock()
	back := recently
	if ago := began.Sub(r.lookedAt); ago < recently {
		back = min(recently, ago+overlap)
	}
	r.mu.Unlock()
	if woken, enrolled, err = r.store.enrol(ctx, changedLately, back); err != nil {
		return woken, enrolled, err
	}
	r.mu.Lock()
	r.lookedAt = began
	r.mu.Unlock()
	return woken, enrolled, nil
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
