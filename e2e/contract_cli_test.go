package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the contract says of the commands and of the configuration (design.md 2.4),
// on the built binaries.

// masterKey makes one.
func masterKey() string { return base64.StdEncoding.EncodeToString(randomBytes(32)) }

// good is the least configuration that is without fault; no database is asked.
func good() []string {
	return []string{"SUITESIGN_DATABASE_URL=postgres://u:hush-database@127.0.0.1:1/db", "SUITESIGN_MASTER_KEY=" + masterKey()}
}

// command runs suitesign and wants an exit code and texts in what it says.
func command(t *testing.T, environ []string, code int, want string, args ...string) string {
	t.Helper()
	out, got := runCommand(t, environ, "suitesign", args...)
	if got != code || !strings.Contains(out, want) {
		t.Errorf("suitesign %s ended %d:\n%s\nwant %d and %q", strings.Join(args, " "), got, out, code, want)
	}
	return out
}

func textFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every command that is promised exists, says what it is for, and a slip of the
// pen ends 2 with a word about it.
func TestContractCommands(t *testing.T) {
	t.Parallel()
	help := command(t, nil, 0, "serve", "--help")
	for _, c := range []string{"serve", "demo", "migrate up", "migrate down", "migrate status", "keys init", "keys rotate", "keys reencrypt", "keys status",
		"apikey create", "apikey list", "apikey revoke", "config check", "config print", "healthcheck", "version"} {
		if !strings.Contains(help, "  "+c+" ") {
			t.Errorf("--help does not tell of %s:\n%s", c, help)
		}
		command(t, nil, 0, "Usage: suitesign "+c, append(strings.Fields(c), "--help")...)
	}
	command(t, nil, 0, "suitesign ", "version")
	command(t, nil, 2, "--help")
	command(t, nil, 2, "nonsense", "nonsense")
	command(t, nil, 2, "--bogus", "serve", "--bogus")
	command(t, nil, 2, "more", "version", "more")
	command(t, nil, 2, "<name>", "apikey", "create")
	command(t, nil, 2, "<id>", "apikey", "revoke", "no-uuid")

	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"healthcheck", "--help"}, {"version"}} {
		if out, code := runCommand(t, nil, "wecomsim", args...); code != 0 || !strings.Contains(out, "wecomsim") {
			t.Errorf("wecomsim %v ended %d:\n%s", args, code, out)
		}
	}
	for _, args := range [][]string{{}, {"nonsense"}, {"serve", "--bogus"}, {"serve", "--rotation", "often"}} {
		if out, code := runCommand(t, nil, "wecomsim", args...); code != 2 || !strings.Contains(out, "wecomsim: ") {
			t.Errorf("wecomsim %v ended %d:\n%s\nwant 2", args, code, out)
		}
	}
}

