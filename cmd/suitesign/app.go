package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/changes"
	"suitesign/migrations"
	"suitesign/secret"
	"suitesign/signing"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/web"
	"suitesign/web/apikey"
	"suitesign/web/demo"
	"suitesign/wecom"
)

// app is the wired service.
type app struct {
	config  Config
	log     *slog.Logger
	pools   dbPools
	metrics *web.Metrics
	health  *web.Health

	public, admin *switchable

	mu        sync.Mutex
	draining  bool
	work      *heartbeat // claims: stops when draining begins
	watch     *heartbeat // keeps memory true: stops last
	refresher *ticket.Refresher
	listening chan struct{} // closed when the LISTEN connection has ended
}

func newApp(config Config, log *slog.Logger, pools dbPools) *app {
	a := &app{config: config, log: log, pools: pools, metrics: web.NewMetrics(), public: &switchable{}, admin: &switchable{}}
	a.health = &web.Health{MaxStale: config.Signing.MaxStale}
	// Until everything is wired, only health and metrics are answered.
	early := &web.Server{Log: log, Metrics: a.metrics, Health: a.health}
	a.public.set(early.Starting("public"))
	a.admin.set(early.Starting("admin"))
	return a
}

// start wires the rooms once the database answers, and begins to beat.
func (a *app) start(ctx, background context.Context) error {
	ring, err := a.open(ctx)
	if err != nil {
		return err
	}
	h, err := a.wire(ring)
	if err != nil {
		return err
	}
	// Memory is empty, so the first poll has nothing to forget: it only begins the count.
	if err := h.listener.RunOnce(ctx); err != nil {
		a.log.WarnContext(ctx, "the first look at changes failed; it is tried again each second", "error", err)
	}
	a.health.LastContact = h.listener.LastContact
	a.health.Schema = func(ctx context.Context) error { return migrations.Check(ctx, a.pools.serving) }

	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining {
		return nil
	}
	a.refresher = h.refresher
	a.listening = make(chan struct{})
	go func() {
		defer close(a.listening)
		if err := h.listener.Run(background); err != nil && background.Err() == nil {
			a.log.Error("listening for changes ended; the poll goes on", "error", err)
		}
	}()
	a.watch = startHeartbeat(a.log, []job{
		{"changes", time.Second, h.listener.RunOnce},
		{"directory", time.Second, h.directory.RunOnce},
		{"prune changes", 10 * time.Minute, func(ctx context.Context) error {
			_, err := changes.Prune(ctx, a.pools.working)
			return err
		}},
	})
	if a.config.Worker {
		a.work = startHeartbeat(a.log, []job{
			{"suites", time.Second, func(ctx context.Context) error {
				_, err := h.worker.RunOnce(ctx)
				return err
			}},
			{"tickets", time.Second, func(ctx context.Context) error {
				_, err := h.refresher.RunOnce(ctx)
				return err
			}},
		})
	}
	a.public.set(h.server.Public())
	a.admin.set(h.server.Admin())
	a.health.Started()
	a.log.InfoContext(ctx, "ready", "version", version, "worker", a.config.Worker)
	return nil
}

// drain begins the end: /readyz turns 503 and nothing more is claimed.
func (a *app) drain() {
	a.health.Drain()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining {
		return
	}
	a.draining = true
	if a.work != nil {
		// What is under way gives its leases back within seconds, beside the requests.
		go a.work.Stop(0)
	}
}

// stop ends what drain left: nothing runs any more when it returns.
func (a *app) stop() {
	a.drain()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.work != nil {
		a.work.Wait()
	}
	if a.refresher != nil {
		a.refresher.Wait()
	}
	if a.watch != nil {
		a.watch.Stop(0)
	}
	if a.listening != nil {
		<-a.listening
	}
}

// house is every room, furnished.
type house struct {
	server    *web.Server
	listener  *changes.Listener
	directory *signing.Directory
	worker    *suite.Worker
	refresher *ticket.Refresher
}

