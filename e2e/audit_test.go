package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os/user"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The audit log on the built binary: every change once, with whoever made it.

// auditWorld calls with an API key from a client behind a trusted proxy.
type auditWorld struct {
	*adminWorld
	key, keyID string
	requests   int
	seen       map[string]bool // operations that had a case
}

// clientIP is the address that the proxy names.
const clientIP = "203.0.113.7"

func newAuditWorld(t *testing.T) *auditWorld {
	t.Helper()
	w := &auditWorld{adminWorld: newAdminWorld(t, options{environ: []string{"SUITESIGN_TRUSTED_PROXIES=127.0.0.0/8", "SUITESIGN_OUTBOUND_ALLOW=127.0.0.9"}}), seen: map[string]bool{}}
	made := w.want(t, http.StatusCreated, "POST", "/v1/api-keys", object{"name": "auditor"})
	w.key, w.keyID = made["key"].(string), made["id"].(string)
	return w
}

// send makes one request and answers with its id and its body.
func (w *auditWorld) send(status int, method, path string, in any, headers ...string) (id string, out object) {
	w.t.Helper()
	w.requests++
	id = fmt.Sprintf("audit-request-%04d", w.requests)
	headers = append(headers, "Authorization", "Bearer "+w.key, "X-Forwarded-For", clientIP, "X-Request-Id", id)
	return id, w.want(w.t, status, method, path, in, headers...)
}

// entriesOf are the entries that a request left.
func (w *auditWorld) entriesOf(id string) []object {
	w.t.Helper()
	return slices.DeleteFunc(w.items(w.t, "/v1/audit-log?limit=200&actor=auditor"), func(e object) bool { return e["request_id"] != id })
}

// change makes a request that has to leave exactly one entry, with this action,
// target, and sides ("before after", as JSON; what differs from run to run is *).
func (w *auditWorld) change(operation, action, target, sides string, status int, method, path string, in any, headers ...string) object {
	w.t.Helper()
	w.seen[operation+" "+action] = true
	id, out := w.send(status, method, path, in, headers...)
	entries := w.entriesOf(id)
	if len(entries) != 1 {
		w.t.Errorf("%s left %d entries, want one: %v", operation, len(entries), entries)
		return out
	}
	e := entries[0]
	if target == "*" {
		target = e["target_id"].(string)
	}
	kind, _, _ := strings.Cut(action, ".")
	got := []any{e["actor_kind"], e["actor"], e["api_key_id"], e["ip"], e["action"], e["target_kind"], e["target_id"]}
	if diff := cmp.Diff([]any{"api_key", "auditor", w.keyID, clientIP, action, kind, target}, got); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", operation, diff)
	}
	if got := oneLine(w.t, e["before"]) + " " + oneLine(w.t, e["after"]); !matches(sides, got) {
		w.t.Errorf("%s: before and after are %s, want %s", operation, got, sides)
	}
	if at, err := time.Parse(time.RFC3339, e["at"].(string)); err != nil || time.Since(at).Abs() > time.Hour {
		w.t.Errorf("%s: at %v", operation, e["at"])
	}
	return out
}

// nothing makes a request that must leave no entry.
func (w *auditWorld) nothing(status int, method, path string, in any, headers ...string) {
	w.t.Helper()
	id, _ := w.send(status, method, path, in, headers...)
	if entries := w.entriesOf(id); len(entries) > 0 {
		w.t.Errorf("%s %s = %d left %v", method, path, status, entries)
	}
}

func oneLine(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// matches holds a text against a pattern in which * stands for anything.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(text, p)
		if !ok {
			return false
		}
		text = after
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}

// secrets of this test, each of which must be nowhere in the log.
var auditSecrets = []string{"CANARYsuiteSecret1", "CANARYsuiteSecret2", "CANARYtoken1", "CANARYtoken2",
	"CANARYaesKey1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "CANARYaesKey2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "CANARYappSecret1", "CANARYappSecret2"}

func TestEveryChangeIsAuditedOnce(t *testing.T) {
	t.Parallel()
	w := newAuditWorld(t)
	w.auditSuites()
	w.auditTenants()
	w.auditKeys()
	w.auditImports()
	w.auditCallbacks()
	w.auditWebhooks()
	w.everyOperationHadACase()
	w.auditExport()
}

