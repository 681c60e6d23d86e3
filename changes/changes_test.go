package changes_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"suitesign/changes"
	"suitesign/migrations/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ear writes down what a listener hands out.
type ear struct {
	mu    sync.Mutex
	heard []string // topic:key
	news  chan struct{}
}

func newEar() *ear { return &ear{news: make(chan struct{}, 1)} }

func (e *ear) handle(_ context.Context, cs []changes.Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range cs {
		e.heard = append(e.heard, string(c.Topic)+":"+c.Key)
	}
	select {
	case e.news <- struct{}{}:
	default:
	}
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

// wait waits until everything wanted was heard, and nothing else.
func (e *ear) wait(t *testing.T, want ...string) {
	t.Helper()
	patience := time.After(time.Minute)
	for {
		got := e.all()
		if len(got) >= len(want) {
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("heard (-want +got):\n%s", diff)
			}
			return
		}
		select {
		case <-e.news:
		case <-patience:
			t.Fatalf("heard %v within a minute, want %v", got, want)
		}
	}
}

func appendChange(t *testing.T, q changes.Execer, topic changes.Topic, key string) {
	t.Helper()
	if err := changes.Append(t.Context(), q, topic, key); err != nil {
		t.Fatal(err)
	}
}

func poll(t *testing.T, l *changes.Listener) {
	t.Helper()
	if err := l.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestPollHandsOutEachChangeOnce(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	l := &changes.Listener{Pool: pool, Handle: e.handle}
	poll(t, l)
	appendChange(t, pool, changes.Tenant, "a")
	appendChange(t, pool, changes.Suite, `"quoted" and 中文`)
	for range 3 {
		poll(t, l)
	}
	appendChange(t, pool, changes.Tenant, "a") // the same again is another change
	for range 3 {
		poll(t, l)
	}
	e.wait(t, "tenant:a", `suite:"quoted" and 中文`, "tenant:a")
}

func TestPollFindsALowerIDThatCommitsLater(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	l := &changes.Listener{Pool: pool, Handle: e.handle}
	slow, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	appendChange(t, slow, changes.Tenant, "slow")
	appendChange(t, pool, changes.Tenant, "fast")
	poll(t, l)
	e.wait(t, "tenant:fast")
	if err := slow.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	poll(t, l)
	poll(t, l)
	e.wait(t, "tenant:fast", "tenant:slow")
}

func TestWhatIsRolledBackIsNotHeard(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	l := &changes.Listener{Pool: pool, Handle: e.handle}
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	appendChange(t, tx, changes.Tenant, "never")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendChange(t, pool, changes.Tenant, "last")
	poll(t, l)
	e.wait(t, "tenant:last")
}

func TestPollReadsAllThatCameWhileItWasAway(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	l := &changes.Listener{Pool: pool, Handle: e.handle}
	for age, key := range map[string]string{"5 minutes": "missed", "11 minutes": "known", "10 minutes 10 seconds": "read again"} {
		execute(t, pool, `INSERT INTO changes (topic, key, at) VALUES ('tenant', $1, now() - $2::interval)`, key, age)
	}
	var now time.Time
	if err := pool.QueryRow(t.Context(), `SELECT now()`).Scan(&now); err != nil {
		t.Fatal(err)
	}
	l.LastPolled(now, 10*time.Minute)
	poll(t, l)
	e.wait(t, "tenant:missed", "tenant:read again")
	poll(t, l)
	if got := l.Remembered(); got != 0 {
		t.Errorf("after the window has moved on %d ids are remembered, want none", got)
	}

	l.LastPolled(now, 2*time.Hour)
	appendChange(t, pool, changes.Tenant, "new")
	poll(t, l)
	poll(t, l)
	if got := e.all()[2:]; !slices.Contains(got, "*:") || !slices.Contains(got, "tenant:new") || slices.Index(got, "*:") != 0 {
		t.Errorf("after two hours away: %v; want first that everything may have changed, then the rest", got)
	}
}

func TestAHandlerThatPanicsIsToldAgain(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	panics := true
	l := &changes.Listener{Pool: pool, Handle: func(ctx context.Context, cs []changes.Change) {
		if panics {
			panics = false
			panic("a fault in a handler")
		}
		e.handle(ctx, cs)
	}}
	appendChange(t, pool, changes.Tenant, "a")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the handler did not panic, so this shows nothing")
			}
		}()
		_ = l.RunOnce(t.Context())
	}()
	poll(t, l)
	e.wait(t, "tenant:a")
}

func TestLastContact(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := &changes.Listener{Pool: pool, Handle: newEar().handle, Now: func() time.Time { return now }}
	if got := l.LastContact(); !got.IsZero() {
		t.Errorf("LastContact before the first = %v, want zero", got)
	}
	poll(t, l)
	good := now
	if got := l.LastContact(); !got.Equal(good) {
		t.Errorf("LastContact = %v, want %v", got, good)
	}
	now = now.Add(time.Minute)
	pool.Close()
	if err := l.RunOnce(t.Context()); err == nil || !strings.Contains(err.Error(), "poll changes") {
		t.Errorf("RunOnce without a database = %v, want an error", err)
	}
	if got := l.LastContact(); !got.Equal(good) {
		t.Errorf("LastContact without a database = %v, want %v still", got, good)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	pool, e := pgtest.New(t), newEar()
	for age, key := range map[string]string{"61 minutes": "old", "59 minutes": "young"} {
		execute(t, pool, `INSERT INTO changes (topic, key, at) VALUES ('tenant', $1, now() - $2::interval)`, key, age)
	}
	appendChange(t, pool, changes.Tenant, "new")
	if n, err := changes.Prune(t.Context(), pool); n != 1 || err != nil {
		t.Errorf("Prune = %d, %v; want 1", n, err)
	}
	var left []string
	if err := pool.QueryRow(t.Context(), `SELECT array_agg(key ORDER BY at) FROM changes`).Scan(&left); err != nil ||
		!slices.Equal(left, []string{"young", "new"}) {
		t.Errorf("left are %v, %v; want the young and the new", left, err)
	}
	poll(t, &changes.Listener{Pool: pool, Handle: e.handle})
	e.wait(t, "tenant:new")
}
