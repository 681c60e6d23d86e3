//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestRunGivesTheCommandAServer(t *testing.T) {
	t.Setenv(variable, "")
	file := filepath.Join(t.TempDir(), "url")
	code, err := run(t.Context(), []string{"sh", "-c", `printf %s "$` + variable + `" >"$0"; exit 7`, file})
	if code != 7 || err != nil {
		t.Errorf("run = %d, %v; want the command's 7", code, err)
	}
	url, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(url), "postgres://") {
		t.Fatalf("the command was given %q, %v; want a URL", url, err)
	}
	if conn, err := pgx.Connect(t.Context(), string(url)); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the server outlived the command")
	}
}

func TestRunKeepsAServerThatIsNamed(t *testing.T) {
	t.Setenv(variable, "postgres://named")
	if code, err := run(t.Context(), []string{"sh", "-c", `[ "$` + variable + `" = postgres://named ]`}); code != 0 || err != nil {
		t.Errorf("run = %d, %v; want that the named server was left alone", code, err)
	}
	if code, err := run(t.Context(), []string{"/no/such/command"}); code != 1 || err == nil {
		t.Errorf("run of no command = %d, %v; want 1 and an error", code, err)
	}
}
