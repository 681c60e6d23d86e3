package reach_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"suitesign/changes"
	"suitesign/reach"
)

func collect(t *testing.T, ctx context.Context, db reach.DB, sql string, args ...any) []string {
	t.Helper()
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

// belongs tells how many rows of a table a bound key of each kind is to see.
var belongs = map[string]struct{ suite, tenant int }{ // bound to ours; bound to first
	"suites": {1, 1}, "suite_domains": {1, 1}, // what concerns each tenant of the suite
	"suite_tickets": {1, 0}, "suite_tokens": {1, 0},
	"tenants": {2, 1}, "tenant_corp_ids": {2, 1}, "agents": {2, 1}, "tenant_domains": {2, 1}, "authorizations": {2, 1},
	"refreshes": {2, 1}, "credentials": {2, 1}, "callback_events": {2, 1}, "exchanges": {2, 1}, "page_reports": {2, 1},
	"audit_log": {3, 1}, // of the suite and its tenants
	"api_keys":  {3, 1}, // of the suite and its tenants; of the tenant; never the unbound one
}

// Whatever a query forgets: without any WHERE a bound key sees what is its own.
func TestForeignRowsAreInvisible(t *testing.T) {
	t.Parallel()
	db, pool := world(t)
	const grants = `
SELECT DISTINCT table_name::text FROM information_schema.role_table_grants WHERE grantee = $1 AND privilege_type = 'SELECT'`
	if diff := cmp.Diff(slices.Sorted(maps.Keys(belongs)), slices.Sorted(slices.Values(collect(t, t.Context(), pool, grants, reach.Role)))); diff != "" {
		t.Errorf("tables that this test looks at (-) and that bound keys may read (+):\n%s", diff)
	}
	for table, want := range belongs {
		count := func(ctx context.Context) (n int) {
			t.Helper()
			if err := db.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil {
				t.Fatalf("%s: %v", table, err)
			}
			return n
		}
		if got := count(toSuite(t.Context(), ours)); got != want.suite {
			t.Errorf("%s: a key of a suite sees %d rows, want %d", table, got, want.suite)
		}
		if got := count(toTenant(t.Context(), first)); got != want.tenant {
			t.Errorf("%s: a key of a tenant sees %d rows, want %d", table, got, want.tenant)
		}
		if got := count(reach.With(t.Context(), reach.Bounds{})); got != 0 {
			t.Errorf("%s: a key bound to nothing that there is sees %d rows, want none", table, got)
		}
		if all := count(t.Context()); all <= max(want.suite, want.tenant) {
			t.Errorf("%s: the service itself sees %d rows, so this shows nothing", table, all)
		}
	}
	both := reach.With(t.Context(), reach.Bounds{SuiteIDs: []string{theirs}, TenantIDs: collectIDs(first)})
	if got := collect(t, both, db, `SELECT id::text FROM tenants ORDER BY id`); !slices.Equal(got, []string{first.String(), third.String()}) {
		t.Errorf("a key of a suite and a tenant sees %v", got)
	}
}

func collectIDs[T any](ids ...T) []T { return ids }

// Nothing foreign is changed, removed, taken over or given away.
func TestForeignRowsAreUnwritable(t *testing.T) {
	t.Parallel()
	db, pool := world(t)
	count := func(sql string) (n int) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return n
	}
	keys := map[string]context.Context{"suite": toSuite(t.Context(), ours), "tenant": toTenant(t.Context(), first)}
	for who, ctx := range keys {
		for table, column := range map[string]string{
			"suites": "name = name", "tenants": "name = 'taken'", "tenant_domains": "exact = true", "suite_domains": "exact = true",
			"agents": "name = 'taken'", "authorizations": "info_error = 'taken'", "callback_events": "last_error = 'taken'", "exchanges": "last_error = 'taken'",
			"api_keys": "name = 'taken'", "tenant_corp_ids": "is_alias = is_alias",
		} {
			tag, err := db.Exec(ctx, `UPDATE `+table+` SET `+column)
			if want := int64(belongs[table].suite); who == "suite" && (err != nil || tag.RowsAffected() != want) {
				t.Errorf("a key of a suite updates %d rows of %s (%v), want its own %d", tag.RowsAffected(), table, err, want)
			}
			want := int64(belongs[table].tenant)
			if table == "suites" || table == "suite_domains" {
				want = 0 // read, not written
			}
			if who == "tenant" && (err != nil || tag.RowsAffected() != want) {
				t.Errorf("a key of a tenant updates %d rows of %s (%v), want its own %d", tag.RowsAffected(), table, err, want)
			}
		}
		for _, refused := range []string{
			fmt.Sprintf(`INSERT INTO tenants (id, suite_id, corp_id, authorized_at) VALUES (gen_random_uuid(), '%s', 'new', now())`, theirs),
			fmt.Sprintf(`UPDATE tenants SET suite_id = '%s', id = gen_random_uuid() WHERE id = '%s'`, theirs, first),
			fmt.Sprintf(`INSERT INTO tenant_corp_ids (suite_id, corp_id, tenant_id, is_alias) VALUES ('%s', 'new', '%s', true)`, theirs, first),
			fmt.Sprintf(`INSERT INTO tenant_corp_ids (suite_id, corp_id, tenant_id, is_alias) VALUES ('%s', 'new', '%s', true)`, ours, third),
			fmt.Sprintf(`INSERT INTO tenant_domains (tenant_id, host) VALUES ('%s', 'evil.example.com')`, third),
			fmt.Sprintf(`INSERT INTO suite_domains (suite_id, host) VALUES ('%s', 'evil.example.com')`, theirs),
			fmt.Sprintf(`INSERT INTO agents (tenant_id, agent_id) VALUES ('%s', 8)`, third),
			fmt.Sprintf(`INSERT INTO authorizations AS a (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at) VALUES ('%s', '%s', 'x', 'evil', now())
				ON CONFLICT (tenant_id) DO UPDATE SET permanent_code_sealed = 'evil'`, third, theirs),
			fmt.Sprintf(`INSERT INTO api_keys (id, name, prefix, hash, suite_ids) VALUES (gen_random_uuid(), 'x', 'x', 'evil', '{%s}')`, theirs),
			fmt.Sprintf(`INSERT INTO api_keys (id, name, prefix, hash, tenant_ids) VALUES (gen_random_uuid(), 'x', 'x', 'evil', '{%s}')`, third),
			`INSERT INTO api_keys (id, name, prefix, hash) VALUES (gen_random_uuid(), 'x', 'x', 'evil')`,
			`UPDATE api_keys SET suite_ids = '{}', tenant_ids = '{}'`,
			fmt.Sprintf(`INSERT INTO audit_log (id, actor_kind, actor, action, target_kind, target_id, tenant_id) VALUES (gen_random_uuid(), 'api_key', 'x', 'tenant.update', 'tenant', 'x', '%s')`, third),
			`INSERT INTO suites (suite_id, kind, name) VALUES ('ww-new', 'internal', 'x')`,
			`SELECT count(*) FROM keysets`, `SELECT count(*) FROM budgets`, `SELECT count(*) FROM idempotency_keys`,
			`UPDATE audit_log SET actor = 'nobody'`, `DELETE FROM audit_log`, `UPDATE page_reports SET count = 0`, `DELETE FROM page_reports`,
			`UPDATE credentials SET value_sealed = 'evil'`, `UPDATE refreshes SET due_at = now()`, `INSERT INTO changes (topic, key) VALUES ('tenant', 'x')`, `TRUNCATE tenants CASCADE`,
		} {
			_, err := db.Exec(ctx, refused)
			var pg *pgconn.PgError
			if !errors.As(err, &pg) || pg.Code != "42501" {
				t.Errorf("key of a %s: %s = %v, want insufficient_privilege", who, refused, err)
			}
		}
	}
	for who, ctx := range keys {
		for _, table := range []string{"tenant_domains", "agents", "tenant_corp_ids", "suite_domains"} {
			before := count(`SELECT count(*) FROM ` + table)
			tag, err := db.Exec(ctx, `DELETE FROM `+table+` WHERE false OR true`)
			if err != nil || int(tag.RowsAffected()) != before-count(`SELECT count(*) FROM `+table) || count(`SELECT count(*) FROM `+table) == 0 {
				t.Errorf("key of a %s: DELETE FROM %s took %d rows (%v) and left %d", who, table, tag.RowsAffected(), err, count(`SELECT count(*) FROM `+table))
			}
		}
	}
	for _, left := range []string{
		`SELECT count(*) FROM tenants WHERE name <> 'taken'`, `SELECT count(*) FROM tenant_domains`, `SELECT count(*) FROM agents`,
		`SELECT count(*) FROM suite_domains`, `SELECT count(*) FROM tenant_corp_ids`,
	} {
		if n := count(left); n != 1 { // third's, and that of its suite
			t.Errorf("%s = %d, want what is foreign to both keys", left, n)
		}
	}
}

// Who changes something tells the replicas, although what is told is closed to it.
func TestABoundKeyTellsItsChanges(t *testing.T) {
	t.Parallel()
	db, _ := world(t)
	if err := changes.Append(toTenant(t.Context(), first), db, changes.Tenant, "x"); err != nil {
		t.Error(err)
	}
	if got := collect(t, t.Context(), db, `SELECT key FROM changes ORDER BY id`); !slices.Equal(got, []string{third.String(), "x"}) {
		t.Errorf("the service reads %v", got)
	}
}
