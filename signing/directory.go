package signing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/maypok86/otter/v2"

	"suitesign/secret"
	"suitesign/tenant"
)

// Defaults of a Directory.
const (
	DefaultMaxTenants = 131072 // some 0.9 KiB each
	DefaultMaxStale   = 15 * time.Minute
)

// loadTimeout bounds one read of the database, whoever waits for it.
const loadTimeout = 3 * time.Second

// A Directory holds in memory what signing needs to know. Its fields are set
// before its first use.
type Directory struct {
	Pool   *pgxpool.Pool
	Sealer secret.Sealer // opens the tickets

	// MaxTenants bounds how many tenants are held, and how many ways that lead to
	// them; DefaultMaxTenants unless set. Beyond it the least used are forgotten.
	MaxTenants int

	// LastContact tells when the database was last heard to have nothing new that
	// was not handled; *changes.Listener's does. When that is longer ago than
	// MaxStale (DefaultMaxStale unless set), nothing is signed. nil: it is never
	// too long ago.
	LastContact func() time.Time
	MaxStale    time.Duration

	// Uses is told which tenants were asked for, each at most once in UseEvery;
	// *ticket.Refresher's Used is. nil or 0: nobody is told.
	Uses     func(ctx context.Context, tenants []uuid.UUID) error
	UseEvery time.Duration

	Now func() time.Time // time.Now unless set
	Log *slog.Logger     // nil: nothing is logged

	once    sync.Once
	start   time.Time
	tenants *otter.Cache[uuid.UUID, *entry]
	leads   *otter.Cache[leadKey, *lead] // by suite_id and corp_id
	guesses *otter.Cache[leadKey, *lead] // where one or both are left to the page's host

	// mu orders reads that end with changes that are told; no signature from
	// memory takes it.
	mu       sync.Mutex
	suites   map[string]*suite
	loads    map[uuid.UUID]*flight[*entry]
	lookups  map[leadKey]*flight[*lead]
	listings map[*suite]*flight[[]tenant.Trust]

	usesMu sync.Mutex
	uses   map[uuid.UUID]struct{} // not told yet

	reads atomic.Int64 // numbers the reads of the database in the order in which they began
}

// An entry is a tenant as it was read. It is never changed, only replaced. What every
// signature reads comes first and together: of a hundred thousand tenants none is in the
// processor's caches, and each line of them that is fetched costs as much as the hash.
type entry struct {
	gone         atomic.Bool // it is no longer the directory's
	active       bool
	agentsDue    bool // none is known yet: it has just been authorized, and WeCom is being asked
	suite        *suite
	configTicket live
	domains      []tenant.Trust
	firstDomain  [1]tenant.Trust // domains, where there is one: most tenants have one
	pace         pace

	id          uuid.UUID
	agentTicket live
	agents      []int64
	firstAgent  [1]int64 // agents, likewise
	corpID      string

	lead     atomic.Pointer[lead] // the one that holds it; see lead.held
	read     int64                // its number
	readAt   time.Time            // before it began
	nextRead time.Time            // when the tickets should have been refreshed
}

// A suite holds what its tenants share. domains is nil while it must be read.
type suite struct {
	id      string
	domains atomic.Pointer[[]tenant.Trust]
}

// A live ticket may be used until its end, by the clock of this process.
type live struct {
	value secret.String
	until time.Time
}

func (l *live) lives(now time.Time) bool { return now.Before(l.until) }

func (d *Directory) init() {
	d.once.Do(func() {
		d.start = d.now()
		size := d.size()
		d.tenants = otter.Must(&otter.Options[uuid.UUID, *entry]{MaximumSize: size, OnAtomicDeletion: func(e otter.DeletionEvent[uuid.UUID, *entry]) {
			e.Value.leave() // under the bucket's lock: before anybody can see it gone from the cache
		}})
		d.leads = otter.Must(&otter.Options[leadKey, *lead]{MaximumSize: size})
		d.guesses = otter.Must(&otter.Options[leadKey, *lead]{MaximumSize: size})
		d.suites = map[string]*suite{}
		d.loads = map[uuid.UUID]*flight[*entry]{}
		d.lookups = map[leadKey]*flight[*lead]{}
		d.listings = map[*suite]*flight[[]tenant.Trust]{}
	})
}