// `config check` ends 0 or 1 and tells every fault at once, of file and environment.
func TestContractConfigCheck(t *testing.T) {
	t.Parallel()
	command(t, good(), 0, "good", "config", "check")
	out := command(t, []string{"SUITESIGN_CONFIG=" + textFile(t, "c.yaml", "sigining: {max_stale: 1m}\nlimits: {per_ip: many}\nlog_level: loud\n"),
		"SUITESIGN_MASTER_KEY=too-short", "SUITESIGN_BOOTSTRAP_API_KEY=31-characters-are-not-enough---", "SUITESIGN_PUBLIC_ADDR=8080", "SUITESIGN_TRUSTED_PROXIES=10.0.0.0/8,nonsense",
		"SUITESIGN_PUBLIC_URL=sign.example.com", "SUITESIGN_WECOM_BASE_URL=http://192.0.2.1", "SUITESIGN_WECOM_INSTALL_URL=ftp://x", "SUITESIGN_WORKER=perhaps"}, 1, "the configuration has 12 fault(s)", "config", "check")
	for _, fault := range []string{"line 1: sigining is no setting", "line 2: limits.per_ip has to be a whole number", "SUITESIGN_LOG_LEVEL", "SUITESIGN_DATABASE_URL is not set", "SUITESIGN_MASTER_KEY is not 32 bytes",
		"SUITESIGN_BOOTSTRAP_API_KEY has fewer than 32", "SUITESIGN_PUBLIC_ADDR", "SUITESIGN_TRUSTED_PROXIES", "SUITESIGN_PUBLIC_URL", "SUITESIGN_WECOM_BASE_URL", "SUITESIGN_WECOM_INSTALL_URL", "SUITESIGN_WORKER has to be true or false"} {
		if !strings.Contains(out, fault) {
			t.Errorf("the faults do not tell %q:\n%s", fault, out)
		}
	}
	for _, secret := range []string{"too-short", "not-enough"} {
		if strings.Contains(out, secret) {
			t.Errorf("the faults tell a secret:\n%s", out)
		}
	}
	// serve stops on the same.
	command(t, []string{"SUITESIGN_MASTER_KEY=too-short"}, 1, "SUITESIGN_MASTER_KEY is not 32 bytes", "serve")
	command(t, append(good(), "SUITESIGN_MASTERKEY=x"), 0, "SUITESIGN_MASTERKEY means nothing", "config", "check")

	for _, tt := range []struct {
		name string
		more []string
		code int
	}{
		{"plain http on loopback by name", []string{"SUITESIGN_WECOM_BASE_URL=http://localhost:8090", "SUITESIGN_WECOM_INSTALL_URL=http://localhost:8090/3rdapp/install"}, 0},
		{"plain http on loopback by address", []string{"SUITESIGN_WECOM_BASE_URL=http://127.0.0.1:8090"}, 0},
		{"plain http on loopback, IPv6", []string{"SUITESIGN_WECOM_BASE_URL=http://[::1]:8090"}, 0},
		{"plain http elsewhere", []string{"SUITESIGN_WECOM_BASE_URL=http://qyapi.weixin.qq.com"}, 1},
		{"plain http to what looks like loopback", []string{"SUITESIGN_WECOM_BASE_URL=http://localhost.example.com"}, 1},
		{"plain http installs elsewhere", []string{"SUITESIGN_WECOM_INSTALL_URL=http://open.work.weixin.qq.com/3rdapp/install"}, 1},
		{"32 characters of any kind", []string{"SUITESIGN_BOOTSTRAP_API_KEY=!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~ x"}, 0},
		{"a network of IPv6", []string{"SUITESIGN_TRUSTED_PROXIES=fd00::/8, 10.0.0.0/8"}, 0},
		{"a public URL that ends in a slash", []string{"SUITESIGN_PUBLIC_URL=https://sign.example.com/"}, 0},
		{"a public URL with a path", []string{"SUITESIGN_PUBLIC_URL=https://sign.example.com/x"}, 1},
		{"limits switched off", []string{"SUITESIGN_LIMITS_PER_IP=0", "SUITESIGN_LIMITS_PER_TENANT=0"}, 0},
		{"limits below nothing", []string{"SUITESIGN_LIMITS_PER_IP=-1"}, 1},
		{"nothing switched on", []string{"SUITESIGN_HTTP=false", "SUITESIGN_WORKER=false"}, 1},
		{"warn", []string{"SUITESIGN_LOG_LEVEL=warn"}, 0},
	} {
		if out, code := runCommand(t, append(good(), tt.more...), "suitesign", "config", "check"); code != tt.code {
			t.Errorf("%s: config check ended %d, want %d:\n%s", tt.name, code, tt.code, out)
		}
	}
}

