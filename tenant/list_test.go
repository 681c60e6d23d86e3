package tenant_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations/pgtest"
	"suitesign/tenant"
)

// crowd is a database with tenants of some variety.
func crowd(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.New(t)
	for _, q := range []string{
		`INSERT INTO suites (suite_id, kind, name) VALUES ('s1', 'internal', 'S'), ('s2', 'internal', 'S')`,
		`INSERT INTO tenants (id, suite_id, corp_id, name, disabled, health, authorized_at, updated_at)
		SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 's' || 1 + n % 2, 'ww' || n % 7 || '-' || n,
			(ARRAY['Acme','acme','ACME 2','公司','Ww','ww1','','b'])[1 + n % 8], n % 3 = 0, (ARRAY['ok','failing'])[1 + n % 2], now(), now() - (n * 7 % 10) * interval '1 hour'
		FROM generate_series(1, 40) n`,
		`INSERT INTO tenant_corp_ids (suite_id, corp_id, tenant_id, is_alias) SELECT suite_id, corp_id, id, false FROM tenants`,
		`INSERT INTO agents (tenant_id, agent_id, name) SELECT id, 1000002 + k, 'A' || k FROM tenants, generate_series(0, 1) k`,
	} {
		if _, err := pool.Exec(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	return pool
}

// Every order with every filter, in pages of every size, shows what sorting in memory does.
func TestPagesComeInOrder(t *testing.T) {
	t.Parallel()
	s := &tenant.Store{Pool: crowd(t)}
	all, _, err := s.Page(t.Context(), tenant.Filter{}, tenant.ByCreation, tenant.Cursor{}, 200)
	if err != nil || len(all) != 40 {
		t.Fatalf("%d tenants, %v; want 40", len(all), err)
	}
	lower := func(s string) string { return strings.ToLower(s) }
	for _, f := range []tenant.Filter{{}, {SuiteID: "s1"}, {SuiteID: "s3"}, {CorpID: "ww1-8"}, {Status: tenant.Disabled}, {Health: tenant.OK},
		{Query: "AC"}, {Query: "w"}, {Query: "WW"}, {Query: "公"}, {Query: "%"}, {SuiteID: "s1", Query: "ww"}, {SuiteID: "s2", Status: tenant.Active, Health: tenant.OK}} {
		keyOf := func(by tenant.Sort, x tenant.Tenant) string {
			switch {
			case f.Query != "" && !strings.HasPrefix(lower(x.Name), lower(f.Query)):
				return string(x.CorpID)
			case f.Query != "" || by == tenant.ByName || by == tenant.ByNameRev:
				return lower(x.Name)
			case by == tenant.ByUpdate || by == tenant.ByUpdateRev:
				return x.UpdatedAt.UTC().Format(time.RFC3339Nano)
			}
			return ""
		}
		for _, by := range []tenant.Sort{tenant.ByCreation, tenant.ByCreationRev, tenant.ByUpdate, tenant.ByUpdateRev, tenant.ByName, tenant.ByNameRev} {
			if f.Query != "" && by != tenant.ByName && by != tenant.ByNameRev {
				continue
			}
			var want []uuid.UUID
			sorted := slices.SortedFunc(slices.Values(all), func(a, b tenant.Tenant) int {
				c := cmp.Or(cmp.Compare(keyOf(by, a), keyOf(by, b)), cmp.Compare(a.ID.String(), b.ID.String()))
				if strings.HasPrefix(string(by), "-") {
					return -c
				}
				return c
			})
			for _, x := range sorted {
				if (f.SuiteID == "" || f.SuiteID == x.SuiteID) && (f.CorpID == "" || f.CorpID == x.CorpID) && (f.Status == "" || f.Status == x.Status) &&
					(f.Health == "" || f.Health == x.Health) && (strings.HasPrefix(lower(x.Name), lower(f.Query)) || strings.HasPrefix(string(x.CorpID), f.Query)) {
					want = append(want, x.ID)
				}
			}
			for _, limit := range []int{1, 3, 200} {
				if got := walk(t, s, f, by, limit); !slices.Equal(got, want) {
					t.Errorf("%+v by %s in pages of %d = %v, want %v", f, by, limit, got, want)
				}
			}
		}
	}
}

func walk(t *testing.T, s *tenant.Store, f tenant.Filter, by tenant.Sort, limit int) (ids []uuid.UUID) {
	t.Helper()
	var after tenant.Cursor
	for {
		page, next, err := s.Page(t.Context(), f, by, after, limit)
		if err != nil || len(page) > limit {
			t.Fatalf("%+v by %s after %v: %d, %v", f, by, after, len(page), err)
		}
		for _, x := range page {
			ids = append(ids, x.ID)
			if want := []tenant.Agent{{ID: 1000002, Name: "A0"}, {ID: 1000003, Name: "A1"}}; !slices.Equal(x.Agents, want) {
				t.Fatalf("agents = %v, want %v", x.Agents, want)
			}
		}
		if next == (tenant.Cursor{}) {
			return ids
		}
		after = next
	}
}

func TestCursorsThatNoPageEndedWith(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, tt := range []struct {
		by    tenant.Sort
		after tenant.Cursor
	}{
		{tenant.ByUpdate, tenant.Cursor{Key: "yesterday", ID: uuid.New()}}, {tenant.ByUpdateRev, tenant.Cursor{ID: uuid.New()}},
		{tenant.ByCreation, tenant.Cursor{Key: "x", ID: uuid.New()}},
	} {
		if _, _, err := s.Page(t.Context(), tenant.Filter{}, tt.by, tt.after, 1); !errors.Is(err, tenant.ErrCursor) {
			t.Errorf("%s after %+v: %v, want ErrCursor", tt.by, tt.after, err)
		}
	}
}

// counter counts queries and, of each, keeps the text.
type counter struct {
	n     atomic.Int32
	plans []string
}

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	c.plans = append(c.plans, q.SQL)
	return ctx
}
func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A page is one query, and each documented pair has an index that needs no sorting:
// with sorting made dear, the plan has none.
func TestAPageIsOneQueryFromAnIndex(t *testing.T) {
	t.Parallel()
	pool := crowd(t)
	config := pool.Config()
	seen := &counter{}
	config.ConnConfig.Tracer = seen
	config.MaxConns = 1
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `SET enable_sort = off; SET enable_incremental_sort = on; SET enable_seqscan = off; SET enable_bitmapscan = off`)
		return err
	}
	traced, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(traced.Close)
	if err := traced.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &tenant.Store{Pool: traced}
	created := []tenant.Sort{tenant.ByCreation, tenant.ByCreationRev}
	named := []tenant.Sort{tenant.ByName, tenant.ByNameRev}
	any := append(append([]tenant.Sort{tenant.ByUpdate, tenant.ByUpdateRev}, created...), named...)
	for _, tt := range []struct {
		f     tenant.Filter
		sorts []tenant.Sort
	}{{tenant.Filter{}, any}, {tenant.Filter{SuiteID: "s1"}, any}, {tenant.Filter{Status: tenant.Active}, created}, {tenant.Filter{Health: tenant.OK}, created}, {tenant.Filter{Query: "w"}, named}} {
		for _, by := range tt.sorts {
			for _, after := range []bool{false, true} {
				cursor := tenant.Cursor{}
				if after {
					_, next, err := s.Page(t.Context(), tt.f, by, cursor, 1)
					if err != nil {
						t.Fatal(err)
					}
					cursor = next
				}
				before := seen.n.Load()
				if _, _, err := s.Page(t.Context(), tt.f, by, cursor, 2); err != nil {
					t.Fatal(err)
				}
				if n := seen.n.Load() - before; n != 1 {
					t.Errorf("%+v by %s: %d queries, want 1", tt.f, by, n)
				}
				q := seen.plans[len(seen.plans)-1]
				rows, err := traced.Query(t.Context(), "EXPLAIN "+inline(q, tt.f, cursor))
				if err != nil {
					t.Fatalf("%s: %v", q, err)
				}
				lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err != nil {
					t.Fatalf("%s: %v", q, err)
				}
				for _, line := range lines {
					if strings.HasPrefix(strings.TrimLeft(line, " ->"), "Sort  (") {
						t.Errorf("%+v by %s after %v sorts:\n%s", tt.f, by, cursor, strings.Join(lines, "\n"))
						break
					}
				}
			}
		}
	}
}