// size is MaxTenants, or its default.
func (d *Directory) size() int {
	if d.MaxTenants > 0 {
		return d.MaxTenants
	}
	return DefaultMaxTenants
}

// Stats tells how full the directory is and what it has cost.
type Stats struct {
	Tenants int   // tenants held
	Leads   int   // ways held that lead to a tenant, or to none
	Queries int64 // reads of the database since the start
}

// Stats of the directory, for metrics.
func (d *Directory) Stats() Stats {
	d.init()
	return Stats{Tenants: d.tenants.EstimatedSize(), Leads: d.leads.EstimatedSize() + d.guesses.EstimatedSize(), Queries: d.reads.Load()}
}

// find answers with the tenant that a page means.
func (d *Directory) find(ctx context.Context, suiteID, corpID string, page tenant.Page) (*entry, error) {
	d.init()
	key := leadKey{suite: suiteID, corp: corpID}
	cache := d.leads
	if suiteID == "" || corpID == "" {
		key.origin, cache = page.Origin, d.guesses
	}
	seen := rand.Uint32()%oneIn == 0 //nolint:gosec // which reads are told to the caches keeps no secret
	if l, ok := peek(cache, key, seen); ok && l.good(d) {
		if l.err != nil {
			return nil, l.err
		}
		if e := l.held.Load(); e != nil && !e.gone.Load() && !seen {
			return e, nil
		}
		if e, ok := d.tenants.GetIfPresent(l.id); ok {
			if seen || e.lead.Load() == nil { // not at each turn of two that lead to one tenant
				e.bind(l)
			}
			return e, nil
		}
		e, err := d.reload(ctx, l.id, 0)
		if !errors.Is(err, ErrTenantNotFound) {
			return e, err
		}
		cache.Invalidate(key) // it led to a tenant that is no more: look again
	}
	l, err := d.lookup(ctx, key, page)
	if err != nil {
		return nil, err
	}
	if l.err != nil {
		return nil, l.err
	}
	return d.reload(ctx, l.id, 0)
}

// The caches learn from one read in so many what is used: to note a read costs more
// than the read, and much more where a hundred thousand tenants do not fit into the
// processor's caches. What is asked for is told soon enough.
const oneIn = 8

// peek reads a lead, and has the cache note it or not.
func peek(cache *otter.Cache[leadKey, *lead], key leadKey, noted bool) (*lead, bool) {
	if noted {
		return cache.GetIfPresent(key)
	}
	e, ok := cache.GetEntryQuietly(key)
	return e.Value, ok
}

// reload answers with a tenant as a read had it that began after the one of a
// number (0: any read); all who ask for it at once share one.
func (d *Directory) reload(ctx context.Context, id uuid.UUID, after int64) (*entry, error) {
	for {
		if e, ok := d.tenants.GetIfPresent(id); ok && e.read > after {
			return e, nil
		}
		d.mu.Lock()
		f, joined := d.loads[id]
		if !joined {
			f = newFlight[*entry](d.reads.Load() + 1) // or later
			d.loads[id] = f
			go d.runLoad(context.WithoutCancel(ctx), id, f)
		}
		d.mu.Unlock()
		e, err := f.wait(ctx)
		if joined && f.read <= after {
			if gone := ctx.Err(); gone != nil { // nobody waits any longer: f need not have ended
				return nil, away("wait for the database", gone)
			}
			continue // that one began too early; its successor will not have
		}
		return e, err
	}
}

// runLoad reads one tenant until no change of it came in between.
func (d *Directory) runLoad(ctx context.Context, id uuid.UUID, f *flight[*entry]) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	for {
		e, err := d.readOne(ctx, id)
		d.mu.Lock()
		if f.changed && err == nil {
			f.changed = false
			d.mu.Unlock()
			continue
		}
		if err == nil {
			d.hold(e)
		} else if errors.Is(err, ErrTenantNotFound) {
			d.tenants.Invalidate(id)
		}
		delete(d.loads, id)
		d.mu.Unlock()
		f.end(e, err)
		return
	}
}

