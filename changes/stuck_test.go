package changes_test

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/changes"
	"suitesign/migrations/pgtest"
)

// forgotten is a connection that a firewall forgot: what is sent is lost, nothing
// comes, and no error tells.
type forgotten struct {
	net.Conn
	gone *atomic.Bool
}

func (f *forgotten) Write(b []byte) (int, error) {
	if f.gone.Load() {
		return len(b), nil
	}
	return f.Conn.Write(b)
}

// A poll over a connection that died in silence ends by itself, and the next one has another.
func TestAPollEndsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	var dials atomic.Int32
	cfg := pgtest.New(t).Config()
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if dials.Add(1) > 1 || err != nil {
			return conn, err
		}
		return &forgotten{Conn: conn, gone: &gone}, nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	l := &changes.Listener{Pool: pool, Handle: newEar().handle}
	poll(t, l)
	gone.Store(true)
	if err := l.RunOnce(context.Background()); err == nil { // as the heartbeat does, without a deadline
		t.Error("a poll that nobody answered succeeded")
	}
	poll(t, l)
}

// A poll that waits for the database holds up nothing that the connection hears that listens.
func TestAPollThatWaitsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	cfg := pool.Config()
	cfg.MaxConns = 1
	serving, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(serving.Close)
	l := &changes.Listener{Pool: serving, ConnConfig: pool.Config().ConnConfig, Handle: e.handle}
	l.PollFor(time.Hour)
	listen(t, l)
	listening(t, pool, 1)
	busy, err := serving.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	polled := make(chan error, 1)
	go func() { polled <- l.RunOnce(context.Background()) }()
	time.Sleep(100 * time.Millisecond) // until it waits for the connection; where it does not yet, this shows less
	appendChange(t, pool, changes.Tenant, "revoked")
	e.wait(t, "tenant:revoked")
	busy.Release()
	if err := <-polled; err != nil {
		t.Errorf("RunOnce = %v", err)
	}
	e.wait(t, "tenant:revoked") // once, although the poll may have seen it, too
}

// A failover to a server whose clock is behind hides nothing that was changed while
// this replica was away.
func TestAClockThatIsBehindHidesNothing(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	l := &changes.Listener{Pool: pool, Handle: e.handle}
	var now time.Time
	if err := pool.QueryRow(t.Context(), `SELECT now()`).Scan(&now); err != nil {
		t.Fatal(err)
	}
	l.LastPolled(now.Add(2*time.Hour), 0) // by the clock of the server that is gone
	execute(t, pool, `INSERT INTO changes (topic, key, at) VALUES ('tenant', 'cancelled', now() - interval '1 minute')`)
	poll(t, l)
	poll(t, l)
	if got := e.all(); !slices.Contains(got, "tenant:cancelled") && !slices.Contains(got, "*:") {
		t.Errorf("heard %v; want the change, or that everything may have changed", got)
	}
}
