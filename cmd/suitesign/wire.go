package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"suitesign/audit"
	"suitesign/changes"
	"suitesign/reach"
	"suitesign/secret"
	"suitesign/signing"
	"suitesign/signing/explain/known"
	"suitesign/signing/pagereport"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/web"
	"suitesign/web/apikey"
	"suitesign/web/demo"
	"suitesign/web/demo/debug"
	"suitesign/web/domaincheck"
	"suitesign/web/idempotency"
	"suitesign/web/imports"
	"suitesign/web/stats"
	"suitesign/web/webhook"
	"suitesign/wecom"
)

// house is every room, furnished.
type house struct {
	ring        *secret.Keyring
	server      *web.Server
	listener    *changes.Listener
	directory   *signing.Directory
	callbacks   *suite.Callbacks
	worker      *suite.Worker
	importer    *imports.Worker
	refresher   *ticket.Refresher
	reports     *pagereport.Desk
	idempotency *idempotency.Store
	gate        *apikey.Gate
	webhooks    *webhook.Store
	deliverer   *webhook.Deliverer
	meter       *stats.Meter
	roller      *stats.Roller
	stats       web.Stats
	log         *slog.Logger

	warnOfSuites   func(context.Context) []string
	warnOfWebhooks func(context.Context) []string
}

// wire makes the rooms and tells them of each other, bottom up.
func (a *app) wire(ring *secret.Keyring) (*house, error) {
	c := a.config
	serving, working := a.pools.serving, a.pools.working
	platform := &wecom.Client{BaseURL: c.WeCom.BaseURL, Observe: a.metrics.ObserveCall}

	// Requests and the worker have stores over pools of their own. Those of requests
	// narrow what a bound API key reaches.
	narrowed := reach.Narrow(serving)
	tenants, workTenants := &tenant.Store{Pool: narrowed}, &tenant.Store{Pool: working}
	suites := &suite.Store{Pool: narrowed, Ring: ring, Tenants: tenants}
	workSuites := &suite.Store{Pool: working, Ring: ring, Tenants: workTenants}
	tokens := &suite.Tokens{Store: workSuites, WeCom: platform}
	exchanger := &suite.Exchanger{Store: workSuites, WeCom: platform, Tokens: tokens, Log: a.log}

	refresher := &ticket.Refresher{
		Pool: working, Ring: ring, WeCom: platform, Suites: tokens, Authorizations: workSuites, Tenants: workTenants,
		Limits: c.Refresh.limits(), Egress: c.Refresh.Egress, IdleAfter: c.Refresh.IdleAfter, Slots: c.Refresh.Concurrency, Log: a.log,
		Metrics: ticket.Metrics{Tenant: a.metrics.ObserveRefreshes, Fetched: a.metrics.ObserveFetch, Late: a.metrics.ObserveLate},
	}
	exchanger.Charge = refresher.ChargeToken
	directory := &signing.Directory{Pool: serving, Sealer: ring, MaxTenants: c.Signing.Tenants, MaxStale: c.Signing.MaxStale, Log: a.log,
		Uses: refresher.Used, UseEvery: refresher.UseEvery()}
	signer := &signing.Signer{Directory: directory, Demand: refresher.Demand, TenantRate: c.Limits.PerTenant}
	callbacks := &suite.Callbacks{Store: suites, Observe: func(door suite.Door, outcome string) { a.metrics.ObserveCallback(string(door), outcome) }}

	workImports := &imports.Store{Pool: working, Ring: ring, Suites: workSuites, Tenants: workTenants, Demo: c.Demo != nil}

	h := &house{ring: ring, directory: directory, callbacks: callbacks, refresher: refresher, log: a.log,
		worker: &suite.Worker{Store: workSuites, Exchanger: exchanger, Log: a.log}, warnOfSuites: web.WarnOfSuites(suites),
		importer: &imports.Worker{Store: workImports, Log: a.log}}
	h.idempotency = &idempotency.Store{Pool: serving, Ring: ring}
	h.listener = &changes.Listener{Pool: serving, ConnConfig: listenConfig(serving), Handle: h.hear, LetGo: a.pools.trouble.pools.reset, Log: a.log}
	directory.LastContact = h.listener.LastContact

	demoPage, err := a.demoPage()
	if err != nil {
		return nil, err
	}
	reader := &known.Reader{Suites: suites, Tenants: tenants, Tickets: &ticket.Source{Pool: narrowed, Ring: ring}, Directory: directory}
	h.reports = &pagereport.Desk{Pool: narrowed, Known: reader, Tickets: refresher, Observe: a.metrics.ObservePageReport, Log: a.log}
	a.wireStats(h, refresher)
	if err := a.wireWebhooks(h, ring); err != nil {
		return nil, err
	}
	guard, err := c.Outbound.guard()
	if err != nil {
		return nil, err
	}
	domains := &domaincheck.Checker{Guard: guard, Tickets: &ticket.Source{Pool: narrowed, Ring: ring}, WeCom: platform}
	a.metrics.WatchSuites(suites)
	a.metrics.WatchDirectory(directory.Stats)
	a.metrics.WatchPool("serving", serving.Stat)
	a.metrics.WatchPool("working", working.Stat)
	h.gate = &apikey.Gate{Store: &apikey.Store{Pool: narrowed}, Bootstrap: c.BootstrapAPIKey}
	h.server = &web.Server{
		Signer:            signer,
		Callbacks:         callbacks,
		Installs:          &suite.Installs{Store: suites, WeCom: platform, Tokens: tokens, Exchanger: exchanger, PublicURL: c.PublicURL, InstallURL: c.WeCom.InstallURL, Log: a.log},
		VerificationFiles: tenants,
		API: &web.API{
			Gate:   h.gate,
			Suites: suites, Tenants: tenants, Credentials: &ticket.Source{Pool: narrowed, Ring: ring}, Refresher: refresher,
			Audit: &audit.Log{Pool: narrowed},
			Known: reader, Reports: h.reports, Domains: domains,
			Idempotency: h.idempotency,
			Webhooks:    h.webhooks, WebhookTests: &webhook.Deliverer{Store: h.webhooks, Log: a.log},
			Imports:   &imports.Store{Pool: serving, Ring: ring, Suites: suites, Tenants: tenants, Demo: c.Demo != nil},
			MaxImport: int64(c.Imports.MaxMiB) << 20,
			Demo:      c.Demo != nil,
			Stats:     h.stats,
		},
		DemoPage: demoPage,
		Log:      a.log, Metrics: a.metrics, Health: a.health,
		Limits:         c.Limits.web(),
		PublicURL:      c.PublicURL,
		InstallURL:     c.WeCom.InstallURL,
		TrustedProxies: prefixes(c.TrustedProxies),
		Pprof:          c.Pprof,
	}
	if c.DebugPage {
		if h.server.DebugPage, err = debug.Handler(); err != nil {
			return nil, err
		}
		h.server.PageExplainer = h.reports
	}
	if c.PageReports {
		h.server.PageReports = h.reports
	}
	return h, nil
}