// Defaults, then the file, then the environment; secrets from files; and what is
// printed is what is in force, without its secrets.
func TestContractConfigOrder(t *testing.T) {
	t.Parallel()
	file := textFile(t, "c.yaml", "public_addr: ':1001'\nadmin_addr: ':1002'\nbootstrap_api_key: hush-from-the-file-0123456789abcdefgh\nsigning:\n  max_stale: 3m\nlog_level: warn\n")
	environ := []string{"SUITESIGN_ADMIN_ADDR=127.0.0.1:2002", "SUITESIGN_PUBLIC_ADDR=",
		"SUITESIGN_DATABASE_URL_FILE=" + textFile(t, "url", "postgres://u:hush-database@127.0.0.1:1/db\n"),
		"SUITESIGN_MASTER_KEY_FILE=" + textFile(t, "key", masterKey()+"\r\n")}
	out := command(t, environ, 0, "max_stale: 3m0s", "--config", file, "config", "print")
	for _, line := range []string{"public_addr: :1001", "admin_addr: 127.0.0.1:2002", "log_level: warn", "base_url: https://qyapi.weixin.qq.com", "install_url: https://open.work.weixin.qq.com/3rdapp/install",
		"per_ip: 100", "per_ip_burst: 500", "per_tenant: 1000"} {
		if !strings.Contains(out, line+"\n") {
			t.Errorf("config print does not say %q:\n%s", line, out)
		}
	}
	if strings.Contains(out, "hush") {
		t.Errorf("config print tells a secret:\n%s", out)
	}
	if set := regexp.MustCompile(`(database_url|master_key|bootstrap_api_key): .*REDACTED`).FindAllString(out, -1); len(set) != 3 {
		t.Errorf("config print does not tell that the three secrets are set:\n%s", out)
	}
	command(t, append(environ, "SUITESIGN_CONFIG="+file), 0, "log_level: warn", "config", "print")
	command(t, append(environ, "SUITESIGN_MASTER_KEY=x"), 1, "SUITESIGN_MASTER_KEY and SUITESIGN_MASTER_KEY_FILE are both set", "--config", file, "config", "check")
	command(t, good(), 0, `bootstrap_api_key: ""`, "config", "print")
	// What is printed is a configuration: read again it says the same, but for the secrets.
	plain := command(t, good(), 0, "", "config", "print")
	again := regexp.MustCompile(`(?m)^(database_url|master_key|bootstrap_api_key):.*\n`).ReplaceAllString(plain+"\n", "")
	if out := command(t, good(), 0, "", "--config", textFile(t, "again.yaml", again), "config", "print"); out != plain {
		t.Errorf("what config print says, read again, is:\n%s\nwant:\n%s", out, plain)
	}
}

// serve never migrates; a schema out of range ends it at once, with the command to run.
func TestContractSchemaOutOfRange(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	w := &world{t: t, database: database, through: database, masterKey: masterKey(), apiKey: strings.Repeat("k", 32), simURL: "http://127.0.0.1:1"}
	environ := w.environ(freePort(t), freePort(t))
	refused := func(want string) {
		t.Helper()
		// Nobody was ever served, so it must not drain: it would take longer than a command may.
		command(t, append([]string{"SUITESIGN_DRAIN_ACCEPT=5m"}, environ...), 1, want, "serve")
	}
	refused("suitesign migrate up")
	command(t, environ, 1, "suitesign migrate up", "keys", "status")
	command(t, environ, 1, "suitesign migrate up", "apikey", "list")
	command(t, environ, 1, "version 0", "migrate", "status")
	if n := scalar[int](t, database, `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public'`); n != 0 {
		t.Errorf("commands that must not migrate left %d things in the database", n)
	}
	// A migration job needs the database and nothing else.
	command(t, environ[:1], 0, "", "migrate", "up")
	command(t, environ[:1], 0, "", "migrate", "up") // safe to repeat
	command(t, environ[:1], 0, "", "migrate", "status")
	newest := scalar[int](t, database, `SELECT version FROM schema_migrations`)
	execute(t, database, `UPDATE schema_migrations SET version = 1000`)
	refused("suitesign migrate down")
	command(t, environ, 1, "1000", "migrate", "status")
	command(t, environ, 1, "newer suitesign", "migrate", "up")
	execute(t, database, `UPDATE schema_migrations SET version = $1, dirty = true`, newest)
	refused("half done")
	command(t, environ, 1, "half done", "migrate", "status")
	execute(t, database, `UPDATE schema_migrations SET dirty = false`)
	command(t, environ, 1, "--yes", "migrate", "down")
	command(t, environ, 0, fmt.Sprintf("version %d", newest-1), "migrate", "down", "--yes")
	refused("suitesign migrate up")
	command(t, environ, 0, "version 0", "migrate", "down", "--all", "--yes")
	command(t, environ, 0, fmt.Sprintf("version %d", newest), "migrate", "up")
}

