//go:build unix

package pglocal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	socketName = ".s.PGSQL.5432"
	// longestSocket: a unix socket's path holds 107 bytes on Linux, 103 on macOS.
	longestSocket = 100
)

// place is the folder of one server: its data, its socket, its log and its lock.
type place struct {
	dir       string
	temporary bool
}

func (p place) data() string   { return filepath.Join(p.dir, "data") }
func (p place) socket() string { return filepath.Join(p.dir, "socket") }
func (p place) log() string    { return filepath.Join(p.dir, "postgres.log") }
func (p place) lock() string   { return filepath.Join(p.dir, "lock") }

func fits(dir string) bool {
	return len(filepath.Join(place{dir: dir}.socket(), socketName)) <= longestSocket
}

// settle answers with where the server for dir lives: there, or where that
// cannot be, in a private folder; why then tells the reason.
func settle(ctx context.Context, dir string, b Binaries) (p place, a account, why string, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return place{}, account{}, "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the server's user passes through; what is inside is 0700
		return place{}, account{}, "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil { // one name, by which a server is known again
		return place{}, account{}, "", err
	}
	p = place{dir: dir}
	if a, err = serverAccount(p.data()); err != nil {
		return place{}, account{}, "", err
	}
	switch {
	case !fits(dir):
		why = "the path of its socket would be too long"
	case !a.reaches(ctx, dir, b):
		why = "user " + a.name + ", as whom PostgreSQL runs, cannot reach it"
	default:
		return p, a, "", nil
	}
	if p.dir, err = privateDir("/var/tmp", dir); err != nil {
		return place{}, account{}, "", err
	}
	if a, err = serverAccount(p.data()); err != nil {
		return place{}, account{}, "", err
	}
	if !a.reaches(ctx, p.dir, b) {
		return place{}, account{}, "", fmt.Errorf("user %s, as whom PostgreSQL runs, can reach neither %s nor %s (or cannot run %s)",
			a.name, dir, p.dir, b.Path("pg_ctl"))
	}
	return p, a, why, nil
}

// privateDir makes, or finds again, the folder under base that stands for dir.
// Everybody may write to base, so one that somebody else made is refused.
func privateDir(base, dir string) (string, error) {
	uid := os.Geteuid()
	path := filepath.Join(base, fmt.Sprintf("suitesign-%d-%.12x", uid, sha256.Sum256([]byte(dir))))
	mode := fs.FileMode(0o700)
	if uid == 0 {
		mode = 0o711 // the server's user passes through
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || owner(info) != uid || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("%s is not a private folder of ours (owner uid %d, mode %s): remove it", path, owner(info), info.Mode())
	}
	return path, os.Chmod(path, mode) // whatever the umask left
}

// temporary makes a new folder that the account owns, so that the watchdog can remove it.
func temporary(ctx context.Context, b Binaries) (place, account, error) {
	a, err := serverAccount("")
	if err != nil {
		return place{}, account{}, err
	}
	for _, base := range []string{os.TempDir(), "/var/tmp", "/tmp"} {
		if !a.reaches(ctx, base, b) {
			continue
		}
		dir, err := os.MkdirTemp(base, "suitesign-pg-")
		if err != nil {
			continue
		}
		if fits(dir) && (!a.other || a.own(dir) == nil) {
			return place{dir: dir, temporary: true}, a, nil
		}
		_ = os.Remove(dir)
	}
	return place{}, account{}, fmt.Errorf("no temporary folder (%s, /var/tmp, /tmp) that user %s can use for PostgreSQL", os.TempDir(), a.name)
}