func (w *auditWorld) auditSuites() {
	s := auditSecrets
	w.change("createSuite", "suite.create", "ww-audit", `null {"callback_token":"set","encoding_aes_key":"set","install_test_mode":false,"kind":"third_party","name":"Orders","provider_corp_id":"","suite_secret":"set"}`,
		201, "POST", "/v1/suites", object{"suite_id": "ww-audit", "kind": "third_party", "name": "Orders", "suite_secret": s[0], "callback_token": s[2], "encoding_aes_key": s[4][:43]})
	w.change("updateSuite", "suite.update", "ww-audit", `{"callback_token":"set","encoding_aes_key":"set","name":"Orders","suite_secret":"set"} {"callback_token":"changed","encoding_aes_key":"changed","name":"订单","suite_secret":"changed"}`,
		200, "PATCH", "/v1/suites/ww-audit", object{"name": "订单", "suite_secret": s[1], "callback_token": s[3], "encoding_aes_key": s[5][:43]})
	w.nothing(200, "PATCH", "/v1/suites/ww-audit", object{"name": "订单"})
	w.nothing(412, "PATCH", "/v1/suites/ww-audit", object{"name": "Other"}, "If-Match", `"1"`)
	w.nothing(400, "PATCH", "/v1/suites/ww-audit", object{"name": ""})
	w.nothing(409, "POST", "/v1/suites", object{"suite_id": "ww-audit", "kind": "internal", "name": "Again"})

	domain := "/v1/suites/ww-audit/domains/h5.example.com"
	w.change("putSuiteDomain", "suite_domain.create", "h5.example.com", `null {"allow_http":false,"exact":false}`, 200, "PUT", domain, object{})
	w.change("putSuiteDomain", "suite_domain.update", "h5.example.com",
		`{"exact":false} {"exact":true,"verification_file":{"content":"abcdefgh12345678","name":"WW_verify_abcdefgh12345678.txt"}}`, 200, "PUT", domain,
		object{"exact": true, "verification_file": object{"name": "WW_verify_abcdefgh12345678.txt", "content": "abcdefgh12345678"}})
	w.nothing(400, "PUT", "/v1/suites/ww-audit/domains/192.0.2.1", object{})
	w.change("checkSuiteDomain", "suite_domain.check", "h5.example.com", `null null`, 200, "POST", domain+"/check", nil)
	w.nothing(429, "POST", domain+"/check", nil)
	w.change("deleteSuiteDomain", "suite_domain.delete", "h5.example.com", `{"allow_http":false,"exact":true,*} null`, 204, "DELETE", domain, nil)
	w.nothing(404, "DELETE", domain, nil)
	w.change("deleteSuite", "suite.delete", "ww-audit", `{*"name":"订单",*"suite_secret":"set"} null`, 204, "DELETE", "/v1/suites/ww-audit", nil)
}

