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

// A server that a failover made a standby, and that kept our connections, is no
// contact: changes are made elsewhere.
func TestADemotedServerIsNoContact(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	l := &changes.Listener{Pool: pool, Handle: e.handle}
	poll(t, l)
	first := l.LastContact()
	for _, c := range pool.AcquireAllIdle(t.Context()) {
		if _, err := c.Exec(t.Context(), `SET default_transaction_read_only = on`); err != nil {
			t.Fatal(err)
		}
		c.Release()
	}
	appendChangeElsewhere(t, pool)
	if err := l.RunOnce(t.Context()); err == nil || l.LastContact().After(first) {
		t.Errorf("a poll of a server that is read-only counts as contact (RunOnce = %v)", err)
	}
	poll(t, l) // over a new connection
	if got := e.all(); !slices.Contains(got, "tenant:elsewhere") {
		t.Errorf("heard %v, want what was changed elsewhere", got)
	}
}

// appendChangeElsewhere appends a change over a connection that is not the pool's.
func appendChangeElsewhere(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	other, err := pgxpool.NewWithConfig(t.Context(), pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	appendChange(t, other, changes.Tenant, "elsewhere")
}

// A connection that listens to such a server ends, to be made again where changes are made.
func TestNobodyListensToADemotedServer(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	cfg := pool.Config().ConnConfig
	cfg.RuntimeParams["default_transaction_read_only"] = "on" // as it became after the connection was made
	var dials atomic.Int32
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, addr)
	}
	l := &changes.Listener{Pool: pool, ConnConfig: cfg, Handle: newEar().handle}
	listen(t, l)
	for deadline := time.Now().Add(time.Minute); dials.Load() < 2; time.Sleep(10 * time.Millisecond) { // between looks
		if time.Now().After(deadline) {
			t.Fatal("the connection to a read-only server is kept")
		}
	}
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
