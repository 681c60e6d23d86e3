package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// A tenant that no page has asked for in IdleAfter is idle: when an attempt for it
// has gone well, it gets no place in the schedule (save.go) but due_at 'infinity',
// and no claim ever passes by its row again. Nothing else about it changes. What it
// holds signs while it lives; a use that is told meanwhile puts it back where it
// would have stood; and the first request after that has it refreshed by Demand.
//
// So a use that is never told, because a replica died before it could, costs a
// refresh at the wrong time: one too many, or one on demand.

// idleRow is the condition on a row r of refreshes that is idle.
const idleRow = `r.due_at = 'infinity' AND r.parked_reason = ''`

// useEvery is how seldom a use of one tenant has to be told, at most.
const useEvery = time.Hour

// UseEvery is how often the use of a tenant is worth telling to [Refresher.Used];
// 0: never, for nobody is ever idle.
func (r *Refresher) UseEvery() time.Duration { return min(useEvery, r.IdleAfter/4) }

// usedSQL writes down that pages asked for tenants, of each at most once in $2, and
// puts those back into the schedule that were idle. Rows are locked in the order
// in which a save locks them.
const usedSQL = `
WITH used AS MATERIALIZED (
	SELECT r.tenant_id FROM refreshes r
	WHERE r.tenant_id = ANY($1) AND (r.used_at <= now() - $2::interval OR ` + idleRow + `)
	ORDER BY r.tenant_id
	FOR NO KEY UPDATE
)
UPDATE refreshes r SET used_at = now(), due_at = CASE WHEN ` + idleRow + ` THEN ` + plannedAt + ` ELSE r.due_at END
FROM used u WHERE r.tenant_id = u.tenant_id`

// plannedAt is when an idle tenant would have been due.
const plannedAt = `COALESCE((SELECT min(c.next_at) FROM credentials c WHERE c.tenant_id = r.tenant_id), now())`

// Used tells that pages asked for tenants, lately.
func (r *Refresher) Used(ctx context.Context, ids []uuid.UUID) error {
	if r.IdleAfter <= 0 || len(ids) == 0 {
		return nil
	}
	if _, err := r.Pool.Exec(ctx, usedSQL, ids, r.UseEvery()); err != nil {
		return fmt.Errorf("remember the use of %d tenants: %w", len(ids), err)
	}
	return nil
}

// idleFor is IdleAfter for SQL: longer than anything if nobody is ever idle.
func (s *store) idleFor() time.Duration {
	if s.idleAfter <= 0 {
		return 100 * 365 * 24 * time.Hour
	}
	return s.idleAfter
}

// wakeIdle puts tenants back into the schedule that are idle although by now they
// would not have become so: somebody has set another IdleAfter, or none.
func (s *store) wakeIdle(ctx context.Context) (int64, error) {
	const q = `
UPDATE refreshes r SET due_at = ` + plannedAt + `
FROM (
	SELECT r.tenant_id FROM refreshes r JOIN credentials c ON c.tenant_id = r.tenant_id AND c.kind = '` + string(JSAPITicket) + `'
	WHERE ` + idleRow + ` AND c.next_at <= r.used_at + $1::interval
	ORDER BY r.tenant_id
	FOR NO KEY UPDATE OF r SKIP LOCKED
) AS i
WHERE r.tenant_id = i.tenant_id AND ` + idleRow
	tag, err := s.pool.Exec(ctx, q, s.idleFor())
	if err != nil {
		return 0, fmt.Errorf("wake idle tenants: %w", err)
	}
	return tag.RowsAffected(), nil
}

// Standing is where a tenant stands in the schedule.
type Standing struct {
	UsedAt *time.Time // about when a page last asked for it; nil: it has no place in the schedule yet
	Idle   bool       // nobody has for long: it is refreshed when somebody does
}

// Standing tells where a tenant stands.
func (s *Source) Standing(ctx context.Context, id uuid.UUID) (Standing, error) {
	const q = `SELECT r.used_at, ` + idleRow + ` FROM refreshes r WHERE r.tenant_id = $1`
	var out Standing
	err := s.Pool.QueryRow(ctx, q, id).Scan(&out.UsedAt, &out.Idle)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Standing{}, fmt.Errorf("standing of tenant %s: %w", id, err)
	}
	return out, nil
}
