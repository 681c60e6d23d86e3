package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"suitesign/migrations/pglocal"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// house is what is measured, and all that it needs to run.
type house struct {
	options
	dir      string // everything that is written
	database *pglocal.Server
	db       string // the database of the service
	sim      *wecomtest.Server
	platform *platform // the simulator as it is reached
	simHTTP  *http.Server
	simURL   string

	public, admin     int // ports of the service, over restarts
	masterKey, apiKey string
	callbackKey       wecom.CallbackKey
}

func newHouse(ctx context.Context, o options) (*house, error) {
	h := &house{options: o, masterKey: base64.StdEncoding.EncodeToString(random(32)), apiKey: hex.EncodeToString(random(20))}
	if err := h.setUp(ctx); err != nil {
		h.close(ctx)
		return nil, err
	}
	return h, nil
}

func (h *house) setUp(ctx context.Context) (err error) {
	if h.dir, err = os.MkdirTemp("", "suitesign-bench-"); err != nil {
		return err
	}
	say("building")
	if err := h.build(ctx); err != nil {
		return err
	}
	say("starting PostgreSQL and the simulator")
	if h.database, err = startPostgres(ctx); err != nil {
		return err
	}
	h.db = "suitesign"
	if err := h.database.EnsureDatabase(ctx, h.db); err != nil {
		return err
	}
	if err := h.startSimulator(ctx); err != nil {
		return err
	}
	if h.public, err = freePort(ctx); err != nil {
		return err
	}
	if h.admin, err = freePort(ctx); err != nil {
		return err
	}
	return h.command(ctx, "..", h.environ(), h.file("suitesign"), "migrate", "up")
}

// build makes the programs like `make build` does: without cgo, without the race detector.
func (h *house) build(ctx context.Context) error {
	static := []string{"CGO_ENABLED=0"}
	return errors.Join(
		h.command(ctx, "..", static, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", h.file("suitesign"), "./cmd/suitesign"),
		h.command(ctx, ".", static, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", h.file("bare"), "./cmd/bare"),
		h.command(ctx, ".", static, "go", "test", "-c", "-o", h.file("bench.test"), "."),
	)
}

// command runs a program to its end.
func (h *house) command(ctx context.Context, dir string, environ []string, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // go, and our own binaries
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

func (h *house) file(name string) string { return filepath.Join(h.dir, name) }

// startPostgres starts a private server from this machine's binaries, installing them where it may.
func startPostgres(ctx context.Context) (*pglocal.Server, error) {
	server, err := pglocal.Start(ctx, pglocal.Config{Durable: true})
	if !errors.Is(err, pglocal.ErrNoPostgres) {
		return server, err
	}
	if err := pglocal.Install(ctx, os.Stderr); err != nil {
		return nil, err
	}
	return pglocal.Start(ctx, pglocal.Config{Durable: true})
}

// startSimulator runs the platform in this process, which has nothing else to do under load.
func (h *house) startSimulator(ctx context.Context) error {
	var err error
	if h.sim, err = wecomtest.NewServer(wecomtest.Config{Limits: wecomtest.Limits{Off: true}}); err != nil {
		return err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h.simURL = "http://" + ln.Addr().String()
	h.platform = &platform{next: h.sim}
	h.simHTTP = &http.Server{Handler: h.platform, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = h.simHTTP.Serve(ln) }() // ends with close
	return nil
}

// close stops and removes everything, after a Ctrl-C, too. It is called once.
func (h *house) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	var errs []error
	if h.simHTTP != nil {
		errs = append(errs, h.sim.Close(), h.simHTTP.Close())
	}
	if h.database != nil {
		errs = append(errs, h.database.Stop(ctx))
	}
	if h.dir != "" {
		errs = append(errs, os.RemoveAll(h.dir))
	}
	if err := errors.Join(errs...); err != nil {
		say("cleaning up: %v", err)
	}
}

func local(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// environ is the configuration of the service: defaults but for what must be said,
// and a quick stop.
func (h *house) environ(more ...string) []string {
	return append([]string{
		"SUITESIGN_DATABASE_URL=" + h.database.URL(h.db),
		"SUITESIGN_MASTER_KEY=" + h.masterKey,
		"SUITESIGN_BOOTSTRAP_API_KEY=" + h.apiKey,
		"SUITESIGN_WECOM_BASE_URL=" + h.simURL,
		"SUITESIGN_WECOM_INSTALL_URL=" + h.simURL + "/3rdapp/install",
		"SUITESIGN_PUBLIC_URL=" + local(h.public),
		fmt.Sprintf("SUITESIGN_PUBLIC_ADDR=127.0.0.1:%d", h.public),
		fmt.Sprintf("SUITESIGN_ADMIN_ADDR=127.0.0.1:%d", h.admin),
		"SUITESIGN_DRAIN_ACCEPT=1ms",
		"SUITESIGN_DRAIN_FINISH=2s",
	}, more...)
}

// serve starts the service and waits until it is ready.
func (h *house) serve(ctx context.Context, environ ...string) (*process, error) {
	return h.serveAs(ctx, "suitesign", environ...)
}

func (h *house) serveAs(ctx context.Context, name string, environ ...string) (*process, error) {
	p, err := h.start(name, local(h.public), h.environ(environ...), h.file("suitesign"), "serve")
	if err != nil {
		return nil, err
	}
	err = p.wait(ctx, 30*time.Second, func() error {
		return h.call(ctx, http.MethodGet, local(h.admin)+"/readyz", nil, nil)
	})
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// bare starts the bare server with a body of the size of a signature.
func (h *house) bare(ctx context.Context, body string) (*process, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	p, err := h.start("bare", local(port), nil, h.file("bare"), "-addr", fmt.Sprintf("127.0.0.1:%d", port), "-body", body)
	if err != nil {
		return nil, err
	}
	if err := p.wait(ctx, 10*time.Second, func() error { return h.call(ctx, http.MethodGet, p.origin, nil, nil) }); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}
