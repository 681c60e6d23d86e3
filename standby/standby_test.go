package standby_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"suitesign/migrations/pglocal"
	"suitesign/standby"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lonely is a server whose commits wait for a standby that there is not.
func lonely(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "suitesign-standby-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's own user must get through; its data is private
		t.Fatal(err)
	}
	server, err := pglocal.Start(t.Context(), pglocal.Config{Dir: filepath.Join(dir, "pg"), Durable: true}) // what is not durable waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range []string{`CREATE TABLE kept (what text PRIMARY KEY)`, `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`, `SELECT pg_reload_conf()`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	return server.URL("postgres")
}

// cancelWaits cancels every wait for a standby until the test ends.
func cancelWaits(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = conn.Exec(ctx, `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
			time.Sleep(10 * time.Millisecond) // between looks
		}
		_ = conn.Close(context.Background())
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// A commit whose wait was cancelled ends without an error, and who watches is told:
// of a statement alone and of a transaction, of those watched and of no other.
func TestACancelledWaitIsTold(t *testing.T) {
	t.Parallel()
	url := lonely(t)
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	var warnings, statements atomic.Int64
	cfg.ConnConfig.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) { warnings.Add(1) }
	cfg.ConnConfig.Tracer = counter{&statements}
	standby.Follow(cfg.ConnConfig)
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	cancelWaits(t, url)

	const insert = `INSERT INTO kept (what) VALUES ($1) RETURNING what`
	for _, tt := range []struct {
		name string
		do   func(context.Context) error
		want error
	}{
		{"a statement", func(ctx context.Context) error {
			var what string
			return pool.QueryRow(ctx, insert, "a statement").Scan(&what)
		}, standby.ErrAlone},
		{"a transaction", func(ctx context.Context) error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, insert, "a transaction")
				return err
			})
		}, standby.ErrAlone},
		{"a read", func(ctx context.Context) error {
			var n int
			return pool.QueryRow(ctx, `SELECT count(*) FROM kept`).Scan(&n)
		}, nil},
		{"what waits for nobody", func(ctx context.Context) error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = local`)
				if err == nil {
					_, err = tx.Exec(ctx, insert, "what waits for nobody")
				}
				return err
			})
		}, nil},
	} {
		ctx, alone := standby.Watch(t.Context())
		if err := tt.do(ctx); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if err := alone(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	// Somebody else's commit is nobody's business.
	_, alone := standby.Watch(t.Context())
	if _, err := pool.Exec(t.Context(), insert, "not watched"); err != nil {
		t.Fatal(err)
	}
	if err := alone(); err != nil {
		t.Errorf("a commit that was not watched: %v", err)
	}
	if warnings.Load() < 3 || statements.Load() < 5 {
		t.Errorf("the handler of notices was told %d warnings and the tracer %d statements, want 3 and more", warnings.Load(), statements.Load())
	}
}

type counter struct{ n *atomic.Int64 }

func (c counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}
func (counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
