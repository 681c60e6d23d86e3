package migrations

import (
	"context"
	"io/fs"
	"time"
)

// Migrator runs the migrations of a test.
type Migrator struct{ m migrator }

// NewMigrator makes one that waits so long for another migrator, and so long and
// so often for a table.
func NewMigrator(files fs.FS, busyWait, lockTimeout time.Duration, lockTries int) Migrator {
	return Migrator{migrator{files: files, busyWait: busyWait, lockTimeout: lockTimeout, lockTries: lockTries}}
}

func (m Migrator) Up(ctx context.Context, url string) error   { return m.m.up(ctx, url) }
func (m Migrator) Down(ctx context.Context, url string) error { return m.m.down(ctx, url, all) }

const LockKey = lockKey