// The schema of a running replica goes out of range and comes back: /readyz says so.
func TestContractReadyzTellsOfTheSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	newest := scalar[int](t, w.database, `SELECT version FROM schema_migrations`)
	execute(t, w.database, `UPDATE schema_migrations SET version = 1000`)
	for _, listener := range []string{r.public, r.admin} {
		eventually(t, 20*time.Second, func() error {
			if a := call(t, http.MethodGet, listener+"/readyz", nil, nil); a.status != http.StatusServiceUnavailable || !strings.Contains(string(a.body), "schema") {
				return fmt.Errorf("readyz on a schema out of range = %s, want 503", a)
			}
			return nil
		})
	}
	execute(t, w.database, `UPDATE schema_migrations SET version = $1`, newest)
	w.waitReady(r)
}

// The first keyset is made by serve or by `keys init`, by one of many at the same
// time; no command that only looks makes one; a wrong master key stops everything.
func TestContractMasterKey(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	w := &world{t: t, database: database, through: database, masterKey: masterKey(), apiKey: strings.Repeat("k", 32), simURL: "http://127.0.0.1:1"}
	environ := w.environ(freePort(t), freePort(t))
	command(t, environ, 0, "", "migrate", "up")
	for _, c := range []string{"status", "rotate", "reencrypt"} {
		command(t, environ, 1, "suitesign keys init", "keys", c)
	}
	if n := scalar[int](t, database, `SELECT count(*) FROM keysets`); n != 0 {
		t.Fatalf("commands that only look made %d keysets", n)
	}
	for range 3 {
		w.addReplica()
	}
	for _, r := range w.replicas {
		w.waitReady(r)
	}
	if n := scalar[int](t, database, `SELECT count(*) FROM keysets`); n != 1 {
		t.Errorf("three replicas that started together made %d keysets, want one", n)
	}
	command(t, environ, 0, "already", "keys", "init")
	command(t, environ, 0, ": 0 values, active", "keys", "status")
}

// A wrong master key stops serve and every command about keys, and nothing is written.
func TestContractWrongMasterKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	before := scalar[string](t, w.database, `SELECT md5(wrapped) || version FROM keysets`)
	wrong := append(w.environ(freePort(t), freePort(t)), "SUITESIGN_MASTER_KEY="+masterKey())
	began := time.Now()
	command(t, wrong, 1, "master key does not open", "serve")
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("serve took %s to refuse a wrong master key", took)
	}
	for _, c := range [][]string{{"init"}, {"rotate"}, {"reencrypt"}, {"status"}, {"retire", "01234567"}} {
		command(t, wrong, 1, "master key does not open", append([]string{"keys"}, c...)...)
	}
	if after := scalar[string](t, w.database, `SELECT md5(wrapped) || version FROM keysets`); after != before {
		t.Error("a wrong master key changed the keyset")
	}
	for name, key := range map[string]string{"31 bytes": base64.StdEncoding.EncodeToString(randomBytes(31)), "33 bytes": base64.StdEncoding.EncodeToString(randomBytes(33)),
		"base64url": "__________________________________________8=", "hex": strings.Repeat("0a", 32), "without padding": strings.TrimRight(masterKey(), "=")} {
		if out, code := runCommand(t, append(good()[:1], "SUITESIGN_MASTER_KEY="+key), "suitesign", "config", "check"); code != 1 || strings.Contains(out, key) {
			t.Errorf("a master key of %s: config check ended %d:\n%s", name, code, out)
		}
	}
}

