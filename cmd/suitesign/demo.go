package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/caarlos0/env/v11"
	"golang.org/x/sync/errgroup"

	"suitesign/migrations"
	"suitesign/migrations/pglocal"
	"suitesign/secret"
	"suitesign/web/demo"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// What the demo consists of. The host ends in .localhost, which browsers resolve
// to this machine.
const (
	demoSuite = wecom.SuiteID("ww5ui7e51gndem0000")
	demoCorp  = wecom.CorpID("ww1demo0corp000000")
	demoAgent = wecom.AgentID(1000002)
	demoHost  = "h5.demo.localhost"
)

// demoSettings is what `serve` needs to know when it is part of a demo.
type demoSettings struct {
	page demo.Options
}

type demoCmd struct {
	PublicPort int    `help:"Port of the public listener." default:"8080"`
	AdminPort  int    `help:"Port of the admin listener." default:"8081"`
	SimPort    int    `help:"Port of the simulator." default:"8090"`
	Dir        string `help:"Where the demo keeps its data." default:".suitesign" type:"path"`
}

// demoRun is one running demo.
type demoRun struct {
	demoCmd
	log    *slog.Logger
	keys   demoKeys
	sim    *wecomtest.Server
	admin  adminClient
	public string
	simURL string
}

// Run starts everything, installs the demo corp through the real callbacks, tells
// where everything is, and waits for Ctrl-C. Nothing of it listens beyond loopback.
func (d demoCmd) Run(ctx context.Context) error {
	// What can be told at once is told before anything is started or written.
	if err := d.checkPorts(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(d.Dir, 0o755); err != nil { //nolint:gosec // the database's own user passes through
		return fmt.Errorf("the demo keeps its data in %s: %w", d.Dir, err)
	}
	unlock, err := lockDemo(filepath.Join(d.Dir, "demo.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	logFile, err := os.OpenFile(filepath.Join(d.Dir, "demo.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("the demo keeps its log in %s: %w", d.Dir, err)
	}
	defer logFile.Close()
	log := slog.New(slog.NewJSONHandler(logFile, nil))
	slog.SetDefault(log)

	run := demoRun{demoCmd: d, log: log, public: localURL(d.PublicPort), simURL: localURL(d.SimPort)}
	if run.keys, err = loadDemoKeys(filepath.Join(d.Dir, "demo-keys.json")); err != nil {
		return err
	}
	run.admin = adminClient{url: localURL(d.AdminPort), key: run.keys.APIKey}
	databaseURL, stop, err := run.database(ctx)
	if err != nil {
		return err
	}
	defer stop()
	err = run.everything(ctx, databaseURL)
	if errors.Is(err, secret.ErrWrongMasterKey) {
		return fmt.Errorf("%w: %s is not that of this data: %s (and empty the database, if SUITESIGN_DATABASE_URL names one)", err, filepath.Join(d.Dir, "demo-keys.json"), afresh(d.Dir))
	}
	return err
}

// everything runs the simulator and the service until the context ends.
func (d *demoRun) everything(ctx context.Context, databaseURL string) error {
	simListener, err := listenLocal(ctx, d.SimPort, "SIM_PORT")
	if err != nil {
		return err
	}
	d.sim, err = wecomtest.NewServer(wecomtest.Config{StateFile: filepath.Join(d.Dir, "sim.json"), Log: d.log})
	if err != nil {
		return errors.Join(fmt.Errorf("the simulator: %w", err), simListener.Close())
	}
	config := d.config(databaseURL)

	group, running := errgroup.WithContext(ctx)
	simServer := &http.Server{Handler: d.sim, ReadHeaderTimeout: 5 * time.Second}
	group.Go(func() error {
		if err := simServer.Serve(simListener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("the simulator: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		// The service goes first: it may still have calls to the simulator in flight.
		err := serve(running, config, d.log)
		return errors.Join(err, d.sim.Close(), simServer.Close())
	})
	group.Go(func() error {
		if err := d.story(running); running.Err() == nil { // else it was Ctrl-C, or the service says why it ended
			return err
		}
		return nil
	})
	return group.Wait()
}

// config is the configuration of the service inside the demo.
func (d *demoRun) config(databaseURL string) Config {
	c := defaultConfig()
	c.DatabaseURL = secret.New(databaseURL)
	c.PublicAddr = net.JoinHostPort("127.0.0.1", strconv.Itoa(d.PublicPort))
	c.AdminAddr = net.JoinHostPort("127.0.0.1", strconv.Itoa(d.AdminPort))
	c.PublicURL = d.public
	c.MasterKey = secret.New(d.keys.MasterKey)
	c.BootstrapAPIKey = secret.New(d.keys.APIKey)
	c.WeCom.BaseURL = d.simURL
	c.WeCom.InstallURL = d.simURL + "/3rdapp/install"
	c.DemoPage, c.DebugPage = true, true
	c.Demo = &demoSettings{page: demo.Options{SuiteID: string(demoSuite), CorpID: string(demoCorp), AgentID: int64(demoAgent), SimURL: d.simURL}}
	c.Drain = DrainConfig{Accept: time.Millisecond, Finish: 2 * time.Second} // nobody balances a demo, and Ctrl-C should be quick
	return c
}

// database answers with a migrated database: the one that SUITESIGN_DATABASE_URL
// names, or one of a private server.
func (d *demoRun) database(ctx context.Context) (url string, stop func(), err error) {
	var found faults
	if url = secretText(env.ToMap(os.Environ()), envPrefix+"DATABASE_URL", &found); len(found) > 0 {
		return "", nil, found
	}
	stop = func() {}
	if url == "" {
		server, err := d.privateServer(ctx)
		if err != nil {
			return "", nil, err
		}
		stop = func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second) // stopping happens after Ctrl-C
			defer cancel()
			if err := server.Stop(ctx); err != nil {
				fmt.Fprintln(os.Stderr, "suitesign: PostgreSQL did not stop:", err)
			}
		}
		if err := server.EnsureDatabase(ctx, "suitesign"); err != nil {
			stop()
			return "", nil, err
		}
		url = server.URL("suitesign")
	}
	err = claimForDemo(ctx, url)
	if err == nil {
		err = migrations.Up(ctx, url)
	}
	if err != nil {
		stop()
		return "", nil, err
	}
	return url, stop, nil
}

// privateServer starts PostgreSQL from the binaries of this machine, after
// installing them where that can be done.
func (d *demoRun) privateServer(ctx context.Context) (*pglocal.Server, error) {
	if _, err := pglocal.Find(ctx); errors.Is(err, pglocal.ErrNoPostgres) {
		if err := d.installPostgres(ctx); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	return pglocal.Start(ctx, pglocal.Config{Dir: filepath.Join(d.Dir, "pg"), Durable: true, Log: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))})
}

func localURL(port int) string { return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// pageURL is the demo page's: the one address that is not 127.0.0.1, because a
// trusted domain is a name.
func (d *demoRun) pageURL() string { return "http://" + d.trustedDomain() + "/demo/" }

func (d *demoRun) trustedDomain() string {
	return net.JoinHostPort(demoHost, strconv.Itoa(d.PublicPort))
}

func listenLocal(ctx context.Context, port int, variable string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("port %d is taken or not allowed (%w): stop what uses it, or move it with `make run %s=…`", port, err, variable)
	}
	return ln, nil
}

// checkPorts tells of ports that are none, are taken, or are meant for two.
func (d demoCmd) checkPorts(ctx context.Context) error {
	var faults []error
	used := map[int]string{}
	for _, p := range []struct {
		port     int
		variable string
	}{{d.PublicPort, "PUBLIC_PORT"}, {d.AdminPort, "ADMIN_PORT"}, {d.SimPort, "SIM_PORT"}} {
		switch other, twice := used[p.port]; {
		case p.port < 1 || p.port > 65535:
			faults = append(faults, fmt.Errorf("%s is %d: a port is a number from 1 to 65535", p.variable, p.port))
		case twice:
			faults = append(faults, fmt.Errorf("%s and %s are both %d: each needs a port of its own", other, p.variable, p.port))
		default:
			used[p.port] = p.variable
			ln, err := listenLocal(ctx, p.port, p.variable)
			if err == nil {
				err = ln.Close()
			}
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// demoFile is .suitesign/demo.json, for scripts.
type demoFile struct {
	PublicURL     string `json:"public_url"`
	AdminURL      string `json:"admin_url"`
	SimURL        string `json:"sim_url"`
	APIKey        string `json:"api_key"`
	SuiteID       string `json:"suite_id"`
	CorpID        string `json:"corp_id"`
	AgentID       int64  `json:"agent_id"`
	TrustedDomain string `json:"trusted_domain"`
	PageURL       string `json:"page_url"`
}

func (d *demoRun) writeDemoFile(agentID int64) error {
	data, err := json.MarshalIndent(demoFile{
		PublicURL: d.public, AdminURL: d.admin.url, SimURL: d.simURL, APIKey: d.keys.APIKey,
		SuiteID: string(demoSuite), CorpID: string(demoCorp), AgentID: agentID,
		TrustedDomain: d.trustedDomain(), PageURL: d.pageURL(),
	}, "", "  ")
	if err != nil {
		return err
	}
	return writeAtomically(filepath.Join(d.Dir, "demo.json"), append(data, '\n'))
}
