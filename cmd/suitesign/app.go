package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"suitesign/audit"
	"suitesign/changes"
	"suitesign/migrations"
	"suitesign/web"
	"suitesign/web/idempotency"
	"suitesign/web/stats"
)

// app is the service as it runs: what is wired (wire.go), what beats, and what ends in which order.
type app struct {
	config  Config
	log     *slog.Logger
	pools   dbPools
	metrics *web.Metrics
	health  *web.Health

	public, admin *switchable
	house         atomic.Pointer[house] // nil until the first good start
	started       chan struct{}         // closed at the first good start

	mu        sync.Mutex
	draining  bool
	work      *heartbeat    // claims: stops when draining begins
	watch     *heartbeat    // keeps memory true: stops last
	listening chan struct{} // closed when the LISTEN connection has ended
}

func newApp(config Config, log *slog.Logger, pools dbPools) *app {
	a := &app{config: config, log: log, pools: pools, metrics: web.NewMetrics(), public: &switchable{}, admin: &switchable{}, started: make(chan struct{})}
	a.health = &web.Health{MaxStale: config.Signing.MaxStale, LastContact: a.lastContact, Schema: a.checkSchema,
		Warnings: []func(context.Context) []string{a.warnings}}
	// Until everything is wired, only health and metrics are answered.
	early := &web.Server{Log: log, Metrics: a.metrics, Health: a.health}
	a.public.set(early.Starting("public"))
	a.admin.set(early.Starting("admin"))
	return a
}