// Keys rotate and everything is sealed anew while replicas run and sign.
func TestContractKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suite("ww-rot", "third_party", "corp.example.com")
	w.install("ww-rot", "wwrot", pageURL)
	environ := w.environ(0, 0)
	old := regexp.MustCompile(`key ([0-9a-f]{8}): [1-9][0-9]* values, active`).FindStringSubmatch(command(t, environ, 0, "Keyset version 1", "keys", "status"))
	if old == nil {
		t.Fatal("keys status does not tell of the values of the active key")
	}
	command(t, environ, 0, "Keyset version 2", "keys", "rotate")
	out := command(t, environ, 0, "key "+old[1]+": 0 values\n", "keys", "reencrypt", "--batch", "2")
	if !regexp.MustCompile(`: [1-9][0-9]* values, active`).MatchString(out) {
		t.Errorf("after reencrypt the new key has no values:\n%s", out)
	}
	command(t, environ, 0, "Sealed 0 values anew", "keys", "reencrypt") // nothing is left to do
	command(t, environ, 1, "--batch", "keys", "reencrypt", "--batch", "0")
	for _, r := range w.replicas {
		w.waitSigned(r, pageURL, "ww-rot", "wwrot", 5*time.Second)
	}
	// What the replicas seal from now on, they seal with the new key; and what needs the old secrets works.
	w.install("ww-rot", "wwrot2", pageURL)
	eventually(t, 10*time.Second, func() error {
		if out, _ := runCommand(t, environ, "suitesign", "keys", "status"); !strings.Contains(out, "key "+old[1]+": 0 values") {
			return fmt.Errorf("replicas still seal with the old key:\n%s", out)
		}
		return nil
	})
}

// activeKey is the id of the key that seals, as keys status tells it.
func activeKey(t *testing.T, environ []string) string {
	t.Helper()
	found := regexp.MustCompile(`key ([0-9a-f]{8}): [0-9]+ values, active`).FindStringSubmatch(command(t, environ, 0, "Keyset version", "keys", "status"))
	if found == nil {
		t.Fatal("keys status names no active key")
	}
	return found[1]
}

// A key is retired while replicas run, and one of them sleeps through it all: it
// wakes up with the keyset from before, and nothing that it stores is lost.
func TestContractKeyRetirement(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{environ: []string{"SUITESIGN_WORKER=false"}}) // what sleeps must not sleep in a transaction
	s := w.suite("ww-ret", "third_party", "corp.example.com")
	worker := w.addReplica()
	w.waitReady(worker)
	w.install("ww-ret", "wwret", pageURL)
	environ := w.environ(0, 0)
	old := activeKey(t, environ)
	command(t, environ, 1, "this key is the active one", "keys", "retire", old)
	command(t, environ, 1, "eight hexadecimal digits", "keys", "retire", "x"+old)
	command(t, environ, 1, "no such key", "keys", "retire", "00000001")
	command(t, environ, 2, "keyid", "keys", "retire")

	asleep := w.replicas[0]
	asleep.signal(syscall.SIGSTOP)
	awake := false
	t.Cleanup(func() {
		if !awake {
			asleep.signal(syscall.SIGCONT)
		}
	})
	command(t, environ, 0, "Rotated", "keys", "rotate")
	command(t, environ, 1, "run this again in ", "keys", "retire", old)
	execute(t, w.database, `UPDATE keysets SET updated_at = now() - interval '61 seconds'`)
	command(t, environ, 1, "keys reencrypt", "keys", "retire", old)
	eventually(t, 20*time.Second, func() error { // the worker hears of the rotation, and nobody else seals
		command(t, environ, 0, "values anew", "keys", "reencrypt")
		if out, code := runCommand(t, environ, "suitesign", "keys", "retire", old); code != 0 {
			return fmt.Errorf("keys retire ended %d:\n%s", code, out)
		}
		return nil
	})
	if out := command(t, environ, 0, "was retired before", "keys", "retire", old); strings.Contains(out, "key "+old+":") {
		t.Errorf("the keyset still has %s:\n%s", old, out)
	}

	asleep.signal(syscall.SIGCONT)
	awake = true
	// The platform delivers again what is not acknowledged.
	for i := range 5 {
		eventually(t, 10*time.Second, func() error {
			a, err := s.push(asleep, "command", s.ID, s.event("change_auth", time.Now().Add(time.Duration(i)*time.Second), "AuthCorpId", "wwret"))
			if err == nil && (a.status != http.StatusOK || string(a.body) != "success") {
				err = fmt.Errorf("answered %s", a)
			}
			return err
		})
	}
	w.install("ww-ret", "wwret2", pageURL)
	w.waitSigned(worker, pageURL, "ww-ret", "wwret2", 10*time.Second)
	const lost = `SELECT (SELECT count(*) FROM callback_events WHERE substring(payload_sealed FROM 2 FOR 4) = decode($1, 'hex'))
		+ (SELECT count(*) FROM credentials WHERE substring(value_sealed FROM 2 FOR 4) = decode($1, 'hex'))`
	if n := scalar[int64](t, w.database, lost, old); n != 0 {
		t.Errorf("%d values are sealed with the key that nobody has any more", n)
	}
	if n := scalar[int64](t, w.database, `SELECT count(*) FROM audit_log WHERE action = 'keyring.retire' AND actor_kind = 'cli'`); n != 1 {
		t.Errorf("%d audit entries tell of it, want 1", n)
	}
}

