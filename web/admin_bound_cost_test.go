package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/audit"
	"suitesign/migrations/pgtest"
	"suitesign/reach"
	"suitesign/signing/pagereport"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

// statements notes what is asked.
type statements struct {
	sql  []string
	args [][]any
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	s.sql, s.args = append(s.sql, d.SQL), append(s.args, d.Args)
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A list costs a bound key what it is shown, not what there is: among 30,000 tenants,
// with as many events, changes and reports, each list is read without passing over
// those of others. What it costs is counted in pages of PostgreSQL.
func TestBoundListsReadWhatTheyShow(t *testing.T) {
	t.Parallel()
	const (
		stored  = 30_000
		mayRead = 400 // pages; a pass over any of the tables reads more
	)
	config, err := pgxpool.ParseConfig(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	asked := &statements{}
	config.ConnConfig.Tracer, config.MaxConns = asked, 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for _, q := range []string{
		`INSERT INTO suites (suite_id, kind, name) VALUES ('ww-big', 'internal', ''), ('ww-all', 'internal', ''), ('ww-few', 'internal', '')`,
		fmt.Sprintf(`INSERT INTO tenants (id, suite_id, corp_id, name, authorized_at, updated_at)
			SELECT (lpad(to_hex(i), 12, '0') || '7abc8' || substr(md5(i::text), 1, 15))::uuid,
				CASE WHEN i %% 3000 = 2999 THEN 'ww-few' WHEN i %% 2 = 0 THEN 'ww-big' ELSE 'ww-all' END, 'wp' || i, md5(i::text), now(), now() - i * interval '1 ms'
			FROM generate_series(1, %d) i`, stored),
		`INSERT INTO tenant_corp_ids (suite_id, corp_id, tenant_id, is_alias) SELECT suite_id, corp_id, id, false FROM tenants`,
		`INSERT INTO callback_events (id, suite_id, digest, door, info_type, corp_id, state, received_at, last_received_at)
			SELECT id, suite_id, convert_to(corp_id, 'UTF8'), 'command', 'change_auth', corp_id, 'done', updated_at, updated_at FROM tenants`,
		`INSERT INTO audit_log (id, at, actor_kind, actor, action, target_kind, target_id, suite_id, tenant_id)
			SELECT id, updated_at, 'system', 'system', 'tenant.update', 'tenant', id::text, suite_id, id FROM tenants`,
		`INSERT INTO page_reports (id, hour, tenant_id, kind, cause, host, client, action, first_reported_at)
			SELECT id, updated_at, id, 'config', 'x', 'x', 'wecom', 'none', updated_at FROM tenants`,
		`VACUUM ANALYZE tenants, tenant_corp_ids, callback_events, audit_log, page_reports`,
	} {
		if _, err := pool.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	var last, few uuid.UUID
	if err := pool.QueryRow(t.Context(), `SELECT max(id::text), max(id::text) FILTER (WHERE suite_id = 'ww-few') FROM tenants`).Scan(&last, &few); err != nil {
		t.Fatal(err)
	}

	narrowed := reach.Narrow(pool)
	tenants := &tenant.Store{Pool: narrowed}
	suites := &suite.Store{Pool: narrowed, Tenants: tenants}
	tenantsBy := func(f tenant.Filter, by tenant.Sort) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			list, _, err := tenants.Page(ctx, f, by, tenant.Cursor{}, 20)
			return len(list), err
		}
	}
	events := func(up bool) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			list, err := suites.Events(ctx, suite.EventFilter{}, suite.EventCursor{}, up, 20)
			return len(list), err
		}
	}
	for who, tt := range map[string]struct {
		bounds reach.Bounds
		want   int // of 20
	}{
		"a tenant":             {reach.Bounds{TenantIDs: []uuid.UUID{last}}, 1},
		"two tenants":          {reach.Bounds{TenantIDs: []uuid.UUID{last, few}}, 2},
		"a small suite":        {reach.Bounds{SuiteIDs: []string{"ww-few"}}, stored / 3000},
		"a big suite":          {reach.Bounds{SuiteIDs: []string{"ww-big"}}, 20},
		"two suites":           {reach.Bounds{SuiteIDs: []string{"ww-big", "ww-few"}}, 20},
		"a suite and a tenant": {reach.Bounds{SuiteIDs: []string{"ww-few"}, TenantIDs: []uuid.UUID{last}}, stored/3000 + 1},
	} {
		ctx := reach.With(t.Context(), tt.bounds)
		for what, list := range map[string]func(context.Context) (int, error){
			"tenants":           tenantsBy(tenant.Filter{}, tenant.ByCreation),
			"tenants, newest":   tenantsBy(tenant.Filter{}, tenant.ByCreationRev),
			"tenants by name":   tenantsBy(tenant.Filter{}, tenant.ByName),
			"tenants by update": tenantsBy(tenant.Filter{}, tenant.ByUpdateRev),
			"active tenants":    tenantsBy(tenant.Filter{Status: tenant.Active}, tenant.ByCreation),
			"pending tenants":   tenantsBy(tenant.Filter{Health: tenant.Pending}, tenant.ByCreation),
			"events":            events(false),
			"events, oldest":    events(true),
			"suites by their ids": func(ctx context.Context) (int, error) {
				for _, id := range []wecom.SuiteID{"ww-big", "ww-all", "ww-few"} {
					if _, err := suites.Get(ctx, id); err != nil && !errors.Is(err, suite.ErrNotFound) {
						return 0, err
					}
				}
				return tt.want, nil
			},
			"the audit log": func(ctx context.Context) (int, error) {
				list, err := (&audit.Log{Pool: narrowed}).List(ctx, audit.Filter{}, audit.Cursor{}, 20)
				return len(list), err
			},
			"reports": func(ctx context.Context) (int, error) {
				list, err := (&pagereport.Desk{Pool: narrowed}).List(ctx, pagereport.Filter{}, pagereport.Cursor{}, 20)
				return len(list), err
			},
		} {
			asked.sql, asked.args = nil, nil
			n, err := list(ctx)
			if err != nil || n != tt.want {
				t.Errorf("key of %s, %s: %d of them, %v; want %d", who, what, n, err, tt.want)
			}
			if read := pagesRead(ctx, t, narrowed, asked); read > mayRead {
				t.Errorf("key of %s, %s: %d pages read, want at most %d", who, what, read, mayRead)
			}
		}
	}
}

// pagesRead has PostgreSQL tell how many pages it reads for the SELECTs that were asked.
func pagesRead(ctx context.Context, t *testing.T, db reach.DB, asked *statements) (pages int) {
	t.Helper()
	for i, sql := range asked.sql {
		if !strings.Contains(sql, "SELECT") || strings.Contains(sql, "set_config") || strings.Contains(sql, "row_security_active") {
			continue
		}
		var text []byte
		if err := db.QueryRow(ctx, `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) `+sql, asked.args[i]...).Scan(&text); err != nil {
			t.Fatal(err)
		}
		var plan []struct {
			Plan struct {
				Hit  int `json:"Shared Hit Blocks"`
				Read int `json:"Shared Read Blocks"`
			}
		}
		if err := json.Unmarshal(text, &plan); err != nil {
			t.Fatal(err)
		}
		pages += plan[0].Plan.Hit + plan[0].Plan.Read
	}
	return pages
}
