package wecomtest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"suitesign/wecom/wecomtest"
)

// The stand-in signs what the client then accepts, and says in suitesign's words
// why it does not sign.
func TestTheStandInSigns(t *testing.T) {
	t.Parallel()
	sim := wecomtest.New(t)
	sim.AddSuite(wecomtest.Suite{SuiteID: "ww5ui7e0000000001", TrustedDomains: []string{"app.example.com"}})
	sim.InstallWith(wecomtest.Install{SuiteID: "ww5ui7e0000000001", CorpID: "wwcorp", Door: wecomtest.Site, Agents: []wecomtest.Agent{{AgentID: 7}}})
	sim.AddCorp(wecomtest.Corp{CorpID: "wwown", Apps: []wecomtest.App{{AgentID: 1, TrustedDomains: []string{"own.example.com"}}, {AgentID: 2, TrustedDomains: []string{"own.example.com"}}}})

	ask := func(endpoint string, query url.Values) (int, map[string]any) {
		t.Helper()
		res, err := http.Get(sim.URL + "/sim/api/jssdk/" + endpoint + "?" + query.Encode())
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s is not open to pages", endpoint)
		}
		var out map[string]any
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, out
	}
	accepted := func(kind wecomtest.Identity, corp, agent, page string, by map[string]any) {
		t.Helper()
		v := sim.JSAPI(wecomtest.Check{Kind: kind, CorpID: "wwcorp", AgentID: agent, URL: page, Timestamp: by["timestamp"].(string), NonceStr: by["nonceStr"].(string), Signature: by["signature"].(string)})
		if !v.OK {
			t.Errorf("%s of %s: the client says %+v", kind, corp, v)
		}
	}
	page := "http://h5.app.example.com:3000/a%20b/?x=%E4%BD%A0&y=1"
	named := url.Values{"url": {page + "#/route"}, "suite_id": {"ww5ui7e0000000001"}, "corp_id": {"wwcorp"}}
	_, config := ask("config-signature", named)
	accepted(wecomtest.ConfigIdentity, "wwcorp", "", page, config)
	named.Set("agent_id", "7")
	_, agent := ask("agent-signature", named)
	accepted(wecomtest.AgentIdentity, "wwcorp", "7", page, agent)
	_, both := ask("signatures", url.Values{"url": {page}}) // the host leaves one app
	if both["corpId"] != "wwcorp" || both["suiteId"] != "ww5ui7e0000000001" || both["agentId"] != 7.0 {
		t.Errorf("signatures = %v", both)
	}
	accepted(wecomtest.AgentIdentity, "wwcorp", "7", page, both["agent"].(map[string]any))

	for code, q := range map[string]url.Values{
		"untrusted_domain": {"url": {"http://elsewhere.example.com/"}, "corp_id": {"wwcorp"}},
		"tenant_not_found": {"url": {page}, "corp_id": {"wwother"}},
		"agent_not_found":  {"url": {page}, "agent_id": {"8"}},
		"tenant_ambiguous": {"url": {"https://own.example.com/"}, "corp_id": {"wwown"}},
		"invalid_url":      {"url": {"file:///index.html"}},
		"invalid_request":  {"url": {page}, "y": {"1"}},
	} {
		if status, out := ask("agent-signature", q); out["code"] != code || status < 400 || out["detail"] == "" {
			t.Errorf("%v = %d %v, want %s", q, status, out, code)
		}
	}
	// A report of what was refused: only a dead ticket is worth another try.
	report := func(by map[string]any, url string) (string, any) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"kind": "agent_config", "suite_id": "ww5ui7e0000000001", "corp_id": "wwcorp", "agent_id": 7, "url": url,
			"timestamp": by["timestamp"], "nonceStr": by["nonceStr"], "signature": by["signature"], "errMsg": "agentConfig:fail"})
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.Post(sim.URL+"/sim/api/jssdk/report", "text/plain", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var out map[string]any
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode != http.StatusAccepted {
			t.Fatalf("a report is answered %d, %v", res.StatusCode, err)
		}
		return out["action"].(string) + " " + out["cause"].(string), out["retry_after"]
	}
	if told, again := report(agent, page+"&more=1"); told != "none signature_mismatch" || again != nil {
		t.Errorf("a report of another URL: %s, %v", told, again)
	}
	sim.Revoke("ww5ui7e0000000001", "wwcorp", wecomtest.AgentTicket)
	if told, again := report(agent, page); told != "retry revoked_ticket" || again != 1.0 {
		t.Errorf("a report of a revoked ticket: %s, %v", told, again)
	}
	_, agent = ask("agent-signature", named)
	accepted(wecomtest.AgentIdentity, "wwcorp", "7", page, agent)

	if n := len(sim.Calls().Calls); n != 0 {
		t.Errorf("the stand-in made %d calls to the platform", n)
	}
}
