//go:build unix

package pglocal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// superuser is the role that initdb makes and every URL names.
const superuser = "postgres"

// poll is how often a state that nobody tells us of is looked at.
const poll = 20 * time.Millisecond

// Config says where a server lives and how it treats its data.
type Config struct {
	// Dir is the server's folder, made where it is missing. Empty: a temporary
	// one that goes away with the server.
	Dir string
	// Durable keeps what is committed over a crash of the server or the machine.
	// Without it the server is fast, and its data good for tests only.
	Durable bool
	// Log is told of what is not as asked for, and of slow steps. Nil: nobody is told.
	Log *slog.Logger
}

// Server is a running PostgreSQL.
type Server struct {
	bin   Binaries
	place place
	fast  bool // not durable

	mu       sync.Mutex
	lock     *os.File  // nil for who follows another process's server
	process  *exec.Cmd // the postmaster
	watchdog *watchdog
}

// Start starts the server of cfg.Dir, or follows the one that another process
// runs there. ctx bounds the start, not the life of the server.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	found, err := findAll(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{bin: found[0], fast: !cfg.Durable}
	var (
		a   account
		why string
	)
	if cfg.Dir == "" {
		s.place, a, err = temporary(ctx, s.bin)
	} else {
		s.place, a, why, err = settle(ctx, cfg.Dir, s.bin)
	}
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if why != "" {
		log.WarnContext(ctx, "PostgreSQL keeps its data elsewhere", "asked_for", cfg.Dir, "used", s.place.dir, "because", why)
	}
	if err := s.start(ctx, a, found, log); err != nil {
		return nil, fmt.Errorf("start PostgreSQL in %s: %w", s.place.dir, errors.Join(err, s.Stop(context.WithoutCancel(ctx))))
	}
	return s, nil
}

// start takes the folder's lock, or follows whoever has it.
func (s *Server) start(ctx context.Context, a account, found []Binaries, log *slog.Logger) error {
	for {
		lock, err := tryLock(s.place.lock())
		if err != nil {
			return err
		}
		if lock != nil {
			s.lock = lock
			return s.own(ctx, a, found, log)
		}
		if s.answers(ctx) == nil {
			log.InfoContext(ctx, "another process runs PostgreSQL here already, using it", "dir", s.place.dir)
			return nil
		}
		if err := sleep(ctx, poll); err != nil {
			return fmt.Errorf("another process is starting PostgreSQL here and does not get done: %w", err)
		}
	}
}

// own brings the server up; the folder is locked.
func (s *Server) own(ctx context.Context, a account, found []Binaries, log *slog.Logger) error {
	bin, err := s.place.choose(found)
	if err != nil {
		return err
	}
	s.bin = bin
	if err := s.place.heal(ctx, a, bin, log); err != nil {
		return err
	}
	if err := s.place.create(ctx, a, bin, s.fast, log); err != nil {
		return err
	}
	if s.watchdog, err = watch(a, s.place, bin); err != nil { //nolint:contextcheck // it outlives the start
		return err
	}
	// Backends of a postmaster that was killed need a moment to notice, and a new one refuses to start beside them.
	for try := 1; ; try++ {
		err := s.launch(ctx, a)
		if err == nil || try == 5 || !errors.Is(err, errOldBackends) {
			return err
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// URL is the connection URL of one of the server's databases.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(superuser), Path: "/" + database,
		RawQuery: url.Values{"host": {s.place.socket()}, "port": {"5432"}}.Encode(),
	}
	return u.String()
}

// Dir is the folder that the server really uses.
func (s *Server) Dir() string { return s.place.dir }

// Binaries are the programs that the server runs on; pg_dump of the same version is among them.
func (s *Server) Binaries() Binaries { return s.bin }

// EnsureDatabase makes a database where it is missing.
func (s *Server) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var there bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	if there {
		return nil
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

// Stop ends the server, cutting off whoever is connected, and removes a temporary
// one's folder. Called by who follows another process's server, or twice, it does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if s.process != nil {
		errs = append(errs, s.end(ctx))
		s.process = nil
	}
	if s.watchdog != nil {
		s.watchdog.dismiss()
		s.watchdog = nil
	}
	if s.place.temporary {
		errs = append(errs, os.RemoveAll(s.place.dir))
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close()) // and with it the lock
		s.lock = nil
	}
	return errors.Join(errs...)
}

// end asks the postmaster to end, at first politely, and waits until it has.
func (s *Server) end(ctx context.Context) error {
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} // fast, immediate, at once
	if s.place.temporary {                                                        // its data is thrown away
		signals = signals[1:]
	}
	for _, sig := range signals {
		_ = s.process.Process.Signal(sig) // fails only when it has ended
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; {
			if ended(s.process) {
				return nil
			}
			time.Sleep(poll)
		}
	}
	return fmt.Errorf("PostgreSQL (process %d) does not end", s.process.Process.Pid)
}

// ended reports whether a child has ended, and if so buries it. It is asked
// instead of waited for, which would take a goroutine.
func ended(child *exec.Cmd) bool {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(child.Process.Pid, &status, syscall.WNOHANG, nil)
	if errors.Is(err, syscall.EINTR) || (err == nil && pid == 0) {
		return false
	}
	_ = child.Process.Release()
	return true
}

// tryLock takes the lock of a folder; nil means that another process has it.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
