package migrations_test

import (
	"context"
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations"
	"suitesign/migrations/pgtest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// files makes migrations of names and SQL.
func files(pairs ...string) fs.FS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

func migrator(fsys fs.FS) migrations.Migrator {
	return migrations.NewMigrator(fsys, 50*time.Millisecond, 50*time.Millisecond, 2)
}

func TestFilesComeInPairsAndFitTheRange(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(migrations.Files, "*")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files: %v", err)
	}
	well := regexp.MustCompile(`^\d{6}_[a-z0-9_]+\.(up|down)\.sql$`)
	control := regexp.MustCompile(`(?im)^\s*(BEGIN|COMMIT|ROLLBACK|START TRANSACTION)\b`)
	for _, name := range names {
		if !well.MatchString(name) {
			t.Errorf("%s: want NNNNNN_words.up.sql or .down.sql", name)
		}
		other := strings.NewReplacer(".up.", ".down.", ".down.", ".up.").Replace(name)
		body, err := fs.ReadFile(migrations.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat(migrations.Files, other); err != nil {
			t.Errorf("%s has no %s", name, other)
		}
		if control.Match(body) {
			t.Errorf("%s controls a transaction; it runs inside one", name)
		}
	}
	s, err := migrations.Status(t.Context(), pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	if migrations.Oldest > s.Latest || s.Latest > migrations.Newest {
		t.Errorf("Oldest %d <= latest file %d <= Newest %d does not hold", migrations.Oldest, s.Latest, migrations.Newest)
	}
	if len(s.Pending) != len(names)/2 {
		t.Errorf("pending on an empty database: %v", s.Pending)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s, err := migrations.Status(t.Context(), url)
	if err != nil || s.Version != s.Latest || s.Dirty || len(s.Pending) > 0 {
		t.Errorf("Status = %+v, %v; want all done", s, err)
	}
	if err := migrations.DownSteps(t.Context(), url, 1); err != nil {
		t.Fatal(err)
	}
	after, err := migrations.Status(t.Context(), url)
	if err != nil || after.Version >= s.Version || len(after.Pending) != 1 {
		t.Errorf("after a step down: %+v, %v; want one pending", after, err)
	}
	if err := migrations.DownSteps(t.Context(), url, 1000); err != nil {
		t.Errorf("DownSteps of more than there are = %v", err)
	}
	if err := migrations.DownSteps(t.Context(), url, 0); err == nil {
		t.Error("DownSteps(0) = nil")
	}
	if err := migrations.Down(t.Context(), url); err != nil {
		t.Errorf("Down on an empty database = %v", err)
	}
	if s, err := migrations.Status(t.Context(), url); err != nil || s.Version != 0 {
		t.Errorf("Status = %+v, %v; want version 0", s, err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	conn := connect(t, url)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for _, tt := range []struct {
		name    string
		version uint
		dirty   bool
		want    string // a part of the refusal, "" where there is none
	}{
		{"the oldest", migrations.Oldest, false, ""},
		{"the newest", migrations.Newest, false, ""},
		{"older", migrations.Oldest - 1, false, "run `suitesign migrate up`"},
		{"newer", migrations.Newest + 1, false, "run a newer suitesign"},
		{"dirty", migrations.Oldest, true, "half done"},
	} {
		execute(t, conn, `UPDATE schema_migrations SET version = $1, dirty = $2`, int64(tt.version), tt.dirty)
		err := migrations.Check(t.Context(), pool)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: Check = %v, want nil", tt.name, err)
			}
			continue
		}
		if !errors.Is(err, migrations.ErrSchemaOutOfRange) || errors.Is(err, migrations.ErrDirty) != tt.dirty ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Check = %v, want ErrSchemaOutOfRange with %q", tt.name, err, tt.want)
		}
	}
	for _, nothing := range []string{`DELETE FROM schema_migrations`, `DROP TABLE schema_migrations`} {
		execute(t, conn, nothing)
		err := migrations.Check(t.Context(), pool)
		if !errors.Is(err, migrations.ErrSchemaOutOfRange) || !strings.Contains(err.Error(), "no schema yet") {
			t.Errorf("after %s: Check = %v, want that there is no schema yet", nothing, err)
		}
	}
}

func TestANewerSchemaIsLeftAlone(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	conn := connect(t, url)
	execute(t, conn, `UPDATE schema_migrations SET version = $1`, int64(migrations.Newest))
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Errorf("Up within the line = %v, want nil", err)
	}
	if err := migrations.Down(t.Context(), url); !errors.Is(err, migrations.ErrSchemaOutOfRange) {
		t.Errorf("Down = %v, want ErrSchemaOutOfRange", err)
	}
	execute(t, conn, `UPDATE schema_migrations SET version = $1`, int64(migrations.Newest+1))
	if err := migrations.Up(t.Context(), url); !errors.Is(err, migrations.ErrSchemaOutOfRange) {
		t.Errorf("Up = %v, want ErrSchemaOutOfRange", err)
	}
}

func TestAFailedMigrationLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	conn := connect(t, url)
	good := []string{"1_a.up.sql", `CREATE TABLE a (id int)`, "1_a.down.sql", `DROP TABLE a`}
	m := migrator(files(append(good,
		"2_b.up.sql", "CREATE TABLE b ();\nINSERT INTO a VALUES (1);\nSELECT 1/0;", "2_b.down.sql", `DROP TABLE b`)...))
	err := m.Up(t.Context(), url)
	if err == nil || !strings.Contains(err.Error(), "migration to version 2: ") || !strings.Contains(err.Error(), "division by zero") {
		t.Errorf("Up = %v, want what went wrong in version 2", err)
	}
	s, err := migrations.Status(t.Context(), url)
	if err != nil || s.Version != 1 || s.Dirty {
		t.Errorf("Status = %+v, %v; want version 1, clean", s, err)
	}
	var there bool
	if err := conn.QueryRow(t.Context(), `SELECT to_regclass('b') IS NOT NULL`).Scan(&there); err != nil || there {
		t.Errorf("the failed migration's table is there: %t, %v", there, err)
	}
	// The corrected file simply runs.
	m = migrator(files(append(good, "2_b.up.sql", `CREATE TABLE b ()`, "2_b.down.sql", `DROP TABLE b; SELECT 1/0`)...))
	if err := m.Up(t.Context(), url); err != nil {
		t.Errorf("Up of the corrected file = %v", err)
	}
	if err := m.Down(t.Context(), url); err == nil {
		t.Error("a Down that divides by zero = nil")
	}
	if s, err := migrations.Status(t.Context(), url); err != nil || s.Version != 2 || s.Dirty {
		t.Errorf("Status = %+v, %v; want version 2 still, clean", s, err)
	}
}

