package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/secret"
	"suitesign/web/apikey"
	"suitesign/wecom"
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
	Pprof    bool `yaml:"pprof" env:"PPROF"`

	WeCom   WeComConfig   `yaml:"wecom" envPrefix:"WECOM_"`
	Signing SigningConfig `yaml:"signing" envPrefix:"SIGNING_"`
	Limits  LimitsConfig  `yaml:"limits" envPrefix:"LIMITS_"`
	Refresh RefreshConfig `yaml:"refresh" envPrefix:"REFRESH_"`
	Drain   DrainConfig   `yaml:"drain" envPrefix:"DRAIN_"`

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

// LimitsConfig are the rates of the public listener. 0 switches a limit off.
type LimitsConfig struct {
	PerIP       int `yaml:"per_ip" env:"PER_IP"`
	PerIPBurst  int `yaml:"per_ip_burst" env:"PER_IP_BURST"`
	PerTenant   int `yaml:"per_tenant" env:"PER_TENANT"`
	InstallPerM int `yaml:"installs_per_minute" env:"INSTALLS_PER_MINUTE"`
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
}

// DrainConfig is the timing of an ordered stop.
type DrainConfig struct {
	// Accept is how long new connections are still served after SIGTERM.
	Accept time.Duration `yaml:"accept" env:"ACCEPT"`
	// Finish is how long requests in flight may take after that.
	Finish time.Duration `yaml:"finish" env:"FINISH"`
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
		WeCom: WeComConfig{
			BaseURL:    "https://qyapi.weixin.qq.com",
			InstallURL: "https://open.work.weixin.qq.com/3rdapp/install",
		},
		Signing: SigningConfig{MaxStale: 15 * time.Minute, Tenants: 200_000},
		Limits:  LimitsConfig{PerIP: 100, PerIPBurst: 500, PerTenant: 1000, InstallPerM: 10},
		Refresh: RefreshConfig{Concurrency: 128, PerApp: 100, PerCorp: 400, PerMinute: 40_000, PerHour: 1_200_000},
		Drain:   DrainConfig{Accept: 5 * time.Second, Finish: 10 * time.Second},
	}
}

// faults is every fault of a configuration, told at once.
type faults []string

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

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
	c.check(&found)
	if len(found) > 0 {
		return c, found
	}
	return c, nil
}

func readFile(path string, c *Config, found *faults) {
	if path == "" {
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		found.add("%s cannot be read: %s", path, reason(err))
		return
	}
	if err := yaml.UnmarshalWithOptions(data, c, yaml.Strict(), yaml.DisallowUnknownField()); err != nil {
		// The plain form: the pretty one quotes the lines around the fault, and a secret may stand there.
		found.add("%s: %s", path, yaml.FormatError(err, false, false))
	}
}

func readEnv(environ []string, c *Config, found *faults) {
	vars := env.ToMap(environ)
	for _, name := range secretVariables() {
		file, named := vars[name+"_FILE"]
		if !named || file == "" {
			continue
		}
		if vars[name] != "" {
			found.add("%s and %s_FILE are both set; set one of them", name, name)
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			found.add("%s_FILE names %s, which cannot be read: %s", name, file, reason(err))
			continue
		}
		vars[name] = strings.TrimRight(string(data), "\r\n")
	}
	// An empty variable means the same as none.
	for name, value := range vars {
		if value == "" {
			delete(vars, name)
		}
	}
	err := env.ParseWithOptions(c, env.Options{Environment: vars, Prefix: envPrefix, FuncMap: map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[secret.String](): func(v string) (any, error) { return secret.New(v), nil },
	}})
	var all env.AggregateError
	switch {
	case errors.As(err, &all):
		for _, e := range all.Errors {
			var parse env.ParseError
			if errors.As(e, &parse) {
				found.add("the environment variable for %s does not hold a %s", parse.Name, parse.Type)
				continue
			}
			found.add("the environment: %s", e)
		}
	case err != nil:
		found.add("the environment: %s", err)
	}
}

