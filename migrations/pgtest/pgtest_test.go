//go:build unix

package pgtest_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"suitesign/migrations"
	"suitesign/migrations/pglocal"
	"suitesign/migrations/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNewGivesEachTestAMigratedDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	one, two := pgtest.New(t), pgtest.New(t)
	if err := migrations.Check(t.Context(), one); err != nil {
		t.Errorf("Check = %v", err)
	}
	const insert = `INSERT INTO suites (suite_id, kind, name) VALUES ('s', 'internal', 'a suite')`
	if _, err := one.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := two.QueryRow(t.Context(), `SELECT count(*) FROM suites`).Scan(&n); err != nil || n != 0 {
		t.Errorf("the other database has %d suites, %v; want none", n, err)
	}
	conn, err := pgx.Connect(t.Context(), one.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM suites`).Scan(&n); err != nil || n != 1 {
		t.Errorf("by its URL the database has %d suites, %v; want one", n, err)
	}
}

func TestEmptyHasNoTables(t *testing.T) {
	t.Parallel()
	if s, err := migrations.Status(t.Context(), pgtest.Empty(t)); err != nil || s.Version != 0 {
		t.Errorf("Status = %+v, %v; want version 0", s, err)
	}
}

func TestADatabaseIsDroppedWithConnectionsOpen(t *testing.T) {
	t.Parallel()
	var conn *pgx.Conn
	t.Run("the test", func(t *testing.T) {
		var err error
		if conn, err = pgx.Connect(t.Context(), pgtest.URL(t)); err != nil {
			t.Fatal(err)
		}
	})
	defer conn.Close(context.Background())
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the database outlived its test")
	}
}

// Test programs that run at the same time on one server make one template.
func TestProgramsShareAServer(t *testing.T) {
	t.Parallel()
	shared, err := pglocal.Start(t.Context(), pglocal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shared.Stop(context.Background()) }()
	conn, err := pgx.Connect(t.Context(), shared.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())

	databases := func() (templates, others []string) {
		rows, err := conn.Query(t.Context(), `SELECT datname, datistemplate FROM pg_database
			WHERE datname NOT IN ('postgres', 'template0', 'template1') ORDER BY datname`)
		if err != nil {
			t.Fatal(err)
		}
		var (
			name     string
			template bool
		)
		if _, err := pgx.ForEachRow(rows, []any{&name, &template}, func() error {
			if template {
				templates = append(templates, name)
			} else {
				others = append(others, name)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return templates, others
	}
	run := func(programs int) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range programs {
			wg.Go(func() {
				cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestNewGives")
				cmd.Env = append(os.Environ(), "SUITESIGN_TEST_DATABASE_URL="+shared.URL("postgres"))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("a test program: %v\n%s", err, out)
				}
			})
		}
		wg.Wait()
	}

	run(3)
	made, left := databases()
	if len(made) != 1 || len(left) > 0 {
		t.Fatalf("three programs left the templates %v and the databases %v; want one template", made, left)
	}

	// A program that was killed over making the template leaves a database that is none.
	for _, sql := range []string{
		`ALTER DATABASE ` + made[0] + ` IS_TEMPLATE false`,
		`DROP DATABASE ` + made[0],
		`CREATE DATABASE ` + made[0],
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run(1)
	again, left := databases()
	if diff := cmp.Diff(made, again); diff != "" || len(left) > 0 {
		t.Errorf("after a half made template: %v and %v; want %v", again, left, made)
	}
}
