package web_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/signing"
	"suitesign/signing/explain"
)

// hold stores a ticket of a tenant, as a refresh does.
func (a *admin) hold(path, kind, value string) uuid.UUID {
	a.t.Helper()
	id := uuid.MustParse(strings.TrimPrefix(path, "/v1/tenants/"))
	sealed, err := a.ring.Seal(secret.New(value), secret.Binding{Table: "credentials", Column: "value_sealed", Row: id.String() + "/" + kind})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, sql := range []string{
		`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants WHERE id = $1 ON CONFLICT DO NOTHING`,
		`UPDATE tenants SET health = 'ok' WHERE id = $1`,
	} {
		if _, err := a.pool.Exec(a.t.Context(), sql, id); err != nil {
			a.t.Fatal(err)
		}
	}
	const q = `INSERT INTO credentials (tenant_id, kind, value_sealed, expires_at, refreshed_at, next_at)
		VALUES ($1, $2, $3, now() + interval '1 hour', now() - interval '1 hour', now())`
	if _, err := a.pool.Exec(a.t.Context(), q, id, kind, sealed); err != nil {
		a.t.Fatal(err)
	}
	return id
}

func TestExplain(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	path := a.addTenant("ours", "wwcorp")
	a.call("PUT", path+"/domains/h5.example.com", nil).want(200)
	const ticket = "canary-ticket"
	id := a.hold(path, "jsapi_ticket", ticket)

	const page = "https://h5.example.com/orders?id=7&q=1"
	now := fmt.Sprint(time.Now().Unix())
	asked := func(signed string) object {
		return object{"url": page + "#/detail", "kind": "config", "timestamp": now, "nonce_str": "Wm3WZYTPz0wzccnW",
			"signature": signing.Sum(secret.New(ticket), "Wm3WZYTPz0wzccnW", now, signed), "suite_id": "ours", "corp_id": "wwcorp", "agent_id": "1000002",
			"error": "preVerifyJSAPI:invalid signature", "errcode": 40093, "js_api_list": []string{"scanQRCode"}, "api": "scanQRCode", "entry": "normal",
			"user_agent": "iPhone wxwork/4.1.20 MicroMessenger/7.0.1", "entry_url": "https://h5.example.com/"}
	}
	type explanation struct {
		OK        bool
		URL       *string
		Canonical *string
		SignedBy  *struct {
			TenantID uuid.UUID `json:"tenant_id"`
			Kind     string
			Live     bool
		} `json:"signed_by"`
		Findings []struct {
			Code, Severity string
			En, Zh         struct{ What, Why, Do string }
			Evidence       []struct {
				Field           string
				Position        *int
				Expected, Found string
			}
		}
	}
	ask := func(body object) (e explanation) {
		t.Helper()
		a.call("POST", "/v1/explain", body).want(200).into(&e)
		return e
	}
	e := ask(asked(page + "#/detail"))
	if e.OK || e.Findings[0].Code != "fragment_kept" || e.Findings[0].Severity != "error" || *e.Findings[0].Evidence[0].Position != len(page) ||
		e.SignedBy == nil || e.SignedBy.TenantID != id || e.SignedBy.Kind != "config" || !e.SignedBy.Live {
		t.Errorf("a fragment that was kept: %+v", e)
	}
	if e.URL == nil || *e.URL != page || e.Canonical == nil || *e.Canonical != "jsapi_ticket=***&noncestr=Wm3WZYTPz0wzccnW&timestamp="+now+"&url="+page {
		t.Errorf("url %v, canonical %v", e.URL, e.Canonical)
	}
	sameAsTheCommand(t, a, asked(page+"#/detail"))
	sameAsTheCommand(t, a, object{"url": "h5"})
	good := asked(page)
	delete(good, "error")
	delete(good, "errcode")
	if e = ask(good); !e.OK || e.Findings[0].Code != "signature_fits" {
		t.Errorf("a good one: %+v", e)
	}
	if e = ask(object{"url": "https://evil.example.org/", "suite_id": "ours", "corp_id": "wwcorp"}); e.OK || e.Findings[0].Code != "untrusted_domain" || e.SignedBy != nil {
		t.Errorf("a host of nobody: %+v", e)
	}
	if e = ask(object{"url": "h5", "corp_id": "undefined"}); e.OK || e.Findings[0].Code != "invalid_url" || e.Findings[1].Code != "corp_id_missing" || e.URL != nil || e.Canonical != nil {
		t.Errorf("no URL: %+v", e)
	}
	for _, wrong := range []object{{}, {"url": ""}, {"url": page, "kind": "both"}, {"url": page, "timestamp": 1}, {"url": page, "ticket": "x"}, {"url": strings.Repeat("x", 30000)}} {
		a.call("POST", "/v1/explain", wrong).refused(400, "invalid_request")
	}
	a.call("POST", "/v1/explain", good, "Authorization", "").refused(401, "unauthorized")
	a.call("GET", "/v1/explain", nil).refused(405, "method_not_allowed")
}

// Whatever a page said is explained: it is an answer, never a fault.
func TestExplainNaughtyWords(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	a.addTenant("ours", "wwcorp")
	for _, word := range naughty {
		a.call("POST", "/v1/explain", object{"url": word, "suite_id": word, "corp_id": word, "agent_id": word, "timestamp": word, "nonce_str": word, "signature": word,
			"error": word, "user_agent": word, "api": word, "js_api_list": []string{word}, "entry": word, "entry_url": word}).want(200)
		a.call("POST", "/v1/explain", object{"url": "https://h5.example.com/?x=" + word, "corp_id": word}).want(200)
	}
}

// What `suitesign sign explain --json` writes is what the API answers.
func sameAsTheCommand(t *testing.T, a *admin, body object) {
	t.Helper()
	text := func(name string) string { s, _ := body[name].(string); return s }
	report, err := a.api.Known.Explain(t.Context(), explain.Question{
		URL: text("url"), EntryURL: text("entry_url"), Kind: explain.Kind(text("kind")), Timestamp: text("timestamp"), NonceStr: text("nonce_str"), Signature: text("signature"),
		SuiteID: text("suite_id"), CorpID: text("corp_id"), AgentID: text("agent_id"), Error: text("error"), UserAgent: text("user_agent"), API: text("api"), Entry: text("entry"),
	})
	if err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	delete(body, "errcode")
	delete(body, "js_api_list")
	var want any
	if err := json.Unmarshal(written, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, any(a.call("POST", "/v1/explain", body).want(200).object())); diff != "" {
		t.Errorf("the command (-) and the API (+) differ:\n%s", diff)
	}
}
