package reach

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// lastRows are the rows of the only statement of a transaction, which ends with them.
type lastRows struct {
	pgx.Rows
	tx  pgx.Tx          // nil: it has ended
	ctx context.Context //nolint:containedctx // of the statement: Rows' own methods take none
	err error           // of its end
}

// Next is pgx's, and ends the transaction behind the last row.
func (r *lastRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Close is pgx's, and ends the transaction: what was done stays done, unless it failed.
func (r *lastRows) Close() {
	r.Rows.Close()
	tx := r.tx
	if tx == nil {
		return
	}
	r.tx = nil
	if r.Rows.Err() != nil {
		_ = tx.Rollback(context.WithoutCancel(r.ctx))
		return
	}
	r.err = tx.Commit(r.ctx)
}

// Err is pgx's, or what the transaction's end failed of.
func (r *lastRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

// oneRow is what QueryRow answers.
type oneRow struct{ rows pgx.Rows }

// Scan reads the row; pgx.ErrNoRows without one.
func (r oneRow) Scan(dest ...any) error {
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// noRows stand for those of a statement that was never sent.
type noRows struct{ err error }

var errNoRow = errors.New("there is no row")

func (noRows) Close()                                       {}
func (n noRows) Err() error                                 { return n.err }
func (noRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (noRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (noRows) Next() bool                                   { return false }
func (noRows) Scan(...any) error                            { return errNoRow }
func (noRows) Values() ([]any, error)                       { return nil, errNoRow }
func (noRows) RawValues() [][]byte                          { return nil }
func (noRows) Conn() *pgx.Conn                              { return nil }
func (noRows) TypeMap() *pgtype.Map                         { return nil }
