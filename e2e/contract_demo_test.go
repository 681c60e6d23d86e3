package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the contract says of the demo (design.md 2.6), beyond what demo_test.go shows.

// demoDir is a folder that a demo's PostgreSQL can reach, whoever runs it.
func demoDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// registered has the simulator's client register the demo page with both identities.
func (d *demoRun) registered() {
	d.t.Helper()
	var s signed
	if a := call(d.t, http.MethodGet, d.PublicURL+"/api/jssdk/signatures?"+url.Values{"url": {d.PageURL}}.Encode(), nil, nil); json.Unmarshal(a.body, &s) != nil || s.Agent == nil {
		d.t.Fatalf("the demo page's signatures = %s", a)
	}
	w := &world{t: d.t, simURL: d.SimURL}
	w.verify("config", d.PageURL, d.SuiteID, s.CorpID, nil, s.Config)
	w.verify("agent_config", d.PageURL, d.SuiteID, s.CorpID, s.AgentID, *s.Agent)
}

// A demo comes up again whatever was tried in it, and whichever of its files was lost.
func TestContractDemoHeals(t *testing.T) {
	t.Parallel()
	dir := demoDir(t)
	first := startDemo(t, dir)
	first.registered()
	for name, u := range map[string]string{"public_url": first.PublicURL, "admin_url": first.AdminURL, "sim_url": first.SimURL} {
		if parsed, err := url.Parse(u); err != nil || parsed.Scheme != "http" || parsed.Hostname() != "127.0.0.1" || parsed.Path != "" {
			t.Errorf("%s is %q, want http://127.0.0.1:PORT", name, u)
		}
	}
	for _, text := range []string{first.PageURL, first.PublicURL, first.AdminURL, first.SimURL, first.APIKey, "curl '"} {
		if !strings.Contains(first.output(), text) {
			t.Errorf("the screen does not tell %s:\n%s", text, first.output())
		}
	}

	// A second one on the same folder would write over the first one's files.
	out, code := runCommand(t, nil, "suitesign", "demo", "--dir", dir, "--public-port", fmt.Sprint(freePort(t)), "--admin-port", fmt.Sprint(freePort(t)), "--sim-port", fmt.Sprint(freePort(t)))
	if code != 1 || !strings.Contains(out, "already") {
		t.Errorf("a second demo on the same folder ended %d:\n%s", code, out)
	}
	first.registered()

	// The user disables the tenant, changes the suite's keys and trusts a domain.
	header := map[string]string{"Authorization": "Bearer " + first.APIKey}
	var list struct{ Items []struct{ ID string } }
	if err := json.Unmarshal(call(t, http.MethodGet, first.AdminURL+"/v1/tenants", header, nil).body, &list); err != nil || len(list.Items) != 1 {
		t.Fatalf("the demo's tenants: %v, %v", list, err)
	}
	for _, c := range []struct {
		method, path string
		in           any
	}{
		{http.MethodPatch, "/v1/tenants/" + list.Items[0].ID, object{"status": "disabled"}},
		{http.MethodPatch, "/v1/suites/" + first.SuiteID, object{"callback_token": "another", "suite_secret": "another"}},
		{http.MethodPut, "/v1/suites/" + first.SuiteID + "/domains/mine.example.com", object{}},
	} {
		if a := call(t, c.method, first.AdminURL+c.path, header, c.in); a.status != http.StatusOK {
			t.Fatalf("%s %s = %s", c.method, c.path, a)
		}
	}
	first.stop()
	if err := os.Remove(filepath.Join(dir, "sim.json")); err != nil { // and the simulator's memory is lost
		t.Fatal(err)
	}
	second := startDemo(t, dir)
	second.registered()
	header["Authorization"] = "Bearer " + second.APIKey
	domains := string(call(t, http.MethodGet, second.AdminURL+"/v1/suites/"+second.SuiteID+"/domains", header, nil).body)
	if !strings.Contains(domains, "mine.example.com") || !strings.Contains(domains, `"`+second.TrustedDomain+`"`) || strings.Contains(domains, `"`+first.TrustedDomain+`"`) {
		t.Errorf("after moving from %s to %s the domains are %s", first.TrustedDomain, second.TrustedDomain, domains)
	}
	second.stop()

	// Without its keys the data cannot be read, and is not touched.
	keys := filepath.Join(dir, "demo-keys.json")
	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", "{}"} {
		if text != "" {
			if err := os.WriteFile(keys, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, code := runCommand(t, nil, "suitesign", "demo", "--dir", dir, "--public-port", fmt.Sprint(freePort(t)), "--admin-port", fmt.Sprint(freePort(t)), "--sim-port", fmt.Sprint(freePort(t)))
		if code != 1 || !strings.Contains(out, "afresh") {
			t.Errorf("with the keys %q the demo ended %d:\n%s", text, code, out)
		}
	}
}

// Ports that are none, or meant for two, are told by name before anything is written.
func TestContractDemoPorts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "never-made")
	for _, tt := range []struct {
		public, admin, sim string
		want               []string
	}{
		{"0", "70000", fmt.Sprint(freePort(t)), []string{"PUBLIC_PORT is 0", "ADMIN_PORT is 70000"}},
		{"18999", "18999", fmt.Sprint(freePort(t)), []string{"PUBLIC_PORT and ADMIN_PORT are both 18999"}},
	} {
		out, code := runCommand(t, nil, "suitesign", "demo", "--dir", dir, "--public-port", tt.public, "--admin-port", tt.admin, "--sim-port", tt.sim)
		for _, want := range tt.want {
			if code != 1 || !strings.Contains(out, want) {
				t.Errorf("demo on ports %s %s %s ended %d:\n%s\nwant %q", tt.public, tt.admin, tt.sim, code, out, want)
			}
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s was made", dir)
	}
}

