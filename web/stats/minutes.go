package stats

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Meter adds what this replica counts to the minutes of all replicas. Totals are
// read from counters that only grow, so that counting costs nothing more.
type Meter struct {
	Pool   *pgxpool.Pool
	Totals func() map[string]float64 // by name: a few words, never an id

	mu   sync.Mutex
	last map[string]float64 // what was added already
}

// Flush adds what was counted since the last one to the minute that has just
// begun or is under way: one statement, or none where nothing was. What the database
// does not take is added the next time.
func (m *Meter) Flush(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	totals := m.Totals()
	var names []string
	var counts []int64
	for name, total := range totals {
		if n := int64(total - m.last[name]); n > 0 {
			names, counts = append(names, name), append(counts, n)
		}
	}
	if len(names) == 0 {
		return nil
	}
	const q = `
INSERT INTO stats_minutes AS s (minute, name, count)
SELECT date_trunc('minute', now()), v.name, v.count FROM unnest($1::text[], $2::bigint[]) AS v (name, count) ORDER BY v.name
ON CONFLICT (minute, name) DO UPDATE SET count = s.count + EXCLUDED.count`
	if _, err := m.Pool.Exec(ctx, q, names, counts); err != nil {
		return fmt.Errorf("add to the minute's counts: %w", err)
	}
	m.last = totals
	return nil
}

// Minute is what all replicas counted within one.
type Minute struct {
	At     time.Time
	Counts map[string]int64
}

// Minutes answers with the last n minutes in which anything was counted, the oldest
// first.
func Minutes(ctx context.Context, pool *pgxpool.Pool, n int) ([]Minute, error) {
	const q = `SELECT minute, name, count FROM stats_minutes WHERE minute > now() - make_interval(mins => $1) ORDER BY minute, name`
	rows, err := pool.Query(ctx, q, n)
	if err != nil {
		return nil, fmt.Errorf("stats of minutes: %w", err)
	}
	var out []Minute
	var at time.Time
	var name string
	var count int64
	_, err = pgx.ForEachRow(rows, []any{&at, &name, &count}, func() error {
		if len(out) == 0 || !out[len(out)-1].At.Equal(at) {
			out = append(out, Minute{at, map[string]int64{}})
		}
		out[len(out)-1].Counts[name] = count
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("stats of minutes: %w", err)
	}
	return out, nil
}

// kept is how long minutes are kept.
const kept = 24 * time.Hour

// Prune drops minutes that are too old.
func Prune(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	tag, err := pool.Exec(ctx, `DELETE FROM stats_minutes WHERE minute < now() - $1::interval`, kept)
	if err != nil {
		return 0, fmt.Errorf("prune the minutes' counts: %w", err)
	}
	return tag.RowsAffected(), nil
}
