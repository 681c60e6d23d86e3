package changes_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/changes"
	"suitesign/migrations/pgtest"
)

// listen runs a listener until the test ends.
func listen(t *testing.T, l *changes.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run = %v, want nil when its context ends", err)
			}
		case <-time.After(time.Minute):
			t.Error("Run did not end with its context")
		}
	})
}

// listening waits until so many connections of the test's database listen, and
// answers with their process ids.
func listening(t *testing.T, pool *pgxpool.Pool, n int) []int32 {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // between looks
		// What an idle connection did last: it listens, or has pinged since.
		rows, err := pool.Query(t.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
			AND state = 'idle' AND (query LIKE 'LISTEN %' OR query = '-- ping')`)
		if err != nil {
			t.Fatal(err)
		}
		pids, err := pgx.CollectRows(rows, pgx.RowTo[int32])
		if err != nil {
			t.Fatal(err)
		}
		if len(pids) == n {
			return pids
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections listen, want %d", len(pids), n)
		}
	}
}

func TestEveryListenerHearsAtOnce(t *testing.T) {
	t.Parallel()
	pool, one, two := pgtest.New(t), newEar(), newEar()
	listen(t, &changes.Listener{Pool: pool, Handle: one.handle})
	listen(t, &changes.Listener{Pool: pool, Handle: two.handle, ConnConfig: pool.Config().ConnConfig})
	listening(t, pool, 2)

	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	appendChange(t, tx, changes.NewTenant, "suite/corp")
	appendChange(t, tx, changes.Hosts, "")
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*ear{one, two} { // nobody polls
		e.wait(t, "new_tenant:suite/corp", "hosts:")
	}
}

func TestNotificationAndPollAreOneChange(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	l := &changes.Listener{Pool: pool, Handle: e.handle}
	listen(t, l)
	listening(t, pool, 1)
	var want []string
	for i := range 50 {
		key := fmt.Sprint(i)
		appendChange(t, pool, changes.Tenant, key)
		want = append(want, "tenant:"+key)
		poll(t, l)
	}
	e.wait(t, want...)
	appendChange(t, pool, changes.Tenant, "last")
	e.wait(t, append(want, "tenant:last")...) // and with it nothing twice
}

func TestABurstArrivesWhole(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	listen(t, &changes.Listener{Pool: pool, Handle: e.handle})
	listening(t, pool, 1)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 1200 {
		key := fmt.Sprint(i)
		appendChange(t, tx, changes.Tenant, key)
		want = append(want, "tenant:"+key)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.wait(t, want...)
}

func TestAKilledConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	listen(t, &changes.Listener{Pool: pool, Handle: e.handle})
	for _, key := range []string{"a", "b"} {
		pid := listening(t, pool, 1)[0]
		execute(t, pool, `SELECT pg_terminate_backend($1)`, pid)
		appendChange(t, pool, changes.Tenant, key) // while nobody listens
	}
	e.wait(t, "tenant:a", "tenant:b") // read after the connection was back, though nobody polls
	appendChange(t, pool, changes.Tenant, "c")
	e.wait(t, "tenant:a", "tenant:b", "tenant:c")
}

// deaf is a connection that can go dead without a sign, as when a firewall
// forgets it: what is sent vanishes, and nothing ever comes.
type deaf struct {
	net.Conn
	dead *atomic.Bool
}

func (d *deaf) Read(b []byte) (int, error) {
	for {
		n, err := d.Conn.Read(b)
		if !d.dead.Load() || err != nil {
			return n, err
		}
	}
}

func (d *deaf) Write(b []byte) (int, error) {
	if d.dead.Load() {
		return len(b), nil
	}
	return d.Conn.Write(b)
}

func TestASilentlyDeadConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	var (
		mu    sync.Mutex
		dials int
		dead  atomic.Bool // the first connection's
	)
	cfg := pool.Config().ConnConfig
	plain := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := plain(ctx, network, addr)
		mu.Lock()
		defer mu.Unlock()
		if dials++; dials > 1 || err != nil {
			return conn, err
		}
		return &deaf{Conn: conn, dead: &dead}, nil
	}
	listen(t, &changes.Listener{Pool: pool, Handle: e.handle, ConnConfig: cfg})
	listening(t, pool, 1)
	appendChange(t, pool, changes.Tenant, "before")
	e.wait(t, "tenant:before")

	dead.Store(true)
	appendChange(t, pool, changes.Tenant, "while deaf")
	e.wait(t, "tenant:before", "tenant:while deaf") // nobody polls: only a new connection can tell
	mu.Lock()
	defer mu.Unlock()
	if dials < 2 {
		t.Errorf("%d connections were made, want a second one", dials)
	}
}

// A switch-over can leave the old primary alive: it answers, and says nothing new.
// The connection that listens goes to the server that is written to.
func TestAConnectionToADemotedServerIsReplaced(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	cfg := pool.Config().ConnConfig
	cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	var connected atomic.Int32
	cfg.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if connected.Add(1) > 1 {
			return nil
		}
		return conn.Exec(ctx, `SET default_transaction_read_only = on`).Close() // as a demoted one would
	}
	listen(t, &changes.Listener{Pool: pool, Handle: e.handle, ConnConfig: cfg})
	for deadline := time.Now().Add(time.Minute); connected.Load() < 2; time.Sleep(10 * time.Millisecond) { // between looks
		if time.Now().After(deadline) {
			t.Fatal("the listener stays with a server that takes no writes")
		}
	}
	appendChange(t, pool, changes.Tenant, "a")
	e.wait(t, "tenant:a")
}

// The poll notices, too, counts the old server's answer for nothing, and takes the
// pool's connections away from it: others of them may never write, and would stay.
func TestAPollOfADemotedServerIsNone(t *testing.T) {
	t.Parallel()
	cfg := pgtest.New(t).Config()
	cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	told := 0
	l := &changes.Listener{Pool: pool, Handle: newEar().handle, LetGo: func() {
		told++
		pool.Reset()
	}}
	one, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const demote = `SET default_transaction_read_only = on` // as a demoted one would
	execute(t, pool, demote)                                // another connection's
	if _, err := one.Exec(t.Context(), demote); err != nil {
		t.Fatal(err)
	}
	one.Release()
	if err := l.RunOnce(t.Context()); !errors.Is(err, pgconn.ErrReadOnlyConnection) || !l.LastContact().IsZero() {
		t.Errorf("a poll of a server that takes no writes: %v, last contact %v; want %v and none", err, l.LastContact(), pgconn.ErrReadOnlyConnection)
	}
	for range 3 {
		appendChange(t, pool, changes.Tenant, "a") // a write, which no connection that was kept could do
	}
	poll(t, l)
	if told != 1 {
		t.Errorf("LetGo was called %d times, want once", told)
	}
	if l.LastContact().IsZero() {
		t.Error("LastContact is zero though the next connection leads to the right server")
	}
}

// Who asked for a standby if there is one, and got the primary, keeps it.
func TestSecondBestIsGoodEnough(t *testing.T) {
	t.Parallel()
	cfg := pgtest.New(t).Config()
	cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPreferStandby
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	l := &changes.Listener{Pool: pool, Handle: newEar().handle}
	poll(t, l)
	// And of what is not good enough the pool lets go where nobody else does.
	cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	if l.Pool, err = pgxpool.NewWithConfig(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer l.Pool.Close()
	execute(t, l.Pool, `SET default_transaction_read_only = on`)
	if err := l.RunOnce(t.Context()); err == nil {
		t.Error("a poll of a server that takes no writes succeeded")
	}
	poll(t, l)
}

// A poll whose server says nothing more ends by itself, and the next one, over
// another connection, works: until then nothing is known to be true.
func TestAPollThatIsNotAnsweredEnds(t *testing.T) {
	t.Parallel()
	cfg := pgtest.New(t).Config()
	var dead atomic.Bool // the first connection's
	made := make(chan net.Conn, 1)
	plain := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := plain(ctx, network, addr)
		if err != nil || dead.Load() {
			return conn, err
		}
		made <- conn
		return &deaf{Conn: conn, dead: &dead}, nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	l := &changes.Listener{Pool: pool, Handle: newEar().handle}
	poll(t, l)
	before := l.LastContact()
	dead.Store(true)
	if err := l.RunOnce(t.Context()); !errors.Is(err, context.DeadlineExceeded) || !l.LastContact().Equal(before) {
		t.Errorf("a poll that is not answered: %v, last contact %v; want %v and %v", err, l.LastContact(), context.DeadlineExceeded, before)
	}
	poll(t, l)
	(<-made).Close() // or the pool would wait for the server's farewell
}

func TestListeningStartsWhenTheDatabaseIsThere(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	cfg := pool.Config().ConnConfig
	plain := cfg.DialFunc
	var dials atomic.Int32
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) <= 3 {
			return nil, errors.New("connection refused")
		}
		return plain(ctx, network, addr)
	}
	l := &changes.Listener{Pool: pool, Handle: e.handle, ConnConfig: cfg}
	listen(t, l)
	appendChange(t, pool, changes.Tenant, "a")
	e.wait(t, "tenant:a")
	if l.LastContact().IsZero() {
		t.Error("LastContact is zero though changes were heard")
	}
}

func TestSomebodyElsesNotificationsAreIgnored(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	listen(t, &changes.Listener{Pool: pool, Handle: e.handle})
	listening(t, pool, 1)
	for _, payload := range []string{"", "no JSON", `{"id":"text"}`, `[]`} {
		execute(t, pool, `SELECT pg_notify('suitesign_changes', $1)`, payload)
	}
	appendChange(t, pool, changes.Tenant, "a")
	e.wait(t, "tenant:a")
}

// A connection that only pings says that the database is there.
func TestAQuietConnectionIsContact(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	l := &changes.Listener{Pool: pool, Handle: newEar().handle}
	listen(t, l)
	listening(t, pool, 1)
	first := l.LastContact()
	for deadline := time.Now().Add(time.Minute); !l.LastContact().After(first); time.Sleep(10 * time.Millisecond) { // between looks
		if time.Now().After(deadline) {
			t.Fatal("LastContact stands still while the connection that listens lives")
		}
	}
}