func (w *auditWorld) auditTenants() {
	w.want(w.t, 201, "POST", "/v1/suites", object{"suite_id": "own", "kind": "internal", "name": "Own"})
	made := w.change("createTenant", "tenant.create", "*",
		`null {"agents":[{"agent_id":1000002,"name":""}],"corp_id":"wwacme","name":"","secret":"set","status":"active","suite_id":"own"}`,
		201, "POST", "/v1/tenants", object{"suite_id": "own", "corp_id": "wwacme", "agent_id": 1000002, "secret": auditSecrets[6]})
	id := made["id"].(string)
	one := "/v1/tenants/" + id
	w.nothing(409, "POST", "/v1/tenants", object{"suite_id": "own", "corp_id": "wwacme", "agent_id": 1000002, "secret": auditSecrets[6]})
	w.change("updateTenant", "tenant.update", id, `{"name":"","status":"active"} {"name":"Acme","status":"disabled"}`, 200, "PATCH", one, object{"name": "Acme", "status": "disabled"})
	w.change("updateTenant", "tenant.update", id, `{"secret":"set"} {"secret":"changed"}`, 200, "PATCH", one, object{"secret": auditSecrets[7]})
	w.change("updateTenant", "tenant.update", id, `{"agents":[{"agent_id":1000002,"name":""}]} {"agents":[{"agent_id":1000003,"name":"Acme"}]}`, 200, "PATCH", one, object{"agent_id": 1000003})
	w.nothing(200, "PATCH", one, object{"status": "disabled"})
	w.nothing(404, "PATCH", "/v1/tenants/"+nobody, object{"name": "x"})

	w.change("putTenantAlias", "tenant_alias.create", "wpacme", `null null`, 200, "PUT", one+"/aliases/wpacme", nil)
	w.nothing(200, "PUT", one+"/aliases/wpacme", nil)
	w.nothing(409, "PUT", one+"/aliases/wwacme", nil)
	w.change("deleteTenantAlias", "tenant_alias.delete", "wpacme", `null null`, 204, "DELETE", one+"/aliases/wpacme", nil)
	domain := one + "/domains/h5.example.com:8443"
	w.change("putTenantDomain", "tenant_domain.create", "h5.example.com:8443", `null {"allow_http":false,"exact":false}`, 200, "PUT", domain, object{})
	w.change("putTenantDomain", "tenant_domain.update", "h5.example.com:8443", `{"allow_http":false} {"allow_http":true}`, 200, "PUT", domain, object{"allow_http": true})
	w.nothing(200, "PUT", domain, object{"allow_http": true})
	w.change("checkTenantDomain", "tenant_domain.check", "h5.example.com:8443", `null null`, 200, "POST", domain+"/check", nil)
	w.nothing(429, "POST", domain+"/check", nil)
	w.change("deleteTenantDomain", "tenant_domain.delete", "h5.example.com:8443", `{"allow_http":true,"exact":false} null`, 204, "DELETE", domain, nil)
	w.change("deleteTenant", "tenant.delete", id, `{"corp_id":"wwacme","name":"Acme","status":"disabled","suite_id":"own"} null`, 204, "DELETE", one, nil)
	if got := len(w.items(w.t, "/v1/audit-log?limit=200&tenant_id="+id)); got != 11 {
		w.t.Errorf("the tenant has %d entries, want 11 that outlive it", got)
	}
}

func (w *auditWorld) auditWebhooks() {
	const fields = `"description":"","disabled_reason":"","enabled":true,"events":["tenant.changed"],"secret":"set","suite_ids":[],"tenant_ids":[],"url":"https://127.0.0.9"`
	made := w.change("createWebhook", "webhook.create", "*", `null {`+fields+`}`,
		201, "POST", "/v1/webhooks", object{"url": "https://127.0.0.9/x", "events": []string{"tenant.changed"}})
	id := made["id"].(string)
	one := "/v1/webhooks/" + id
	w.change("updateWebhook", "webhook.update", id, `{"description":""} {"description":"CRM"}`, 200, "PATCH", one, object{"description": "CRM"})
	w.nothing(200, "PATCH", one, object{"description": "CRM"})
	w.nothing(400, "PATCH", one, object{"url": "https://10.0.0.1/"})
	w.change("rotateWebhookSecret", "webhook.rotate_secret", id, `{"secret":"set"} {"overlap_seconds":60,"secret":"changed"}`, 200, "POST", one+"/rotate-secret", object{"overlap_seconds": 60})
	sent := w.change("testWebhook", "webhook.test", id, `null null`, 200, "POST", one+"/test", nil)
	w.change("replayWebhookDelivery", "webhook.replay", id, `null {"delivery_id":"*"}`, 202, "POST", one+"/deliveries/"+sent["id"].(string)+"/replay", nil)
	w.change("deleteWebhook", "webhook.delete", id, `{*"description":"CRM",*} null`, 204, "DELETE", one, nil)
}

func (w *auditWorld) auditKeys() {
	made := w.change("createAPIKey", "api_key.create", "*", `null {"name":"ci","scopes":["tenants:read"]}`, 201, "POST", "/v1/api-keys", object{"name": "ci", "scopes": []string{"tenants:read"}})
	id := made["id"].(string)
	w.change("updateAPIKey", "api_key.update", id, `{"name":"ci"} {"name":"build"}`, 200, "PATCH", "/v1/api-keys/"+id, object{"name": "build"})
	next := w.change("rotateAPIKey", "api_key.rotate", id, `{} {"expires_at":"*","replaced_by":"*"}`, 201, "POST", "/v1/api-keys/"+id+"/rotate", object{})
	w.change("revokeAPIKey", "api_key.revoke", next["id"].(string), `{} {"revoked_at":"*"}`, 204, "DELETE", "/v1/api-keys/"+next["id"].(string), nil)
	w.nothing(204, "DELETE", "/v1/api-keys/"+next["id"].(string), nil)
	w.nothing(400, "POST", "/v1/api-keys", object{"name": ""})
	for _, key := range []object{made, next} {
		auditSecretsOf := key["key"].(string)
		if log := string(w.do(w.t, "GET", "/v1/audit-log/export?format=jsonl", nil).body); strings.Contains(log, auditSecretsOf) {
			w.t.Error("the audit log holds an API key")
		}
	}
}

