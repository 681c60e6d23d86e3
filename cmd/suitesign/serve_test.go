package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"suitesign/migrations"
	"suitesign/migrations/pgtest"
	"suitesign/secret"
)

// serving is serve, running on a database.
type serving struct {
	config Config
	stop   context.CancelFunc
	ended  chan error
}

func startServing(t *testing.T, database string, change func(*Config)) *serving {
	t.Helper()
	c := defaultConfig()
	c.DatabaseURL = secret.New(database)
	c.MasterKey = secret.New(base64.StdEncoding.EncodeToString(random(32)))
	c.PublicAddr, c.AdminAddr = freeAddr(t), freeAddr(t)
	c.Drain = DrainConfig{Accept: time.Millisecond, Finish: 2 * time.Second}
	if change != nil {
		change(&c)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &serving{config: c, stop: stop, ended: make(chan error, 1)}
	go func() { s.ended <- serve(ctx, c, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	t.Cleanup(stop)
	return s
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// wait waits for its end.
func (s *serving) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("serve does not end")
		return nil
	}
}

// readyz asks until the answer has a status and a text.
func (s *serving) readyz(t *testing.T, status int, text string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		last := ""
		resp, err := http.Get("http://" + s.config.AdminAddr + "/readyz")
		if err == nil {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode == status && strings.Contains(string(body), text) {
				return
			}
			last = fmt.Sprintf("%d %s", resp.StatusCode, body)
		}
		if time.Now().After(deadline) {
			t.Fatalf("readyz = %s, %v; want %d and %q", last, err, status, text)
		}
		time.Sleep(20 * time.Millisecond) // between looks
	}
}

func TestServeStartsServesAndStops(t *testing.T) {
	s := startServing(t, pgtest.URL(t), nil)
	s.readyz(t, http.StatusOK, "ready")
	resp, err := http.Get("http://" + s.config.PublicAddr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	s.stop()
	if err := s.wait(t); err != nil {
		t.Errorf("serve ended with %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
	if _, err := net.Dial("tcp", s.config.AdminAddr); err == nil {
		t.Error("after its end somebody accepts connections")
	}
}

// What no waiting can heal ends it at once, by its name.
func TestServeThatCannotStart(t *testing.T) {
	database := pgtest.URL(t)
	first := startServing(t, database, nil)
	first.readyz(t, http.StatusOK, "ready")
	first.stop()
	if err := first.wait(t); err != nil {
		t.Fatal(err)
	}
	wrong := startServing(t, database, func(c *Config) { c.Drain.Accept = time.Hour }) // another master key
	if err := wrong.wait(t); !errors.Is(err, secret.ErrWrongMasterKey) {
		t.Errorf("with a wrong master key serve = %v", err)
	}
	if err := migrations.DownSteps(t.Context(), database, latest(t)-int(migrations.Oldest)+1); err != nil {
		t.Fatal(err)
	}
	old := startServing(t, database, func(c *Config) { c.MasterKey, c.Drain.Accept = first.config.MasterKey, time.Hour })
	if err := old.wait(t); !errors.Is(err, migrations.ErrSchemaOutOfRange) || !contains(err, "suitesign migrate up") {
		t.Errorf("on an old schema serve = %v", err)
	}
}

// latest is the version of the newest migration.
func latest(t *testing.T) int {
	t.Helper()
	files, err := fs.Glob(migrations.Files, "*.up.sql")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(slices.Max(files)[:6])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Without its database it waits, says so, and goes when it is told to.
func TestServeWaitsForItsDatabase(t *testing.T) {
	s := startServing(t, "postgres://nobody@"+freeAddr(t)+"/nothing?sslmode=disable", nil)
	s.readyz(t, http.StatusServiceUnavailable, "starting")
	s.stop()
	if err := s.wait(t); err != nil {
		t.Errorf("told to go while it waited, serve ended with %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}
