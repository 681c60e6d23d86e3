package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func tenantsOfPages(t *testing.T, w *signWorld) {
	for _, tt := range []struct {
		page, suite, corp string
		want              string // suite/corp of the answer, or a code
	}{
		{"https://trusted.com/", "ww-con", "wwalpha", "ww-con/wwalpha"},
		{"https://trusted.com/", "ww-con", "", "ww-con/wwalpha"},
		{"https://trusted.com/", "", "wwalpha", "ww-con/wwalpha"},
		{"https://trusted.com/", "", "", "ww-con/wwalpha"},
		{"https://solo.example.org/", "", "wwalpha", "ww-solo/wwalpha"},
		{"https://solo.example.org/", "ww-solo", "", "ww-solo/wwalpha"},
		{"https://solo.example.org/", "", "", "ww-solo/wwalpha"},
		{"https://trusted.com/", "ww-solo", "", "untrusted_domain"},
		{"https://trusted.com/", "ww-solo", "wwalpha", "untrusted_domain"},
		{"https://solo.example.org/", "ww-con", "wwalpha", "untrusted_domain"},
		{"https://solo.example.org/", "ww-con", "", "untrusted_domain"},
		{"https://shared.example.com/", "", "", "tenant_ambiguous"},
		{"https://shared.example.com/", "ww-con", "", "tenant_ambiguous"},
		{"https://sub.shared.example.com/", "", "", "tenant_ambiguous"},
		{"https://shared.example.com/", "", "wwgamma", "ww-con/wwgamma"},
		{"https://gamma.example.com/", "", "", "ww-con/wwgamma"},
		{"https://trusted.com/", "", "wpAlphaEncrypted", "ww-con/wpAlphaEncrypted"},
		{"https://trusted.com/", "ww-con", "wpAlphaEncrypted", "ww-con/wpAlphaEncrypted"},
		{"https://trusted.com/", "ww-con", "wpalphaencrypted", "tenant_not_found"},
		{"https://trusted.com/", "ww-con", "WWALPHA", "tenant_not_found"},
		{"https://trusted.com/", "WW-CON", "wwalpha", "tenant_not_found"},
		{"https://trusted.com/", "ww-none", "", "tenant_not_found"},
		{"https://trusted.com/", "", "wwnone", "tenant_not_found"},
		{"https://trusted.com/", "ww-con", "wwnone", "tenant_not_found"},
		{"https://trusted.com/", "ww-solo", "wwgamma", "tenant_not_found"},
		{"https://trusted.com/", "ww-solo", "wpAlphaEncrypted", "tenant_not_found"},
		{"https://trusted.com/", "ww-con", "wwalpha\x00", "tenant_not_found"},
		{"https://trusted.com/", "ww-con", "\xff", "tenant_not_found"},
		{"https://trusted.com/", "ww-con", strings.Repeat("w", 2000), "tenant_not_found"},
		{"https://nobody.example.com/", "", "", "untrusted_domain"},
		{"https://nobody.example.com/", "ww-none", "wwnone", "tenant_not_found"},
		{"https://off.example.com/", "", "", "tenant_inactive"},
		{"https://off.example.com/", "ww-con", "wwoff", "tenant_inactive"},
		{"https://trusted.com/", "ww-con", "wwoff", "tenant_inactive"},
	} {
		query := "url=" + encodeURIComponent(tt.page)
		if tt.suite != "" {
			query += "&suite_id=" + encodeURIComponent(tt.suite)
		}
		if tt.corp != "" {
			query += "&corp_id=" + encodeURIComponent(tt.corp)
		}
		what := fmt.Sprintf("%s of %q/%.20q", tt.page, tt.suite, tt.corp)
		a := w.raw("signatures", query, nil)
		if strings.Contains(tt.want, "/") {
			var s signed
			if a.status != http.StatusOK || json.Unmarshal(a.body, &s) != nil || s.SuiteID+"/"+s.CorpID != tt.want {
				t.Errorf("%s = %s, want %s", what, a, tt.want)
			}
			continue
		}
		status := map[string]int{"tenant_not_found": http.StatusNotFound, "tenant_ambiguous": http.StatusConflict}[tt.want]
		if status == 0 {
			status = http.StatusForbidden
		}
		wantProblem(t, what, a, status, tt.want)
	}
}

func agentsOfPages(t *testing.T, w *signWorld) {
	beta, gamma := "url=https%3A%2F%2Fbeta.example.com%2F&corp_id=wwbeta", "url=https%3A%2F%2Fgamma.example.com%2F&corp_id=wwgamma"
	wantProblem(t, "agent-signature of several", w.raw("agent-signature", beta, nil), http.StatusConflict, "agent_ambiguous")
	wantProblem(t, "signatures of several", w.raw("signatures", beta, nil), http.StatusConflict, "agent_ambiguous")
	wantProblem(t, "an unknown agent", w.raw("agent-signature", beta+"&agent_id=1000033", nil), http.StatusNotFound, "agent_not_found")
	wantProblem(t, "an unknown agent", w.raw("signatures", beta+"&agent_id=1000033", nil), http.StatusNotFound, "agent_not_found")
	wantProblem(t, "agent-signature of none", w.raw("agent-signature", gamma, nil), http.StatusNotFound, "agent_not_found")
	wantProblem(t, "an agent of none", w.raw("signatures", gamma+"&agent_id=1000031", nil), http.StatusNotFound, "agent_not_found")
	if a := w.raw("config-signature", beta, nil); a.status != http.StatusOK {
		t.Errorf("config-signature of several agents = %s, want a signature", a)
	}
	config, agent := w.tickets("ww-con", "wwbeta")
	var s signed
	a := w.raw("signatures", beta+"&agent_id=1000032", nil)
	if err := json.Unmarshal(a.body, &s); err != nil || s.AgentID == nil || *s.AgentID != 1000032 || s.Agent == nil {
		t.Fatalf("signatures of agent 1000032 = %s", a)
	}
	wantSignature(t, "config", config, "https://beta.example.com/", s.Config)
	wantSignature(t, "agent", agent, "https://beta.example.com/", *s.Agent)
	var one signature
	a = w.raw("agent-signature", beta+"&agent_id=1000031", nil)
	if err := json.Unmarshal(a.body, &one); err != nil {
		t.Fatalf("agent-signature = %s", a)
	}
	wantSignature(t, "agent-signature", agent, "https://beta.example.com/", one)
}

