package ticket

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

// store is the room's SQL; what writes several rows stands in save.go and enrol.go.
type store struct {
	pool      *pgxpool.Pool
	cells     []cell
	egress    string        // names the address that calls leave by
	lease     time.Duration // how long a claim holds
	idleAfter time.Duration // how long nobody must ask for a tenant until it is idle; 0: never
	seeded    atomic.Bool   // the cells of the address are there
}

// lease is a tenant that was claimed: what is stored of it, and until when it is ours.
type lease struct {
	TenantID       uuid.UUID
	Corp           string // the corp whose budget is charged
	SuiteID        wecom.SuiteID
	SuiteKind      suite.Kind
	Status         tenant.Status
	Health         tenant.Health
	LastError      string
	LastErrcode    int
	HasAgents      bool
	Forced         bool
	Refetch        Kind // that a report asked for; "" for none
	Failures       int
	Parked         reason
	AddressRefused bool      // by WeCom, for this suite
	SecretsClosed  bool      // too many wrong secrets in this hour
	DueAt          time.Time // of the database, as every time in here
	Now            time.Time

	owner    uuid.UUID
	returned time.Time // of our own clock, after the claim: Now was before
	demanded bool      // by a request for a tenant that has nothing live
	probe    bool      // WeCom is down; this attempt finds out whether it still is

	credentials map[Kind]credential
	auth        suite.Authorization // zero until the batch it came in is authorized
}

// asked reports whether somebody asked for this refresh, beside the schedule.
func (l *lease) asked() bool { return l.Forced || l.Refetch != "" }

// now is the database's time. It lags by the time the claim took to come back,
// so that what is computed from it ends too early rather than too late.
func (l *lease) now() time.Time { return l.Now.Add(time.Since(l.returned)) }

// credential is one row of credentials, its value only where it is needed.
type credential struct {
	Kind        Kind
	Sealed      []byte // of the access_token
	Fingerprint []byte
	Generation  int64
	Forgotten   bool      // its value is not there, though it may live yet (distrust.go)
	ExpiresAt   time.Time // zero: there is none
	RefreshedAt time.Time // when its value was first fetched
	NextAt      time.Time // zero: never tried, or never again by itself
	Failures    int
	Errcode     *int32
	Error       string
	ErrorAt     *time.Time
}

// maxClaim is how many tenants one claim takes at most. It stands in the statement
// as a number, for the planner: of limits that are parameters it believes that they
// let a tenth of what is due pass, and so it would read whole tables to look up a
// hundred rows, the more of them the more is due.
const (
	maxClaim     = 128
	maxClaimText = "128"
)

