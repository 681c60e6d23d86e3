package ticket

import (
	"context"
	"fmt"
)

// BudgetUse is how much of what WeCom allows is used at the moment, over all
// replicas: of an address 0 to 1, where 1 is all that may be asked for at once.
type BudgetUse struct {
	IPMinute, IPHour float64 // of the address that has used most
	Corps, Apps      int64   // how many have used four fifths of theirs or more
}

// nearLimit is what counts as near.
const nearLimit = 0.8

// BudgetUse reads every cell, of which there are two for each tenant: it is for the
// heartbeat, not for requests.
func (r *Refresher) BudgetUse(ctx context.Context) (BudgetUse, error) {
	r.setup()
	var u BudgetUse
	scopes, rooms := []string{}, []float64{}
	for _, c := range r.store.cells {
		scopes, rooms = append(scopes, c.scope), append(rooms, c.room.Seconds())
	}
	const q = `
WITH used AS (
	SELECT b.scope, LEAST(GREATEST(extract(epoch FROM b.tat - now()) / c.room, 0), 1) AS part
	FROM budgets b JOIN unnest($1::text[], $2::float8[]) AS c (scope, room) USING (scope)
	WHERE b.tat > now()
)
SELECT COALESCE(max(part) FILTER (WHERE scope = $3), 0)::float8, COALESCE(max(part) FILTER (WHERE scope = $4), 0)::float8,
	count(*) FILTER (WHERE scope = $5 AND part >= $7), count(*) FILTER (WHERE scope = $6 AND part >= $7)
FROM used`
	err := r.Pool.QueryRow(ctx, q, scopes, rooms, scopeIPMinute, scopeIPHour, scopeCorp, scopeApp, nearLimit).Scan(&u.IPMinute, &u.IPHour, &u.Corps, &u.Apps)
	if err != nil {
		return BudgetUse{}, fmt.Errorf("read the budgets: %w", err)
	}
	return u, nil
}
