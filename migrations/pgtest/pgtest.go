//go:build unix

package pgtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations"
	"suitesign/migrations/pglocal"
	"suitesign/reach"
)

// variable names the server to use instead of a private one.
const variable = "SUITESIGN_TEST_DATABASE_URL"

// patience bounds what takes milliseconds on a machine that is not overloaded.
const patience = 2 * time.Minute

// New answers with a pool on a fresh migrated database. When the test ends the
// pool is closed and the database dropped. pool.Config().ConnString() is its URL.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(URL(t))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	cfg.MaxConns = 10
	cfg.PrepareConn = reach.Guard                        // as the service has it
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg) // connects when it is used
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { closePool(t, pool) })
	return pool
}

// closePool waits for connections that are still in use, but not for ever.
func closePool(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		pool.Close()
	}()
	select {
	case <-closed:
	case <-time.After(patience / 4):
		t.Errorf("pgtest: the test did not give back %d connections of its pool", pool.Stat().AcquiredConns())
	}
}

// URL answers with the URL of a fresh migrated database, dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	return create(t, func(s *server) string { return " TEMPLATE " + s.template })
}

// Empty answers with the URL of a fresh database without any schema, dropped when the test ends.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, func(*server) string { return "" })
}

func create(t testing.TB, options func(*server) string) string {
	t.Helper()
	s, err := theServer()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := s.exec(`CREATE DATABASE ` + name + options(s)); err != nil {
		t.Fatalf("pgtest: create a database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.exec(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Errorf("pgtest: drop the test's database: %v", err)
		}
	})
	return s.url(name)
}

// server is where this test program's databases are.
type server struct {
	url      func(database string) string
	template string
	private  *pglocal.Server // kept: when it is collected its watchdog stops the server

	mu   sync.Mutex // one statement at a time; a pool would leave goroutines, and tests look for those
	conn *pgx.Conn
}

// theServer is started by the first test that needs it. Nothing stops it: the
// watchdog does when the test program ends.
var theServer = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := &server{}
	if given := os.Getenv(variable); given != "" {
		if _, err := pgx.ParseConfig(given); err != nil {
			return nil, fmt.Errorf("%s: %w", variable, err)
		}
		s.url = func(database string) string { return withDatabase(given, database) }
	} else {
		private, err := pglocal.Start(ctx, pglocal.Config{})
		if err != nil {
			return nil, err
		}
		s.private, s.url = private, private.URL
	}
	var err error
	if s.conn, err = pgx.Connect(ctx, s.url("postgres")); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return s, s.makeTemplate(ctx)
})

// makeTemplate makes the template, unless another test program has. A database
// that is not marked as a template yet was left half made.
func (s *server) makeTemplate(ctx context.Context) error {
	hash, err := hashOf(migrations.Files)
	if err != nil {
		return err
	}
	s.template = fmt.Sprintf("suitesign_template_%.12x", hash)
	const lock = 0x737569746573 // "suites"
	if _, err := s.conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(lock)); err != nil {
		return fmt.Errorf("lock the template: %w", err)
	}
	defer func() { _, _ = s.conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, int64(lock)) }()
	var ready bool
	err = s.conn.QueryRow(ctx, `SELECT COALESCE(bool_or(datistemplate), false) FROM pg_database WHERE datname = $1`, s.template).Scan(&ready)
	if err != nil || ready {
		return err
	}
	for _, step := range []func() error{
		func() error { return s.execCtx(ctx, `DROP DATABASE IF EXISTS `+s.template+` WITH (FORCE)`) },
		func() error { return s.execCtx(ctx, `CREATE DATABASE `+s.template) },
		func() error { return migrations.Up(ctx, s.url(s.template)) },
		func() error {
			return s.execCtx(ctx, `ALTER DATABASE `+s.template+` IS_TEMPLATE true ALLOW_CONNECTIONS false`)
		},
	} {
		if err := step(); err != nil {
			return fmt.Errorf("make the template: %w", err)
		}
	}
	return nil
}

// exec has a context of its own: a test's has ended when its cleanups run.
func (s *server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.execCtx(ctx, sql)
}

func (s *server) execCtx(ctx context.Context, sql string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn.IsClosed() { // a test restarted the server, or cut our connection
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		if err != nil {
			return err
		}
		s.conn = conn
	}
	_, err := s.conn.Exec(ctx, sql)
	return err
}

func hashOf(files fs.FS) ([]byte, error) {
	names, err := fs.Glob(files, "*")
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	for _, name := range names {
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(body), body)
	}
	return h.Sum(nil), nil
}

// withDatabase makes a connection string, of either form, name another database.
func withDatabase(conn, database string) string {
	u, err := url.Parse(conn)
	if err != nil || u.Scheme == "" {
		return conn + " dbname=" + database // of keywords the last one counts
	}
	u.Path = "/" + database
	return u.String()
}
