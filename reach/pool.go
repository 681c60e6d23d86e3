package reach

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Role is the role that bound requests take. `suitesign migrate up` makes it.
const Role = "suitesign_bound"

var (
	// ErrUnprotected is returned where the database cannot hold a bound request
	// within its bounds: the request is refused rather than served without.
	ErrUnprotected = errors.New("row-level security is not in place for bound keys")
	// ErrEscape is returned where a bound context asks a plain pool.
	ErrEscape = errors.New("a bound request asked for a connection that is not narrowed")
)

// DB is what a store asks: a [Pool], or in tests and for work that is never bound a *pgxpool.Pool.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Pool is a pool that narrows what bound contexts reach.
type Pool struct {
	pool *pgxpool.Pool
}

// Narrow makes a Pool of a pool.
func Narrow(pool *pgxpool.Pool) *Pool { return &Pool{pool: pool} }

// Begin begins a transaction, a narrowed one for a bound context. ErrUnprotected.
func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error) {
	b, bound := Of(ctx)
	if !bound {
		return p.pool.Begin(ctx)
	}
	tx, err := p.pool.Begin(context.WithValue(ctx, admittedKey{}, true))
	if err != nil {
		return nil, err
	}
	if err := narrow(ctx, tx, b); err != nil {
		return nil, errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
	}
	return tx, nil
}

// narrow takes the role and the settings until the transaction ends, and looks
// whether that has an effect: a role that may bypass row-level security is as bad
// as none.
func narrow(ctx context.Context, tx pgx.Tx, b Bounds) error {
	var active bool
	batch := &pgx.Batch{}
	batch.Queue(`SELECT set_config('suitesign.suite_ids', $1::text[]::text, true), set_config('suitesign.tenant_ids', $2::uuid[]::text, true)`,
		orEmpty(b.SuiteIDs), orEmpty(b.TenantIDs))
	batch.Queue(`SET LOCAL ROLE ` + Role)
	batch.Queue(`SELECT row_security_active('tenants')`).QueryRow(func(row pgx.Row) error { return row.Scan(&active) })
	err := tx.SendBatch(ctx, batch).Close()
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && (refused.Code == noSuchRole || refused.Code == notAllowed):
		return fmt.Errorf("%w: %w", ErrUnprotected, err)
	case err != nil:
		return err
	case !active:
		return fmt.Errorf("%w: the role %s bypasses it", ErrUnprotected, Role)
	}
	return nil
}

// SQLSTATEs of a SET ROLE that fails.
const (
	noSuchRole = "22023" // invalid_parameter_value
	notAllowed = "42501" // insufficient_privilege: not a member of the role
)

func orEmpty[T any](ids []T) []T {
	if ids == nil {
		return []T{}
	}
	return ids
}

// Exec runs one statement.
func (p *Pool) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if _, bound := Of(ctx); !bound {
		return p.pool.Exec(ctx, sql, args...)
	}
	err = pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
		tag, err = tx.Exec(ctx, sql, args...)
		return err
	})
	return tag, err
}

// Query asks for rows. The transaction that they come from ends with them.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if _, bound := Of(ctx); !bound {
		return p.pool.Query(ctx, sql, args...)
	}
	tx, err := p.Begin(ctx)
	if err != nil {
		return &lastRows{Rows: noRows{err}}, err
	}
	rows, err := tx.Query(ctx, sql, args...)
	last := &lastRows{Rows: rows, tx: tx, ctx: ctx}
	if err != nil {
		last.Close() //nolint:contextcheck // Close is of pgx.Rows and takes none
	}
	return last, err
}

// QueryRow asks for one row.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if _, bound := Of(ctx); !bound {
		return p.pool.QueryRow(ctx, sql, args...)
	}
	rows, _ := p.Query(ctx, sql, args...)
	return oneRow{rows}
}

type admittedKey struct{}

// Guard is a PrepareConn of plain pools: who is bound gets no connection there but
// by way of a [Pool].
func Guard(ctx context.Context, _ *pgx.Conn) (bool, error) {
	if _, bound := Of(ctx); bound && ctx.Value(admittedKey{}) == nil {
		return true, ErrEscape
	}
	return true, nil
}
