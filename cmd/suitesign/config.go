package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"suitesign/secret"
)

// envPrefix begins the name of every environment variable that configures suitesign.
const envPrefix = "SUITESIGN_"

// Config is the whole configuration of `serve`. A key is written in the file as
// nested YAML (signing: {max_stale: 15m}) and in the environment in capitals with
// underscores (SUITESIGN_SIGNING_MAX_STALE). The environment comes before the file,
// the file before the defaults. Secrets can also be named by a file: the same
// variable with _FILE behind it.
type Config struct {
	DatabaseURL     secret.String `yaml:"database_url" env:"DATABASE_URL"`
	DatabaseConns   int           `yaml:"database_conns" env:"DATABASE_CONNS"`
	PublicAddr      string        `yaml:"public_addr" env:"PUBLIC_ADDR"`
	AdminAddr       string        `yaml:"admin_addr" env:"ADMIN_ADDR"`
	PublicURL       string        `yaml:"public_url" env:"PUBLIC_URL"`
	MasterKey       secret.String `yaml:"master_key" env:"MASTER_KEY"`
	BootstrapAPIKey secret.String `yaml:"bootstrap_api_key" env:"BOOTSTRAP_API_KEY"`
	TrustedProxies  []string      `yaml:"trusted_proxies" env:"TRUSTED_PROXIES"`
	LogLevel        string        `yaml:"log_level" env:"LOG_LEVEL"`
	LogFormat       string        `yaml:"log_format" env:"LOG_FORMAT"`
	// HTTP opens the public listener; the admin listener is always open, for health and metrics.
	HTTP     bool `yaml:"http" env:"HTTP"`
	Worker   bool `yaml:"worker" env:"WORKER"`
	DemoPage bool `yaml:"demo_page" env:"DEMO_PAGE"`
	// DebugPage is the debugger at /demo/debug, and the question it asks.
	DebugPage bool `yaml:"debug_page" env:"DEBUG_PAGE"`
	// PageReports takes what pages report of failed registrations.
	PageReports bool `yaml:"page_reports" env:"PAGE_REPORTS"`
	Pprof       bool `yaml:"pprof" env:"PPROF"`

	WeCom   WeComConfig   `yaml:"wecom" envPrefix:"WECOM_"`
	Signing SigningConfig `yaml:"signing" envPrefix:"SIGNING_"`
	Limits  LimitsConfig  `yaml:"limits" envPrefix:"LIMITS_"`
	Refresh RefreshConfig `yaml:"refresh" envPrefix:"REFRESH_"`
	Imports ImportsConfig `yaml:"imports" envPrefix:"IMPORTS_"`
	Drain   DrainConfig   `yaml:"drain" envPrefix:"DRAIN_"`
	Audit   AuditConfig   `yaml:"audit" envPrefix:"AUDIT_"`

	Outbound OutboundConfig `yaml:"outbound" envPrefix:"OUTBOUND_"`

	// Demo is set by the command demo only: it allows *.localhost as a trusted domain.
	Demo *demoSettings `yaml:"-"`
}

// WeComConfig says where the platform is.
type WeComConfig struct {
	BaseURL    string `yaml:"base_url" env:"BASE_URL"`
	InstallURL string `yaml:"install_url" env:"INSTALL_URL"`
}

// SigningConfig is about signatures from memory.
type SigningConfig struct {
	// MaxStale is how long a replica that cannot reach the database signs from memory.
	MaxStale time.Duration `yaml:"max_stale" env:"MAX_STALE"`
	// Tenants is the most tenants held in memory.
	Tenants int `yaml:"tenants" env:"TENANTS"`
}

// LimitsConfig are the rates of the public listener, and of each key of the admin API. 0 switches a limit off.
type LimitsConfig struct {
	PerIP       int `yaml:"per_ip" env:"PER_IP"`
	PerIPBurst  int `yaml:"per_ip_burst" env:"PER_IP_BURST"`
	PerTenant   int `yaml:"per_tenant" env:"PER_TENANT"`
	InstallPerM int `yaml:"installs_per_minute" env:"INSTALLS_PER_MINUTE"`
	ReportPerM  int `yaml:"reports_per_minute" env:"REPORTS_PER_MINUTE"`
	PerKey      int `yaml:"per_key" env:"PER_KEY"`
	PerKeyBurst int `yaml:"per_key_burst" env:"PER_KEY_BURST"`
}