// hear is told what another replica, or this one, has changed.
func (h *house) hear(ctx context.Context, list []changes.Change) {
	h.directory.Handle(ctx, list)
	h.callbacks.Handle(ctx, list)
	rotated := func(c changes.Change) bool { return c.Topic == changes.Keyring || c.Topic == changes.Everything }
	if !slices.ContainsFunc(list, rotated) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // nothing else is heard meanwhile
	defer cancel()
	if err := h.ring.Reload(ctx); err != nil {
		h.log.ErrorContext(ctx, "the keyring was rotated and could not be read again; an unknown key reads it again", "error", err)
	}
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

func (r RefreshConfig) limits() ticket.Limits {
	l := ticket.DefaultLimits()
	l.App, l.Corp, l.IPMinute, l.IPHour, l.Share = r.PerApp, r.PerCorp, r.PerMinute, r.PerHour, r.Share
	return l
}

func (l LimitsConfig) web() web.Limits {
	w := web.DefaultLimits()
	w.SignPerSecond, w.SignBurst, w.InstallPerMinute = float64(l.PerIP), l.PerIPBurst, float64(l.InstallPerM)
	w.ReportPerMinute = float64(l.ReportPerM)
	w.AdminPerSecond, w.AdminBurst = float64(l.PerKey), l.PerKeyBurst
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