func TestWithoutATransaction(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	conn := connect(t, url)
	table := []string{"1_a.up.sql", `CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1)`, "1_a.down.sql", `DROP TABLE a`}
	index := "-- no transaction\nCREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id)"
	m := migrator(files(append(table, "2_i.up.sql", index, "2_i.down.sql", "-- no transaction\nDROP INDEX CONCURRENTLY a_id")...))

	if err := m.Up(t.Context(), url); err == nil {
		t.Fatal("a unique index over a duplicate = nil")
	}
	for name, run := range map[string]func(context.Context, string) error{"Up": m.Up, "Down": m.Down} {
		err := run(t.Context(), url)
		if !errors.Is(err, migrations.ErrDirty) || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("%s on a dirty schema = %v, want ErrDirty at version 2", name, err)
		}
	}
	execute(t, conn, `DROP INDEX a_id`)
	execute(t, conn, `DELETE FROM a`)
	execute(t, conn, `UPDATE schema_migrations SET version = 1, dirty = false`)
	if err := m.Up(t.Context(), url); err != nil {
		t.Errorf("Up after the repair = %v", err)
	}
	if err := m.Down(t.Context(), url); err != nil {
		t.Errorf("Down = %v", err)
	}
}

func TestMigratorsTakeTurns(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := migrations.Up(t.Context(), url); err != nil {
				t.Errorf("one of four at once: %v", err)
			}
		})
	}
	wg.Wait()
	if s, err := migrations.Status(t.Context(), url); err != nil || s.Version != s.Latest {
		t.Errorf("Status = %+v, %v; want all done", s, err)
	}
}

func TestAnotherMigratorThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	conn := connect(t, url)
	m := migrator(files("1_a.up.sql", `CREATE TABLE a ()`, "1_a.down.sql", `DROP TABLE a`))

	execute(t, conn, `SELECT pg_advisory_lock($1)`, int64(migrations.LockKey))
	err := m.Up(t.Context(), url)
	if !errors.Is(err, migrations.ErrBusy) || strings.Contains(err.Error(), "process 0") {
		t.Errorf("Up beside another suitesign = %v, want ErrBusy that names the process", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := migrations.Up(ctx, url); !errors.Is(err, context.Canceled) {
		t.Errorf("Up = %v, want that its context ended", err)
	}
	execute(t, conn, `SELECT pg_advisory_unlock_all()`)

	if err := m.Up(t.Context(), url); err != nil {
		t.Errorf("Up afterwards = %v", err)
	}
}

func TestATableInUse(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	one := []string{"1_a.up.sql", `CREATE TABLE a ()`, "1_a.down.sql", `DROP TABLE a`}
	if err := migrator(files(one...)).Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	m := migrator(files(append(one, "2_b.up.sql", `ALTER TABLE a ADD COLUMN b int`, "2_b.down.sql", `ALTER TABLE a DROP COLUMN b`)...))

	conn := connect(t, url)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM a`); err != nil {
		t.Fatal(err)
	}
	if err := m.Up(t.Context(), url); !errors.Is(err, migrations.ErrBusy) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("Up beside a reader = %v, want ErrBusy and that nothing was changed", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Up(t.Context(), url); err != nil {
		t.Errorf("Up afterwards = %v", err)
	}
}

func TestErrorsKeepThePassword(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-PASSWORD"
	for _, url := range []string{
		"postgres://user:" + canary + "@127.0.0.1:1/db?connect_timeout=1",
		"postgres://user:" + canary + "@127.0.0.1:notaport/db",
	} {
		for name, run := range map[string]func() error{
			"Up":     func() error { return migrations.Up(t.Context(), url) },
			"Status": func() error { _, err := migrations.Status(t.Context(), url); return err },
		} {
			err := run()
			if err == nil || strings.Contains(err.Error(), canary) {
				t.Errorf("%s = %v, want an error without the password", name, err)
			}
		}
	}
}

func TestVersionsAreReadAsGolangMigrateWritesThem(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	m := migrator(files("1_a.up.sql", `CREATE TABLE a ()`, "1_a.down.sql", `DROP TABLE a`, "3_c.up.sql", `CREATE TABLE c ()`, "3_c.down.sql", `DROP TABLE c`))
	if err := m.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	type row struct {
		Version int64
		Dirty   bool
	}
	read := func() []row {
		rows, err := connect(t, url).Query(t.Context(), `SELECT version, dirty FROM schema_migrations`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if diff := cmp.Diff([]row{{3, false}}, read()); diff != "" {
		t.Errorf("after Up (-want +got):\n%s", diff)
	}
	if err := m.Down(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]row{}, read()); diff != "" {
		t.Errorf("after Down (-want +got):\n%s", diff)
	}
}
