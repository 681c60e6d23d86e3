package ticket

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

// Refresher keeps credentials fresh. Any number of them may work on one database;
// fields are not changed after the first call, and it must not be copied.
type Refresher struct {
	Pool           *pgxpool.Pool
	Ring           secret.Sealer
	WeCom          Platform
	Suites         SuiteTokens
	Authorizations Authorizations
	Tenants        Tenants

	Limits Limits // DefaultLimits are WeCom's; the zero value is none at all
	Egress string // names the address that calls leave by: those that share it share its budget; empty: "default"

	// IdleAfter is how long no page must have asked for a tenant until it is refreshed
	// on the next request only; 0: all are refreshed on schedule.
	IdleAfter time.Duration

	Slots    int           // attempts at a time; 0: 128
	WaitFor  time.Duration // how long Demand waits; 0: 4 s
	CallFor  time.Duration // one call; 0: 4 s
	LeaseFor time.Duration // one claim; an attempt has four fifths of it; 0: 15 s

	Metrics Metrics
	Log     *slog.Logger // slog.Default unless set

	once     sync.Once
	store    *store
	saver    *saver
	gate     *gate
	weather  outage
	barred   barred
	backlogs backlogs
	mu       sync.Mutex
	flights  map[destination]*flight
	lookedAt time.Time // when this process last looked for tenants that changed
	flying   sync.WaitGroup
}

const (
	defaultSlots = 128
	defaultWait  = 4 * time.Second
	defaultCall  = 4 * time.Second
	defaultLease = 15 * time.Second
	attemptShare = 5                // an attempt ends when a fifth of the lease is left, to save in
	grace        = 5 * time.Second  // for attempts under way when the process is told to stop
	demandApart  = 5 * time.Second  // between attempts that requests for one tenant start
	maxDemands   = 256              // Demands at a time
	slowAfter    = time.Second      // an attempt that takes longer no longer counts against Slots
	beat         = time.Second      // how often a RunOnce that is kept busy looks around
	localBar     = 60 * time.Second // how long a refused address is remembered in memory
)

func (r *Refresher) setup() {
	r.once.Do(func() {
		r.store = &store{pool: r.Pool, cells: r.Limits.cells(), egress: or(r.Egress, "default"), lease: or(r.LeaseFor, defaultLease), idleAfter: r.IdleAfter}
		r.saver = &saver{write: r.write, refused: func(ctx context.Context, o *outcome, err error) {
			r.log().ErrorContext(ctx, "credentials not stored", "tenant_id", o.lease.TenantID, "error", err)
		}}
		r.gate = newGate(or(r.Slots, defaultSlots))
		r.flights = map[destination]*flight{}
	})
}

// Wait returns when no attempt is under way that a Demand started and nobody waits
// for any more. It is for the end of the process: nothing new must be started.
func (r *Refresher) Wait() { r.flying.Wait() }

func (r *Refresher) log() *slog.Logger {
	if r.Log != nil {
		return r.Log
	}
	return slog.Default()
}

// or is v unless it is the zero value.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// write saves outcomes, and of those that were saved the health that changed.
func (r *Refresher) write(ctx context.Context, outcomes []*outcome) (map[uuid.UUID]bool, error) {
	saved, err := r.store.save(ctx, outcomes)
	if err != nil {
		return nil, err
	}
	var changed []tenant.HealthChange
	for _, o := range outcomes {
		if saved[o.lease.TenantID] && o.health != o.lease.stored() {
			changed = append(changed, o.health)
		}
	}
	if len(changed) == 0 {
		return saved, nil
	}
	if err := r.Tenants.SetHealth(ctx, changed); err != nil {
		// What was fetched is stored; the health is compared, and corrected, the next time.
		r.log().ErrorContext(ctx, "health not stored", "tenants", len(changed), "error", err)
	}
	return saved, nil
}

