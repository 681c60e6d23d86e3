package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/secret"
)

const (
	goodURL = "SUITESIGN_DATABASE_URL=postgres://u:hunter2@127.0.0.1:5432/db"
	goodKey = "SUITESIGN_MASTER_KEY=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

func TestLoadConfigDefaults(t *testing.T) {
	got, err := loadConfig("", []string{goodURL, goodKey})
	if err != nil {
		t.Fatal(err)
	}
	want := defaultConfig()
	want.DatabaseURL, want.MasterKey = got.DatabaseURL, got.MasterKey
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(secret.String{})); diff != "" {
		t.Errorf("configuration differs from the defaults (-want +got):\n%s", diff)
	}
}

// The example file is the documentation of every key, so it must load and change nothing.
func TestTheExampleFileSaysTheDefaults(t *testing.T) {
	got, err := loadConfig("../../configs/suitesign.example.yaml", []string{goodURL, goodKey})
	if err != nil {
		t.Fatal(err)
	}
	want := defaultConfig()
	want.DatabaseURL, want.MasterKey = got.DatabaseURL, got.MasterKey
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(secret.String{})); diff != "" {
		t.Errorf("the example differs from the defaults (-default +example):\n%s", diff)
	}
	text, err := os.ReadFile("../../configs/suitesign.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if last := s.key[strings.LastIndex(s.key, ".")+1:]; !strings.Contains(string(text), last+": ") {
			t.Errorf("the example has no %s", s.key)
		}
	}
}

// A file that says nothing changes nothing, and so does a section without keys.
func TestAnEmptyFileLeavesTheDefaults(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "signing:\nlimits: {}\nlog_level:\ndrain: ~\n"} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		write(t, file, text)
		got, err := loadConfig(file, []string{goodURL, goodKey})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		want := defaultConfig()
		want.DatabaseURL, want.MasterKey = got.DatabaseURL, got.MasterKey
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(secret.String{})); diff != "" {
			t.Errorf("%q differs from the defaults (-want +got):\n%s", text, diff)
		}
	}
}

// Every setting has both of its names and is read from either.
func TestEverySettingIsReadFromFileAndEnvironment(t *testing.T) {
	for _, s := range settings {
		value := map[string]string{"int": "17", "float64": "0.25", "bool": "true", "time.Duration": "17s", "string": "x", "[]string": "192.0.2.1/32, 10.0.0.0/8", "secret.String": "hush"}[s.kind.String()]
		if value == "" {
			t.Fatalf("%s is a %s, of which this test knows no value", s.key, s.kind)
		}
		var fromFile, fromEnv Config
		var found faults
		section, last, nested := strings.Cut(s.key, ".")
		text := fmt.Sprintf("%s: %q\n", section, value)
		if nested {
			text = fmt.Sprintf("%s:\n  %s: %q\n", section, last, value)
		}
		file := filepath.Join(t.TempDir(), "c.yaml")
		write(t, file, text)
		readFile(file, &fromFile, &found)
		readEnv([]string{s.variable + "=" + value}, &fromEnv, &found)
		same := cmp.Comparer(func(a, b secret.String) bool { return a.Equal(b) })
		if diff := cmp.Diff(fromFile, fromEnv, same); diff != "" || len(found) > 0 || cmp.Equal(fromFile, Config{}, same) {
			t.Errorf("%s, %s: file and environment differ or say nothing, faults %v:\n%s", s.key, s.variable, found, diff)
		}
	}
}

func TestLoadConfigOrder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	write(t, file, "public_addr: ':1'\nsigning: {max_stale: 3m}\nlimits: {per_ip: 7}\n")
	key := filepath.Join(dir, "key")
	write(t, key, strings.TrimPrefix(goodKey, "SUITESIGN_MASTER_KEY=")+"\n")
	got, err := loadConfig(file, []string{goodURL, "SUITESIGN_MASTER_KEY_FILE=" + key, "SUITESIGN_PUBLIC_ADDR=:2",
		"SUITESIGN_TRUSTED_PROXIES=10.0.0.0/8,192.0.2.7/32", "SUITESIGN_LIMITS_PER_TENANT=0", "SUITESIGN_ADMIN_ADDR="})
	if err != nil {
		t.Fatal(err)
	}
	if got.PublicAddr != ":2" || got.Signing.MaxStale != 3*time.Minute || got.Limits.PerIP != 7 || got.Limits.PerTenant != 0 ||
		got.AdminAddr != "127.0.0.1:8081" || len(got.TrustedProxies) != 2 || got.MasterKey.IsZero() {
		t.Errorf("configuration = %+v", got)
	}
}

