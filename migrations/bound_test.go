package migrations_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"suitesign/migrations"
	"suitesign/migrations/pglocal"
	"suitesign/migrations/pgtest"
)

// A server of its own: roles belong to all databases of one.
func TestTheRoleOfBoundKeys(t *testing.T) {
	t.Parallel()
	server, err := pglocal.Start(t.Context(), pglocal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	admin := connect(t, server.URL("postgres"))
	refused := func(url string) error {
		t.Helper()
		_, refusal, err := migrations.BoundRole(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		return refusal
	}
	up := func(url string) {
		t.Helper()
		if err := migrations.Up(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	}
	as := func(user, database string) string {
		u, err := url.Parse(server.URL(database))
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.User(user)
		return u.String()
	}

	// Whoever may make no roles gets the schema all the same, and is told what is missing.
	execute(t, admin, `CREATE ROLE plain LOGIN`)
	execute(t, admin, `CREATE DATABASE of_plain OWNER plain`)
	plain := as("plain", "of_plain")
	up(plain)
	if refusal := refused(plain); refusal == nil {
		t.Fatal("a role that may not make roles has one for bound keys")
	}
	if s, err := migrations.Status(t.Context(), plain); err != nil || len(s.Pending) > 0 {
		t.Errorf("Status = %+v, %v; want all done", s, err)
	}
	if n := count(t, admin, `SELECT count(*) FROM pg_roles WHERE rolname = 'suitesign_bound'`); n != 0 {
		t.Fatal("the role is there, so this shows nothing")
	}
	execute(t, connect(t, server.URL("of_plain")), migrations.BoundRoleSQL("plain"))
	if refusal := refused(plain); refusal != nil {
		t.Errorf("after BoundRoleSQL: %v", refusal)
	}
	execute(t, connect(t, server.URL("of_plain")), `DROP OWNED BY suitesign_bound; DROP ROLE suitesign_bound`)

	// Who may make roles makes it, however many do at once, on however many databases.
	execute(t, admin, `CREATE ROLE maker LOGIN CREATEROLE`)
	const databases = 4
	var all sync.WaitGroup
	errs := make([]error, 2*databases)
	for i := range 2 * databases {
		name := fmt.Sprintf("of_maker_%d", i%databases)
		if i < databases {
			execute(t, admin, `CREATE DATABASE `+name+` OWNER maker`)
		}
		all.Go(func() { errs[i] = migrations.Up(t.Context(), as("maker", name)) })
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("Up %d of %d at once: %v", i, len(errs), err)
		}
		if refusal := refused(as("maker", fmt.Sprintf("of_maker_%d", i%databases))); refusal != nil {
			t.Errorf("database %d: %v", i%databases, refusal)
		}
	}
	up(plain) // the role is there by now, and is not its own
	if refusal := refused(plain); refusal == nil {
		t.Error("a role that nobody granted it may be taken")
	}

	// One that bypasses row-level security is as bad as none.
	execute(t, admin, `ALTER ROLE suitesign_bound BYPASSRLS`)
	if refusal := refused(as("maker", "of_maker_0")); refusal == nil || !strings.Contains(refusal.Error(), "bypasses") {
		t.Errorf("with BYPASSRLS: %v", refusal)
	}
}

func count(t *testing.T, conn *pgx.Conn, sql string) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A database that was restored without its grants gets them with the next `migrate up`.
func TestGrantsComeBack(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	execute(t, connect(t, url), `REVOKE ALL ON ALL TABLES IN SCHEMA public FROM suitesign_bound`)
	if _, refusal, err := migrations.BoundRole(t.Context(), url); err != nil || refusal == nil {
		t.Fatalf("without grants: %v, %v; want a refusal", refusal, err)
	}
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if _, refusal, err := migrations.BoundRole(t.Context(), url); err != nil || refusal != nil {
		t.Errorf("after Up: %v, %v", refusal, err)
	}
}

// A new table cannot forget: what names a suite or a tenant has a policy.
func TestEveryTableOfASuiteOrTenantHasAPolicy(t *testing.T) {
	t.Parallel()
	const q = `
SELECT DISTINCT c.relname::text, c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = '*')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
	AND (a.attname IN ('suite_id', 'suite_ids', 'tenant_id', 'tenant_ids') OR c.relname = 'tenants')`
	rows, err := connect(t, pgtest.URL(t)).Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var table string
	var held bool
	tables := 0
	_, err = pgx.ForEachRow(rows, []any{&table, &held}, func() error {
		if tables++; !held {
			t.Errorf(`%[1]s names a suite or a tenant and has no policy. In its migration, with those of *_row_security.up.sql as examples:
	ALTER TABLE %[1]s ENABLE ROW LEVEL SECURITY;
	CREATE POLICY %[1]s_bound ON %[1]s USING (reaches_all() OR …);
or USING (reaches_all()) alone where bound API keys have no business with it`, table)
		}
		return nil
	})
	if err != nil || tables < 17 {
		t.Errorf("%d tables name a suite or tenant, %v; so this shows nothing", tables, err)
	}
}