// auditImports: who begins an import and who ends it. What its rows do is told in
// the same name, under entries of their own.
func (w *auditWorld) auditImports() {
	const csv = "text/csv"
	w.change("createImport", "import.create", "*", `null {"format":"csv","on_conflict":"skip","sha256":"*","total":1}`,
		201, "POST", "/v1/imports", "suite_id,corp_id,permanent_code\nww-nobody,wp1,CANARYcode\n", "Content-Type", csv)
	w.nothing(200, "POST", "/v1/imports?dry_run=true", "suite_id,corp_id,permanent_code\nww-nobody,wp1,CANARYcode\n", "Content-Type", csv)
	w.nothing(400, "POST", "/v1/imports", "canary\n", "Content-Type", csv)
	w.want(w.t, 201, "POST", "/v1/suites", object{"suite_id": "own-many", "kind": "internal", "name": "Own"})
	var many strings.Builder // more than a worker does until it is cancelled
	many.WriteString("suite_id,corp_id,secret,agents\n")
	for i := range 20_000 {
		fmt.Fprintf(&many, "own-many,wwmany%05d,CANARYapp,1\n", i)
	}
	id := w.want(w.t, 201, "POST", "/v1/imports", many.String(), "Content-Type", csv)["id"].(string)
	w.change("cancelImport", "import.cancel", id, `{"state":"*"} {"state":"cancelled"}`, 204, "DELETE", "/v1/imports/"+id, nil)
	w.nothing(204, "DELETE", "/v1/imports/"+id, nil)
}

// auditCallbacks is what WeCom does to a tenant, and what an admin has done again.
func (w *auditWorld) auditCallbacks() {
	w.suite("dk-audit", "customized", "h5.example.com")
	w.install("dk-audit", "wwinstalled", "https://h5.example.com/")
	id := w.tenant("dk-audit", "wwinstalled").ID
	w.simulate("reset-permanent-code", object{"suite_id": "dk-audit", "corp_id": "wwinstalled"}, nil)
	w.waitAudited(id, "tenant.authorize", "tenant.replace_agents", "tenant.reset_permanent_code")

	w.simulate("change", object{"suite_id": "dk-audit", "corp_id": "wwinstalled"}, nil)
	changed := w.events("dk-audit", "change_auth")
	w.change("retryEvent", "event.retry", changed[0].ID, `null null`, 202, "POST", "/v1/events/"+changed[0].ID+"/retry", nil)
	w.nothing(404, "POST", "/v1/events/"+nobody+"/retry", nil)
	w.change("getAccessToken", "access_token.read", id, `null null`, 200, "GET", "/v1/tenants/"+id+"/access-token", nil)
	token := w.want(w.t, 200, "GET", "/v1/tenants/"+id+"/access-token", nil)
	w.change("refuseAccessToken", "access_token.refuse", id, `null null`, 202, "POST", "/v1/tenants/"+id+"/access-token/refused", object{"fingerprint": token["fingerprint"]})
	w.nothing(404, "GET", "/v1/tenants/"+nobody+"/access-token", nil)
	w.change("refreshCredentials", "credentials.refresh", id, `null null`, 202, "POST", "/v1/tenants/"+id+"/credentials/refresh", nil)
	w.nothing(404, "POST", "/v1/tenants/"+nobody+"/credentials/refresh", nil)
	w.nothing(200, "POST", "/v1/explain", object{"url": "https://h5.example.com/"})

	w.simulate("uninstall", object{"suite_id": "dk-audit", "corp_id": "wwinstalled"}, nil)
	entries := w.waitAudited(id, "tenant.authorize", "tenant.replace_agents", "tenant.reset_permanent_code", "tenant.cancel")
	for _, e := range entries {
		if e["actor_kind"] != "wecom" || e["actor"] != "wecom" || e["suite_id"] != "dk-audit" {
			w.t.Errorf("%v: %v of %v, want wecom", e["action"], e["actor"], e["suite_id"])
		}
	}
	if c := entries[0]; oneLine(w.t, c["before"])+oneLine(w.t, c["after"]) != `{"status":"active"}{"status":"cancelled"}` || c["ip"] != "127.0.0.1" || c["request_id"] == nil {
		w.t.Errorf("the cancellation is told as %v", c)
	}
}

