package migrations

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/golang-migrate/migrate/v4"
	driver "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// SQLSTATEs, https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	undefinedTable   = "42P01"
	lockNotAvailable = "55P03"
)

const (
	all     = -1
	lockKey = 0x7375697465_7369 // "suitesi": the advisory lock of migrations, one per database
)

// migrator runs the migrations of files.
type migrator struct {
	files fs.FS
	// busyWait is how long to wait for another migrator.
	busyWait time.Duration
	// lockTimeout is how long a statement may wait for a table that somebody uses;
	// whoever comes after it waits too, so it is short and lockTries makes up for it.
	lockTimeout time.Duration
	lockTries   int
}

var embedded = migrator{files: Files, busyWait: time.Minute, lockTimeout: 2 * time.Second, lockTries: 5}

func (m migrator) up(ctx context.Context, url string) error {
	return m.run(ctx, url, func(version, latest uint, mig *migrate.Migrate) error {
		if version > latest { // a newer program was here, and went no further than we can run on
			return inRange(version, false)
		}
		return mig.Up()
	})
}

func (m migrator) down(ctx context.Context, url string, steps int) error {
	return m.run(ctx, url, func(version, latest uint, mig *migrate.Migrate) error {
		switch {
		case version == 0:
			return nil
		case version > latest:
			return fmt.Errorf("%w: it is at version %d and this program knows the way back from %d only: "+
				"use the newer suitesign's `suitesign migrate down`", ErrSchemaOutOfRange, version, latest)
		case steps == all:
			return mig.Down()
		}
		return mig.Steps(-steps)
	})
}

// run hands do a Migrate that holds every lock and works on one connection of ours.
func (m migrator) run(ctx context.Context, url string, do func(version, latest uint, mig *migrate.Migrate) error) error {
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	if err := m.lock(ctx, conn); err != nil {
		return err
	}
	// The role's own statement_timeout is meant for requests, not for building an index.
	settings := fmt.Sprintf(`SET statement_timeout = 0; SET lock_timeout = %d`, m.lockTimeout.Milliseconds())
	if _, err := conn.Exec(ctx, settings); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	version, dirty, err := current(ctx, conn)
	if err != nil {
		return err
	}
	if dirty {
		return dirtyAt(version)
	}
	mig, done, err := m.open(ctx, conn, settings)
	if err != nil {
		return explain(err)
	}
	defer done()
	var latest uint
	for _, up := range ups(m.files) {
		latest = up.Version
	}
	return explain(do(version, latest, mig))
}

// open makes golang-migrate run on our files and, for all that changes the schema, on conn.
func (m migrator) open(ctx context.Context, conn *pgx.Conn, settings string) (*migrate.Migrate, func(), error) {
	src, err := iofs.New(m.files, ".")
	if err != nil {
		return nil, nil, fmt.Errorf("read migrations: %w", err)
	}
	db := stdlib.OpenDB(*conn.Config(), stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, settings) // lock_timeout also ends its wait for a foreign golang-migrate
		return err
	}))
	base, err := driver.WithInstance(db, &driver.Config{})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("migrate: %w", err), db.Close())
	}
	mig, err := migrate.NewWithInstance("iofs", src, "pgx5", &oneTx{Driver: base, ctx: ctx, conn: conn, lockTries: m.lockTries})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("migrate: %w", err), base.Close())
	}
	return mig, func() { _, _ = mig.Close() }, nil
}

// lock keeps other migrators out for as long as conn lives. It asks again and
// again instead of waiting inside a statement: a waiting statement has a
// snapshot, and CREATE INDEX CONCURRENTLY waits for old snapshots, which is a
// deadlock (https://github.com/golang-migrate/migrate/issues/960).
func (m migrator) lock(ctx context.Context, conn *pgx.Conn) error {
	const holder = `SELECT COALESCE(min(pid), 0) FROM pg_locks
		WHERE locktype = 'advisory' AND granted AND ((classid::bigint << 32) | objid::bigint) = $1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	deadline := time.Now().Add(m.busyWait)
	for {
		var mine bool
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(lockKey)).Scan(&mine); err != nil {
			return fmt.Errorf("lock migrations: %w", err)
		}
		if mine {
			return nil
		}
		if time.Now().After(deadline) {
			var pid int32
			if err := conn.QueryRow(ctx, holder, int64(lockKey)).Scan(&pid); err != nil {
				return fmt.Errorf("lock migrations: %w", err)
			}
			return fmt.Errorf("%w on this database (server process %d) and did not end within %s: let it finish, then run this again",
				ErrBusy, pid, m.busyWait)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock migrations: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// explain turns golang-migrate's errors into ours.
func explain(err error) error {
	var (
		dirty migrate.ErrDirty
		short migrate.ErrShortLimit
		pgErr *pgconn.PgError
	)
	switch {
	case err == nil, errors.Is(err, migrate.ErrNoChange):
		return nil
	case errors.As(err, &short):
		return nil // fewer migrations were left than steps asked for
	case errors.As(err, &dirty):
		return dirtyAt(uint(max(dirty.Version, 0)))
	case errors.Is(err, migrate.ErrLocked), errors.Is(err, migrate.ErrLockTimeout):
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case errors.As(err, &pgErr) && pgErr.Code == lockNotAvailable:
		return fmt.Errorf("%w, or something else holds a lock that it needs; nothing was changed, run it again: %w", ErrBusy, err)
	}
	return err
}

func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, url) // its errors leave the password out
	if err != nil {
		return nil, fmt.Errorf("connect for migrations: %w", err)
	}
	return conn, nil
}

// closeConn closes even when ctx has ended: closing gives the lock back.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