// A claim is one statement. It
//
//   - finds the suites that have something due and takes from each its share, so
//     that a suite with very many does not delay another with few,
//   - takes tenants that failed before in a lane of their own,
//   - locks the cells of the IP first and takes no more than they allow,
//   - charges tenants and corps for the whole cycle, puts off who is over the
//     limit, and leases the rest,
//   - answers with all that an attempt has to know.
//
// Cells are locked in one order everywhere, the IP's, then by scope and key; rows
// of refreshes are never waited for (SKIP LOCKED). So claims do not deadlock.
//
// $1 owner, $2 lease, $3 $4 $5 cells (scope, step, room), $6 egress, $7 ticket calls
// of a cycle, $8 how far ahead the cell of wrong secrets is closed, $9 the cells' room
// with the reserve; then what the choice of rows needs.
const (
	claimCells = `
WITH cell AS MATERIALIZED (
	SELECT scope, step, room, whole FROM unnest($3::text[], $4::interval[], $5::interval[], $9::interval[]) AS c (scope, step, room, whole)
),`

	// $10 how many whose last attempt went well, $11 how many whose did not, $12 how many at all.
	// What an admin asked for stands first in its lane, and the reserve is open to it.
	claimDue = `
suite_due AS MATERIALIZED (
	SELECT s.suite_id,
		EXISTS (SELECT FROM refreshes r WHERE r.suite_id = s.suite_id AND r.failures = 0
			AND r.due_at < 'infinity' AND r.due_at <= now()) AS fresh,
		EXISTS (SELECT FROM refreshes r WHERE r.suite_id = s.suite_id AND r.failures > 0
			AND r.due_at < 'infinity' AND r.due_at <= now()) AS failed
	FROM suites s
),
something AS (SELECT FROM suite_due WHERE fresh OR failed),` + claimRoom + `
fresh_due AS MATERIALIZED (
	SELECT d.*, s.turn FROM (SELECT suite_id, random() AS turn FROM suite_due WHERE fresh) s CROSS JOIN LATERAL (
		SELECT r.tenant_id, r.corp_id, r.due_at, r.forced OR r.refetch <> '' AS paid FROM refreshes r
		WHERE r.suite_id = s.suite_id AND r.failures = 0 AND r.due_at < 'infinity' AND r.due_at <= now()
			AND (r.lease_until IS NULL OR r.lease_until <= now())
		ORDER BY r.due_at
		LIMIT ceil($10::int / NULLIF((SELECT count(*) FROM suite_due WHERE fresh), 0)::float8)
		FOR UPDATE SKIP LOCKED
	) d
),
fresh AS MATERIALIZED (
	SELECT l.tenant_id, l.corp_id, l.due_at, l.paid
	FROM (SELECT *, row_number() OVER (ORDER BY NOT paid, turn, due_at) AS place FROM fresh_due) l, room
	WHERE l.place <= LEAST($10::int, room.n) OR l.paid AND l.place <= LEAST($10::int, room.whole)
),
failed_due AS MATERIALIZED (
	SELECT d.*, s.turn FROM (SELECT suite_id, random() AS turn FROM suite_due WHERE failed) s CROSS JOIN LATERAL (
		SELECT r.tenant_id, r.corp_id, r.due_at, r.forced OR r.refetch <> '' AS paid FROM refreshes r
		WHERE r.suite_id = s.suite_id AND r.failures > 0 AND r.due_at < 'infinity' AND r.due_at <= now()
			AND (r.lease_until IS NULL OR r.lease_until <= now())
		ORDER BY r.due_at
		LIMIT ceil($11::int / NULLIF((SELECT count(*) FROM suite_due WHERE failed), 0)::float8)
		FOR UPDATE SKIP LOCKED
	) d
),
failed AS MATERIALIZED (
	SELECT l.tenant_id, l.corp_id, l.due_at, l.paid
	FROM (SELECT *, row_number() OVER (ORDER BY NOT paid, turn, due_at) AS place FROM failed_due) l, room
	WHERE l.place <= LEAST($11::int, LEAST(room.n, $12::int) - (SELECT count(*) FROM fresh)) OR l.paid AND l.place <= LEAST($11::int, LEAST(room.whole, $12::int) - (SELECT count(*) FROM fresh))
),
due AS MATERIALIZED (SELECT * FROM (SELECT * FROM fresh UNION ALL SELECT * FROM failed) AS d LIMIT ` + maxClaimText + `),`

	// $10 the tenant, $11 how long after the last attempt a request may start one
	claimDemanded = `
something AS (SELECT),` + claimRoom + `
due AS MATERIALIZED (
	SELECT r.tenant_id, r.corp_id, r.due_at, r.forced AS paid FROM refreshes r
	WHERE r.tenant_id = $10 AND r.parked_reason = ''
		AND (r.lease_until IS NULL OR r.lease_until <= now())
		AND (r.attempted_at IS NULL OR r.attempted_at <= now() - $11::interval)
	LIMIT LEAST(1, (SELECT n FROM room))
	FOR UPDATE SKIP LOCKED
),`

	// What the IP's cells have room for. An idle heartbeat locks none.
	claimRoom = `
ip AS MATERIALIZED (
	SELECT b.scope, b.tat FROM budgets b
	WHERE b.key = $6 AND b.scope IN (SELECT scope FROM cell WHERE scope IN ('` + scopeIPMinute + `', '` + scopeIPHour + `'))
		AND EXISTS (SELECT FROM something)
	ORDER BY b.scope
	FOR UPDATE
),
room AS MATERIALIZED (
	SELECT COALESCE(min(GREATEST(0, floor((left_of + extract(epoch FROM room)) / extract(epoch FROM step)))), 1e6)::int AS n,
		COALESCE(min(GREATEST(0, floor((left_of + extract(epoch FROM whole)) / extract(epoch FROM step)))), 1e6)::int AS whole
	FROM (
		SELECT c.room, c.whole, c.step, extract(epoch FROM now() - GREATEST(COALESCE(ip.tat, now()), now())) AS left_of
		FROM cell c LEFT JOIN ip USING (scope)
		WHERE c.scope IN ('` + scopeIPMinute + `', '` + scopeIPHour + `')
	) AS c
),`

	claimCost = `
cost AS (
	SELECT '` + scopeApp + `' AS scope, tenant_id::text COLLATE "C" AS key, $7::int AS n FROM due WHERE NOT paid
	UNION ALL
	SELECT '` + scopeCorp + `', corp_id, $7::int * count(*)::int FROM due WHERE NOT paid GROUP BY corp_id
),
charged AS (
	INSERT INTO budgets AS b (scope, key, tat)
	SELECT w.scope, w.key, now() + w.n * c.step FROM cost w JOIN cell c USING (scope)
	WHERE w.n * c.step <= c.room
	ORDER BY w.scope, w.key
	ON CONFLICT (scope, key) DO UPDATE SET tat = GREATEST(b.tat, now()) + (EXCLUDED.tat - now())
	WHERE GREATEST(b.tat, now()) + (EXCLUDED.tat - now()) <= now() + (SELECT c.room FROM cell c WHERE c.scope = b.scope)
	RETURNING b.scope, b.key
),
allowed AS MATERIALIZED (
	SELECT d.tenant_id FROM due d
	WHERE d.paid OR (
		(NOT EXISTS (SELECT FROM cell WHERE scope = '` + scopeApp + `')
			OR d.tenant_id::text IN (SELECT key FROM charged WHERE scope = '` + scopeApp + `'))
		AND (NOT EXISTS (SELECT FROM cell WHERE scope = '` + scopeCorp + `')
			OR d.corp_id IN (SELECT key FROM charged WHERE scope = '` + scopeCorp + `')))
),
paid AS (
	INSERT INTO budgets AS b (scope, key, tat)
	SELECT c.scope, $6, now() + a.n * c.step FROM cell c, (SELECT count(*) AS n FROM allowed) a
	WHERE c.scope IN ('` + scopeIPMinute + `', '` + scopeIPHour + `') AND a.n > 0
	ORDER BY c.scope
	ON CONFLICT (scope, key) DO UPDATE SET tat = GREATEST(b.tat, now()) + (EXCLUDED.tat - now())
),
leased AS (
	UPDATE refreshes r SET lease_owner = $1, lease_until = now() + $2::interval, attempted_at = now()`

	// To ask for it is to use it.
	claimUsed = `, used_at = now()`

	claimLease = `
	FROM allowed a WHERE r.tenant_id = a.tenant_id
	RETURNING r.tenant_id, r.suite_id, r.forced, r.refetch, r.failures, r.parked_reason
),
put_off AS (
	UPDATE refreshes r SET due_at = now() + interval '1 minute' * (1 + random())
	FROM due d WHERE r.tenant_id = d.tenant_id AND NOT EXISTS (SELECT FROM allowed a WHERE a.tenant_id = d.tenant_id)
)
SELECT d.tenant_id, d.corp_id, LEAST(d.due_at, now()), now(), l.suite_id, s.kind, t.status, t.health, t.last_error,
	COALESCE(t.last_errcode, 0), COALESCE((SELECT true FROM agents g WHERE g.tenant_id = t.id LIMIT 1), false), l.forced, l.refetch, l.failures, l.parked_reason,
	COALESCE(k.blocked_until > now(), false),
	EXISTS (SELECT FROM budgets b WHERE b.scope = '` + scopeSecret + `' AND b.key = $6 AND b.tat > now() + $8::interval),
	c.kind, CASE WHEN c.kind = 'access_token' THEN c.value_sealed END, c.fingerprint, c.generation,
	c.expires_at, c.refreshed_at, NULLIF(c.next_at, 'infinity'), c.failures, c.last_errcode, c.last_error, c.last_error_at, c.value_sealed IS NULL
FROM due d
LEFT JOIN leased l USING (tenant_id)
LEFT JOIN tenants t ON t.id = l.tenant_id
LEFT JOIN suites s ON s.suite_id = l.suite_id
LEFT JOIN suite_tokens k ON k.suite_id = l.suite_id
-- The limits keep the planner from reading these tables whole.
LEFT JOIN LATERAL (SELECT * FROM credentials c WHERE c.tenant_id = l.tenant_id ORDER BY c.kind LIMIT 8) c ON true
ORDER BY d.due_at, d.tenant_id`

	claimDueSQL      = claimCells + claimDue + claimCost + claimLease
	claimDemandedSQL = claimCells + claimDemanded + claimCost + claimUsed + claimLease
)

