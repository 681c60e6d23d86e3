package secret

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"suitesign/audit"
	"suitesign/changes"
)

var (
	// ErrNoSuchKey is returned for a key that the keyset does not have and never had.
	ErrNoSuchKey = errors.New("the keyset has no such key: `suitesign keys status` lists those that it has")
	// ErrActiveKey is returned for the key that seals.
	ErrActiveKey = errors.New("this key is the active one, it seals everything: `suitesign keys rotate` makes another one active, " +
		"and `suitesign keys reencrypt` seals anew what this one has sealed")
	// ErrJustRotated is returned while a replica may not have heard of the rotation yet.
	ErrJustRotated = errors.New("the keyset was rotated less than a minute ago, and a replica may still seal with the key from before")
	// ErrKeyInUse is returned while something is sealed with the key.
	ErrKeyInUse = errors.New("values are still sealed with this key, and nothing else would open them: run `suitesign keys reencrypt`, then this again")
	// ErrRetiring is returned where another process is at it.
	ErrRetiring = errors.New("another process is retiring a key of this database: run this again when it has ended")
	// ErrStillWriting is returned when a transaction that might store a value of the key does not end.
	ErrStillWriting = errors.New("a transaction that was writing sealed values when the key was retired is still open, and may yet store one of it: " +
		"end it (pg_stat_activity shows it) or wait, then run this again; until then the key opens, and seals nothing any more")
)

const (
	hearWithin = time.Minute            // replicas hear of a rotation within seconds; those that do not are refused by the database
	writersFor = 30 * time.Second       // how long transactions that were under way are waited for; PostgreSQL ends one of a replica that sleeps after 15
	lookEvery  = 100 * time.Millisecond // at them

	// retireLock keeps those who retire apart: a number of our own among PostgreSQL's advisory locks.
	retireLock = 0x73756974_72657469
)

// Retire takes a key out of the keyset for good: what it sealed never opens again,
// so there must be nothing of it. Any number of replicas may run and write.
//
// To count is not enough. A replica that was suspended, or had no network, wakes up
// with the keyset from before and stores one more value. So the key is marked first:
// from then on the database itself refuses values of it (migration 23), whoever
// brings them, for ever. Then what was being written at that moment is waited for,
// and only then a count that finds nothing stays true. Ended half way, the key is
// marked and still opens; running it again goes on.
//
// retired is false where the key was retired before. cols are all columns of all rooms.
func Retire(ctx context.Context, pool *pgxpool.Pool, mk MasterKey, id uint32, cols []Column) (retired bool, err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("retire key %08x: %w", id, err)
	}
	defer conn.Release()
	r := retirement{conn: conn, master: mk, id: id, cols: cols}
	if retired, err = r.run(ctx); err != nil {
		return false, fmt.Errorf("key %08x is not retired: %w", id, err)
	}
	return retired, nil
}

// retirement is one key on its way out.
type retirement struct {
	conn   *pgxpool.Conn // one for everything: it holds the lock
	master MasterKey
	id     uint32
	cols   []Column
}

// mark is the key as keysets.retired has it: as it stands in a sealed value.
func (r *retirement) mark() []byte { return binary.BigEndian.AppendUint32(nil, r.id) }

func (r *retirement) run(ctx context.Context) (bool, error) {
	var alone bool
	if err := r.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(retireLock)).Scan(&alone); err != nil {
		return false, err
	}
	if !alone {
		return false, ErrRetiring
	}
	defer r.unlock(ctx)
	if done, err := r.allowed(ctx); err != nil || done {
		return false, err
	}
	if err := r.unused(ctx); err != nil { // refused before anything is changed
		return false, err
	}
	const mark = `UPDATE keysets SET retired = array_append(retired, $1) WHERE NOT $1 = ANY (retired)`
	if _, err := r.conn.Exec(ctx, mark, r.mark()); err != nil {
		return false, err
	}
	if err := r.outlastWriters(ctx); err != nil {
		return false, err
	}
	if err := r.unused(ctx); err != nil {
		// A replica was faster than the mark. Those that write are not to be refused meanwhile.
		const unmark = `UPDATE keysets SET retired = array_remove(retired, $1)`
		_, undo := r.conn.Exec(context.WithoutCancel(ctx), unmark, r.mark())
		return false, errors.Join(err, undo)
	}
	return true, r.remove(ctx)
}

// unlock gives the lock back; a connection that cannot takes it along.
func (r *retirement) unlock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if _, err := r.conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, int64(retireLock)); err != nil {
		_ = r.conn.Conn().Close(ctx)
	}
}