// inline puts the arguments of a Page into its text: EXPLAIN plans with what it sees.
func inline(q string, f tenant.Filter, after tenant.Cursor) string {
	var values []string
	quote := func(v string) { values = append(values, "'"+v+"'") }
	if f.Query != "" {
		quote(f.Query)
	}
	one := func() {
		for _, v := range []string{string(f.SuiteID), string(f.CorpID), string(f.Status), string(f.Health)} {
			if v != "" {
				quote(v)
			}
		}
		if after != (tenant.Cursor{}) {
			quote(after.ID.String())
			quote(after.Key)
		}
	}
	one()
	if f.Query != "" {
		one()
	}
	for i := len(values); i > 0; i-- {
		q = strings.ReplaceAll(q, fmt.Sprintf("$%d", i), values[i-1])
	}
	return q
}

// As after an import: the newest tenants are all of another suite and health. The
// page is read from the index of the filter, not from the newest on until some are found.
func TestTheNewestOfOthersAreNotReadThrough(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for _, q := range []string{
		`INSERT INTO suites (suite_id, kind, name) VALUES ('s1', 'internal', 's1'), ('s2', 'internal', 's2')`,
		`INSERT INTO tenants (id, suite_id, corp_id, authorized_at, health, disabled)
			SELECT (lpad(to_hex(i), 12, '0') || '7abc8' || substr(md5(i::text), 1, 15))::uuid, CASE WHEN i < 18000 THEN 's1' ELSE 's2' END, 'wp' || i, now(),
				CASE WHEN i < 18000 THEN 'ok' ELSE 'pending' END, i >= 18000 FROM generate_series(1, 20000) i`,
		`ANALYZE tenants`,
	} {
		if _, err := pool.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	config := pool.Config()
	seen := &counter{}
	config.ConnConfig.Tracer = seen
	traced, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(traced.Close)
	s := &tenant.Store{Pool: traced}
	for index, f := range map[string]tenant.Filter{
		"tenants_by_suite": {SuiteID: "s1"}, "tenants_by_status": {Status: tenant.Active}, "tenants_by_health": {Health: tenant.OK},
	} {
		page, _, err := s.Page(t.Context(), f, tenant.ByCreationRev, tenant.Cursor{}, 2)
		if err != nil || len(page) != 2 || page[0].CorpID != "wp17999" {
			t.Fatalf("%s: %v, %v", index, page, err)
		}
		rows, err := pool.Query(t.Context(), "EXPLAIN "+inline(seen.plans[len(seen.plans)-1], f, tenant.Cursor{}))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if plan := strings.Join(lines, "\n"); !strings.Contains(plan, "using "+index+" ") {
			t.Errorf("%s is not used:\n%s", index, plan)
		}
	}
}
