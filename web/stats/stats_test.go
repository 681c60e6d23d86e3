package stats_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"suitesign/migrations/pgtest"
	"suitesign/web/stats"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func execute(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestWhatIsCounted(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	execute(t, pool, `INSERT INTO suites (suite_id, kind, name) VALUES ('a', 'internal', 'a'), ('b', 'internal', 'b'), ('empty', 'internal', 'e')`)
	execute(t, pool, `INSERT INTO tenants (id, suite_id, corp_id, authorized_at, health, disabled)
		SELECT md5(s || n)::uuid, s, 'c' || n, now(), CASE WHEN n = 3 THEN 'failing' ELSE 'ok' END, n = 2 FROM unnest('{a,b}'::text[]) s, generate_series(1, 3) n WHERE s = 'a' OR n < 3`)
	execute(t, pool, `INSERT INTO authorizations (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at) SELECT id, suite_id, corp_id, '', now() FROM tenants`)
	execute(t, pool, `INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants`)
	execute(t, pool, `INSERT INTO credentials (tenant_id, kind, value_sealed, expires_at, next_at)
		SELECT md5('a' || n)::uuid, 'jsapi_ticket', '', now() + e::interval, now() FROM (VALUES (1, '-1 minute'), (2, '4 minutes'), (3, '90 minutes')) v (n, e)`)
	execute(t, pool, `INSERT INTO callback_events (id, suite_id, digest, door, info_type, state, received_at, last_received_at)
		SELECT gen_random_uuid(), 'a', n::text::bytea, 'command', 'suite_ticket', 'done', now() - n * interval '10 hours', now() FROM generate_series(0, 3) n`)
	r := &stats.Roller{Pool: pool, Budgets: func(context.Context) (stats.Budgets, error) { return stats.Budgets{IPHour: .5, AppsNearLimit: 3}, nil }}
	if _, at, err := stats.Latest(t.Context(), pool, ""); err != nil || !at.IsZero() {
		t.Errorf("before the first count: as of %v, %v", at, err)
	}
	if done, err := r.RunOnce(t.Context()); !done || err != nil {
		t.Fatalf("RunOnce = %v, %v", done, err)
	}
	budgets := stats.Budgets{IPHour: .5, AppsNearLimit: 3}
	for suite, want := range map[string]stats.Snapshot{
		"a": {
			Tenants:     []stats.TenantCount{{Status: "active", Health: "failing", Count: 1}, {Status: "active", Health: "ok", Count: 1}, {Status: "disabled", Health: "ok", Count: 1}},
			Credentials: []stats.CredentialCount{{Kind: "jsapi_ticket", Bucket: "2h", Count: 1}, {Kind: "jsapi_ticket", Bucket: "5m", Count: 1}, {Kind: "jsapi_ticket", Bucket: "expired", Count: 1}},
			Callbacks:   []stats.CallbackCount{{InfoType: "suite_ticket", Count: 3}}, Budgets: budgets,
		},
		"b":     {Tenants: []stats.TenantCount{{Status: "active", Health: "ok", Count: 1}, {Status: "disabled", Health: "ok", Count: 1}}, Budgets: budgets},
		"empty": {Budgets: budgets},
		"": {
			Tenants:     []stats.TenantCount{{Status: "active", Health: "failing", Count: 1}, {Status: "active", Health: "ok", Count: 2}, {Status: "disabled", Health: "ok", Count: 2}},
			Credentials: []stats.CredentialCount{{Kind: "jsapi_ticket", Bucket: "2h", Count: 1}, {Kind: "jsapi_ticket", Bucket: "5m", Count: 1}, {Kind: "jsapi_ticket", Bucket: "expired", Count: 1}},
			Callbacks:   []stats.CallbackCount{{InfoType: "suite_ticket", Count: 3}}, Budgets: budgets,
		},
	} {
		got, at, err := stats.Latest(t.Context(), pool, suite)
		if err != nil || at.IsZero() {
			t.Fatalf("Latest(%q) as of %v, %v", suite, at, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Latest(%q) (-want +got):\n%s", suite, diff)
		}
	}
	execute(t, pool, `DELETE FROM suites WHERE suite_id = 'b'`)
	execute(t, pool, `UPDATE stats_rollup SET next_at = now()`)
	if done, err := r.RunOnce(t.Context()); !done || err != nil {
		t.Fatalf("RunOnce = %v, %v", done, err)
	}
	if got, _, err := stats.Latest(t.Context(), pool, "b"); err != nil || len(got.Tenants) != 0 {
		t.Errorf("a suite that is gone has %+v, %v", got, err)
	}
}

func TestOneReplicaCountsAndNotTooOften(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	var mu sync.Mutex
	counted := 0
	var replicas sync.WaitGroup
	for range 4 {
		r := &stats.Roller{Pool: pool, Budgets: func(context.Context) (stats.Budgets, error) { return stats.Budgets{}, nil }}
		replicas.Go(func() {
			for range 3 {
				done, err := r.RunOnce(t.Context())
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				if done {
					counted++
				}
				mu.Unlock()
			}
		})
	}
	replicas.Wait()
	if counted != 1 {
		t.Errorf("four replicas counted %d times within a minute, want once", counted)
	}
	broken := &stats.Roller{Pool: pool, Budgets: func(context.Context) (stats.Budgets, error) { return stats.Budgets{}, errors.New("broken") }}
	execute(t, pool, `UPDATE stats_rollup SET next_at = now()`)
	if done, err := broken.RunOnce(t.Context()); done || err == nil {
		t.Errorf("RunOnce that fails = %v, %v", done, err)
	}
}

func TestMinutesAreThoseOfAllReplicas(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	one, two := map[string]float64{"x": 3}, map[string]float64{"x": 4, "y": 1}
	copyOf := func(m map[string]float64) func() map[string]float64 {
		return func() map[string]float64 {
			out := map[string]float64{}
			for k, v := range m {
				out[k] = v
			}
			return out
		}
	}
	a, b := &stats.Meter{Pool: pool, Totals: copyOf(one)}, &stats.Meter{Pool: pool, Totals: copyOf(two)}
	flush := func(ms ...*stats.Meter) {
		t.Helper()
		for _, m := range ms {
			if err := m.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	flush(a, b, a, b) // nothing new: nothing is added
	one["x"] = 10
	away, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Flush(away); err == nil {
		t.Error("Flush with the database away = nil, want an error")
	}
	flush(a) // what was not taken is added now
	sum := map[string]int64{}
	minutes, err := stats.Minutes(t.Context(), pool, 60)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range minutes { // one, or two where the clock moved on
		for name, n := range m.Counts {
			sum[name] += n
		}
	}
	if diff := cmp.Diff(map[string]int64{"x": 14, "y": 1}, sum); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	execute(t, pool, `INSERT INTO stats_minutes VALUES (now() - interval '25 hours', 'x', 1), (now() - interval '23 hours', 'x', 1)`)
	if n, err := stats.Prune(t.Context(), pool); n != 1 || err != nil {
		t.Errorf("Prune = %d, %v; want 1", n, err)
	}
	if got, err := stats.Minutes(t.Context(), pool, 1440); err != nil || got[0].At.After(time.Now().Add(-22*time.Hour)) {
		t.Errorf("Minutes of a day begin at %v, %v", got[0].At, err)
	}
}
