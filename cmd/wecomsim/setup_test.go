package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"suitesign/wecom/wecomtest"
)

// world starts a simulator as the arguments ask for.
func world(t *testing.T, args ...string) (*setup, *wecomtest.Server, http.Handler) {
	t.Helper()
	c, err := parse(t, append([]string{"serve"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.Serve.wanted()
	if err != nil {
		t.Fatal(err)
	}
	sim, err := wecomtest.NewServer(c.Serve.config(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	if w != nil {
		if err := w.apply(t.Context(), sim); err != nil {
			t.Fatal(err)
		}
	}
	h, err := w.withPages(sim)
	if err != nil {
		t.Fatal(err)
	}
	return w, sim, h
}

// Flags make one app, a file as many as it names; without either nobody is there.
func TestWhoIsThere(t *testing.T) {
	t.Parallel()
	_, sim, _ := world(t)
	if s := sim.State("", ""); len(s.Suites)+len(s.Corps) != 0 {
		t.Errorf("without flags there are %d suites and %d corps", len(s.Suites), len(s.Corps))
	}
	w, sim, _ := world(t, "--domain", "h5.demo.localhost", "--domain", "app.example.com")
	a, ok := sim.State(defaultSuite, defaultCorp).Authorization(defaultSuite, defaultCorp)
	if !ok || a.Agents[0].AgentID != defaultAgent {
		t.Errorf("with domains alone the app is %+v", a)
	}
	var out bytes.Buffer
	w.tell(&out, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8090})
	for _, want := range []string{"http://h5.demo.localhost:8090/sim/demo/", `src="http://127.0.0.1:8090/sim/sdk/suitesign.js" data-simulator="http://127.0.0.1:8090"`,
		"{corpId: 'ww1demo0corp000000', suiteId: 'ww5ui7e51gndem0000', agentId: 1000002,"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the screen says\n%s\nwant %s in it", out.String(), want)
		}
	}

	file := filepath.Join(t.TempDir(), "sim.yaml")
	text := `
suites:
  - suite_id: ww0suite
    trusted_domains: [app.example.com]
    corps:
      - {corp_id: wwone, agent_id: 11}
      - {corp_id: wwtwo, trusted_domains: [two.example.com]}
corps:
  - corp_id: wwthree
    apps: [{agent_id: 33, trusted_domains: [three.example.com]}]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, sim, _ = world(t, "--setup", file, "--corp", "wwfour")
	var corps []string
	for _, co := range sim.State("", "").Corps {
		corps = append(corps, string(co.CorpID))
	}
	if got := strings.Join(corps, " "); got != "wwone wwtwo wwfour wwthree" {
		t.Errorf("a file and a flag make the corps %s", got)
	}
}

// What is wrong with a file is said with its name and place.
func TestSetupRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"suites:\n  - suiteid: ww0suite\n":                                 "suiteid",
		"suites: [{trusted_domains: [a.example.com]}]":                     "suite_id",
		"corps: [{name: nobody}]":                                          "corp_id",
		"corps: [{corp_id: ww1, apps: [{name: x}]}]":                       "agent_id",
		`{"suites": [{"suite_id": "ww0suite", "corps": [{"corp": "x"}]}]}`: "corp",
	} {
		file := filepath.Join(t.TempDir(), "sim.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := parse(t, "serve", "--setup", file, "--listen", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Serve.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "setup") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// Beside the platform the simulator serves what a page loads.
func TestPagesOfTheSimulator(t *testing.T) {
	t.Parallel()
	_, _, h := world(t, "--domain", "h5.demo.localhost")
	for path, want := range map[string]string{
		"/sim/sdk/suitesign.js":         "suitesign",
		"/sim/sdk/wecom-jssdk-2.4.4.js": "WeixinJSBridge",
		"/sim/demo/":                    `src="demo.js"`,
		"/sim/demo/config.json":         `"bridge_url":"/sim/bridge.js"`,
		"/sim/bridge.js":                "window.WeixinJSBridge",
		"/sim/api/jssdk/apis":           "getCurExternalContact",
		"/":                             "/sim/demo/",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s = %d without %s", path, w.Code, want)
		}
	}
}
