package signing_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"suitesign/changes"
	"suitesign/migrations/pgtest"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/signing"
	"suitesign/tenant"
	"suitesign/wecom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a database with tenants in it, and a directory of it whose queries
// are counted and whose clock the test moves.
type world struct {
	t       *testing.T
	pool    *pgxpool.Pool // the test's own; its queries are not counted
	store   *tenant.Store
	ring    *secret.Keyring
	clock   *clock
	trace   *tracer
	dir     *signing.Directory
	signer  *signing.Signer
	heardID int64 // of the last change that was handed to the directory

	contact atomic.Pointer[time.Time] // nil: now
	demands atomic.Int64
	demand  func(ctx context.Context, id uuid.UUID) error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	url := pgtest.URL(t)
	w := &world{t: t, ring: secrettest.New(t), clock: newClock(), trace: &tracer{}}
	open := func(tr pgx.QueryTracer) *pgxpool.Pool {
		cfg, err := pgxpool.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		cfg.MaxConns = 4
		cfg.ConnConfig.Tracer = tr
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	w.pool = open(nil)
	w.store = &tenant.Store{Pool: w.pool}
	w.exec(`INSERT INTO suites (suite_id, kind, name) VALUES ('s1', 'internal', 's1'), ('s2', 'internal', 's2')`)
	w.dir = &signing.Directory{Pool: open(w.trace), Sealer: w.ring, Now: w.clock.Now, LastContact: w.lastContact}
	w.signer = &signing.Signer{Directory: w.dir, Now: w.clock.Now, Demand: func(ctx context.Context, id uuid.UUID) error {
		w.demands.Add(1)
		if w.demand != nil {
			return w.demand(ctx, id)
		}
		return nil
	}}
	return w
}

func (w *world) lastContact() time.Time {
	if c := w.contact.Load(); c != nil {
		return *c
	}
	return w.clock.Now()
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// tenant makes an active tenant with the agents.
func (w *world) tenant(suite wecom.SuiteID, corp wecom.CorpID, agents ...wecom.AgentID) uuid.UUID {
	w.t.Helper()
	a, err := w.store.Activate(w.t.Context(), tenant.Activation{SuiteID: suite, CorpID: corp, AuthorizedAt: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	var as []tenant.Agent
	for _, id := range agents {
		as = append(as, tenant.Agent{ID: id})
	}
	if err := w.store.ReplaceAgents(w.t.Context(), a.ID, as); err != nil {
		w.t.Fatal(err)
	}
	w.exec(`INSERT INTO authorizations (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at) VALUES ($1, $2, $3, '\x00', now())`, a.ID, suite, corp)
	w.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) VALUES ($1, $2, $3, now())`, a.ID, suite, corp)
	return a.ID
}

// ticket stores a ticket that lives for a while and is to be refreshed after another.
func (w *world) ticket(id uuid.UUID, kind, value string, life, refreshIn time.Duration) {
	w.t.Helper()
	sealed, err := w.ring.Seal(secret.New(value), secret.Binding{Table: "credentials", Column: "value_sealed", Row: id.String() + "/" + kind})
	if err != nil {
		w.t.Fatal(err)
	}
	w.exec(`INSERT INTO credentials (tenant_id, kind, value_sealed, expires_at, refreshed_at, next_at)
		VALUES ($1, $2, $3, now() + $4::interval, now(), now() + $5::interval)
		ON CONFLICT (tenant_id, kind) DO UPDATE SET value_sealed = EXCLUDED.value_sealed, expires_at = EXCLUDED.expires_at, next_at = EXCLUDED.next_at`,
		id, kind, sealed, life, refreshIn)
}

// tickets stores both kinds, good for two hours.
func (w *world) tickets(id uuid.UUID, config, agent string) {
	w.t.Helper()
	w.ticket(id, "jsapi_ticket", config, 2*time.Hour, 80*time.Minute)
	w.ticket(id, "agent_config", agent, 2*time.Hour, 80*time.Minute)
}

func (w *world) trust(id uuid.UUID, domains ...string) {
	w.t.Helper()
	for _, s := range domains {
		if _, _, err := w.store.PutTenantDomain(w.t.Context(), id, domain(w.t, s), nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) suiteTrusts(suite wecom.SuiteID, domains ...string) {
	w.t.Helper()
	for _, s := range domains {
		if _, _, err := w.store.PutSuiteDomain(w.t.Context(), suite, domain(w.t, s), nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

func domain(t *testing.T, s string) tenant.TrustedDomain {
	t.Helper()
	d, err := tenant.ParseDomain(s)
	if err != nil {
		t.Fatal(err)
	}
	return tenant.TrustedDomain{Domain: d}
}

// tell hands the directory what changed since the last time, as a listener does.
func (w *world) tell() {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `SELECT id, topic, key FROM changes WHERE id > $1 ORDER BY id`, w.heardID)
	if err != nil {
		w.t.Fatal(err)
	}
	cs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[changes.Change])
	if err != nil {
		w.t.Fatal(err)
	}
	if len(cs) > 0 {
		w.heardID = cs[len(cs)-1].ID
		w.dir.Handle(w.t.Context(), cs)
	}
}

func (w *world) sign(r signing.Request) (signing.Signed, error) {
	w.t.Helper()
	return w.signer.Sign(w.t.Context(), r)
}

// A clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A tracer counts queries, and can hold one between its answer and its use.
type tracer struct {
	queries atomic.Int64
	hold    atomic.Pointer[held]
}

type held struct {
	answered chan struct{} // closed when the query has its answer
	release  chan struct{} // closed when it may go on
}

func (tr *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	tr.queries.Add(1)
	return ctx
}

func (tr *tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {
	if h := tr.hold.Swap(nil); h != nil {
		close(h.answered)
		<-h.release
	}
}

// holdNext holds the next query after its answer.
func (tr *tracer) holdNext() *held {
	h := &held{answered: make(chan struct{}), release: make(chan struct{})}
	tr.hold.Store(h)
	return h
}

func secretOf(s string) secret.String { return secret.New(s) }