// RefreshConfig is about the credentials that the worker keeps fresh.
type RefreshConfig struct {
	// Concurrency is how many tenants one replica refreshes at the same time.
	Concurrency int `yaml:"concurrency" env:"CONCURRENCY"`
	// What WeCom allows, kept over all replicas; 0 switches a limit off.
	PerApp    int `yaml:"per_app_hour" env:"PER_APP_HOUR"`
	PerCorp   int `yaml:"per_corp_hour" env:"PER_CORP_HOUR"`
	PerMinute int `yaml:"per_minute" env:"PER_MINUTE"`
	PerHour   int `yaml:"per_hour" env:"PER_HOUR"`
	// Share is how much of PerMinute and PerHour is used; the rest is for what else calls from our address.
	Share float64 `yaml:"share" env:"SHARE"`
	// Egress names the address that calls leave by. Replicas that share an address share its budget.
	Egress string `yaml:"egress" env:"EGRESS"`
	// IdleAfter is how long no page must have asked for a tenant until it is
	// refreshed on the next request only. 0 switches that off.
	IdleAfter time.Duration `yaml:"idle_after" env:"IDLE_AFTER"`
}

// OutboundConfig is about calls to addresses that admins and corps choose.
type OutboundConfig struct {
	// Allow are networks that may be called although they are not public, in plain
	// http and on any port, too.
	Allow []string `yaml:"allow" env:"ALLOW"`
}

// ImportsConfig is about files of tenants.
type ImportsConfig struct {
	// MaxMiB is how large a file may be.
	MaxMiB int `yaml:"max_mib" env:"MAX_MIB"`
}

// DrainConfig is the timing of an ordered stop.
type DrainConfig struct {
	// Accept is how long new connections are still served after SIGTERM.
	Accept time.Duration `yaml:"accept" env:"ACCEPT"`
	// Finish is how long requests in flight may take after that.
	Finish time.Duration `yaml:"finish" env:"FINISH"`
}

// AuditConfig is about the audit log.
type AuditConfig struct {
	// Retention is how long an entry is kept. 0: for ever.
	Retention time.Duration `yaml:"retention" env:"RETENTION"`
}

func defaultConfig() Config {
	return Config{
		DatabaseConns: 16,
		PublicAddr:    ":8080",
		AdminAddr:     "127.0.0.1:8081",
		LogLevel:      "info",
		LogFormat:     "json",
		HTTP:          true,
		Worker:        true,
		PageReports:   true,
		WeCom: WeComConfig{
			BaseURL:    "https://qyapi.weixin.qq.com",
			InstallURL: "https://open.work.weixin.qq.com/3rdapp/install",
		},
		Signing: SigningConfig{MaxStale: 15 * time.Minute, Tenants: 200_000},
		Limits:  LimitsConfig{PerIP: 100, PerIPBurst: 500, PerTenant: 1000, InstallPerM: 10, ReportPerM: 60, PerKey: 200, PerKeyBurst: 1000},
		Refresh: RefreshConfig{Concurrency: 128, PerApp: 100, PerCorp: 400, PerMinute: 40_000, PerHour: 1_200_000, Share: 0.5, Egress: "default", IdleAfter: 72 * time.Hour},
		Imports: ImportsConfig{MaxMiB: 64},
		Drain:   DrainConfig{Accept: 5 * time.Second, Finish: 10 * time.Second},
		Audit:   AuditConfig{Retention: 400 * 24 * time.Hour},
	}
}

// faults is every fault of a configuration, told at once.
type faults []string

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// missing tells of a value that has to be there, unless a fault of its own says why it is not.
func (f *faults) missing(variable, how string) {
	if !slices.ContainsFunc(*f, func(fault string) bool { return strings.Contains(fault, variable) }) {
		f.add("%s is not set: %s", variable, how)
	}
}

func (f faults) Error() string {
	return fmt.Sprintf("the configuration has %d fault(s):\n  - %s", len(f), strings.Join(f, "\n  - "))
}

// loadConfig reads defaults, then the file (where one is named), then the
// environment, and answers with all faults of all of them.
func loadConfig(path string, environ []string) (Config, error) {
	c := defaultConfig()
	var found faults
	readFile(path, &c, &found)
	readEnv(environ, &c, &found)
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	c.check(&found)
	if len(found) > 0 {
		return c, found
	}
	return c, nil
}