// wire makes the rooms and tells them of each other, bottom up.
func (a *app) wire(ring *secret.Keyring) (*house, error) {
	c := a.config
	serving, working := a.pools.serving, a.pools.working
	platform := &wecom.Client{BaseURL: c.WeCom.BaseURL, Observe: a.metrics.ObserveCall}

	// Requests and the worker have stores over pools of their own.
	tenants, workTenants := &tenant.Store{Pool: serving}, &tenant.Store{Pool: working}
	suites := &suite.Store{Pool: serving, Ring: ring, Tenants: tenants}
	workSuites := &suite.Store{Pool: working, Ring: ring, Tenants: workTenants}
	tokens := &suite.Tokens{Store: workSuites, WeCom: platform}
	exchanger := &suite.Exchanger{Store: workSuites, WeCom: platform, Tokens: tokens, Log: a.log}

	refresher := &ticket.Refresher{
		Pool: working, Ring: ring, WeCom: platform, Suites: tokens, Authorizations: workSuites, Tenants: workTenants,
		Limits: c.Refresh.limits(), Slots: c.Refresh.Concurrency, Log: a.log,
		Metrics: ticket.Metrics{Tenant: a.metrics.ObserveRefreshes, Fetched: a.metrics.ObserveFetch, Late: a.metrics.ObserveLate},
	}
	directory := &signing.Directory{Pool: serving, Sealer: ring, MaxTenants: c.Signing.Tenants, MaxStale: c.Signing.MaxStale, Log: a.log}
	signer := &signing.Signer{Directory: directory, Demand: refresher.Demand, TenantRate: c.Limits.PerTenant}
	callbacks := &suite.Callbacks{Store: suites, Observe: func(door suite.Door, outcome string) { a.metrics.ObserveCallback(string(door), outcome) }}

	listener := &changes.Listener{Pool: serving, ConnConfig: serving.Config().ConnConfig, Log: a.log,
		Handle: func(ctx context.Context, list []changes.Change) {
			directory.Handle(ctx, list)
			callbacks.Handle(ctx, list)
			for _, change := range list {
				if change.Topic == changes.Keyring || change.Topic == changes.Everything {
					if err := ring.Reload(ctx); err != nil {
						a.log.ErrorContext(ctx, "the keyring was rotated and could not be read again; an unknown key reads it again", "error", err)
					}
					break
				}
			}
		}}
	directory.LastContact = listener.LastContact

	demoPage, err := a.demoPage()
	if err != nil {
		return nil, err
	}
	a.metrics.WatchSuites(suites)
	a.metrics.WatchDirectory(directory.Stats)
	a.metrics.WatchPool("serving", serving.Stat)
	a.metrics.WatchPool("working", working.Stat)
	a.health.Warnings = append(a.health.Warnings, web.WarnOfSuites(suites), a.warnWithoutStandby(serving))

	server := &web.Server{
		Signer:            signer,
		Callbacks:         callbacks,
		Installs:          &suite.Installs{Store: suites, WeCom: platform, Tokens: tokens, Exchanger: exchanger, PublicURL: c.PublicURL, InstallURL: c.WeCom.InstallURL, Log: a.log},
		VerificationFiles: tenants,
		API: &web.API{
			Gate:   &apikey.Gate{Store: &apikey.Store{Pool: serving}, Bootstrap: c.BootstrapAPIKey},
			Suites: suites, Tenants: tenants, Credentials: &ticket.Source{Pool: serving, Ring: ring}, Refresher: refresher,
			Demo: c.Demo != nil,
		},
		DemoPage: demoPage,
		Log:      a.log, Metrics: a.metrics, Health: a.health,
		Limits:         c.Limits.web(),
		PublicURL:      c.PublicURL,
		InstallURL:     c.WeCom.InstallURL,
		TrustedProxies: prefixes(c.TrustedProxies),
		Pprof:          c.Pprof,
	}
	return &house{
		server: server, listener: listener, directory: directory, refresher: refresher,
		worker: &suite.Worker{Store: workSuites, Exchanger: exchanger, Log: a.log},
	}, nil
}

// demoPage is the page at /demo/; nil where it is switched off.
func (a *app) demoPage() (http.Handler, error) {
	if !a.config.DemoPage {
		return nil, nil
	}
	options := demo.Options{}
	if d := a.config.Demo; d != nil {
		options = d.page
	}
	return demo.Handler(options)
}

// warnWithoutStandby says nothing in a demo: its database is meant to be alone.
func (a *app) warnWithoutStandby(pool *pgxpool.Pool) func(context.Context) []string {
	if a.config.Demo != nil {
		return func(context.Context) []string { return nil }
	}
	return web.WarnWithoutStandby(pool)
}

func (r RefreshConfig) limits() ticket.Limits {
	l := ticket.DefaultLimits()
	l.App, l.Corp, l.IPMinute, l.IPHour = r.PerApp, r.PerCorp, r.PerMinute, r.PerHour
	return l
}

func (l LimitsConfig) web() web.Limits {
	w := web.DefaultLimits()
	w.SignPerSecond, w.SignBurst, w.InstallPerMinute = float64(l.PerIP), l.PerIPBurst, float64(l.InstallPerM)
	return w
}

// prefixes of a checked configuration.
func prefixes(texts []string) []netip.Prefix {
	var out []netip.Prefix
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}