// Whatever else is wrong, the earliest fault in the contract's order is the one that is told.
func orderOfRefusals(t *testing.T, w *signWorld) {
	origin := map[string]string{"Origin": "https://elsewhere.example.com"}
	for _, tt := range []struct {
		query  string
		header map[string]string
		status int
		code   string
	}{
		{"url=nonsense&x=1&corp_id=wwnone", origin, 400, "invalid_request"},
		{"url=nonsense&corp_id=wwnone&agent_id=7", origin, 400, "invalid_url"},
		{"url=https%3A%2F%2Fevil.com%2F&corp_id=wwnone&agent_id=7", origin, 403, "origin_mismatch"},
		{"url=https%3A%2F%2Fevil.com%2F&corp_id=wwoff&agent_id=7", origin, 403, "origin_mismatch"},
		{"url=https%3A%2F%2Fevil.com%2F&suite_id=ww-con&corp_id=wwnone&agent_id=7", nil, 404, "tenant_not_found"},
		{"url=https%3A%2F%2Fevil.com%2F&suite_id=ww-con&corp_id=wwoff&agent_id=7", nil, 403, "tenant_inactive"},
		{"url=https%3A%2F%2Fevil.com%2F&suite_id=ww-con&corp_id=wwbeta&agent_id=7", nil, 403, "untrusted_domain"},
		{"url=https%3A%2F%2Fevil.com%2F&suite_id=ww-con&corp_id=wwbeta", nil, 403, "untrusted_domain"},
		{"url=https%3A%2F%2Fbeta.example.com%2F&suite_id=ww-con&corp_id=wwbeta&agent_id=7", nil, 404, "agent_not_found"},
	} {
		wantProblem(t, tt.query, w.raw("signatures", tt.query, tt.header), tt.status, tt.code)
	}
}

var nonceStr = regexp.MustCompile(`^[0-9A-Za-z]{32}$`)

// What an answer holds: its names, its types, fresh values; and what it costs.
func values(t *testing.T, w *signWorld) {
	var before, after struct{ Total int }
	if err := w.try(http.MethodGet, w.simURL+"/sim/calls", nil, nil, &before); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 100 {
		from := time.Now().Unix()
		a := w.raw("config-signature", "url=https%3A%2F%2Ftrusted.com%2F"+named, nil)
		var m map[string]any
		if err := json.Unmarshal(a.body, &m); err != nil || a.status != http.StatusOK {
			t.Fatalf("%s: %v", a, err)
		}
		nonce, _ := m["nonceStr"].(string)
		stamp, _ := m["timestamp"].(string)
		if len(m) != 3 || !nonceStr.MatchString(nonce) || seen[nonce] || fmt.Sprint(m["signature"]) == "" {
			t.Fatalf("%s: want timestamp, nonceStr of 32 letters and digits never seen before, signature", a.body)
		}
		seen[nonce] = true
		var at int64
		if _, err := fmt.Sscan(stamp, &at); err != nil || at < from || at > time.Now().Unix() || fmt.Sprint(at) != stamp {
			t.Fatalf("timestamp %q, want the present as decimal Unix seconds in a string", stamp)
		}
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
			t.Fatalf("Content-Type %q", got)
		}
	}
	if err := w.try(http.MethodGet, w.simURL+"/sim/calls", nil, nil, &after); err != nil || after.Total != before.Total {
		t.Errorf("100 signatures from live tickets cost %d calls to WeCom (%v), want none", after.Total-before.Total, err)
	}
	wantKeys := func(raw json.RawMessage, want ...string) map[string]json.RawMessage {
		t.Helper()
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		var got []string
		for k := range m {
			got = append(got, k)
		}
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", raw, got, want)
		}
		return m
	}
	both := wantKeys(w.raw("signatures", "url=https%3A%2F%2Ftrusted.com%2F"+named, nil).body, "corpId", "agentId", "suiteId", "config", "agent")
	wantKeys(both["config"], "timestamp", "nonceStr", "signature")
	wantKeys(both["agent"], "timestamp", "nonceStr", "signature")
	if string(both["agentId"]) != "1000021" || string(both["corpId"]) != `"wwalpha"` || string(both["suiteId"]) != `"ww-con"` {
		t.Errorf("agentId %s corpId %s suiteId %s", both["agentId"], both["corpId"], both["suiteId"])
	}
	none := wantKeys(w.raw("signatures", "url=https%3A%2F%2Fgamma.example.com%2F", nil).body, "corpId", "agentId", "suiteId", "config", "agent")
	if string(none["agent"]) != "null" || string(none["agentId"]) != "null" {
		t.Errorf("without an agent: agent %s, agentId %s, want null and null", none["agent"], none["agentId"])
	}
}
