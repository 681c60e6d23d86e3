package web_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"suitesign/ticket"
	"suitesign/wecom/wecomtest"
)

func TestAccessToken(t *testing.T) {
	t.Parallel()
	const corpID, appSecret = "wwcorp0000000001", "canary-secret-of-the-app"
	sim := wecomtest.New(t)
	sim.AddCorp(wecomtest.Corp{CorpID: corpID, Apps: []wecomtest.App{{AgentID: 1000002, Secret: appSecret}}})
	a := newAdmin(t, withPlatform(t, sim, ticket.DefaultLimits()))
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	path := a.call("POST", "/v1/tenants", object{"suite_id": "ours", "corp_id": corpID, "agent_id": 1000002, "secret": appSecret}).want(201).header.Get("Location")
	id := strings.TrimPrefix(path, "/v1/tenants/")
	a.call("POST", "/v1/suites", internalSuite("others")).want(201)
	foreign := a.addTenant("others", "wwother")
	path += "/access-token"

	// Nobody has asked before: it is fetched now. Only its own scope opens it.
	_, auth := a.newKey(object{"name": "back end", "scopes": []string{"tokens:read"}, "tenant_ids": []string{id}})
	_, reader := a.newKey(object{"name": "reader", "scopes": []string{"credentials:write", "tenants:write"}})
	a.call("GET", path, nil, reader...).refused(403, "insufficient_scope")
	got := a.call("GET", path, nil, auth...).want(200)
	token, _ := got.object()["access_token"].(string)
	sum := sha256.Sum256([]byte(token))
	if token == "" || got.object()["fingerprint"] != hex.EncodeToString(sum[:]) || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("access_token of %d characters, fingerprint %v, Cache-Control %q", len(token), got.object()["fingerprint"], got.header.Get("Cache-Control"))
	}
	if ends, err := time.Parse(time.RFC3339, got.object()["expires_at"].(string)); err != nil || time.Until(ends) < time.Hour {
		t.Errorf("expires_at = %v", got.object()["expires_at"])
	}
	a.call("GET", path, nil, auth...).want(200)
	if n := sim.Calls().Count("gettoken", corpID, ""); n != 1 {
		t.Errorf("two back ends cost %d calls of gettoken, want 1", n)
	}
	if strings.Contains(a.log.String(), token) {
		t.Error("the log holds the token")
	}
	a.call("GET", foreign+"/access-token", nil, auth...).refused(404, "tenant_not_found")

	// Each time is in the audit log, in the key's name, and the token is not.
	log := a.call("GET", "/v1/audit-log?action=access_token.read", nil).want(200)
	if items := log.items(); len(items) != 2 || items[0].(object)["actor"] != "back end" || strings.Contains(string(log.body), token) {
		t.Errorf("the audit log tells %s", log.body)
	}

	// A refused one: by its fingerprint, and bounded.
	refuse := func(fingerprint string) any {
		t.Helper()
		return a.call("POST", path+"/refused", object{"fingerprint": fingerprint}, auth...).want(202).object()["outcome"]
	}
	fingerprint := got.object()["fingerprint"].(string)
	if out := refuse(strings.Repeat("0", 64)); out != "replaced" {
		t.Errorf("a token that is none of ours: %v, want replaced", out)
	}
	if out := refuse(fingerprint); out != "fetching" {
		t.Errorf("the token in force: %v, want fetching", out)
	}
	a.call("POST", path+"/refused", object{"fingerprint": "x"}, auth...).refused(400, "invalid_request")
	a.call("POST", path+"/refused", object{"fingerprint": fingerprint}, reader...).refused(403, "insufficient_scope")
	if _, err := a.api.Refresher.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	// This platform repeats a token that lives: it insists, so there is no other.
	next := a.call("GET", path, nil, auth...).want(200).object()
	if n := sim.Calls().Count("gettoken", corpID, ""); n != 2 || next["fingerprint"] != fingerprint {
		t.Errorf("a refused token costs %d calls of gettoken, fingerprint %v; want one more, and the token that the platform insists on", n, next["fingerprint"])
	}
	if out := refuse(fingerprint); out != "too_soon" {
		t.Errorf("refused again at once: %v, want too_soon", out)
	}

	// None can be had: 503 with Retry-After. None may be had: 403.
	p := a.call("GET", foreign+"/access-token", nil)
	p.refused(503, "ticket_unavailable")
	if p.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	a.call("PATCH", "/v1/tenants/"+id, object{"status": "disabled"}).want(200)
	a.call("GET", path, nil, auth...).refused(403, "tenant_inactive")
}