// Every fault is named, at once, with what to do, and no value that may be secret.
func TestLoadConfigTellsEveryFault(t *testing.T) {
	for _, tt := range []struct {
		name    string
		file    string
		environ []string
		want    []string // one text per fault
	}{
		{"nothing set", "", nil, []string{"SUITESIGN_DATABASE_URL is not set", "SUITESIGN_MASTER_KEY is not set"}},
		{"bad key and level", "", []string{goodURL, "SUITESIGN_MASTER_KEY=CANARYshort", "SUITESIGN_LOG_LEVEL=loud"},
			[]string{"SUITESIGN_MASTER_KEY is not 32 bytes", "SUITESIGN_LOG_LEVEL"}},
		{"bad URL", "", []string{"SUITESIGN_DATABASE_URL=postgres://u:CANARY@h:port/db", goodKey}, []string{"SUITESIGN_DATABASE_URL is not a PostgreSQL"}},
		{"short API key", "", []string{goodURL, goodKey, "SUITESIGN_BOOTSTRAP_API_KEY=CANARY"}, []string{"SUITESIGN_BOOTSTRAP_API_KEY has fewer than 32"}},
		{"both halves off", "", []string{goodURL, goodKey, "SUITESIGN_HTTP=false", "SUITESIGN_WORKER=false"}, []string{"both off"}},
		{"addresses", "", []string{goodURL, goodKey, "SUITESIGN_PUBLIC_ADDR=8080", "SUITESIGN_ADMIN_ADDR=:nope"}, []string{"SUITESIGN_PUBLIC_ADDR", "SUITESIGN_ADMIN_ADDR"}},
		{"plain http to the platform", "", []string{goodURL, goodKey, "SUITESIGN_WECOM_BASE_URL=http://192.0.2.1"}, []string{"SUITESIGN_WECOM_BASE_URL"}},
		{"public URL with a path", "", []string{goodURL, goodKey, "SUITESIGN_PUBLIC_URL=https://a.example/x"}, []string{"SUITESIGN_PUBLIC_URL"}},
		{"proxies", "", []string{goodURL, goodKey, "SUITESIGN_TRUSTED_PROXIES=10.0.0.1"}, []string{"SUITESIGN_TRUSTED_PROXIES"}},
		{"not a number, not a duration", "", []string{goodURL, goodKey, "SUITESIGN_LIMITS_PER_IP=many", "SUITESIGN_DRAIN_ACCEPT=soon"}, []string{"SUITESIGN_LIMITS_PER_IP has to be a whole number", "SUITESIGN_DRAIN_ACCEPT has to be a duration"}},
		{"negative", "", []string{goodURL, goodKey, "SUITESIGN_LIMITS_PER_IP=-1", "SUITESIGN_DATABASE_CONNS=1"}, []string{"LIMITS_PER_IP", "DATABASE_CONNS"}},
		{"unknown key", "sigining: {max_stale: 1m}\n", []string{goodURL, goodKey}, []string{"sigining"}},
		{"twice the same key", "log_level: info\nlog_level: debug\n", []string{goodURL, goodKey}, []string{"line 2: log_level stands there already"}},
		{"secret and its file", "", []string{goodURL, goodKey, "SUITESIGN_MASTER_KEY_FILE=/nowhere"}, []string{"both set"}},
		{"file that is not there", "", []string{goodURL, "SUITESIGN_MASTER_KEY_FILE=/nowhere"}, []string{"SUITESIGN_MASTER_KEY_FILE names /nowhere, which cannot be read"}},
		{"file that is empty", "", []string{goodURL, "SUITESIGN_MASTER_KEY_FILE=/dev/null"}, []string{"which is empty"}},
		{"all of the file's faults", "sigining: {max_stale: 1m}\nlog_level: [CANARY]\ndatabase_conns: CANARY\nhttp: CANARY\nsigning: {max_stale: CANARY, tenant: 1}\nlimits: CANARY\nmaster_key: {CANARY: x}\n",
			[]string{goodURL, goodKey}, []string{"line 1: sigining is no setting", "line 2: log_level has to be text", "line 3: database_conns has to be a whole number",
				"line 4: http has to be true or false", "line 5: signing.max_stale has to be a duration", "line 5: signing.tenant is no setting", "line 6: limits has to hold keys", "line 7: master_key has to be text"}},
		{"a duration without a unit", "signing: {max_stale: 900}\n", []string{goodURL, goodKey}, []string{"signing.max_stale has to be a duration"}},
		{"a value for a key", "CANARY secret:\n", []string{goodURL, goodKey}, []string{"line 1: the key is no setting"}},
		{"no YAML", "master_key: \"CANARY\n", []string{goodURL, goodKey}, []string{"line 1: from here on it is not YAML"}},
		{"a list for a file", "- CANARY\n", []string{goodURL, goodKey}, []string{"the file has to hold keys"}},
		{"several documents", "log_level: info\n---\nlog_level: debug\n", []string{goodURL, goodKey}, []string{"several documents"}},
		{"an anchor", "log_level: &a info\n", []string{goodURL, goodKey}, []string{"log_level has to be text"}},
		{"no such file", "/nowhere", []string{goodURL, goodKey}, []string{"/nowhere cannot be read"}},
		{"a password in the public URL", "", []string{goodURL, goodKey, "SUITESIGN_PUBLIC_URL=https://u:CANARY@a.example"}, []string{"SUITESIGN_PUBLIC_URL"}},
		{"a password in the platform's URL", "", []string{goodURL, goodKey, "SUITESIGN_WECOM_BASE_URL=https://u:CANARY@a.example"}, []string{"SUITESIGN_WECOM_BASE_URL"}},
		{"one ticket an hour", "", []string{goodURL, goodKey, "SUITESIGN_REFRESH_PER_APP_HOUR=1"}, []string{"cannot be 1"}},
		{"a share of nothing", "", []string{goodURL, goodKey, "SUITESIGN_REFRESH_SHARE=0", "SUITESIGN_REFRESH_EGRESS=a b", "SUITESIGN_REFRESH_IDLE_AFTER=-1h"},
			[]string{"SUITESIGN_REFRESH_SHARE is 0", "SUITESIGN_REFRESH_EGRESS is \"a b\"", "SUITESIGN_REFRESH_IDLE_AFTER is -1h0m0s"}},
		{"a share that is no number", "", []string{goodURL, goodKey, "SUITESIGN_REFRESH_SHARE=NaN"}, []string{"SUITESIGN_REFRESH_SHARE is NaN"}},
		{"stale at once", "", []string{goodURL, goodKey, "SUITESIGN_SIGNING_MAX_STALE=0s"}, []string{"SUITESIGN_SIGNING_MAX_STALE"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := ""
			if strings.HasPrefix(tt.file, "/") {
				path = tt.file
			} else if tt.file != "" {
				path = filepath.Join(t.TempDir(), "c.yaml")
				write(t, path, tt.file)
			}
			_, err := loadConfig(path, tt.environ)
			found, ok := err.(faults) //nolint:errorlint // the type is the point
			if !ok || len(found) != len(tt.want) {
				t.Fatalf("loadConfig = %v, want %d faults", err, len(tt.want))
			}
			for i, text := range tt.want {
				if !strings.Contains(strings.Join(found, "\n"), text) {
					t.Errorf("fault %d: no %q in:\n%v", i, text, err)
				}
			}
			if strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a value that may be secret is told:\n%v", err)
			}
		})
	}
}

