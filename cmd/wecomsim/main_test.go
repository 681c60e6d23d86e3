package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"

	"suitesign/wecom/wecomtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parse(t *testing.T, args ...string) (*cli, error) {
	t.Helper()
	var c cli
	p, err := kong.New(&c, kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse(args)
	return &c, err
}

// Without flags the simulator is the platform as published.
func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := parse(t, "serve")
	if err != nil {
		t.Fatal(err)
	}
	got := c.Serve.config(nil)
	want := wecomtest.Lifetimes{AccessToken: 2 * time.Hour, SuiteAccessToken: 2 * time.Hour, ProviderAccessToken: 2 * time.Hour, JSAPITicket: 2 * time.Hour,
		AgentTicket: 2 * time.Hour, SuiteTicket: 30 * time.Minute, AuthCode: 10 * time.Minute, PreAuthCode: 20 * time.Minute}
	if got.Lifetimes != want || got.Rotation != wecomtest.Sticky || got.Limits.Off || got.PushInterval != 10*time.Minute || got.StateFile != "" || c.Serve.Listen != "127.0.0.1:8090" {
		t.Errorf("defaults %+v, listen %s", got, c.Serve.Listen)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	c, err := parse(t, "serve", "--listen", "127.0.0.1:1", "--state", "/x/sim.json", "--ticket-lifetime", "60s", "--agent-ticket-lifetime", "90s", "--access-token-lifetime", "30s",
		"--rotation", "rotating", "--grace", "0s", "--limits", "off", "--push-interval", "5s", "--log-level", "debug")
	if err != nil {
		t.Fatal(err)
	}
	got := c.Serve.config(nil)
	if got.Lifetimes.JSAPITicket != time.Minute || got.Lifetimes.AgentTicket != 90*time.Second || got.Lifetimes.AccessToken != 30*time.Second ||
		got.Rotation != wecomtest.Rotating || got.Grace != 0 || !got.Limits.Off || got.PushInterval != 5*time.Second || got.StateFile != "/x/sim.json" {
		t.Errorf("config %+v", got)
	}
	for _, bad := range [][]string{{"serve", "--rotation", "often"}, {"serve", "--limits", "some"}, {"serve", "--log-level", "loud"}, {"serve", "--ticket-lifetime", "long"}, {"serve", "more"}, {}} {
		if _, err := parse(t, bad...); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// A wrong lifetime or an address in use ends the program with a word about it.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for args, want := range map[string]string{
		"serve --listen " + l.Addr().String():                   "address already in use",
		"serve --listen 127.0.0.1:0 --auth-code-lifetime 500ms": "auth_code",
		"serve --listen nowhere":                                "listen",
	} {
		c, err := parse(t, strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Serve.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// It serves, says that it is well, ends when told to, and keeps its state.
func TestServe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sim.json")
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	c, err := parse(t, "serve", "--state", file)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := wecomtest.NewServer(c.Serve.config(log))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l, sim, sim, log) }()

	here := "http://" + l.Addr().String()
	if err := (&healthcheckCmd{URL: here, Timeout: 5 * time.Second}).Run(ctx); err != nil {
		t.Errorf("healthcheck: %v", err)
	}
	res, err := http.Post(here+"/sim/corps", "application/json", strings.NewReader(`{"corp_id":"wwcorp"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serve ended with %v", err)
	}
	if err := (&healthcheckCmd{URL: here, Timeout: 5 * time.Second}).Run(t.Context()); err == nil {
		t.Error("after the end the healthcheck is well")
	}

	again, err := wecomtest.NewServer(c.Serve.config(log))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if corps := again.State("", "").Corps; len(corps) != 1 || corps[0].CorpID != "wwcorp" {
		t.Errorf("the next start finds the corps %+v", corps)
	}
}
