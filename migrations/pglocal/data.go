//go:build unix

package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrOtherVersion is returned when the data was written by a major version of
// PostgreSQL that is not installed.
var ErrOtherVersion = errors.New("the data belongs to another version of PostgreSQL")

// choose picks the installation that fits the data; for new data the first one.
func (p place) choose(found []Binaries) (Binaries, error) {
	text, err := os.ReadFile(filepath.Join(p.data(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return found[0], nil
	}
	if err != nil {
		return Binaries{}, fmt.Errorf("%w (was it made by another user?)", err)
	}
	version := strings.TrimSpace(string(text))
	var have []string
	for _, b := range found {
		if strconv.Itoa(b.Major) == version {
			return b, nil
		}
		have = append(have, fmt.Sprintf("%d in %s", b.Major, b.Dir))
	}
	return Binaries{}, fmt.Errorf("%w: %s was written by PostgreSQL %s, and installed is %s: install PostgreSQL %s, or move the folder away to begin anew",
		ErrOtherVersion, p.data(), version, strings.Join(have, ", "), version)
}

// create makes the data, if there is none, and the socket's folder. initdb works
// beside its destination, so that one that is killed leaves nothing half made there.
func (p place) create(ctx context.Context, a account, b Binaries, fast bool, log *slog.Logger) error {
	if err := a.mkdir(p.socket()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(p.data(), "PG_VERSION")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh := p.data() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := a.mkdir(fresh); err != nil {
		return err
	}
	log.InfoContext(ctx, "creating a PostgreSQL cluster", "dir", p.data(), "version", b.Major, "user", a.name)
	args := []string{
		"--pgdata=" + fresh, "--username=" + superuser, "--encoding=UTF8", "--locale=C",
		"--auth-local=trust", "--auth-host=reject", // who can enter the socket's folder may connect
		"--no-instructions",
	}
	if fast {
		args = append(args, "--no-sync")
	}
	if err := a.run(ctx, p.dir, b.Path("initdb"), args...); err != nil {
		return err
	}
	return os.Rename(fresh, p.data()) // refuses where data is a folder with something in it
}

// heal clears what a server that did not end properly left behind. The folder is
// locked, so a server that still runs has lost its owner: it is stopped.
func (p place) heal(ctx context.Context, a account, b Binaries, log *slog.Logger) error {
	pidfile := filepath.Join(p.data(), "postmaster.pid")
	pid, err := pidIn(pidfile)
	if err != nil {
		return err
	}
	if pid > 0 {
		switch alive, ours := p.postmaster(ctx, pid); {
		case ours:
			log.InfoContext(ctx, "stopping a PostgreSQL that was left running", "pid", pid)
			if err := a.run(ctx, p.dir, b.Path("pg_ctl"), "stop", "--silent", "--pgdata="+p.data(), "--mode=fast", "--timeout=30"); err != nil {
				return err
			}
		case alive:
			// The number was given to somebody else since, as happens after a restart. PostgreSQL would not dare to start.
			log.InfoContext(ctx, "removing a stale postmaster.pid", "pid", pid)
			if err := os.Remove(pidfile); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		} // a dead one's file is PostgreSQL's to judge: it also looks for backends that are left
	}
	for _, name := range []string{socketName, socketName + ".lock"} { // the lock holds a pid as well
		if err := os.Remove(filepath.Join(p.socket(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// pidIn reads the first line of a postmaster.pid; 0 when there is none.
func pidIn(pidfile string) (int, error) {
	text, err := os.ReadFile(pidfile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(first)) // nonsense is as good as nothing
	return pid, nil
}

// postmaster reports whether a process is alive, and whether it is a server of our data.
func (p place) postmaster(ctx context.Context, pid int) (alive, ours bool) {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false, false
	}
	return true, serves(ctx, pid, p.data())
}
