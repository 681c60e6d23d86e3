package changes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	connectWait = 5 * time.Second
	// quiet is how long the connection may be silent before it has to show that it
	// lives: one that a firewall forgot looks like one on which nothing happens.
	quiet    = 2 * time.Second
	pingWait = 2 * time.Second
	// pollWait is longer than a slow database takes for the round trips of a poll.
	pollWait = 5 * time.Second
	// A burst of notifications is handed out together: what comes within gather
	// of the first, up to most of them.
	gather = 2 * time.Millisecond
	most   = 500
)

// retry is how long to wait before the next connection, by the number of failures.
var retry = []time.Duration{100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second}

// Run listens until ctx ends, connecting again whenever the connection is lost,
// and then returns nil.
func (l *Listener) Run(ctx context.Context) error {
	for failures := 0; ; failures++ {
		listened, err := l.listen(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // this is how it is meant to end
		}
		if listened {
			failures = 0
		}
		if failures == 0 { // once per outage
			l.log().WarnContext(ctx, "not listening for changes, connecting again; polling goes on", "error", err)
		}
		wait := retry[min(failures, len(retry)-1)]
		wait += rand.N(wait / 2) //nolint:gosec // jitter, so that replicas do not come back all at once
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// listen holds one connection for as long as it lives. It always ends with an
// error; listened tells whether it came as far as to listen.
func (l *Listener) listen(ctx context.Context) (listened bool, err error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // also closes when ctx has ended
		defer cancel()
		_ = conn.Close(ctx)
	}()
	// What was said before we listened nobody told us: look, now that nothing more can be missed.
	if err := l.RunOnce(ctx); err != nil {
		return false, err
	}
	l.log().InfoContext(ctx, "listening for changes")
	for {
		asked := l.now()
		heard, err := l.wait(ctx, conn)
		if err != nil {
			return true, err
		}
		if len(heard) == 0 {
			if err := alive(ctx, conn); err != nil {
				return true, err
			}
		}
		l.met(asked)
		l.hear(ctx, heard)
	}
}

func (l *Listener) connect(ctx context.Context) (*pgx.Conn, error) {
	cfg := l.ConnConfig
	if cfg == nil {
		cfg = l.Pool.Config().ConnConfig
	}
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// wait waits for a notification, and a moment longer for those that come with it.
// Silence is no error.
func (l *Listener) wait(ctx context.Context, conn *pgx.Conn) ([]Change, error) {
	var heard []Change
	for patience := quiet; len(heard) < most; patience = gather {
		n, err := notification(ctx, conn, patience)
		if err != nil {
			return heard, err
		}
		if n == "" {
			break
		}
		c, err := parse(n)
		if err != nil { // somebody else's; a change of ours is also in the table
			l.log().WarnContext(ctx, "a notification that is none of ours", "error", err)
			continue
		}
		heard = append(heard, c)
	}
	return heard, nil
}

// notification answers with the next payload, or with nothing when patience ends.
func notification(ctx context.Context, conn *pgx.Conn, patience time.Duration) (string, error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n, err := conn.WaitForNotification(waiting) // a timeout leaves the connection usable
	switch {
	case err == nil:
		return n.Payload, nil
	case ctx.Err() == nil && waiting.Err() != nil && !conn.IsClosed():
		return "", nil
	}
	return "", fmt.Errorf("wait for changes: %w", err)
}

// alive asks a connection for a sign of life, and whether it leads where it should.
func alive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, pingWait)
	defer cancel()
	err := fit(ctx, conn)
	if err == nil && conn.Config().ValidateConnect == nil {
		err = conn.Ping(ctx)
	}
	if err != nil {
		return fmt.Errorf("the connection that listens is dead: %w", err)
	}
	return nil
}

// fit asks whether a connection is still what it had to be when it was made. A primary
// that a failover took the writes from can live on, and so can its connections: they
// answer every question with what was true before, and hear of nothing.
func fit(ctx context.Context, conn *pgx.Conn) error {
	validate := conn.Config().ValidateConnect
	if validate == nil {
		return nil
	}
	err := validate(ctx, conn.PgConn())
	var second *pgconn.NotPreferredError
	if errors.As(err, &second) { // good enough to be connected to, so good enough to stay
		return nil
	}
	return err
}
