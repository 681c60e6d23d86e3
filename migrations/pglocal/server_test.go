//go:build unix

package pglocal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"suitesign/migrations/pglocal"
)

// owner, when set, makes this program start a server and wait to be killed.
const owner = "PGLOCAL_TEST_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(owner) != "" {
		s, err := pglocal.Start(context.Background(), pglocal.Config{})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.Pid(), s.Dir())
		select {}
	}
	goleak.VerifyTestMain(m)
}

// start starts a server that ends with the test.
func start(t *testing.T, cfg pglocal.Config) *pglocal.Server {
	t.Helper()
	s, err := pglocal.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("Stop = %v", err)
		}
	})
	return s
}

// sharedDir is a folder that every user can reach, unlike t.TempDir.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "pglocal-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "pg")
}

func exec1(t *testing.T, s *pglocal.Server, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// eventually waits until what holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func gone(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	// What was left to a parent that does not look after it is as good as gone.
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return strings.Contains(string(stat), ") Z ")
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func TestATemporaryServerLeavesNothing(t *testing.T) {
	t.Parallel()
	s, err := pglocal.Start(t.Context(), pglocal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pid := s.Pid()
	for range 2 {
		if err := s.EnsureDatabase(t.Context(), "app"); err != nil {
			t.Errorf("EnsureDatabase = %v", err)
		}
	}
	exec1(t, s, `SELECT 1`)
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Errorf("Stop = %v", err)
		}
	}
	if !gone(pid) || !missing(s.Dir()) {
		t.Errorf("after Stop: process gone %t, folder gone %t", gone(pid), missing(s.Dir()))
	}
}

func TestOnlyItsOwnUserCanEnter(t *testing.T) {
	t.Parallel()
	s := start(t, pglocal.Config{})
	for _, name := range []string{"data", "socket"} {
		info, err := os.Stat(filepath.Join(s.Dir(), name))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, %v; want -rwx------", name, info.Mode(), err)
		}
	}
	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var listens string
	if err := conn.QueryRow(t.Context(), `SHOW listen_addresses`).Scan(&listens); err != nil || listens != "" {
		t.Errorf("listen_addresses = %q, %v; want none", listens, err)
	}
}

// What is measured or kept on a durable server was written to the disk, wherever its
// folder is, and its tables are vacuumed.
func TestDurableIsDurable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cfg  pglocal.Config
		want string
	}{
		{pglocal.Config{}, "off"},
		{pglocal.Config{Durable: true}, "on"},
		{pglocal.Config{Durable: true, Dir: sharedDir(t)}, "on"},
	} {
		conn, err := pgx.Connect(t.Context(), start(t, tt.cfg).URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit", "autovacuum"} {
			var got string
			if err := conn.QueryRow(t.Context(), `SELECT current_setting($1)`, setting).Scan(&got); err != nil || got != tt.want {
				t.Errorf("%+v: %s = %s, %v; want %s", tt.cfg, setting, got, err, tt.want)
			}
		}
	}
}