// unknownVariables are SUITESIGN_ variables that mean nothing, most often a slip of
// the pen. They are told, not refused: an older binary must start with a newer
// release's environment.
func unknownVariables(environ []string) []string {
	known := map[string]bool{envPrefix + "CONFIG": true}
	for _, name := range variables(reflect.TypeFor[Config](), envPrefix) {
		known[name] = true
	}
	for _, name := range secretVariables() {
		known[name+"_FILE"] = true
	}
	var unknown []string
	for name := range env.ToMap(environ) {
		if strings.HasPrefix(name, envPrefix) && !strings.HasPrefix(name, envPrefix+"TEST_") && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// variables lists the environment variables of a configuration struct.
func variables(t reflect.Type, prefix string) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if name := f.Tag.Get("env"); name != "" {
			names = append(names, prefix+name)
		} else if p := f.Tag.Get("envPrefix"); p != "" {
			names = append(names, variables(f.Type, prefix+p)...)
		}
	}
	return names
}

// secretVariables are those that can be given as a file.
func secretVariables() []string {
	var names []string
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		if f := t.Field(i); f.Type == reflect.TypeFor[secret.String]() {
			names = append(names, envPrefix+f.Tag.Get("env"))
		}
	}
	return names
}

// check adds what no single value can say of itself.
func (c *Config) check(found *faults) {
	if c.DatabaseURL.IsZero() {
		found.add("SUITESIGN_DATABASE_URL is not set: name the PostgreSQL database, like postgres://user:password@host:5432/suitesign")
	} else if _, err := pgxpool.ParseConfig(c.DatabaseURL.Reveal()); err != nil {
		// The driver's own text may quote the URL, and the URL holds a password.
		found.add("SUITESIGN_DATABASE_URL is not a PostgreSQL connection string, like postgres://user:password@host:5432/suitesign")
	}
	if c.MasterKey.IsZero() {
		found.add("SUITESIGN_MASTER_KEY is not set: make one with `openssl rand -base64 32` and keep it; without it no stored secret can be read again")
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
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		found.add("SUITESIGN_LOG_LEVEL is %q: use debug, info, warn or error", c.LogLevel)
	}
	if !slices.Contains([]string{"json", "text"}, c.LogFormat) {
		found.add("SUITESIGN_LOG_FORMAT is %q: use json or text", c.LogFormat)
	}
	c.checkNumbers(found)
}

func (c *Config) checkNumbers(found *faults) {
	atLeast := func(name string, v, least int) {
		if v < least {
			found.add("%s is %d: use %d or more", envPrefix+name, v, least)
		}
	}
	atLeast("DATABASE_CONNS", c.DatabaseConns, 4)
	atLeast("SIGNING_TENANTS", c.Signing.Tenants, 1)
	atLeast("REFRESH_CONCURRENCY", c.Refresh.Concurrency, 1)
	for name, v := range map[string]int{
		"LIMITS_PER_IP": c.Limits.PerIP, "LIMITS_PER_IP_BURST": c.Limits.PerIPBurst, "LIMITS_PER_TENANT": c.Limits.PerTenant,
		"LIMITS_INSTALLS_PER_MINUTE": c.Limits.InstallPerM, "REFRESH_PER_APP_HOUR": c.Refresh.PerApp,
		"REFRESH_PER_CORP_HOUR": c.Refresh.PerCorp, "REFRESH_PER_MINUTE": c.Refresh.PerMinute, "REFRESH_PER_HOUR": c.Refresh.PerHour,
	} {
		atLeast(name, v, 0)
	}
	if err := c.Refresh.limits().Validate(); err != nil {
		found.add("SUITESIGN_REFRESH_…: %s", err)
	}
	for name, v := range map[string]time.Duration{
		"SIGNING_MAX_STALE": c.Signing.MaxStale, "DRAIN_ACCEPT": c.Drain.Accept, "DRAIN_FINISH": c.Drain.Finish,
	} {
		if v < 0 || v > 24*time.Hour {
			found.add("%s is %s: use a duration between 0s and 24h", envPrefix+name, v)
		}
	}
}

func checkAddr(found *faults, name, addr string) {
	if _, port, err := net.SplitHostPort(addr); err != nil {
		found.add("%s is %q: use host:port, like 127.0.0.1:8081, or :port", name, addr)
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		found.add("%s is %q: %q is not a port", name, addr, port)
	}
}

func checkPublicURL(found *faults, raw string) {
	if raw == "" {
		return // callbacks and install links then follow the request's Host; the admin API says so
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		found.add("SUITESIGN_PUBLIC_URL is not a plain origin: use the form https://suitesign.example.com")
	}
}

// reason is a file error without the path, which the caller has named.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}
