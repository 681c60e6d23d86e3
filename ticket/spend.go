package ticket

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// spendSQL charges calls beyond those of a claim, all of them or none.
// $1 $2 $3 cells, $4 egress, $5 tenant, $6 corp, $7 ticket calls, $8 cycles of the IP.
const spendSQL = `
WITH cost AS MATERIALIZED (
	SELECT c.scope, c.step, c.room,
		CASE c.scope WHEN '` + scopeApp + `' THEN $5::text WHEN '` + scopeCorp + `' THEN $6::text ELSE $4::text END COLLATE "C" AS key,
		CASE WHEN c.scope IN ('` + scopeApp + `', '` + scopeCorp + `') THEN $7::int ELSE $8::int END AS n
	FROM unnest($1::text[], $2::interval[], $3::interval[]) AS c (scope, step, room)
),
held AS MATERIALIZED (
	SELECT b.scope, b.tat FROM budgets b JOIN cost c USING (scope, key)
	ORDER BY b.scope IN ('` + scopeApp + `', '` + scopeCorp + `'), b.scope
	FOR UPDATE OF b
),
verdict AS (
	SELECT bool_and(GREATEST(COALESCE(h.tat, now()), now()) + c.n * c.step <= now() + c.room) AS ok
	FROM cost c LEFT JOIN held h USING (scope)
),
spent AS (
	INSERT INTO budgets AS b (scope, key, tat)
	SELECT c.scope, c.key, now() + c.n * c.step FROM cost c, verdict v WHERE v.ok AND c.n > 0
	ORDER BY c.scope
	ON CONFLICT (scope, key) DO UPDATE SET tat = GREATEST(b.tat, now()) + (EXCLUDED.tat - now())
	-- held by nobody if somebody else has just made it: asked again
	WHERE GREATEST(b.tat, now()) + (EXCLUDED.tat - now()) <= now() + (SELECT c.room FROM cost c WHERE c.scope = b.scope)
	RETURNING 1
)
SELECT ok AND (SELECT count(*) FROM spent) = (SELECT count(*) FROM cost WHERE n > 0) FROM verdict`

// spend charges a tenant, its corp and our address, and says whether they allow it.
// first: the reserve is open to it.
func (s *store) spend(ctx context.Context, id uuid.UUID, corp string, tickets, cycles int, first bool) (bool, error) {
	if len(s.cells) == 0 {
		return true, nil
	}
	scopes, steps, rooms := columns(s.cells, first)
	var ok bool
	if err := s.pool.QueryRow(ctx, spendSQL, scopes, steps, rooms, s.egress, id.String(), corp, tickets, cycles).Scan(&ok); err != nil {
		return false, fmt.Errorf("charge tenant %s: %w", id, err)
	}
	return ok, nil
}

// ChargeToken charges our address with one call for an access_token that somebody else
// is about to make for a tenant, and says whether it may. The reserve is not open to it.
func (r *Refresher) ChargeToken(ctx context.Context, id uuid.UUID) (bool, error) {
	r.setup()
	return r.store.spend(ctx, id, "", 0, 1, false)
}

// seed makes the cells of our address, full. A claim locks them before it looks
// how much they allow, and there must be something to lock.
func (s *store) seed(ctx context.Context) error {
	if s.seeded.Load() {
		return nil
	}
	const q = `
INSERT INTO budgets (scope, key, tat)
SELECT scope, $2, now() FROM unnest($1::text[]) AS c (scope) WHERE scope IN ('` + scopeIPMinute + `', '` + scopeIPHour + `') ORDER BY scope
ON CONFLICT DO NOTHING`
	scopes, _, _ := columns(s.cells, false)
	if _, err := s.pool.Exec(ctx, q, scopes, s.egress); err != nil {
		return fmt.Errorf("make the budgets of the address: %w", err)
	}
	s.seeded.Store(true)
	return nil
}

// countWrongSecret charges one answer that called a secret wrong. It came, whether
// there was room for it or not.
func (s *store) countWrongSecret(ctx context.Context) error {
	const q = `
INSERT INTO budgets AS b (scope, key, tat) VALUES ('` + scopeSecret + `', $1, now() + $2::interval)
ON CONFLICT (scope, key) DO UPDATE SET tat = GREATEST(b.tat, now()) + $2::interval`
	if _, err := s.pool.Exec(ctx, q, s.egress, secretCell().step); err != nil {
		return fmt.Errorf("count a wrong secret: %w", err)
	}
	return nil
}

// mayProbe says whether WeCom, being down, may be asked once now.
func (s *store) mayProbe(ctx context.Context) (bool, error) {
	return s.turn(ctx, scopeProbe, s.egress, probeEvery)
}

// holdProbes keeps everybody from probing for a while: our address is blocked.
func (s *store) holdProbes(ctx context.Context, wait time.Duration) error {
	const q = `
INSERT INTO budgets AS b (scope, key, tat) VALUES ('` + scopeProbe + `', $1, now() + $2::interval)
ON CONFLICT (scope, key) DO UPDATE SET tat = GREATEST(b.tat, EXCLUDED.tat)`
	if _, err := s.pool.Exec(ctx, q, s.egress, wait); err != nil {
		return fmt.Errorf("hold probes: %w", err)
	}
	return nil
}
