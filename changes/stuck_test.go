package changes_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/changes"
	"suitesign/migrations/pgtest"
)

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