// allowed looks whether the key may go at all; done where it went before.
func (r *retirement) allowed(ctx context.Context) (done bool, err error) {
	have, err := scanRow(r.conn.QueryRow(ctx, `SELECT wrapped, version, updated_at FROM keysets`))
	if err != nil {
		return false, err
	}
	ring, err := have.open(r.master)
	if err != nil {
		return false, err
	}
	marked, wait := false, time.Duration(0)
	const q = `SELECT $1 = ANY (retired), updated_at + $2::interval - clock_timestamp() FROM keysets`
	if err := r.conn.QueryRow(ctx, q, r.mark(), hearWithin).Scan(&marked, &wait); err != nil {
		return false, err
	}
	switch {
	case !ring.has[r.id] && marked:
		return true, nil
	case !ring.has[r.id]:
		return false, ErrNoSuchKey
	case ring.info.Primary == r.id:
		return false, ErrActiveKey
	case wait > 0:
		return false, fmt.Errorf("%w: run this again in %s", ErrJustRotated, wait.Truncate(time.Second)+time.Second)
	}
	return false, nil
}

// unused counts what is sealed with the key, column by column in their order: a value
// that moves from one to another is found in the later one.
func (r *retirement) unused(ctx context.Context) error {
	var where []string
	var all int64
	for _, col := range r.cols {
		var n int64
		name := quote(col.Column)
		q := fmt.Sprintf(`SELECT count(*) FROM %s WHERE `+keyIDBytes+` = $1`, quote(col.Table), name)
		if err := r.conn.QueryRow(ctx, q, r.mark()).Scan(&n); err != nil {
			return fmt.Errorf("count %s.%s: %w", col.Table, col.Column, err)
		}
		if all += n; n > 0 {
			where = append(where, fmt.Sprintf("%d in %s.%s", n, col.Table, col.Column))
		}
	}
	if all > 0 {
		return fmt.Errorf("%w (%s)", ErrKeyInUse, strings.Join(where, ", "))
	}
	return nil
}

// outlastWriters waits for the transactions that were writing to the tables when
// the key was marked: their values were looked at before. Who began later is refused.
func (r *retirement) outlastWriters(ctx context.Context) error {
	const q = `
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted AND pid IS DISTINCT FROM pg_backend_pid()
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND relation IN (SELECT to_regclass(t)::oid FROM unnest($1::text[]) AS t)
	AND ($2::text[] IS NULL OR virtualtransaction = ANY ($2))`
	var tables []string
	for _, col := range r.cols {
		tables = append(tables, quote(col.Table))
	}
	var writing []string // nil, at first: whoever writes
	for until := time.Now().Add(writersFor); ; {
		rows, err := r.conn.Query(ctx, q, tables, writing)
		if err != nil {
			return err
		}
		if writing, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		switch {
		case len(writing) == 0:
			return nil
		case time.Now().After(until):
			return ErrStillWriting
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}

// remove stores the keyset without the key, and tells of it.
func (r *retirement) remove(ctx context.Context) error {
	return pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		have, err := scanRow(tx.QueryRow(ctx, `SELECT wrapped, version, updated_at FROM keysets FOR UPDATE`))
		if err != nil {
			return err
		}
		old, err := have.open(r.master)
		if err != nil {
			return err
		}
		m := keyset.NewManagerFromHandle(old.handle)
		if err := m.Delete(r.id); err != nil { // of the active one tink refuses it
			return err
		}
		handle, err := m.Handle()
		if err != nil {
			return err
		}
		wrapped, err := wrap(handle, r.master)
		if err != nil {
			return err
		}
		// updated_at stays: it tells since when the active key seals.
		now, err := scanRow(tx.QueryRow(ctx, `UPDATE keysets SET wrapped = $1, version = version + 1
			RETURNING wrapped, version, updated_at`, wrapped))
		if err != nil {
			return err
		}
		ring, err := now.open(r.master) // what was stored opens, or nothing is stored
		if err != nil {
			return err
		}
		if err := logKeyring(ctx, tx, audit.KeyringRetire, fieldsOf(old.info), fieldsOf(ring.info)); err != nil {
			return err
		}
		return changes.Append(ctx, tx, changes.Keyring, "")
	})
}

// retiredKeys are the ids that no new key may have.
func retiredKeys(ctx context.Context, tx pgx.Tx) ([][]byte, error) {
	var ids [][]byte
	err := tx.QueryRow(ctx, `SELECT retired FROM keysets`).Scan(&ids)
	return ids, err
}

// among reports whether a key is one of them.
func among(retired [][]byte, id uint32) bool {
	mark := binary.BigEndian.AppendUint32(nil, id)
	return slices.ContainsFunc(retired, func(b []byte) bool { return bytes.Equal(b, mark) })
}
