//go:build unix

package pglocal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oldestMajor is the oldest PostgreSQL that the schema is meant for.
const oldestMajor = 14

// ErrNoPostgres is returned when this machine has no PostgreSQL server binaries that can be used.
var ErrNoPostgres = errors.New("no PostgreSQL server found on this machine")

// Binaries are the programs of one PostgreSQL installation.
type Binaries struct {
	Dir   string
	Major int
}

// Path names one of the programs.
func (b Binaries) Path(program string) string { return filepath.Join(b.Dir, program) }

// Find answers with the PostgreSQL that a new server would run on.
func Find(ctx context.Context) (Binaries, error) {
	found, err := findAll(ctx)
	if err != nil {
		return Binaries{}, err
	}
	return found[0], nil
}

// usualPlaces are looked at after pg_config and PATH; a variable for the tests.
var usualPlaces = []string{
	"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
	"/usr/pgsql-*/bin",                  // PostgreSQL's own RPMs
	"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
	"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
}

// findAll lists what is installed: first what pg_config and PATH point to, then
// the usual places, highest version first.
func findAll(ctx context.Context) ([]Binaries, error) {
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, pattern := range usualPlaces {
		matches, _ := filepath.Glob(pattern) // the pattern is well-formed
		slices.SortFunc(matches, func(a, b string) int { return cmp.Compare(versionIn(b), versionIn(a)) })
		dirs = append(dirs, matches...)
	}
	var (
		found  []Binaries
		tooOld []string
	)
	for _, dir := range dirs {
		major, ok := majorOf(ctx, dir)
		b := Binaries{Dir: dir, Major: major}
		switch {
		case !ok || slices.Contains(found, b):
		case major < oldestMajor:
			tooOld = append(tooOld, fmt.Sprintf("%d in %s", major, dir))
		default:
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		return nil, noPostgres(tooOld)
	}
	return found, nil
}

func noPostgres(tooOld []string) error {
	hint := fmt.Sprintf("install PostgreSQL %d or later (Debian: apt-get install postgresql; macOS: brew install postgresql@17), "+
		"or name a server that runs already: SUITESIGN_DATABASE_URL for `make run`, SUITESIGN_TEST_DATABASE_URL for `make test`", oldestMajor)
	if len(tooOld) > 0 {
		return fmt.Errorf("%w that is new enough (found %s): %s", ErrNoPostgres, strings.Join(tooOld, ", "), hint)
	}
	return fmt.Errorf("%w (looked at pg_config, PATH, /usr/lib/postgresql and Homebrew): %s", ErrNoPostgres, hint)
}

var number = regexp.MustCompile(`\d+(\.\d+)?`)

// versionIn finds the version at the end of a path like /usr/lib/postgresql/15/bin.
func versionIn(path string) float64 {
	all := number.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.ParseFloat(all[len(all)-1], 64)
	return n
}

// majorOf asks the server in dir for its version. A folder with client programs
// only (Debian's pg_config names one) has none.
func majorOf(ctx context.Context, dir string) (int, bool) {
	for _, program := range []string{"initdb", "pg_ctl"} {
		if info, err := os.Stat(filepath.Join(dir, program)); err != nil || info.Mode()&0o111 == 0 {
			return 0, false
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output() //nolint:gosec // where PostgreSQL is installed
	if err != nil {
		return 0, false
	}
	_, version, _ := strings.Cut(string(out), ") ") // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
	major, _ := strconv.ParseFloat(number.FindString(version), 64)
	return int(major), major > 0
}
