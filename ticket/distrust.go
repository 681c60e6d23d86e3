package ticket

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// distrustSQL forgets what a batch of tenants holds, takes it from whoever is just
// refreshing them, and makes due who is scheduled. $1 after which tenant, $2 how many.
//
// Only the values go. What is known of them stays: where WeCom repeats one, its older
// expiry stands, and generations go up. Who waits for a retry, is parked or idle goes
// on waiting: without a value nobody signs.
const distrustSQL = `
WITH page AS MATERIALIZED (
	SELECT tenant_id FROM refreshes WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2 FOR UPDATE
),
forgotten AS (
	UPDATE credentials c SET value_sealed = NULL, previous_sealed = NULL,
		next_at = CASE WHEN c.failures = 0 THEN LEAST(c.next_at, now()) ELSE c.next_at END
	FROM page p WHERE c.tenant_id = p.tenant_id
),
due AS (
	UPDATE refreshes r SET lease_owner = NULL, lease_until = NULL,
		due_at = CASE WHEN r.failures = 0 AND r.parked_reason = '' AND r.due_at < 'infinity' THEN LEAST(r.due_at, now()) ELSE r.due_at END
	FROM page p WHERE r.tenant_id = p.tenant_id
)
SELECT tenant_id FROM page ORDER BY tenant_id`

// Distrust forgets every tenant's access_token and tickets, so that nothing is signed
// before WeCom has been asked again: after a restore of an older state, in which corps
// still are what they are no more. It does so in batches, each for itself, and may be
// ended and repeated; the schedule then is as after a cold start. It says of how many tenants.
func Distrust(ctx context.Context, pool *pgxpool.Pool, batch int) (tenants int64, err error) {
	for last := uuid.Nil; ; {
		rows, err := pool.Query(ctx, distrustSQL, last, batch)
		if err != nil {
			return tenants, fmt.Errorf("forget credentials: %w", err)
		}
		page, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return tenants, fmt.Errorf("forget credentials: %w", err)
		}
		tenants += int64(len(page))
		if len(page) < batch {
			return tenants, nil
		}
		last = page[len(page)-1]
	}
}
