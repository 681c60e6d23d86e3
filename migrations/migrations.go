package migrations

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/golang-migrate/migrate/v4/source"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Files holds every migration, up and down.
//
//go:embed [0-9]*.sql
var Files embed.FS

// The range of schema versions that this program runs on.
const (
	Oldest uint = 23  // the last version whose tables, columns and grants it uses
	Newest uint = 999 // the end of its line: up to there migrations only add
)

var (
	// ErrSchemaOutOfRange is returned when this program cannot run on the database's schema.
	ErrSchemaOutOfRange = errors.New("database schema out of range")
	// ErrDirty is returned when a migration outside a transaction was left half done.
	ErrDirty = errors.New("a migration was left half done")
	// ErrBusy is returned when another migration runs on the same database.
	ErrBusy = errors.New("another migration is running")
)

// State tells where a database stands.
type State struct {
	Version uint     // the schema's version, 0 when there is none
	Dirty   bool     // the migration to Version was left half done
	Latest  uint     // the version that Up would reach
	Pending []string // names of the migrations that Up would run, in order
}

// Up brings the schema to the latest version, and makes the role that requests of
// bound API keys take; where it may not do that, the schema is good without it, and
// [BoundRole] tells. Several at once are no harm: one runs, the others wait for it.
func Up(ctx context.Context, url string) error {
	if err := embedded.up(ctx, url); err != nil {
		return err
	}
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	if err := embedded.lock(ctx, conn); err != nil {
		return err
	}
	return ensureBoundRole(ctx, conn)
}

// Down takes the whole schema away, with all that is stored in it.
func Down(ctx context.Context, url string) error { return embedded.down(ctx, url, all) }

// DownSteps takes back the last n migrations.
func DownSteps(ctx context.Context, url string, n int) error {
	if n < 1 {
		return fmt.Errorf("migrate down %d steps: the number of steps is 1 or more", n)
	}
	return embedded.down(ctx, url, n)
}

// Status tells where the database stands and what is pending. It changes nothing.
func Status(ctx context.Context, url string) (State, error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return State{}, err
	}
	defer closeConn(ctx, conn)
	version, dirty, err := current(ctx, conn)
	if err != nil {
		return State{}, err
	}
	s := State{Version: version, Dirty: dirty}
	for _, up := range ups(Files) {
		s.Latest = up.Version
		if up.Version > version {
			s.Pending = append(s.Pending, strings.TrimSuffix(up.Raw, ".up.sql"))
		}
	}
	return s, nil
}

// Check returns nil when this program can run on the schema as it is, else
// ErrSchemaOutOfRange with the command to run.
func Check(ctx context.Context, pool *pgxpool.Pool) error {
	version, dirty, err := current(ctx, pool)
	if err != nil {
		return err
	}
	return inRange(version, dirty)
}

func inRange(version uint, dirty bool) error {
	switch {
	case dirty:
		return fmt.Errorf("%w: %w", ErrSchemaOutOfRange, dirtyAt(version))
	case version == 0:
		return fmt.Errorf("%w: the database has no schema yet: run `suitesign migrate up`", ErrSchemaOutOfRange)
	case version < Oldest:
		return fmt.Errorf("%w: it is at version %d and this program needs %d or later: run `suitesign migrate up`",
			ErrSchemaOutOfRange, version, Oldest)
	case version > Newest:
		return fmt.Errorf("%w: it is at version %d and this program runs on versions up to %d: "+
			"run a newer suitesign, or take the schema back with that one's `suitesign migrate down`",
			ErrSchemaOutOfRange, version, Newest)
	}
	return nil
}

func dirtyAt(version uint) error {
	return fmt.Errorf("%w on the way to version %d: see which of its statements took effect, finish or undo it by hand, then "+
		"`UPDATE schema_migrations SET version = <the version that is true now>, dirty = false`", ErrDirty, version)
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// current reads golang-migrate's table; a database without it is at version 0.
func current(ctx context.Context, q querier) (version uint, dirty bool, err error) {
	var v int64
	err = q.QueryRow(ctx, `SELECT version, dirty FROM schema_migrations LIMIT 1`).Scan(&v, &dirty)
	var pgErr *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows), errors.As(err, &pgErr) && pgErr.Code == undefinedTable:
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("read the schema's version: %w", err)
	}
	return uint(max(v, 0)), dirty, nil // -1 is a dirty way down to nothing
}

// ups lists the migrations up, lowest version first.
func ups(files fs.FS) []*source.Migration {
	names, _ := fs.Glob(files, "*.up.sql") // sorted; the pattern is well-formed, so there is no error
	var found []*source.Migration
	for _, name := range names {
		if m, err := source.Parse(name); err == nil {
			found = append(found, m)
		}
	}
	return found
}
