package ticket

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Cell is a cell of a limit, for its properties.
type Cell struct{ c cell }

// NewCell makes one.
func NewCell(limit int, window, slack time.Duration, burst, reserve int) Cell {
	return Cell{newCell(scopeApp, limit, window, slack, burst, reserve)}
}

// Take charges a cell that stands at tat.
func (c Cell) Take(tat, now time.Time, n int, first bool) (time.Time, int) {
	return c.c.take(tat, now, n, first)
}

// Cells are those of limits, by scope.
func Cells(l Limits) map[string]Cell {
	out := map[string]Cell{}
	for _, c := range l.cells() {
		out[c.scope] = Cell{c}
	}
	return out
}

// Step and Room are what a cell takes for a call and gives at once.
func (c Cell) Step() time.Duration { return c.c.step }

// Burst is how many calls an untouched cell allows at once.
func (c Cell) Burst(first bool) int { return int(c.c.roomFor(first) / c.c.step) }

// Spend charges beyond a claim.
func Spend(ctx context.Context, pool *pgxpool.Pool, l Limits, tenant uuid.UUID, corp string, tickets, cycles int, first bool) (bool, error) {
	s := &store{pool: pool, cells: l.cells(), egress: "default"}
	return s.spend(ctx, tenant, corp, tickets, cycles, first)
}

// Claim leases due tenants as a process does that then dies. It says how many.
func Claim(ctx context.Context, pool *pgxpool.Pool, l Limits, n int) (int, error) {
	s := &store{pool: pool, cells: l.cells(), egress: "default", lease: defaultLease}
	leases, _, err := s.claimDue(ctx, n, n, n)
	return len(leases), err
}

// ForgetBacklog has a Refresher look at its backlog again.
func ForgetBacklog(r *Refresher) {
	r.backlogs.mu.Lock()
	defer r.backlogs.mu.Unlock()
	r.backlogs.seen, r.backlogs.lookAt = nil, time.Time{}
}