// Keys of the admin API from the command line: the value is told once, it works
// on every replica, and revoked it is refused within two seconds.
func TestContractAPIKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	environ := w.environ(0, 0)[:1] // the database is all that it takes
	out := command(t, environ, 0, "suitesign_", "apikey", "create", "terraform", "--expires", "1h")
	value := regexp.MustCompile(`(?m)^suitesign_[0-9A-Za-z]{49}$`).FindString(out)
	id := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).FindString(out)
	if value == "" || id == "" {
		t.Fatalf("apikey create says no key:\n%s", out)
	}
	use := func(r *replica, key string) int {
		t.Helper()
		return call(t, http.MethodGet, r.admin+"/v1/suites", map[string]string{"Authorization": "Bearer " + key}, nil).status
	}
	for _, r := range w.replicas {
		if status := use(r, value); status != http.StatusOK {
			t.Errorf("%s answers a new key with %d", r.name, status)
		}
		if status := use(r, value[:len(value)-1]+"x"); status != http.StatusUnauthorized {
			t.Errorf("%s answers a damaged key with %d", r.name, status)
		}
	}
	command(t, environ, 1, "there are: *", "apikey", "create", "odd", "--scope", "tenants:own")
	command(t, environ, 0, "suitesign_", "apikey", "create", "narrow", "--scope", "tenants:read", "--scope", "events:read")
	command(t, environ, 0, "events:read,tenants:read", "apikey", "list")
	list := command(t, environ, 0, "terraform", "apikey", "list")
	if strings.Contains(list, value) || !strings.Contains(list, id) || !strings.Contains(list, "active until") {
		t.Errorf("apikey list tells a value, or not what is known:\n%s", list)
	}
	command(t, environ, 0, "Revoked", "apikey", "revoke", id)
	for _, r := range w.replicas {
		eventually(t, 2*time.Second, func() error {
			if status := use(r, value); status != http.StatusUnauthorized {
				return fmt.Errorf("%s answers a revoked key with %d", r.name, status)
			}
			return nil
		})
	}
	command(t, environ, 0, "revoked ", "apikey", "list")
	command(t, environ, 1, "no such api key", "apikey", "revoke", "0198f0a1-7b1c-7d3e-9a55-3c5d7e9f1a2b")
	for _, args := range [][]string{{"x", "--expires=-1h"}, {"x", "--expires=0s"}, {""}, {strings.Repeat("x", 101)}, {"line\nbreak"}} {
		command(t, environ, 1, "suitesign: ", append([]string{"apikey", "create"}, args...)...)
	}
}

// The bootstrap key is valid while it is set, whatever characters it is made of.
func TestContractBootstrapKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const odd = `any 32 characters: "'\${}%=;,/+äöü企业`
	with, none := w.addReplica("SUITESIGN_BOOTSTRAP_API_KEY="+odd), w.addReplica("SUITESIGN_BOOTSTRAP_API_KEY=")
	w.waitReady(with)
	w.waitReady(none)
	for _, tt := range []struct {
		r             *replica
		authorization string
		want          int
	}{
		{with, "Bearer " + odd, http.StatusOK},
		{with, "bearer " + odd, http.StatusOK}, // the scheme's case does not matter
		{with, "Bearer " + odd + "x", http.StatusUnauthorized},
		{with, "Bearer " + w.apiKey, http.StatusUnauthorized},
		{with, "Basic " + odd, http.StatusUnauthorized},
		{with, odd, http.StatusUnauthorized},
		{none, "Bearer " + odd, http.StatusUnauthorized},
		{none, "Bearer " + w.apiKey, http.StatusUnauthorized},
		{none, "Bearer ", http.StatusUnauthorized},
		{none, "", http.StatusUnauthorized},
	} {
		header := map[string]string{"Authorization": tt.authorization}
		if tt.authorization == "" {
			header = nil
		}
		if a := call(t, http.MethodGet, tt.r.admin+"/v1/suites", header, nil); a.status != tt.want {
			t.Errorf("%s, %q = %s, want %d", tt.r.name, tt.authorization, a, tt.want)
		}
	}
}

