package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// What a drain is held against.
const (
	drainRate     = 400 // tenants a second
	drainTrips    = 1.0 // transactions a tenant
	drainCPU      = time.Millisecond
	drainReplicas = 2
)

// unpaced lets the worker do what it can: no limit of WeCom's is kept.
var unpaced = []string{"SUITESIGN_REFRESH_PER_MINUTE=0", "SUITESIGN_REFRESH_PER_HOUR=0", "SUITESIGN_LOG_LEVEL=warn"}

// drain has two replicas refresh many tenants that are due at once.
func (h *house) drain(ctx context.Context, t *table) error {
	n := h.sized().drain
	pool, err := h.fresh(ctx, "drain")
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := h.fill(ctx, pool, stock{tenants: n, platform: true, left: none, due: atOnce}); err != nil {
		return err
	}
	h.forgetCalls()
	before, err := transactions(ctx, pool)
	if err != nil {
		return err
	}
	beside, err := othersCPU(ctx, pool)
	if err != nil {
		return err
	}
	say("draining %d tenants with %d replicas", n, drainReplicas)
	began := time.Now()
	replicas, err := h.replicas(ctx, drainReplicas, append([]string{"SUITESIGN_PPROF=true"}, unpaced...)...)
	defer stopAll(replicas)
	if err != nil {
		return err
	}
	half, err := h.drained(ctx, pool, replicas, n/2)
	if err != nil {
		return err
	}
	if h.profile != "" {
		if err := h.profileTo(ctx, h.profile, 10*time.Second); err != nil {
			return err
		}
	}
	end, err := h.drained(ctx, pool, replicas, n)
	if err != nil {
		return err
	}
	took := time.Since(began)
	besideAfter, err := othersCPU(ctx, pool)
	if err != nil {
		return err
	}
	after, err := transactions(ctx, pool)
	if err != nil {
		return err
	}
	token, jsapi, agent := h.asked("/cgi-bin/gettoken"), h.asked("/cgi-bin/get_jsapi_ticket"), h.asked("/cgi-bin/ticket/get")
	exact := token == int64(n) && jsapi == int64(n) && agent == int64(n)
	line := fmt.Sprintf("drain of %d tenants due at once, two replicas, pacing off", n)
	rate := float64(n) / took.Seconds()
	t.judged(line+": tenants a second", fmt.Sprintf("**%.0f** (%s)", rate, took.Round(100*time.Millisecond)), fmt.Sprintf("≥ %d", drainRate), rate >= drainRate)
	t.judged("its calls: access_token, jsapi_ticket, agent_config", fmt.Sprintf("%d, %d, %d", token, jsapi, agent), fmt.Sprintf("%d each", n), exact)
	trips := float64(after-before) / float64(n)
	t.judged("its transactions for a tenant", fmt.Sprintf("**%.2f**", trips), fmt.Sprintf("≤ %.0f", drainTrips), trips <= drainTrips)
	perTenant := end.cpu / time.Duration(n)
	t.judged("its CPU for a tenant, both replicas", fmt.Sprintf("**%.2f ms**", perTenant.Seconds()*1e3), "≤ 1 ms", perTenant <= drainCPU)
	t.told("beside it, for a tenant: PostgreSQL, the simulator", besideAfter.since(beside, n))
	t.judged("memory (RSS) of a replica, half way and at the end", fmt.Sprintf("%d MiB, %d MiB", half.rss/mebibyte, end.rss/mebibyte), "flat (+ 10 %)",
		float64(end.rss) <= 1.1*float64(half.rss))
	return nil
}

// spent is what replicas have used so far: CPU together, memory of the largest.
type spent struct {
	cpu time.Duration
	rss int64
}

func spentBy(replicas []*process) (s spent, err error) {
	for _, p := range replicas {
		cpu, err := p.cpu()
		if err != nil {
			return s, err
		}
		rss, _, err := p.memory()
		if err != nil {
			return s, err
		}
		s.cpu += cpu
		s.rss = max(s.rss, rss)
	}
	return s, nil
}

// drained waits until so many tenants have their tickets.
func (h *house) drained(ctx context.Context, pool *pgxpool.Pool, replicas []*process, n int) (spent, error) {
	limit := time.Minute + time.Duration(n)*20*time.Millisecond
	err := replicas[0].wait(ctx, limit, func() error {
		if int(h.asked("/cgi-bin/ticket/get")) < n { // without asking the database anything
			return errNotYet
		}
		done, err := counted(ctx, pool, `SELECT count(*) FROM credentials WHERE kind = 'agent_config'`)
		if err == nil && int(done) < n {
			err = errNotYet
		}
		return err
	})
	if err != nil {
		return spent{}, err
	}
	return spentBy(replicas)
}

// transactions of this database so far: a statement outside of one is one, so they are round trips.
func transactions(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	// What a backend has not told yet it tells within a second.
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(1500 * time.Millisecond):
	}
	return counted(ctx, pool, `SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`)
}

// replicas starts several services on the house's database.
func (h *house) replicas(ctx context.Context, n int, environ ...string) (all []*process, err error) {
	public, admin := h.public, h.admin
	defer func() { h.public, h.admin = public, admin }()
	for i := range n {
		if i > 0 {
			var errs [2]error
			h.public, errs[0] = freePort(ctx)
			h.admin, errs[1] = freePort(ctx)
			if err := errors.Join(errs[0], errs[1]); err != nil {
				return all, err
			}
		}
		p, err := h.serveAs(ctx, fmt.Sprintf("suitesign-%d", i+1), environ...)
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
	return all, nil
}

func stopAll(all []*process) {
	for _, p := range all {
		p.stop()
	}
}