func TestUnknownVariables(t *testing.T) {
	got := unknownVariables([]string{goodURL, "SUITESIGN_MASTERKEY=x", "SUITESIGN_MASTER_KEY_FILE=y", "SUITESIGN_TEST_X=1", "SUITESIGN_CONFIG=c", "OTHER=1"})
	if diff := cmp.Diff([]string{"SUITESIGN_MASTERKEY"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWarnings(t *testing.T) {
	environ := []string{goodURL, goodKey, "SUITESIGN_MASTERKEY=x"}
	c, err := loadConfig("", environ)
	if err != nil {
		t.Fatal(err)
	}
	if got := warnings(c, environ); len(got) != 2 || !strings.Contains(got[0], "SUITESIGN_MASTERKEY") || !strings.Contains(got[1], "SUITESIGN_PUBLIC_URL") {
		t.Errorf("warnings = %q, want the variable that means nothing and the public URL that is not set", got)
	}
	if c.PublicURL = "https://sign.example.com"; len(warnings(c, nil)) != 0 {
		t.Errorf("warnings = %q, want none", warnings(c, nil))
	}
}

func TestConfigNeverPrintsASecret(t *testing.T) {
	c, err := loadConfig("", []string{goodURL, goodKey, "SUITESIGN_BOOTSTRAP_API_KEY=" + strings.Repeat("CANARY", 8)})
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{fmt.Sprintf("%v %+v %#v", c, c, c)} {
		if strings.Contains(out, "CANARY") || strings.Contains(out, "hunter2") || strings.Contains(out, "AAECAwQF") {
			t.Errorf("secret printed: %s", out)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// However a file is damaged, no value of it is told.
func TestADamagedFileTellsNoValue(t *testing.T) {
	const good = "master_key: CANARY1\ndatabase_url: \"CANARY2\"\nhttp: CANARY3\nsigning: {max_stale: CANARY4}\ntrusted_proxies:\n  - CANARY5\n"
	file := filepath.Join(t.TempDir(), "c.yaml")
	told := 0
	for at := range len(good) {
		for _, damage := range []string{"", "\"", "'", "[", "{", "]", "}", ":", ": ", "|", ">", "&", "*", "!", "%", "@", "`", "\t", "\n", "#", ",", "-", "? ", "\xff", "\x00"} {
			text := good[:at] + damage + good[at+1:] // replaced
			if damage != "" {
				text = good[:at] + damage + good[at:] // or inserted
			}
			write(t, file, text)
			var c Config
			var found faults
			readFile(file, &c, &found)
			told += len(found)
			for _, fault := range found {
				if strings.Contains(fault, "CANARY") {
					t.Errorf("%q is told:\n%s", text, fault)
				}
			}
		}
	}
	if told < 1000 {
		t.Errorf("only %d faults were told, so this shows little", told)
	}
}