// work is one attempt for one leased tenant, to its end: what was fetched is
// saved, what failed is noted, and the tenant is given back. It reports what
// became of it, in a word for Metrics.
func (r *Refresher) work(ctx context.Context, l *lease) (became string, err error) {
	a := &attempt{r: r, l: l, results: map[Kind]*result{}}
	var o *outcome
	if l.Status != tenant.Active {
		o = l.settleInactive()
	} else {
		a.run(ctx)
		if ctx.Err() != nil && a.cutShort() {
			// The process stops. Nothing was learned that the tenant should suffer for.
			return "given_back", r.store.giveBack(context.WithoutCancel(ctx), []*lease{l})
		}
		o = l.settle(a.results, l.now(), rand.Float64()) //nolint:gosec // a jitter is no secret
	}
	if err := r.breakers(context.WithoutCancel(ctx), a, o); err != nil {
		r.log().ErrorContext(ctx, "breaker not stored", "tenant_id", l.TenantID, "error", err)
	}
	saved, err := r.saver.save(ctx, o)
	switch {
	case err != nil:
		return "lost", err
	case !saved:
		return "lost", nil // the lease ended before, or the tenant is gone
	}
	r.report(ctx, a, o)
	switch {
	case o.parked != "":
		return "parked", nil
	case o.failures > 0:
		return "failed", nil
	default:
		return "ok", nil
	}
}

// breakers sets and lifts the breaker of the authorization. Set before the tenant
// is given back, so that whoever has it next knows.
func (r *Refresher) breakers(ctx context.Context, a *attempt, o *outcome) error {
	blocks := false
	for k, res := range a.results {
		if res.err != nil && remedyFor(k, o.lease.SuiteKind, 1, res.err).block {
			blocks = true
		}
	}
	switch {
	case blocks:
		_, err := r.Authorizations.Block(ctx, o.lease.TenantID, o.lease.auth.Version)
		return err
	case o.lease.auth.Blocked && a.fetched > 0:
		return r.Authorizations.Unblock(ctx, o.lease.TenantID, o.lease.auth.Version)
	}
	return nil
}

// report tells metrics and, where an admin would want to know, the log.
func (r *Refresher) report(ctx context.Context, a *attempt, o *outcome) {
	for k, res := range a.results {
		if r.Metrics.Fetched != nil && !res.neverAsked() {
			r.Metrics.Fetched(k, res.outcome, wecom.Classify(res.err))
		}
	}
	before, after := o.lease.stored(), o.health
	if before == after {
		return // once is enough: a hundred thousand failing tenants must not fill the disk
	}
	log := r.log().With("tenant_id", o.lease.TenantID, "suite_id", o.lease.SuiteID, "health", after.Health)
	switch {
	case after.Health == tenant.OK && before.Health == tenant.Pending:
		log.DebugContext(ctx, "tenant has its first credentials")
	case after.Health == tenant.OK:
		log.InfoContext(ctx, "tenant is refreshed again")
	default:
		log.WarnContext(ctx, "refresh failed", "errcode", after.Errcode, "error", after.Error, "failures", o.failures, "parked", string(o.parked))
	}
}

// authorize loads what the access_tokens of many tenants are fetched with.
func (r *Refresher) authorize(ctx context.Context, leases []*lease) error {
	var ids []uuid.UUID
	for _, l := range leases {
		if l.Status == tenant.Active {
			ids = append(ids, l.TenantID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	all, err := r.Authorizations.Authorizations(ctx, ids)
	if err != nil {
		return fmt.Errorf("authorizations of %d tenants: %w", len(ids), err)
	}
	for _, l := range leases {
		l.auth = all[l.TenantID]
	}
	return nil
}

// barred remembers for a while which suites WeCom refuses our address for, so that
// attempts that began before it did so stop, too.
type barred struct {
	mu    sync.Mutex
	until map[wecom.SuiteID]time.Time
}

func (b *barred) bar(id wecom.SuiteID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil {
		b.until = map[wecom.SuiteID]time.Time{}
	}
	b.until[id] = time.Now().Add(localBar)
}

func (b *barred) barred(l *lease) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return l.SuiteKind != suite.Internal && (l.AddressRefused || time.Now().Before(b.until[l.SuiteID]))
}
