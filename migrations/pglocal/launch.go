//go:build unix

package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

var errOldBackends = errors.New("processes of the server before are still ending")

// settings are given on the command line, so that data made by an older version
// of this program gets them too.
func (s *Server) settings() []string {
	set := []string{
		"listen_addresses=", // the socket only
		`unix_socket_directories="` + strings.ReplaceAll(s.place.socket(), `"`, `""`) + `"`,
		"unix_socket_permissions=0700",
		"port=5432",
		"max_connections=200",
		"timezone=UTC", "log_timezone=UTC",
		// Bound parameters are sealed values and keys: never in the log.
		"log_parameter_max_length=0", "log_parameter_max_length_on_error=0",
	}
	if s.fast {
		set = append(set, "fsync=off", "full_page_writes=off", "synchronous_commit=off",
			"wal_level=minimal", "max_wal_senders=0", "shared_buffers=64MB", "checkpoint_timeout=1h",
			"autovacuum=off") // a worker in a template database makes CREATE DATABASE wait
	}
	args := []string{"-D", s.place.data()}
	for _, setting := range set {
		args = append(args, "-c", setting)
	}
	return args
}

// launch starts the postmaster and waits until it answers.
func (s *Server) launch(ctx context.Context, a account) error {
	logfile, err := os.OpenFile(s.place.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer logfile.Close()
	before, err := logfile.Seek(0, 2)
	if err != nil {
		return err
	}
	if before > 10<<20 {
		before = 0
		if err := logfile.Truncate(0); err != nil {
			return err
		}
	}
	// Not ctx: it bounds the start, and the server is to live on.
	cmd := a.command(context.Background(), s.place.dir, s.bin.Path("postgres"), s.settings()...) //nolint:contextcheck // see above
	cmd.Stdout, cmd.Stderr = logfile, logfile
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s as %s: %w", cmd.Path, a.name, err)
	}
	s.process = cmd
	for {
		last := s.answers(ctx)
		if last == nil {
			return nil
		}
		if ended(cmd) {
			s.process = nil
			return s.whyEnded(before)
		}
		if err := sleep(ctx, poll); err != nil {
			return fmt.Errorf("it does not answer: %w: %w", err, last)
		}
	}
}

// whyEnded quotes what the server wrote to its log since a position in it.
func (s *Server) whyEnded(since int64) error {
	text, err := os.ReadFile(s.place.log())
	if err != nil {
		return fmt.Errorf("the server ended at once: %w", err)
	}
	said := strings.TrimSpace(string(text[min(since, int64(len(text))):]))
	if strings.Contains(said, "shared memory block") {
		return fmt.Errorf("%w: %s", errOldBackends, said)
	}
	return fmt.Errorf("the server ended at once and said: %s", said)
}

// answers asks the server on our socket whether it is the one of our data.
func (s *Server) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var data string
	if err := conn.QueryRow(ctx, `SHOW data_directory`).Scan(&data); err != nil {
		return err
	}
	if !sameDir(data, s.place.data()) {
		return fmt.Errorf("the server on %s is the one of %s", s.place.socket(), data)
	}
	return nil
}

func sameDir(a, b string) bool {
	if a == b {
		return true
	}
	a, errA := filepath.EvalSymlinks(a)
	b, errB := filepath.EvalSymlinks(b)
	return errA == nil && errB == nil && a == b
}
