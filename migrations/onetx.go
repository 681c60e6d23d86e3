package migrations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// noTransaction at the start of a file lets its one statement run outside a transaction.
const noTransaction = "-- no transaction"

// oneTx makes a migration and the version it reaches one transaction.
//
// golang-migrate marks the version as dirty, runs the file, and marks it as
// clean, in three transactions; a file that merely failed, or waited too long for
// a lock, then has to be repaired by hand. Here Run does all three at once.
type oneTx struct {
	database.Driver                 // golang-migrate's own, for its lock and for reading the version
	ctx             context.Context //nolint:containedctx // golang-migrate passes none on
	conn            *pgx.Conn       // holds the lock of migrations and runs them
	lockTries       int

	next    int  // the version that the migration at hand reaches, -1 for none
	reached bool // Run has written next
}

// SetVersion is called with dirty before a Run and without after it.
func (d *oneTx) SetVersion(version int, dirty bool) error {
	if dirty {
		d.next, d.reached = version, false
		return nil
	}
	if d.reached && d.next == version {
		return nil
	}
	return d.Driver.SetVersion(version, false)
}

// Run runs one file.
func (d *oneTx) Run(migration io.Reader) error {
	body, err := io.ReadAll(migration)
	if err != nil {
		return fmt.Errorf("read migration to version %d: %w", d.next, err)
	}
	if bytes.HasPrefix(body, []byte(noTransaction)) {
		err = d.runPlain(string(body))
	} else {
		err = d.runTx(string(body))
	}
	if err != nil {
		return fmt.Errorf("migration to version %d: %w", max(d.next, 0), err)
	}
	d.reached = true
	return nil
}

// runPlain leaves the version dirty when the statement fails, for nobody knows what it did.
func (d *oneTx) runPlain(statement string) error {
	if err := d.Driver.SetVersion(d.next, true); err != nil {
		return err
	}
	if _, err := d.conn.Exec(d.ctx, statement); err != nil {
		return err
	}
	return d.Driver.SetVersion(d.next, false)
}

// runTx tries again when a table stayed locked: whatever it had done was rolled back.
func (d *oneTx) runTx(statements string) error {
	for try := 1; ; try++ {
		err := pgx.BeginFunc(d.ctx, d.conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(d.ctx, statements); err != nil { // no arguments: pgx sends all statements at once
				return err
			}
			// DELETE, not TRUNCATE: readiness checks read the version all the time.
			if _, err := tx.Exec(d.ctx, `DELETE FROM schema_migrations`); err != nil {
				return err
			}
			if d.next < 0 {
				return nil
			}
			_, err := tx.Exec(d.ctx, `INSERT INTO schema_migrations (version, dirty) VALUES ($1, false)`, d.next)
			return err
		})
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != lockNotAvailable || try == d.lockTries {
			return err
		}
		select {
		case <-d.ctx.Done():
			return errors.Join(err, d.ctx.Err())
		case <-time.After(500 * time.Millisecond): // lets those pass who queued up behind us
		}
	}
}