// waitAudited waits until WeCom did exactly this to a tenant, in this order, and
// answers with the entries, the newest first.
func (w *auditWorld) waitAudited(tenant string, actions ...string) (entries []object) {
	w.t.Helper()
	slices.Reverse(actions)
	eventually(w.t, 20*time.Second, func() error {
		entries = w.items(w.t, "/v1/audit-log?limit=200&actor_kind=wecom&tenant_id="+tenant)
		var got []string
		for _, e := range entries {
			got = append(got, e["action"].(string))
		}
		if !slices.Equal(got, actions) {
			return fmt.Errorf("WeCom did %v, want %v", got, actions)
		}
		return nil
	})
	return entries
}

// everyOperationHadACase holds the cases against the contract that the binary
// serves: whoever adds an operation that changes something adds its case here.
func (w *auditWorld) everyOperationHadACase() {
	for path, item := range w.doc.Paths.Map() {
		for method, op := range item.Operations() {
			actions, _ := op.Extensions["x-audit"].([]any)
			for _, action := range actions {
				if !w.seen[fmt.Sprintf("%s %v", op.OperationID, action)] {
					w.t.Errorf("%s %s: no case of TestEveryChangeIsAuditedOnce has %s leave %v", method, path, op.OperationID, action)
				}
				delete(w.seen, fmt.Sprintf("%s %v", op.OperationID, action))
			}
		}
	}
	for unknown := range w.seen {
		w.t.Errorf("the contract's x-audit knows nothing of %s", unknown)
	}
}

// auditExport: all of it, in both formats, and no secret in either.
func (w *auditWorld) auditExport() {
	lines := string(w.do(w.t, "GET", "/v1/audit-log/export?format=jsonl", nil).body)
	table := string(w.do(w.t, "GET", "/v1/audit-log/export?format=csv", nil).body)
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if n := strings.Count(lines, "\n"); err != nil || n < 30 || len(rows) != n+1 {
		w.t.Errorf("%d JSON lines and %d CSV rows, %v", n, len(rows), err)
	}
	for i, s := range append(auditSecrets, w.key, w.apiKey) {
		if strings.Contains(lines+table, s) || len(s) > 43 && strings.Contains(lines+table, s[:43]) {
			w.t.Errorf("the audit log holds secret number %d", i)
		}
	}
	for _, s := range []string{"CANARY"} {
		if strings.Contains(lines+table, s) {
			w.t.Errorf("the audit log holds a part of a secret")
		}
	}
}

// The command line acts in the name of the operating system's user.
func TestTheCommandLineIsAudited(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{})
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	environ := w.environ(0, 0)
	made := command(t, environ, 0, "Made key", "apikey", "create", "terraform")
	id := w.items(t, "/v1/api-keys")[0]["id"].(string)
	command(t, environ, 0, "Revoked", "apikey", "revoke", id)
	command(t, environ, 1, "no such api key", "apikey", "revoke", nobody)
	command(t, environ, 0, "already", "keys", "init")
	command(t, environ, 0, "Rotated", "keys", "rotate")
	w.want(t, 201, "POST", "/v1/suites", newSuite)
	command(t, environ, 0, "active", "keys", "rotate")
	command(t, environ, 0, "Sealed 3 values", "keys", "reencrypt")
	var got []string
	for _, e := range w.items(t, "/v1/audit-log?actor_kind=cli") {
		if e["actor"] != me.Username || e["ip"] != nil || e["request_id"] != nil || e["api_key_id"] != nil {
			t.Errorf("%v by %v from %v", e["action"], e["actor"], e["ip"])
		}
		got = append(got, e["action"].(string))
	}
	want := []string{"keyring.reencrypt", "keyring.rotate", "keyring.rotate", "api_key.revoke", "api_key.create"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the command line left (-want +got):\n%s", diff)
	}
	if first := w.items(t, "/v1/audit-log?actor_kind=system"); len(first) != 1 || first[0]["action"] != "keyring.create" {
		t.Errorf("the service by itself did %v, want keyring.create", first)
	}
	if log := string(w.do(t, "GET", "/v1/audit-log/export?format=csv", nil).body); strings.Contains(log, strings.TrimSpace(made[strings.LastIndex(made, "suitesign_"):])) {
		t.Error("the audit log holds the key that was made")
	}
}
