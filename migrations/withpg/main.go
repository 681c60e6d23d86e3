//go:build unix

// Command withpg runs a command that needs a PostgreSQL for its tests:
//
//	go run ./migrations/withpg go test ./...
//
// It starts a temporary server, installing PostgreSQL first where it may (as root
// on Debian), and names it in SUITESIGN_TEST_DATABASE_URL, so that all the test
// programs of the command share it and its template. Where that variable is set
// already, it only runs the command.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"suitesign/migrations/pglocal"
)

const variable = "SUITESIGN_TEST_DATABASE_URL"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: withpg command [argument …]")
		os.Exit(2)
	}
	code, err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpg:", err)
	}
	os.Exit(code)
}

// run runs the command and answers with its exit code.
func run(ctx context.Context, args []string) (code int, err error) {
	// A Ctrl-C at the terminal reaches the command, too: it decides, and we clean up after it.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer close(signals)
	defer signal.Stop(signals)

	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // this is what it is for
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = os.Environ()
	if os.Getenv(variable) == "" {
		server, err := start(ctx)
		if err != nil {
			return 1, err
		}
		defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
		cmd.Env = append(cmd.Env, variable+"="+server.URL("postgres"))
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM { // this one is for us alone
				_ = cmd.Process.Signal(s)
			}
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode(), nil // it has said why itself
	case err != nil:
		return 1, err
	}
	return 0, nil
}

func start(ctx context.Context) (*pglocal.Server, error) {
	server, err := pglocal.Start(ctx, pglocal.Config{})
	if !errors.Is(err, pglocal.ErrNoPostgres) {
		return server, err
	}
	if err := pglocal.Install(ctx, os.Stderr); err != nil {
		return nil, err
	}
	return pglocal.Start(ctx, pglocal.Config{})
}
