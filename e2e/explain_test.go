package e2e

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// explanation is the answer of POST /v1/explain, and of `suitesign sign explain --json`.
type explanation struct {
	OK       bool
	Findings []struct{ Code, Severity string }
}

// A registration that the client refuses is explained, over the API and at the
// command line alike; one that it takes is not complained of.
func TestExplain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const suite, corp, page = "ww00000000000000e1", "wpExplained0000000000000000000000", "https://h5.example.com/list?id=7&q=1"
	w.suite(suite, "third_party", "h5.example.com")
	w.install(suite, corp, page)
	config, agent := w.tickets(suite, corp)
	good := w.waitSigned(w.replicas[0], page, suite, corp, 0)

	sign := func(ticket, url string) string {
		sum := sha1.Sum([]byte("jsapi_ticket=" + ticket + "&noncestr=" + good.Config.NonceStr + "&timestamp=" + good.Config.Timestamp + "&url=" + url))
		return hex.EncodeToString(sum[:])
	}
	for _, tt := range []struct{ name, kind, corp, signature, want string }{
		{"as it should be", "config", corp, good.Config.Signature, ""},
		{"fragment", "config", corp, sign(config, page+"#/x"), "fragment_kept"},
		{"escaped", "config", corp, sign(config, strings.ReplaceAll(page, "&", "&amp;")), "html_escaped"},
		{"the agent's ticket", "config", corp, sign(agent, page), "ticket_kinds_swapped"},
		{"the corp's ticket", "agent", corp, sign(config, page), "ticket_kinds_swapped"},
		{"corpId in another case", "config", strings.ToLower(corp), good.Config.Signature, "corp_id_spelling"},
	} {
		kind := map[string]string{"config": "config", "agent": "agent_config"}[tt.kind]
		check := map[string]any{"kind": kind, "suite_id": suite, "corp_id": tt.corp, "agent_id": *good.AgentID, "url": page,
			"timestamp": good.Config.Timestamp, "nonceStr": good.Config.NonceStr, "signature": tt.signature}
		var verdict struct {
			OK     bool
			ErrMsg string `json:"err_msg"`
		}
		w.simulate("jsapi", check, &verdict)
		if verdict.OK != (tt.want == "") {
			t.Errorf("%s: the client says %+v", tt.name, verdict)
		}
		href := page + "#/x"
		asked := map[string]any{"url": href, "kind": tt.kind, "suite_id": suite, "corp_id": tt.corp, "timestamp": good.Config.Timestamp,
			"nonce_str": good.Config.NonceStr, "signature": tt.signature, "error": verdict.ErrMsg}
		if verdict.OK {
			delete(asked, "error")
		}
		var e explanation
		told := w.api(http.MethodPost, "/v1/explain", http.StatusOK, asked, &e)
		if e.OK != verdict.OK || tt.want != "" && e.Findings[0].Code != tt.want {
			t.Errorf("%s: the API says %+v, want %q first", tt.name, e, tt.want)
		}
		args := []string{"sign", "explain", href, "--json", "--kind", tt.kind, "--suite-id", suite, "--corp-id", tt.corp, "--timestamp", good.Config.Timestamp,
			"--nonce-str", good.Config.NonceStr, "--signature", tt.signature}
		if !verdict.OK {
			args = append(args, "--error", verdict.ErrMsg)
		}
		out, code := runCommand(t, w.environ(0, 0), "suitesign", args...)
		var c explanation
		if err := json.Unmarshal([]byte(out), &c); err != nil || (code == 0) != verdict.OK || code > 1 || c.OK != e.OK || !slices.Equal(c.Findings, e.Findings) {
			t.Errorf("%s: the command ended %d, %v: %s; want what the API says: %+v", tt.name, code, err, out, e)
		}
		for _, ticket := range []string{config, agent} {
			if strings.Contains(out, ticket) || strings.Contains(string(told.body), ticket) {
				t.Errorf("%s: a ticket is shown", tt.name)
			}
		}
	}
	out, code := runCommand(t, w.environ(0, 0), "suitesign", "sign", "explain", "https://evil.example.org/", "--suite-id", suite, "--corp-id", corp, "--lang", "zh")
	if code != 1 || !strings.Contains(out, "error: untrusted_domain") || !strings.Contains(out, "不是该租户的可信域名") || !strings.Contains(out, "h5.example.com") {
		t.Errorf("in Chinese it ended %d:\n%s", code, out)
	}
	for _, args := range [][]string{{}, {page, "--kind", "both"}, {page, "--lang", "fr"}} {
		if out, code := runCommand(t, w.environ(0, 0), "suitesign", append([]string{"sign", "explain"}, args...)...); code != 2 {
			t.Errorf("sign explain %v ended %d, want 2:\n%s", args, code, out)
		}
	}
}
