package secret

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/audit"
)

// Column is a column that holds sealed values; NULL where there is none. Key are
// the columns of the table's primary key, in its order. Every room that seals
// names its columns, so that they can be sealed anew after a rotation.
type Column struct {
	Table, Column string
	Key           []string

	// SealedAs is the column of the same table that its values are bound to: for a
	// column that another one's values are moved to as they are. Column unless set.
	SealedAs string
}

// At is the binding of the value in the row with these key values.
func (c Column) At(key ...string) Binding {
	return Binding{Table: c.Table, Column: cmp.Or(c.SealedAs, c.Column), Row: strings.Join(key, "/")}
}

const (
	// passes bounds how often a column is gone through: a replica that has not heard
	// of the rotation yet may still be storing values with the old key.
	passes = 5
	// keyIDBytes is where tink puts the key's id.
	keyIDBytes = `substring(%s FROM 2 FOR 4)`
)

// Reencrypt seals anew, with the key that seals now, what is sealed with another
// one. It says how many values that were. It can be ended and begun again at any
// time, and run beside everything else: a value that changed meanwhile is left as
// it is and looked at again. Values that do not open stay; the error counts them.
func Reencrypt(ctx context.Context, pool *pgxpool.Pool, k *Keyring, cols []Column, batch int) (done int64, err error) {
	done, err = reencrypt(ctx, pool, k, cols, batch)
	if done > 0 {
		err = errors.Join(err, noteReencrypt(ctx, pool, done))
	}
	return done, err
}

// noteReencrypt writes into the audit log what the batches did. It cannot be in
// the transaction of each: they are the thousands. One that was ended is told of too.
func noteReencrypt(ctx context.Context, pool *pgxpool.Pool, done int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		return logKeyring(ctx, tx, audit.KeyringReencrypt, nil, audit.Fields{"values": done})
	})
}

func reencrypt(ctx context.Context, pool *pgxpool.Pool, k *Keyring, cols []Column, batch int) (done int64, err error) {
	if batch < 1 {
		return 0, fmt.Errorf("reencrypt: a batch of %d values is none", batch)
	}
	if err := k.Reload(ctx); err != nil {
		return 0, fmt.Errorf("reencrypt: %w", err)
	}
	var faults []error
	for _, col := range cols {
		s, err := newSweep(ctx, pool, k, col, batch)
		if err != nil {
			return done, err
		}
		lost := int64(1)
		for try := 0; lost > 0 && try < passes; try++ {
			if lost, err = s.pass(ctx); err != nil {
				return done + s.done, err
			}
		}
		done += s.done
		if lost > 0 {
			faults = append(faults, fmt.Errorf("reencrypt: %d values of %s.%s kept changing: run it again", lost, col.Table, col.Column))
		}
		if s.failed > 0 {
			faults = append(faults, fmt.Errorf("reencrypt: %d values of %s.%s do not open, the first: %w", s.failed, col.Table, col.Column, s.first))
		}
	}
	return done, errors.Join(faults...)
}

// CountByKey counts the sealed values of the columns by the id of the key that
// seals them; what is no sealed value counts under 0.
func CountByKey(ctx context.Context, pool *pgxpool.Pool, cols []Column) (map[uint32]int64, error) {
	counts := map[uint32]int64{}
	for _, col := range cols {
		name := quote(col.Column)
		rows, err := pool.Query(ctx, fmt.Sprintf(`SELECT substring(%[1]s FROM 1 FOR 5), count(*) FROM %[2]s
			WHERE %[1]s IS NOT NULL GROUP BY 1`, name, quote(col.Table)))
		if err != nil {
			return nil, fmt.Errorf("count %s.%s by key: %w", col.Table, col.Column, err)
		}
		var (
			prefix []byte
			n      int64
		)
		if _, err := pgx.ForEachRow(rows, []any{&prefix, &n}, func() error {
			id, _ := keyID(prefix)
			counts[id] += n
			return nil
		}); err != nil {
			return nil, fmt.Errorf("count %s.%s by key: %w", col.Table, col.Column, err)
		}
	}
	return counts, nil
}

// sweep goes through one column.
type sweep struct {
	pool    *pgxpool.Pool
	ring    *Keyring
	col     Column
	batch   int
	primary []byte // the id of the key that seals, as it stands in a sealed value

	firstPage, nextPage, update string // SQL

	done   int64 // values sealed anew, over all passes
	failed int64 // values that did not open, in the last pass
	first  error // of the first of them
}