// hold puts a tenant that was read into memory, in place of what was known of it.
// The caller holds mu, and has seen that nothing was told since the read began.
func (d *Directory) hold(e *entry) {
	if old, ok := d.tenants.GetEntryQuietly(e.id); ok {
		if old.Value.read > e.read {
			return // a slow read does not replace one that began after it
		}
		e.adopt(old.Value)
	}
	d.tenants.Set(e.id, e)
}

// adopt takes over from the entry that it replaces: what the tenant has asked for, and
// the texts that did not change, which the lead's key shares. Who still signs with the old
// one is not counted any longer.
func (e *entry) adopt(old *entry) {
	e.pace.tat.Store(old.pace.tat.Load())
	e.pace.configQuiet.Store(old.pace.configQuiet.Load())
	e.pace.agentQuiet.Store(old.pace.agentQuiet.Load())
	e.pace.usedAt.Store(old.pace.usedAt.Load())
	if e.corpID == old.corpID {
		e.corpID = old.corpID
	}
	for i := range min(len(e.domains), len(old.domains)) {
		if e.domains[i].Host == old.domains[i].Host {
			e.domains[i].Host = old.domains[i].Host
		}
	}
}

// suiteDomains answers with the domains that all tenants of a suite trust.
func (d *Directory) suiteDomains(ctx context.Context, s *suite) ([]tenant.Trust, error) {
	if ds := s.domains.Load(); ds != nil {
		return *ds, nil
	}
	d.mu.Lock()
	f, joined := d.listings[s]
	if !joined {
		f = newFlight[[]tenant.Trust](0)
		d.listings[s] = f
		go d.runListing(context.WithoutCancel(ctx), s, f)
	}
	d.mu.Unlock()
	return f.wait(ctx)
}

func (d *Directory) runListing(ctx context.Context, s *suite, f *flight[[]tenant.Trust]) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	for {
		ds, err := d.readSuite(ctx, s.id)
		d.mu.Lock()
		if f.changed && err == nil {
			f.changed = false
			d.mu.Unlock()
			continue
		}
		if err == nil {
			s.domains.Store(&ds)
		}
		delete(d.listings, s)
		d.mu.Unlock()
		f.end(ds, err)
		return
	}
}

// suite answers with the one suite of an id; the caller holds no lock.
func (d *Directory) suite(id string) *suite {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.suites[id]
	if !ok {
		s = &suite{id: id}
		d.suites[id] = s
	}
	return s
}

// tooOld reports whether the database has been away for longer than may be signed from memory.
func (d *Directory) tooOld(now time.Time) bool {
	if d.LastContact == nil {
		return false
	}
	limit := d.MaxStale
	if limit <= 0 {
		limit = DefaultMaxStale
	}
	return now.Sub(d.LastContact()) > limit
}

// since is a time in the directory's own count, which fits into an atomic.
func (d *Directory) since(now time.Time) time.Duration { return now.Sub(d.start) }

func (d *Directory) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// away wraps a failure to read. To the page it is ErrStale, unless it was the page that went.
func away(what string, err error) error {
	if err == nil || errors.Is(err, ErrTenantNotFound) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%s: %w: %w", what, ErrStale, err)
}

// A flight is one read that several wait for.
type flight[V any] struct {
	read int64 // the number of the read is not below it

	// Guarded by the directory's mu: what was told since the read began.
	changed bool               // what is being read changed
	touched map[uuid.UUID]bool // these tenants changed
	all     bool               // every tenant did, for all that is known

	done  chan struct{}
	value V
	err   error
}

func newFlight[V any](read int64) *flight[V] {
	return &flight[V]{read: read, done: make(chan struct{})}
}

func (f *flight[V]) end(v V, err error) {
	f.value, f.err = v, err
	close(f.done)
}

func (f *flight[V]) wait(ctx context.Context) (V, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var zero V
		return zero, away("wait for the database", ctx.Err())
	}
}