// Either half can be switched off: one replica serves and never refreshes, the
// other works and has no public listener.
func TestContractHTTPAndWorkerApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{environ: []string{"SUITESIGN_WORKER=false"}})
	w.suite("ww-apart", "third_party", "corp.example.com")
	w.simulate("install", map[string]any{"suite_id": "ww-apart", "corp_id": "wwapart", "door": "market"}, nil)
	worker := w.addReplica("SUITESIGN_HTTP=false")
	w.waitReady(worker)
	w.waitSigned(w.replicas[0], pageURL, "ww-apart", "wwapart", 10*time.Second)
	if _, err := ask(http.MethodGet, worker.public+"/healthz", nil, nil); err == nil {
		t.Error("a replica without HTTP has a public listener")
	}
	if a := call(t, http.MethodGet, worker.admin+"/metrics", nil, nil); a.status != http.StatusOK {
		t.Errorf("a replica without HTTP has no metrics: %s", a)
	}
}

// healthcheck asks /readyz of the configured admin listener, or of what it is told.
func TestContractHealthcheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	command(t, r.environ, 0, `"ready"`, "healthcheck")
	command(t, nil, 0, `"ready"`, "healthcheck", "--url", r.public+"/readyz")
	command(t, nil, 1, "404", "healthcheck", "--url", r.public+"/nothing")
	command(t, nil, 1, "no answer", "healthcheck", "--url", local(freePort(t))+"/readyz")
	command(t, nil, 1, "SUITESIGN_ADMIN_ADDR", "healthcheck", "--config", textFile(t, "c.yaml", "admin_addr: nonsense\n"))
	out, code := runCommand(t, nil, "wecomsim", "healthcheck", "--url", w.simURL)
	if code != 0 {
		t.Errorf("wecomsim healthcheck ended %d:\n%s", code, out)
	}
	if out, code := runCommand(t, nil, "wecomsim", "healthcheck", "--url", local(freePort(t))); code != 1 {
		t.Errorf("wecomsim healthcheck of nobody ended %d:\n%s", code, out)
	}
}

// Each log level is kept: what is below it is not written, and every line is an event.
func TestContractLogLevel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, tt := range []struct {
		level    string
		requests bool
	}{{"debug", true}, {"info", true}, {"warn", false}, {"error", false}} {
		r := w.addReplica("SUITESIGN_LOG_LEVEL=" + tt.level)
		w.waitReady(r)
		a := call(t, http.MethodGet, r.public+"/nothing?secret=hush", nil, nil)
		r.signal(syscall.SIGTERM)
		_ = r.wait(20 * time.Second)
		out := r.output()
		if got := strings.Contains(out, a.header.Get("X-Request-Id")); got != tt.requests {
			t.Errorf("at %s a request is told: %v, want %v", tt.level, got, tt.requests)
		}
		for line := range strings.SplitSeq(out, "\n") {
			var event struct{ Time, Level, Msg string }
			if err := json.Unmarshal([]byte(line), &event); line != "" && (err != nil || event.Time == "" || event.Level == "" || event.Msg == "") {
				t.Errorf("at %s a line is no event: %s", tt.level, line)
			}
		}
		if strings.Contains(out, "hush") {
			t.Errorf("at %s the log has a query string:\n%s", tt.level, out)
		}
	}
	r := w.addReplica("SUITESIGN_LOG_FORMAT=text")
	w.waitReady(r)
	if out := r.output(); !strings.Contains(out, "level=INFO msg=ready") {
		t.Errorf("the text format is:\n%s", out)
	}
}
