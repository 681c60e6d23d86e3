package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// steadyRate is how many of 800,000 active tenants are due in a second.
const steadyRate = 150

// steady keeps many tenants fresh at real lifetimes, their expiries spread evenly,
// and tells what that costs: the service, and the tables.
func (h *house) steady(ctx context.Context, t *table) error {
	n, lasts := h.sized().steady, h.sized().steadyFor
	active := n * 4 / 5
	pool, err := h.fresh(ctx, "steady")
	if err != nil {
		return err
	}
	defer pool.Close()
	// Spread over a cycle, or, where they are few, so that as many are due a second as of
	// a million in the full size.
	over := min(85*time.Minute, time.Duration(active)*time.Second/steadyRate)
	// Neighbours in the table are not due one after the other: a day of jitter has seen to that.
	const prime = 7919
	spread := func(i int) time.Duration {
		return time.Duration(int64(i) * prime % int64(active) * int64(over) / int64(active))
	}
	err = h.fill(ctx, pool, stock{
		tenants: n, platform: true,
		left: func(i int) (time.Duration, bool) { return spread(i) + 35*time.Minute, i < active },
		due:  func(i int) (time.Duration, bool) { return spread(i), i < active },
	})
	if err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, `SELECT pg_stat_reset()`); err != nil {
		return err
	}
	h.forgetCalls()
	sizeBefore, err := hotTables(ctx, pool)
	if err != nil {
		return err
	}
	service, err := h.serve(ctx, "SUITESIGN_LOG_LEVEL=warn")
	if err != nil {
		return err
	}
	defer service.stop()
	trips, err := transactions(ctx, pool)
	if err != nil {
		return err
	}
	cpu, err := service.cpu()
	if err != nil {
		return err
	}
	say("steady state of %d tenants for %s", n, lasts)
	began := time.Now()
	if err := h.rest(ctx, service, lasts); err != nil {
		return err
	}
	took := time.Since(began)
	refreshed := h.asked("/cgi-bin/ticket/get")
	cpuAfter, err := service.cpu()
	if err != nil {
		return err
	}
	tripsAfter, err := transactions(ctx, pool)
	if err != nil {
		return err
	}
	rss, peak, err := service.memory()
	if err != nil {
		return err
	}
	late, err := counted(ctx, pool, `SELECT COALESCE(extract(epoch FROM now() - min(due_at)), 0)::bigint FROM refreshes WHERE due_at <= now()`)
	if err != nil {
		return err
	}
	dead, err := counted(ctx, pool, `SELECT count(*) FROM credentials WHERE expires_at <= now()`)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("steady state, %d tenants, %d of them active, %s", n, active, lasts)
	t.judged(line+": tickets that ended before they were replaced", fmt.Sprintf("%d; %.1f refreshes a second, the latest %d s late", dead, float64(refreshed)/took.Seconds(), late), "0", dead == 0)
	t.told("its CPU", fmt.Sprintf("%.1f %% of one, %.2f ms a refresh", 100*(cpuAfter-cpu).Seconds()/took.Seconds(), 1e3*(cpuAfter-cpu).Seconds()/float64(max(refreshed, 1))))
	t.told("its memory (RSS), and the most it ever was", fmt.Sprintf("%d MiB, %d MiB", rss/mebibyte, peak/mebibyte))
	t.told("its transactions", fmt.Sprintf("%.0f a second, %.2f a refresh", float64(tripsAfter-trips)/took.Seconds(), float64(tripsAfter-trips)/float64(max(refreshed, 1))))
	sizeAfter, err := hotTables(ctx, pool)
	if err != nil {
		return err
	}
	for i, s := range sizeAfter {
		t.told("its table `"+s.Name+"`", s.since(sizeBefore[i]))
	}
	return nil
}

// rest waits while the service lives.
func (h *house) rest(ctx context.Context, p *process, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ended:
		return fmt.Errorf("%s ended (%w):\n%s", p.name, p.err, p.said())
	case <-time.After(d):
		return nil
	}
}

// hotTable is how a table fares that refreshes write to.
type hotTable struct {
	Name                         string
	Heap, Indexes                int64
	Updates, Hot, Dead, Vacuumed int64
	Whole                        int64 // how often it was read from end to end
}

func hotTables(ctx context.Context, pool *pgxpool.Pool) ([]hotTable, error) {
	const q = `
SELECT relname, pg_relation_size(relid), pg_indexes_size(relid), n_tup_upd, n_tup_hot_upd, n_dead_tup, autovacuum_count, seq_scan
FROM pg_stat_user_tables WHERE relname IN ('budgets', 'credentials', 'refreshes', 'tenants') ORDER BY relname`
	rows, err := pool.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[hotTable])
}

func (t hotTable) since(before hotTable) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	add("%d updates", t.Updates)
	if t.Updates > 0 {
		add("%.0f %% HOT", 100*float64(t.Hot)/float64(t.Updates))
	}
	add("%d dead", t.Dead)
	add("autovacuum %d times", t.Vacuumed)
	add("read whole %d times", t.Whole-before.Whole)
	add("heap %d to %d MiB", before.Heap/mebibyte, t.Heap/mebibyte)
	add("indexes %d to %d MiB", before.Indexes/mebibyte, t.Indexes/mebibyte)
	return strings.Join(parts, ", ")
}