// start wires the rooms once the database answers, and begins to beat.
func (a *app) start(ctx, background context.Context) error {
	ring, err := a.open(ctx)
	if err != nil {
		return err
	}
	h, err := a.wire(ring)
	if err != nil {
		return err
	}
	// Memory is empty, so the first poll has nothing to forget: it only begins the count.
	if err := h.listener.RunOnce(ctx); err != nil {
		a.log.WarnContext(ctx, "the first look at changes failed; it is tried again each second", "error", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining {
		return nil
	}
	a.house.Store(h)
	a.listening = make(chan struct{})
	go func() {
		defer close(a.listening)
		if err := h.listener.Run(background); err != nil && background.Err() == nil {
			a.log.Error("listening for changes ended; the poll goes on", "error", err)
		}
	}()
	a.beat(h)
	a.public.set(h.server.Public())
	a.admin.set(h.server.Admin())
	a.health.Started()
	close(a.started)
	a.log.InfoContext(ctx, "ready", "version", version, "worker", a.config.Worker)
	return nil
}

// wait waits for the first good start; false where ctx ends before.
func (a *app) wait(ctx context.Context) bool {
	select {
	case <-a.started:
		return true
	case <-ctx.Done():
		return false
	}
}

// beat begins the heartbeat: what keeps memory true on every replica, and the
// work where it is not switched off.
func (a *app) beat(h *house) {
	a.watch = startHeartbeat(a.log, []job{
		{"changes", time.Second, h.listener.RunOnce},
		{"directory", 5 * time.Second, h.directory.RunOnce}, // it looks at every tenant that is held
		{"api keys", 10 * time.Second, h.gate.RunOnce},
		{"prune changes", 10 * time.Minute, func(ctx context.Context) error {
			_, err := changes.Prune(ctx, a.pools.working)
			return err
		}},
		{"prune idempotency keys", 10 * time.Minute, func(ctx context.Context) error {
			_, err := (&idempotency.Store{Pool: a.pools.working}).Prune(ctx)
			return err
		}},
		{"prune reports", 10 * time.Minute, func(ctx context.Context) error {
			_, err := h.reports.Prune(ctx)
			return err
		}},
		{"count minutes", time.Minute, h.meter.Flush},
		{"prune minutes", 10 * time.Minute, func(ctx context.Context) error {
			_, err := stats.Prune(ctx, a.pools.working)
			return err
		}},
		{"prune events", 10 * time.Minute, func(ctx context.Context) error {
			_, err := audit.PruneOutbox(ctx, a.pools.working)
			return err
		}},
	})
	if a.config.Worker {
		a.work = startHeartbeat(a.log, []job{
			{"prune the audit log", 10 * time.Minute, a.pruneAudit},
			{"suites", time.Second, func(ctx context.Context) error {
				_, err := h.worker.RunOnce(ctx)
				return err
			}},
			{"tickets", time.Second, func(ctx context.Context) error {
				_, err := h.refresher.RunOnce(ctx)
				return err
			}},
			{"stats", 10 * time.Second, func(ctx context.Context) error {
				_, err := h.roller.RunOnce(ctx)
				return err
			}},
			{"webhooks", time.Second, func(ctx context.Context) error {
				_, err := h.deliverer.RunOnce(ctx)
				return err
			}},
			{"imports", time.Second, func(ctx context.Context) error {
				_, err := h.importer.RunOnce(ctx)
				return err
			}},
		})
	}
}

// auditBatch is how many entries go in one transaction.
const auditBatch = 1000

// pruneAudit removes what the audit log keeps no longer. Several replicas at it
// share the batches.
func (a *app) pruneAudit(ctx context.Context) error {
	if a.config.Audit.Retention == 0 {
		return nil
	}
	_, err := audit.Prune(ctx, a.pools.working, a.config.Audit.Retention, auditBatch)
	return err
}

// drain begins the end: /readyz turns 503 and nothing more is claimed.
func (a *app) drain() {
	a.health.Drain()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining {
		return
	}
	a.draining = true
	if a.work != nil {
		// What is under way gives its leases back within seconds, beside the requests.
		go a.work.Stop(0)
	}
}

// stop ends what drain left: nothing runs any more when it returns.
func (a *app) stop() {
	a.drain()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.work != nil {
		a.work.Wait()
	}
	h := a.house.Load()
	if h != nil {
		h.refresher.Wait()
		h.deliverer.Wait()
		a.lastMinute(h)
	}
	if a.watch != nil {
		a.watch.Stop(0)
	}
	if h != nil {
		a.tellUses(h)
	}
	if a.listening != nil {
		<-a.listening
	}
}

// tellUses tells who was used since the last beat. Without it some of them might
// be refreshed on demand, which is no reason to wait for a database that is away.
func (a *app) tellUses(h *house) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := h.directory.TellUses(ctx); err != nil {
		a.log.Warn("who was used lately was not told; some tenants may be refreshed on demand", "error", err)
	}
}

// lastMinute adds what this replica has counted and not told yet.
func (a *app) lastMinute(h *house) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := h.meter.Flush(ctx); err != nil {
		a.log.WarnContext(ctx, "the last minute's counts are lost", "error", err)
	}
}

// lastContact is when the database last answered. While the service starts that
// is not the question: /readyz is 503 anyway.
func (a *app) lastContact() time.Time {
	if h := a.house.Load(); h != nil {
		return h.listener.LastContact()
	}
	return time.Now()
}

func (a *app) checkSchema(ctx context.Context) error {
	if a.house.Load() == nil {
		return nil // start looks at it
	}
	return verdict(migrations.Check(ctx, a.pools.serving))
}

// verdict is what a look at the schema says of it. Of a database that has just gone away it
// says nothing: that must not take a replica away which still signs.
func verdict(err error) error {
	if errors.Is(err, migrations.ErrSchemaOutOfRange) {
		return err
	}
	return nil
}

// warnings are what an operator should know. A demo's database is meant to be alone.
func (a *app) warnings(ctx context.Context) []string {
	h := a.house.Load()
	if h == nil {
		return nil
	}
	all := append(a.pools.trouble.warnFull(), append(h.warnOfSuites(ctx), h.warnOfWebhooks(ctx)...)...)
	if a.config.Demo == nil {
		all = append(all, web.WarnWithoutStandby(a.pools.serving)(ctx)...)
	}
	return all
}