// Where PostgreSQL's user cannot go, under a home that is closed to others, or with
// a path that no socket's name may have, its data goes to a private folder under /var/tmp.
func TestContractDemoInAClosedHome(t *testing.T) {
	t.Parallel()
	before, err := filepath.Glob("/var/tmp/suitesign-*")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	d := startDemo(t, dir)
	d.registered()
	d.stop()
	again := startDemo(t, dir) // finds the same one
	again.registered()
	if again.AgentID != d.AgentID || again.APIKey != d.APIKey {
		t.Errorf("the second start is another one: %+v, first %+v", again.demoFile, d.demoFile)
	}
	again.stop()
	m := regexp.MustCompile(`used=(/var/tmp/suitesign-[0-9a-f-]+)`).FindStringSubmatch(d.output())
	if m == nil || slices.Contains(before, m[1]) || !strings.Contains(again.output(), m[1]) {
		t.Fatalf("the demo does not tell where its data went:\n%s\nand then:\n%s", d.output(), again.output())
	}
	info, err := os.Stat(m[1])
	if err != nil || info.Mode().Perm()&0o066 != 0 {
		t.Errorf("%s: %v, %v; want it private", m[1], info, err)
	}
	if err := os.RemoveAll(m[1]); err != nil {
		t.Error(err)
	}
}

// Nothing of a demo is reachable from another machine: no listener on any address but loopback.
func TestContractDemoIsLocal(t *testing.T) {
	t.Parallel()
	d := startDemo(t, demoDir(t))
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		ip, _, err := net.ParseCIDR(a.String())
		if err != nil || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		for _, base := range []string{d.PublicURL, d.AdminURL, d.SimURL} {
			u, _ := url.Parse(base)
			if _, err := ask(http.MethodGet, "http://"+net.JoinHostPort(ip.String(), u.Port())+"/healthz", nil, nil); err == nil {
				t.Errorf("%s answers on %s", base, ip)
			}
		}
	}
	d.stop()
}