func newSweep(ctx context.Context, pool *pgxpool.Pool, k *Keyring, col Column, batch int) (*sweep, error) {
	types, err := keyTypes(ctx, pool, col)
	if err != nil {
		return nil, err
	}
	var names, texts, after, where []string
	for i, key := range col.Key {
		names = append(names, quote(key))
		texts = append(texts, quote(key)+"::text")
		after = append(after, fmt.Sprintf("$%d::text::%s", i+3, types[i]))
		where = append(where, fmt.Sprintf("%s = $%d::text::%s", quote(key), i+3, types[i]))
	}
	col1, table, order := quote(col.Column), quote(col.Table), strings.Join(names, ", ")
	page := `SELECT ARRAY[%s], %s FROM %s WHERE ` + keyIDBytes + ` <> $1 %s ORDER BY %s LIMIT $2`
	s := &sweep{pool: pool, ring: k, col: col, batch: batch}
	s.firstPage = fmt.Sprintf(page, strings.Join(texts, ", "), col1, table, col1, "", order)
	s.nextPage = fmt.Sprintf(page, strings.Join(texts, ", "), col1, table, col1,
		fmt.Sprintf("AND (%s) > (%s)", order, strings.Join(after, ", ")), order)
	s.update = fmt.Sprintf(`UPDATE %s SET %s = $1 WHERE %s = $2 AND %s`, table, col1, col1, strings.Join(where, " AND "))
	s.primary = binary.BigEndian.AppendUint32(nil, k.Info().Primary)
	return s, nil
}

// keyTypes asks for the types of the key columns: compared as what they are, the
// primary key's index gives the order.
func keyTypes(ctx context.Context, pool *pgxpool.Pool, col Column) ([]string, error) {
	rows, err := pool.Query(ctx, `SELECT format_type(a.atttypid, a.atttypmod)
		FROM unnest($2::text[]) WITH ORDINALITY AS k (name, nr)
		JOIN pg_attribute a ON a.attrelid = to_regclass($1) AND a.attname = k.name AND NOT a.attisdropped
		ORDER BY k.nr`, quote(col.Table), col.Key)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", col.Table, err)
	}
	types, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", col.Table, err)
	}
	if len(types) != len(col.Key) || len(types) == 0 {
		return nil, fmt.Errorf("the table %s has no key (%s)", col.Table, strings.Join(col.Key, ", "))
	}
	return types, nil
}

type sealedRow struct {
	Key    []string
	Sealed []byte
}

// pass goes through the column once and says how many values changed meanwhile.
func (s *sweep) pass(ctx context.Context) (lost int64, err error) {
	s.failed, s.first = 0, nil
	var last []string
	for {
		rows, err := s.read(ctx, last)
		if err != nil {
			return lost, fmt.Errorf("reencrypt %s.%s: %w", s.col.Table, s.col.Column, err)
		}
		n, err := s.reseal(ctx, rows)
		lost += n
		if err != nil {
			return lost, fmt.Errorf("reencrypt %s.%s: %w", s.col.Table, s.col.Column, err)
		}
		if len(rows) < s.batch {
			return lost, nil
		}
		last = rows[len(rows)-1].Key
	}
}

func (s *sweep) read(ctx context.Context, after []string) ([]sealedRow, error) {
	stmt, args := s.firstPage, []any{s.primary, s.batch}
	if after != nil {
		stmt = s.nextPage
		for _, key := range after {
			args = append(args, key)
		}
	}
	rows, err := s.pool.Query(ctx, stmt, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[sealedRow])
}

// reseal replaces each value by itself under the new key, if it is still there.
func (s *sweep) reseal(ctx context.Context, rows []sealedRow) (lost int64, err error) {
	batch := &pgx.Batch{}
	for _, row := range rows {
		at := s.col.At(row.Key...)
		value, err := s.ring.Open(row.Sealed, at)
		if err != nil {
			if s.failed++; s.first == nil {
				s.first = err
			}
			continue
		}
		sealed, err := s.ring.Seal(value, at)
		if err != nil {
			return lost, err
		}
		args := []any{sealed, row.Sealed}
		for _, key := range row.Key {
			args = append(args, key)
		}
		batch.Queue(s.update, args...)
	}
	if batch.Len() == 0 {
		return 0, nil
	}
	results := s.pool.SendBatch(ctx, batch)
	for range batch.Len() {
		tag, err := results.Exec()
		if err != nil {
			return lost, errors.Join(err, results.Close())
		}
		s.done += tag.RowsAffected()
		lost += 1 - tag.RowsAffected()
	}
	return lost, results.Close()
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
