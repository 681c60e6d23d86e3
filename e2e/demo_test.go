package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// demoRun is `suitesign demo`, as `make run` starts it.
type demoRun struct {
	*process
	dir string
	demoFile
}

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

// startDemo runs a demo in dir until it has told where everything is.
func startDemo(t *testing.T, dir string, environ ...string) *demoRun {
	t.Helper()
	d := &demoRun{dir: dir}
	d.process = startProcess(t, "suitesign demo", environ, "suitesign", "demo", "--dir", dir,
		"--public-port", fmt.Sprint(freePort(t)), "--admin-port", fmt.Sprint(freePort(t)), "--sim-port", fmt.Sprint(freePort(t)))
	eventually(t, 90*time.Second, func() error {
		select {
		case <-d.ended:
			t.Fatalf("the demo ended: %v\n%s", d.err, d.output())
		default:
		}
		if !strings.Contains(d.output(), "curl '") {
			return fmt.Errorf("it has not told its curl yet; so far:\n%s", d.output())
		}
		return nil
	})
	data, err := os.ReadFile(filepath.Join(dir, "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &d.demoFile); err != nil {
		t.Fatal(err)
	}
	return d
}

// stop is Ctrl-C.
func (d *demoRun) stop() {
	d.t.Helper()
	d.signal(syscall.SIGINT)
	if err := d.wait(30 * time.Second); err != nil {
		d.t.Errorf("the demo ended with %v after Ctrl-C:\n%s", err, tail(d.output(), 20))
	}
}

// The demo on its own PostgreSQL: up, Ctrl-C, up again with its data, on other
// ports; and once more after a crash.
func TestDemoKeepsItsData(t *testing.T) {
	t.Parallel()
	dir := demoDir(t)
	first := startDemo(t, dir)
	check := func(d *demoRun) {
		t.Helper()
		var s signed
		a := call(t, http.MethodGet, d.PublicURL+"/api/jssdk/signatures?"+url.Values{"url": {d.PageURL}}.Encode(), nil, nil)
		if err := json.Unmarshal(a.body, &s); err != nil || a.status != http.StatusOK {
			t.Fatalf("the demo page's signatures = %s", a)
		}
		if s.CorpID != d.CorpID || s.SuiteID != d.SuiteID || s.AgentID == nil || *s.AgentID != d.AgentID || s.Agent == nil {
			t.Errorf("signed = %+v, want what demo.json says: %+v", s, d.demoFile)
		}
		u, err := url.Parse(d.PageURL)
		if err != nil || u.Hostname() != "h5.demo.localhost" || u.Host != d.TrustedDomain {
			t.Errorf("page %s is not on the trusted domain %s", d.PageURL, d.TrustedDomain)
		}
	}
	check(first)
	first.stop()

	second := startDemo(t, dir)
	check(second)
	if second.AgentID != first.AgentID || second.APIKey != first.APIKey {
		t.Errorf("the second start is another corp or key: %+v, first %+v", second.demoFile, first.demoFile)
	}
	var calls struct {
		Calls []struct{ API string }
	}
	if err := json.Unmarshal(call(t, http.MethodGet, second.SimURL+"/sim/calls", nil, nil).body, &calls); err != nil {
		t.Fatal(err)
	}
	for _, c := range calls.Calls {
		if strings.Contains(c.API, "get_permanent_code") || strings.Contains(c.API, "ticket") {
			t.Errorf("the second start called %s, although everything was stored", c.API)
		}
	}
	second.kill() // a crash: no PostgreSQL may stay behind that blocks the next start

	third := startDemo(t, dir)
	check(third)
	third.stop()
}

// A database with somebody's data in it is refused and left as it is.
func TestDemoRefusesSomebodysDatabase(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	execute(t, database, `CREATE TABLE precious (id int); INSERT INTO precious VALUES (1)`)
	out, code := runCommand(t, []string{"SUITESIGN_DATABASE_URL=" + database}, "suitesign", "demo", "--dir", t.TempDir())
	if code != 1 || !strings.Contains(out, "not empty") {
		t.Errorf("demo on somebody's database ended %d:\n%s\nwant 1 and why", code, out)
	}
	execute(t, database, `DO $$ BEGIN
		ASSERT (SELECT count(*) FROM precious) = 1;
		ASSERT to_regclass('tenants') IS NULL AND to_regclass('schema_migrations') IS NULL;
	END $$`)
}

// A taken port is told by name, before anything else is started.
func TestDemoTellsOfATakenPort(t *testing.T) {
	t.Parallel()
	taken := newWorld(t, options{}) // something listens there
	u, err := url.Parse(taken.replicas[0].public)
	if err != nil {
		t.Fatal(err)
	}
	out, code := runCommand(t, []string{"SUITESIGN_DATABASE_URL=" + newDatabase(t)}, "suitesign", "demo", "--dir", t.TempDir(),
		"--public-port", u.Port(), "--admin-port", fmt.Sprint(freePort(t)), "--sim-port", fmt.Sprint(freePort(t)))
	if code != 1 || !strings.Contains(out, "PUBLIC_PORT=") || !strings.Contains(out, u.Port()) {
		t.Errorf("demo on a taken port ended %d:\n%s\nwant 1, the port and how to move it", code, out)
	}
}
