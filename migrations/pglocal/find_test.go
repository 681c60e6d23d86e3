//go:build unix

package pglocal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"suitesign/migrations/pglocal"
)

// script puts a small program into dir.
func script(t *testing.T, dir, name, body string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// installation puts the programs of a PostgreSQL into dir.
func installation(t *testing.T, dir, version string) {
	t.Helper()
	script(t, dir, "initdb", "")
	script(t, dir, "pg_ctl", "")
	script(t, dir, "postgres", `echo "postgres (PostgreSQL) `+version+`"`)
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	lib := filepath.Join(root, "lib", "*", "bin")
	dir := func(version string) string { return filepath.Join(root, "lib", version, "bin") }
	path := filepath.Join(root, "path")
	t.Setenv("PATH", path)
	pglocal.SetUsualPlaces(t, lib)

	_, err := pglocal.Find(t.Context())
	if !errors.Is(err, pglocal.ErrNoPostgres) || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("with nothing: Find = %v, want ErrNoPostgres that says what to install", err)
	}

	installation(t, dir("9.6"), "9.6.24")
	_, err = pglocal.Find(t.Context())
	if !errors.Is(err, pglocal.ErrNoPostgres) || !strings.Contains(err.Error(), "9 in "+dir("9.6")) {
		t.Errorf("with an old one: Find = %v, want ErrNoPostgres that names it", err)
	}

	installation(t, dir("15"), "15.18 (Debian 15.18-0+deb12u1)")
	installation(t, dir("17"), "17beta2")
	script(t, dir("18"), "pg_dump", "") // a client only
	want := pglocal.Binaries{Dir: dir("17"), Major: 17}
	if got, err := pglocal.Find(t.Context()); got != want || err != nil {
		t.Errorf("with two: Find = %v, %v; want %v", got, err, want)
	}

	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir("15"), "postgres"), filepath.Join(path, "postgres")); err != nil {
		t.Fatal(err)
	}
	want = pglocal.Binaries{Dir: dir("15"), Major: 15}
	if got, err := pglocal.Find(t.Context()); got != want || err != nil {
		t.Errorf("with one in PATH: Find = %v, %v; want %v", got, err, want)
	}

	script(t, path, "pg_config", `echo "`+dir("17")+`"`)
	want = pglocal.Binaries{Dir: dir("17"), Major: 17}
	if got, err := pglocal.Find(t.Context()); got != want || err != nil {
		t.Errorf("with pg_config: Find = %v, %v; want %v", got, err, want)
	}
}

func TestInstallMakesNoMainCluster(t *testing.T) {
	root := t.TempDir()
	config, calls := filepath.Join(root, "createcluster.d"), filepath.Join(root, "calls")
	path := filepath.Join(root, "path")
	script(t, path, "apt-get", `echo "$@ $(/bin/cat `+config+`/*)" >>`+calls)
	t.Setenv("PATH", path)
	pglocal.SetClusterConfig(t, config)

	var out bytes.Buffer
	err := pglocal.Install(t.Context(), &out)
	said, _ := os.ReadFile(calls)
	if os.Geteuid() != 0 {
		if !errors.Is(err, pglocal.ErrNoPostgres) || len(said) > 0 {
			t.Errorf("as a plain user: Install = %v and ran apt-get %q; want ErrNoPostgres and nothing run", err, said)
		}
		return
	}
	const setting = " create_main_cluster = false\n"
	want := "update" + setting + "install -y --no-install-recommends postgresql" + setting
	if err != nil || string(said) != want {
		t.Errorf("Install = %v, apt-get was called with %q; want %q", err, said, want)
	}
	if !missing(config) {
		t.Error("the setting is still there after Install")
	}

	script(t, path, "apt-get", "echo no network; exit 100")
	err = pglocal.Install(t.Context(), &out)
	if !errors.Is(err, pglocal.ErrNoPostgres) || !strings.Contains(out.String(), "no network") {
		t.Errorf("Install = %v and printed %q; want ErrNoPostgres and what apt-get said", err, out.String())
	}
}

func TestPrivateDirIsOurs(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	first, err := pglocal.PrivateDir(base, "/a/checkout")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := pglocal.PrivateDir(base, "/a/checkout"); again != first || err != nil {
		t.Errorf("again: %s, %v; want %s", again, err, first)
	}
	if other, err := pglocal.PrivateDir(base, "/another"); other == first || err != nil {
		t.Errorf("for another folder: %s, %v", other, err)
	}
	if err := os.Chmod(first, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := pglocal.PrivateDir(base, "/a/checkout"); err == nil {
		t.Error("a folder that everybody may write to was accepted")
	}
	if err := os.Remove(first); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(base, first); err != nil {
		t.Fatal(err)
	}
	if _, err := pglocal.PrivateDir(base, "/a/checkout"); err == nil {
		t.Error("a symlink that somebody put there was followed")
	}
}
