package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/jackc/pgx/v5"

	"suitesign/migrations/pglocal"
)

// lockDemo keeps a second demo out of the folder of a running one: they would
// write over each other's files.
func lockDemo(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the demo locks its folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("a demo runs with the data in %s already: stop it first, or give this one a folder of its own with --dir", filepath.Dir(path))
		}
		return nil, fmt.Errorf("the demo locks its folder: %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil // and with the file the lock
}

// installPostgres has PostgreSQL installed where that can be done. What the
// package manager says is kept for when it fails.
func (d *demoRun) installPostgres(ctx context.Context) error {
	path := filepath.Join(d.Dir, "install.log")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if os.Geteuid() == 0 {
		fmt.Printf("There is no PostgreSQL on this machine; installing it with apt-get (%s has what it says) …\n", path)
	}
	return pglocal.Install(ctx, out)
}

// claimForDemo marks an empty database as the demo's, and refuses one that is
// neither empty nor marked: a demo must never write into somebody's data.
func claimForDemo(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return errors.New("the demo's database does not answer; is SUITESIGN_DATABASE_URL right, or should it be unset?")
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // also after Ctrl-C
	const q = `
SELECT to_regclass('suitesign_demo.mark') IS NOT NULL,
	EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
		AND n.nspname NOT LIKE 'pg\_temp\_%')`
	var marked, used bool
	if err := conn.QueryRow(ctx, q).Scan(&marked, &used); err != nil {
		return fmt.Errorf("look into the demo's database: %w", err)
	}
	if marked {
		return nil
	}
	if used {
		return errors.New("the database that SUITESIGN_DATABASE_URL names is not empty and not a demo's: name an empty one, or unset the variable and the demo starts its own PostgreSQL")
	}
	if _, err := conn.Exec(ctx, `CREATE SCHEMA suitesign_demo; CREATE TABLE suitesign_demo.mark (made_at timestamptz NOT NULL DEFAULT now())`); err != nil {
		return fmt.Errorf("mark the demo's database: %w", err)
	}
	return nil
}