// claimDue leases up to fresh tenants that are due, up to failed ones whose last
// attempt failed, and no more than atAll. putOff is how many were due but over
// their budget.
func (s *store) claimDue(ctx context.Context, fresh, failed, atAll int) (leased []*lease, putOff int, err error) {
	leased, putOff, err = s.claim(ctx, claimDueSQL, false, min(fresh, maxClaim), min(failed, maxClaim), min(atAll, maxClaim))
	if err != nil {
		return nil, 0, fmt.Errorf("claim due tenants: %w", err)
	}
	return leased, putOff, nil
}

// claimDemanded leases one tenant, due or not, unless it is leased or parked or
// its last attempt is not long ago. The reserve of the budgets is open to it.
func (s *store) claimDemanded(ctx context.Context, id uuid.UUID, apart time.Duration) (*lease, error) {
	leased, putOff, err := s.claim(ctx, claimDemandedSQL, true, id, apart)
	switch {
	case err != nil:
		return nil, fmt.Errorf("claim tenant %s: %w", id, err)
	case putOff > 0:
		return nil, fmt.Errorf("tenant %s: %w", id, ErrBudgetSpent)
	case len(leased) == 0:
		return nil, nil
	}
	leased[0].demanded = true
	return leased[0], nil
}

func (s *store) claim(ctx context.Context, sql string, first bool, choice ...any) ([]*lease, int, error) {
	if err := s.seed(ctx); err != nil {
		return nil, 0, err
	}
	owner := uuid.New() // names this claim; nothing else is ever compared with it
	scopes, steps, rooms := columns(s.cells, first)
	_, _, whole := columns(s.cells, true)
	closed := secretCell()
	args := append([]any{owner, s.lease, scopes, steps, rooms, s.egress, ticketsPerCycle, closed.room - closed.step, whole}, choice...)
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, 0, err
	}
	var leased []*lease
	putOff := 0
	for rows.Next() {
		l, c, err := scanLease(rows)
		if err != nil {
			rows.Close()
			return nil, 0, err
		}
		switch {
		case l == nil:
			putOff++
			continue
		case len(leased) == 0 || leased[len(leased)-1].TenantID != l.TenantID:
			l.owner = owner
			leased = append(leased, l)
		}
		if c.Kind != "" {
			leased[len(leased)-1].credentials[c.Kind] = c
		}
	}
	returned := time.Now()
	for _, l := range leased {
		l.returned = returned
	}
	return leased, putOff, rows.Err()
}

