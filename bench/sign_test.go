package bench_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/changes"
	"suitesign/migrations/pgtest"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/signing"
	"suitesign/tenant"
	"suitesign/wecom"
)

// tenants is how many are hot.
const tenants = 10

const suite = wecom.SuiteID("wwbench00suite0000")

func corpOf(i int) wecom.CorpID { return wecom.CorpID(fmt.Sprintf("wwbench00corp%05d", i)) }
func hostOf(i int) string       { return fmt.Sprintf("corp%d.example.com", i) }
func pageOf(i int) string       { return "https://" + hostOf(i) + "/orders/list?id=20260301-0007&from=menu" }

// world is a signer with ten hot tenants, wired like cmd/suitesign wires it.
type world struct {
	signer  *signing.Signer
	queries *queryCount // of the directory and the listener
	named   []signing.Request
	byHost  []signing.Request
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{queries: &queryCount{}}
	pool := pgtest.New(tb)
	cfg := pool.Config()
	cfg.ConnConfig.Tracer = w.queries
	counted, err := pgxpool.NewWithConfig(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(counted.Close)

	ring := secrettest.New(tb)
	directory := &signing.Directory{Pool: counted, Sealer: ring}
	listener := &changes.Listener{Pool: counted, Handle: directory.Handle}
	if err := listener.RunOnce(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	directory.LastContact = listener.LastContact
	// The limit per tenant does its work and refuses nobody.
	w.signer = &signing.Signer{Directory: directory, TenantRate: int(time.Second)}

	exec(tb, pool, `INSERT INTO suites (suite_id, kind, name) VALUES ($1, 'internal', 'bench')`, suite)
	for i := range tenants {
		store(tb, pool, ring, i)
		origin := "https://" + hostOf(i)
		w.named = append(w.named, signing.Request{URL: pageOf(i), Origin: &origin, SuiteID: string(suite), CorpID: string(corpOf(i))})
		w.byHost = append(w.byHost, signing.Request{URL: pageOf(i), Origin: &origin})
	}
	for i := range tenants { // warm
		w.sign(tb, w.named[i])
		w.sign(tb, w.byHost[i])
	}
	return w
}

// store makes an active tenant with an agent, a trusted domain and live tickets.
func store(tb testing.TB, pool *pgxpool.Pool, ring *secret.Keyring, i int) {
	tb.Helper()
	ctx, s := tb.Context(), &tenant.Store{Pool: pool}
	a, err := s.Activate(ctx, tenant.Activation{SuiteID: suite, CorpID: corpOf(i), AuthorizedAt: time.Now()})
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.ReplaceAgents(ctx, a.ID, []tenant.Agent{{ID: 1000002}}); err != nil {
		tb.Fatal(err)
	}
	domain, err := tenant.ParseDomain(hostOf(i))
	if err != nil {
		tb.Fatal(err)
	}
	if _, _, err := s.PutTenantDomain(ctx, a.ID, tenant.TrustedDomain{Domain: domain}, nil); err != nil {
		tb.Fatal(err)
	}
	exec(tb, pool, `INSERT INTO authorizations (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at) VALUES ($1, $2, $3, '\x00', now())`, a.ID, suite, corpOf(i))
	exec(tb, pool, `INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) VALUES ($1, $2, $3, now() + interval '80 minutes')`, a.ID, suite, corpOf(i))
	for _, kind := range []string{"jsapi_ticket", "agent_config"} {
		storeTicket(tb, pool, ring, a.ID, kind, ticketOf(i))
	}
}

func storeTicket(tb testing.TB, pool *pgxpool.Pool, ring *secret.Keyring, id uuid.UUID, kind, value string) {
	tb.Helper()
	sealed, err := ring.Seal(secret.New(value), secret.Binding{Table: "credentials", Column: "value_sealed", Row: id.String() + "/" + kind})
	if err != nil {
		tb.Fatal(err)
	}
	exec(tb, pool, `INSERT INTO credentials (tenant_id, kind, value_sealed, expires_at, refreshed_at, next_at)
		VALUES ($1, $2, $3, now() + interval '2 hours', now(), now() + interval '80 minutes')`, id, kind, sealed)
}

func exec(tb testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	tb.Helper()
	if _, err := pool.Exec(tb.Context(), sql, args...); err != nil {
		tb.Fatal(err)
	}
}

func (w *world) sign(tb testing.TB, r signing.Request) {
	signed, err := w.signer.Sign(tb.Context(), r)
	if err != nil {
		tb.Fatal(err)
	}
	if signed.Config == nil || len(signed.Config.Signature) != 40 {
		tb.Fatalf("Sign(%+v) = %+v, want a signature", r, signed)
	}
}

// queryCount counts the queries of a pool.
type queryCount struct{ atomic.Int64 }

func (q *queryCount) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	q.Add(1)
	return ctx
}

func (q *queryCount) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// BenchmarkSign is the whole of Sign for pages that name their tenant.
func BenchmarkSign(b *testing.B) {
	w := newWorld(b)
	w.bench(b, w.named)
}

// BenchmarkSignByHost is the whole of Sign for pages whose host alone leads to their tenant.
func BenchmarkSignByHost(b *testing.B) {
	w := newWorld(b)
	w.bench(b, w.byHost)
}

func (w *world) bench(b *testing.B, requests []signing.Request) {
	b.ReportAllocs()
	before := w.queries.Load()
	i := 0
	for b.Loop() {
		w.sign(b, requests[i])
		if i++; i == len(requests) {
			i = 0
		}
	}
	b.ReportMetric(float64(w.queries.Load()-before)/float64(b.N), "queries/op")
}

// TestHotSignatures: a signature from memory makes no query, and allocates its answer and little else.
func TestHotSignatures(t *testing.T) {
	w := newWorld(t)
	for name, requests := range map[string][]signing.Request{"named": w.named, "by host": w.byHost} {
		before, i := w.queries.Load(), 0
		allocations := testing.AllocsPerRun(1000, func() {
			w.sign(t, requests[i%len(requests)])
			i++
		})
		if n := w.queries.Load() - before; n != 0 {
			t.Errorf("%s: %d signatures made %d queries, want none", name, i, n)
		}
		if allocations > 4 {
			t.Errorf("%s: a signature allocates %v times, want at most 4", name, allocations)
		}
	}
}
