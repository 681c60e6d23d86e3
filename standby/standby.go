package standby

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrAlone is for a commit that nobody but the primary has, although a standby was to have it.
var ErrAlone = errors.New("committed on the primary alone: the wait for the synchronous standby was cancelled")

type watchKey struct{}

// Watch answers with a context for statements and commits, and with a question to
// be asked after them: ErrAlone where one of them did not wait for the standby to the end.
func Watch(ctx context.Context) (context.Context, func() error) {
	alone := new(atomic.Bool)
	return context.WithValue(ctx, watchKey{}, alone), func() error {
		if alone.Load() {
			return ErrAlone
		}
		return nil
	}
}

// Follow makes the connections of a configuration tell those who watch. A tracer
// or a handler of notices that is set already stays.
func Follow(cfg *pgx.ConnConfig) {
	handle := cfg.OnNotice
	cfg.OnNotice = func(conn *pgconn.PgConn, n *pgconn.Notice) {
		if handle != nil {
			handle(conn, n)
		}
		notice(conn, n)
	}
	if cfg.Tracer == nil {
		cfg.Tracer = tracer{}
		return
	}
	cfg.Tracer = multitracer.New(cfg.Tracer, tracer{})
}

// watched is where a connection keeps who watches the statement that it runs.
const watched = "suitesign.standby"

// waits is the function of PostgreSQL that warns. The text of the warning may be in
// any language, and its code is that of any warning.
const waits = "SyncRepWaitForLSN"

func notice(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine != waits {
		return
	}
	if alone, ok := conn.CustomData()[watched].(*atomic.Bool); ok {
		alone.Store(true)
	}
}

// tracer leads from a connection, which is all that a notice knows of, to the context of its statement.
type tracer struct{}

// TraceQueryStart notes who watches.
func (tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if alone, ok := ctx.Value(watchKey{}).(*atomic.Bool); ok {
		conn.PgConn().CustomData()[watched] = alone
	}
	return ctx
}

// TraceQueryEnd forgets it. The answer has been read to its end by then, and with it the warning.
func (tracer) TraceQueryEnd(_ context.Context, conn *pgx.Conn, _ pgx.TraceQueryEndData) {
	delete(conn.PgConn().CustomData(), watched)
}