// columns are cells as the SQL takes them.
func columns(cells []cell, first bool) (scopes []string, steps, rooms []time.Duration) {
	scopes, steps, rooms = []string{}, []time.Duration{}, []time.Duration{}
	for _, c := range cells {
		scopes, steps, rooms = append(scopes, c.scope), append(steps, c.step), append(rooms, c.roomFor(first))
	}
	return scopes, steps, rooms
}

// scanLease reads one row: a tenant with one of its credentials. No lease: it was put off.
func scanLease(rows pgx.Rows) (*lease, credential, error) {
	l := &lease{credentials: map[Kind]credential{}}
	var c credential
	var suiteID, kind, status, health, lastError, refetch, parked, credentialKind, credentialError *string
	var generation *int64
	var errcode, failures, tried *int
	var forced *bool
	var expires, refreshed, next *time.Time
	err := rows.Scan(&l.TenantID, &l.Corp, &l.DueAt, &l.Now, &suiteID, &kind, &status, &health, &lastError,
		&errcode, &l.HasAgents, &forced, &refetch, &failures, &parked, &l.AddressRefused, &l.SecretsClosed,
		&credentialKind, &c.Sealed, &c.Fingerprint, &generation, &expires, &refreshed, &next, &tried, &c.Errcode, &credentialError, &c.ErrorAt, &c.Forgotten)
	if err != nil || suiteID == nil {
		return nil, c, err
	}
	l.SuiteID, l.SuiteKind = wecom.SuiteID(*suiteID), suite.Kind(value(kind))
	l.Status, l.Health, l.LastError = tenant.Status(value(status)), tenant.Health(value(health)), value(lastError)
	l.LastErrcode, l.Forced, l.Failures, l.Parked = value(errcode), value(forced), value(failures), reason(value(parked))
	l.Refetch = Kind(value(refetch))
	c.Kind, c.Generation, c.Failures, c.Error = Kind(value(credentialKind)), value(generation), value(tried), value(credentialError)
	c.ExpiresAt, c.RefreshedAt, c.NextAt = value(expires), value(refreshed), value(next)
	return l, c, nil
}

// value is what p points at, or the zero value.
func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}