func TestDataStays(t *testing.T) {
	t.Parallel()
	cfg := pglocal.Config{Dir: sharedDir(t), Durable: true}
	s := start(t, cfg)
	if s.Dir() != cfg.Dir {
		t.Errorf("Dir = %s, want %s", s.Dir(), cfg.Dir)
	}
	if err := s.EnsureDatabase(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	exec1(t, s, `CREATE TABLE kept ()`)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec1(t, start(t, cfg), `SELECT FROM kept`)
}

func TestOneOwnerManyFollowers(t *testing.T) {
	t.Parallel()
	cfg := pglocal.Config{Dir: sharedDir(t)}
	var (
		wg      sync.WaitGroup
		servers [3]*pglocal.Server
	)
	for i := range servers {
		wg.Go(func() {
			var err error
			if servers[i], err = pglocal.Start(t.Context(), cfg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	var own *pglocal.Server
	for _, s := range servers {
		if !s.Follows() {
			if own != nil {
				t.Error("two owners of one folder")
			}
			own = s
		}
	}
	if own == nil {
		t.Fatal("no owner")
	}
	if err := own.EnsureDatabase(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		if s != own {
			if err := s.Stop(t.Context()); err != nil {
				t.Errorf("Stop of a follower = %v", err)
			}
		}
	}
	exec1(t, own, `SELECT 1`)
	if err := own.Stop(t.Context()); err != nil {
		t.Errorf("Stop = %v", err)
	}
}

func TestServerDiesWithItsOwner(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), owner+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = cmd.Process.Kill() // SIGKILL: nothing that it could do about it
	_ = cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	number, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("the owner said %q", line)
	}
	eventually(t, "the server ends", func() bool { return gone(pid) })
	eventually(t, "its folder is removed", func() bool { return missing(dir) })
}

func TestStartHeals(t *testing.T) {
	t.Parallel()
	cfg := pglocal.Config{Dir: sharedDir(t), Durable: true}
	s := start(t, cfg)
	if err := s.EnsureDatabase(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	exec1(t, s, `CREATE TABLE kept ()`)

	s.Abandon()
	s = start(t, cfg) // stops the server without an owner
	exec1(t, s, `SELECT FROM kept`)

	if err := syscall.Kill(s.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil { // lets go of the folder
		t.Fatal(err)
	}
	pidfile := filepath.Join(s.Dir(), "data", "postmaster.pid")
	if missing(pidfile) {
		t.Fatal("a killed server left no postmaster.pid, so this shows nothing")
	}
	s = start(t, cfg) // from the pid of a process that is gone
	exec1(t, s, `SELECT FROM kept`)

	other := pglocal.AsServer(t, "sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	if err := syscall.Kill(s.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(pidfile)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(pidfile, []byte(strconv.Itoa(other.Process.Pid)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	s = start(t, cfg) // from the pid of a process that is another one by now
	exec1(t, s, `SELECT FROM kept`)
	if gone(other.Process.Pid) {
		t.Error("healing a stale postmaster.pid ended the process it named")
	}
}

func TestALongPathMovesToAPrivateFolder(t *testing.T) {
	t.Parallel()
	asked := filepath.Join(sharedDir(t), strings.Repeat("long", 25))
	s := start(t, pglocal.Config{Dir: asked})
	t.Cleanup(func() { _ = os.RemoveAll(s.Dir()) })
	if !strings.HasPrefix(s.Dir(), "/var/tmp/suitesign-") {
		t.Fatalf("Dir = %s, want a private folder", s.Dir())
	}
	if err := s.EnsureDatabase(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	exec1(t, s, `CREATE TABLE kept ()`)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec1(t, start(t, pglocal.Config{Dir: asked}), `SELECT FROM kept`) // the same folder again
}

func TestAFolderBehindALockedDoor(t *testing.T) {
	t.Parallel()
	door := sharedDir(t)
	if err := os.Mkdir(door, 0o700); err != nil {
		t.Fatal(err)
	}
	asked := filepath.Join(door, "pg")
	s := start(t, pglocal.Config{Dir: asked})
	want := asked // the caller's own server can pass
	if os.Geteuid() == 0 {
		t.Cleanup(func() { _ = os.RemoveAll(s.Dir()) })
		want = "/var/tmp/suitesign-0-"
	}
	if !strings.HasPrefix(s.Dir(), want) {
		t.Errorf("Dir = %s, want %s…", s.Dir(), want)
	}
}

func TestDataOfAnotherVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	version := filepath.Join(dir, "data", "PG_VERSION")
	if err := os.MkdirAll(filepath.Dir(version), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(version, []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
	if !errors.Is(err, pglocal.ErrOtherVersion) {
		t.Errorf("Start = %v, want ErrOtherVersion", err)
	}
	if text, err := os.ReadFile(version); string(text) != "9\n" {
		t.Errorf("PG_VERSION = %q, %v after the refusal", text, err)
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pglocal.Start(ctx, pglocal.Config{}); err == nil {
		t.Error("Start = nil after its context ended")
	}
}
