package main

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/audit"
	"suitesign/netguard"
	"suitesign/secret"
	"suitesign/web/apikey"
	"suitesign/wecom"
)

// egressName is what stands in the budgets for an address.
var egressName = regexp.MustCompile(`^[A-Za-z0-9.:_-]{1,64}$`)

// check adds what no single value can say of itself.
func (c *Config) check(found *faults) {
	if c.DatabaseURL.IsZero() {
		found.missing("SUITESIGN_DATABASE_URL", "name the PostgreSQL database, like postgres://user:password@host:5432/suitesign")
	} else if _, err := pgxpool.ParseConfig(c.DatabaseURL.Reveal()); err != nil {
		found.add("%s", errDatabaseURL)
	}
	if c.MasterKey.IsZero() {
		found.missing("SUITESIGN_MASTER_KEY", "make one with `openssl rand -base64 32` and keep it; without it no stored secret can be read again")
	} else if _, err := secret.ParseMasterKey(c.MasterKey); err != nil {
		found.add("SUITESIGN_MASTER_KEY is not 32 bytes in standard base64: make one with `openssl rand -base64 32`")
	}
	if err := apikey.CheckBootstrap(c.BootstrapAPIKey); err != nil {
		found.add("SUITESIGN_BOOTSTRAP_API_KEY has fewer than %d characters: make one with `openssl rand -hex 32`", apikey.MinBootstrap)
	}
	if !c.HTTP && !c.Worker {
		found.add("SUITESIGN_HTTP and SUITESIGN_WORKER are both off: nothing would run; switch one on")
	}
	checkAddr(found, "SUITESIGN_PUBLIC_ADDR", c.PublicAddr)
	checkAddr(found, "SUITESIGN_ADMIN_ADDR", c.AdminAddr)
	checkPublicURL(found, c.PublicURL)
	if err := wecom.CheckBaseURL(c.WeCom.BaseURL); err != nil {
		found.add("SUITESIGN_WECOM_BASE_URL: %s", err)
	}
	if err := wecom.CheckBaseURL(c.WeCom.InstallURL); err != nil {
		found.add("SUITESIGN_WECOM_INSTALL_URL: %s", err)
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			found.add("SUITESIGN_TRUSTED_PROXIES: %q is not a network like 10.0.0.0/8 or 192.0.2.7/32", p)
		}
	}
	for _, n := range c.Outbound.Allow {
		if _, err := netguard.ParsePrefixes([]string{n}); err != nil {
			found.add("SUITESIGN_OUTBOUND_ALLOW: %s", err)
		}
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		found.add("SUITESIGN_LOG_LEVEL is %q: use debug, info, warn or error", c.LogLevel)
	}
	if !slices.Contains([]string{"json", "text"}, c.LogFormat) {
		found.add("SUITESIGN_LOG_FORMAT is %q: use json or text", c.LogFormat)
	}
	c.checkNumbers(found)
}

const longestRetention = 100 * 365 * 24 * time.Hour

func (c *Config) checkNumbers(found *faults) {
	for _, n := range []struct {
		name     string
		v, least int
	}{
		{"DATABASE_CONNS", c.DatabaseConns, 4},
		{"SIGNING_TENANTS", c.Signing.Tenants, 1},
		{"LIMITS_PER_IP", c.Limits.PerIP, 0},
		{"LIMITS_PER_IP_BURST", c.Limits.PerIPBurst, 0},
		{"LIMITS_PER_TENANT", c.Limits.PerTenant, 0},
		{"LIMITS_INSTALLS_PER_MINUTE", c.Limits.InstallPerM, 0},
		{"LIMITS_REPORTS_PER_MINUTE", c.Limits.ReportPerM, 0},
		{"LIMITS_PER_KEY", c.Limits.PerKey, 0},
		{"LIMITS_PER_KEY_BURST", c.Limits.PerKeyBurst, 0},
		{"REFRESH_CONCURRENCY", c.Refresh.Concurrency, 1},
		{"REFRESH_PER_APP_HOUR", c.Refresh.PerApp, 0},
		{"REFRESH_PER_CORP_HOUR", c.Refresh.PerCorp, 0},
		{"IMPORTS_MAX_MIB", c.Imports.MaxMiB, 1},
		{"REFRESH_PER_MINUTE", c.Refresh.PerMinute, 0},
		{"REFRESH_PER_HOUR", c.Refresh.PerHour, 0},
	} {
		if most := 1 << 30; n.v < n.least || n.v > most {
			found.add("%s%s is %d: use a number from %d to %d", envPrefix, n.name, n.v, n.least, most)
		}
	}
	if c.Refresh.PerApp == 1 || c.Refresh.PerCorp == 1 {
		found.add("SUITESIGN_REFRESH_PER_APP_HOUR and SUITESIGN_REFRESH_PER_CORP_HOUR cannot be 1: a refresh fetches two tickets; use 0 (off), 2 or more")
	}
	if s := c.Refresh.Share; !(s > 0 && s <= 1) { // NaN is neither
		found.add("SUITESIGN_REFRESH_SHARE is %g: use a number above 0, at most 1", s)
	}
	if !egressName.MatchString(c.Refresh.Egress) {
		found.add("SUITESIGN_REFRESH_EGRESS is %q: name the address that calls leave by with 1 to 64 of A-Z a-z 0-9 . : _ -", c.Refresh.Egress)
	}
	if r := c.Audit.Retention; r != 0 && (r < audit.MinRetention || r > longestRetention) {
		found.add("%sAUDIT_RETENTION is %s: use a duration from %s (30 days) to %s (100 years), or 0 to keep the audit log for ever",
			envPrefix, r, audit.MinRetention, longestRetention)
	}
	for _, d := range []struct {
		name           string
		v, least, most time.Duration
	}{
		{"SIGNING_MAX_STALE", c.Signing.MaxStale, time.Second, 24 * time.Hour}, // the database is asked each second
		{"DRAIN_ACCEPT", c.Drain.Accept, 0, 24 * time.Hour},
		{"DRAIN_FINISH", c.Drain.Finish, 0, 24 * time.Hour},
		{"REFRESH_IDLE_AFTER", c.Refresh.IdleAfter, 0, 10 * 365 * 24 * time.Hour},
	} {
		if d.v < d.least || d.v > d.most {
			found.add("%s%s is %s: use a duration from %s to %s", envPrefix, d.name, d.v, d.least, d.most)
		}
	}
}

// warnings are what is no fault and yet hardly meant.
func warnings(c Config, environ []string) []string {
	var all []string
	for _, name := range unknownVariables(environ) {
		all = append(all, fmt.Sprintf("the environment variable %s means nothing to this version; is it misspelt?", name))
	}
	if c.HTTP && c.PublicURL == "" {
		all = append(all, "SUITESIGN_PUBLIC_URL is not set: nobody can install from our own page, and the admin API shows no callback URLs to paste")
	}
	return all
}

func checkAddr(found *faults, name, addr string) {
	if _, port, err := net.SplitHostPort(addr); err != nil {
		found.add("%s is %q: use host:port, like 127.0.0.1:8081, or :port", name, addr)
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		found.add("%s is %q: %q is not a port", name, addr, port)
	}
}

// checkPublicURL takes an origin, or nothing: the admin API then shows no URLs to
// paste, and the install page has no way back.
func checkPublicURL(found *faults, raw string) {
	if raw == "" {
		return
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.String() != u.Scheme+"://"+u.Host {
		found.add("SUITESIGN_PUBLIC_URL is not a plain origin: use the form https://suitesign.example.com")
	}
}
