package changes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Listener hands every change to Handle, as soon as it can be known. Run and
// RunOnce are called beside each other; Handle is never called twice at once.
type Listener struct {
	Pool *pgxpool.Pool
	// ConnConfig is for the connection that listens, which has to be a direct one:
	// a pooler between would swallow notifications. Nil: as the pool's.
	ConnConfig *pgx.ConnConfig
	// Handle is told of changes. It has to bear one that it has seen before, and a
	// topic that it does not know.
	Handle func(context.Context, []Change)
	// LetGo drops connections when Pool's turn out to lead to a server that is no longer
	// the one to be asked: those of Pool unless set. Who has further pools lets go of theirs, too.
	LetGo func()
	Log   *slog.Logger     // nil: nothing is logged
	Now   func() time.Time // time.Now unless set

	contact atomic.Pointer[time.Time]

	// polling is held by a poll, mu while changes are handled: a poll whose connection
	// died in silence must not keep those waiting that the other connection hears.
	// Whoever holds mu does not take polling.
	polling sync.Mutex
	pollFor time.Duration // that a poll takes; 0: pollWait
	since   *time.Time    // by the database's clock: where the next poll begins; nil before the first one

	mu      sync.Mutex
	handled map[Change]bool // of the window; an id alone can be given out again after a failover that lost rows
	heard   []Change        // of these, what was heard since the last poll began
}

// LastContact is when the database was last known to be there: the start of the
// last poll or sign of life that succeeded. It is zero before the first.
func (l *Listener) LastContact() time.Time {
	if t := l.contact.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

// met notes that the database answered what was asked at a time.
func (l *Listener) met(asked time.Time) {
	for {
		have := l.contact.Load()
		if have != nil && !asked.After(*have) || l.contact.CompareAndSwap(have, &asked) {
			return
		}
	}
}

func (l *Listener) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

func (l *Listener) log() *slog.Logger {
	if l.Log != nil {
		return l.Log
	}
	return slog.New(slog.DiscardHandler)
}

// RunOnce is one poll: it hands out what came since the one before and was not
// handled yet. The first one goes back over the window only: what was before it
// started, the program has read by itself.
func (l *Listener) RunOnce(ctx context.Context) error {
	l.polling.Lock()
	defer l.polling.Unlock()
	l.mu.Lock()
	l.heard = nil
	l.mu.Unlock()
	asked := l.now()
	p, err := l.poll(ctx)
	if err != nil {
		return fmt.Errorf("poll changes: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.met(asked)
	if p.missed {
		l.log().WarnContext(ctx, "away for longer than changes are kept, or the database's clock went back: forgetting everything")
		l.Handle(ctx, []Change{{Topic: Everything}})
	}
	var fresh []Change
	for _, c := range p.changes {
		if !l.handled[c] {
			fresh = append(fresh, c)
		}
	}
	if len(fresh) > 0 {
		l.Handle(ctx, fresh)
	}
	// What this poll did not see, though it was handled before, has left the window
	// for good, for the window only moves on. So those to remember are those of this poll.
	l.handled = make(map[Change]bool, len(p.changes))
	for _, c := range p.changes {
		l.handled[c] = true
	}
	for _, c := range l.heard { // the poll need not have seen it yet
		l.handled[c] = true
	}
	l.since = &p.next
	return nil
}

// poll is what the database says at one moment.
type poll struct {
	changes []Change
	missed  bool      // rows may be gone before they were read, or be older than the next poll looks
	next    time.Time // where the next poll begins
}

func (l *Listener) poll(ctx context.Context) (poll, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(l.pollFor, pollWait)) // a connection that a firewall forgot never answers
	defer cancel()
	conn, err := l.Pool.Acquire(ctx)
	if err != nil {
		return poll{}, err
	}
	defer conn.Release()
	if err := fit(ctx, conn.Conn()); err != nil {
		if !conn.Conn().IsClosed() { // it answers, and so would the others: they all lead there
			l.letGo()
		}
		return poll{}, fmt.Errorf("the server is another one than it was: %w", err)
	}
	var p poll
	batch := &pgx.Batch{} // one round trip, and, being one transaction, one now()
	// $2 > now(): the clock went back, as after a failover to a server whose clock is behind.
	batch.Queue(`SELECT now() - $1::interval, COALESCE($2 < now() - $3::interval OR $2 > now(), false)`, window, l.since, kept-window).
		QueryRow(func(row pgx.Row) error { return row.Scan(&p.next, &p.missed) })
	batch.Queue(`SELECT id, topic, key FROM changes WHERE at >= COALESCE($2, now() - $1::interval) ORDER BY id`, window, l.since).
		Query(func(rows pgx.Rows) (err error) {
			p.changes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Change])
			return err
		})
	return p, conn.SendBatch(ctx, batch).Close()
}

func (l *Listener) letGo() {
	if l.LetGo != nil {
		l.LetGo()
		return
	}
	l.Pool.Reset()
}

// hear hands out notified changes that were not handled yet.
func (l *Listener) hear(ctx context.Context, heard []Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var fresh []Change
	for _, c := range heard {
		if !l.handled[c] {
			fresh = append(fresh, c)
		}
	}
	if len(fresh) == 0 {
		return
	}
	l.Handle(ctx, fresh)
	if l.handled == nil {
		l.handled = map[Change]bool{}
	}
	for _, c := range fresh { // not before Handle: after a panic the poll hands them out again
		l.handled[c] = true
		l.heard = append(l.heard, c)
	}
}

// payload is what Append notifies.
type payload struct {
	ID    int64  `json:"id"`
	Topic Topic  `json:"topic"`
	Key   string `json:"key"`
}

func parse(text string) (Change, error) {
	var p payload
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return Change{}, fmt.Errorf("notification: %w", err)
	}
	return Change(p), nil
}
