package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/tenant"
	"suitesign/web"
	"suitesign/wecom"
)

func TestTenants(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	body := object{"suite_id": "ours", "corp_id": "wwcorp", "agent_id": 1000002, "secret": "canary-app-secret", "name": "示例公司"}
	made := a.call("POST", "/v1/tenants", body).want(201)
	path := made.header.Get("Location")
	want := object{
		"id": strings.TrimPrefix(path, "/v1/tenants/"), "suite_id": "ours", "corp_id": "wwcorp", "name": "示例公司",
		"status": "active", "health": "pending", "last_error": nil, "cancelled_at": nil,
		"agents": []any{object{"agent_id": 1000002.0, "name": "示例公司"}}, "aliases": []any{},
	}
	wantObject(t, made, want)
	wantObject(t, a.call("GET", path, nil).want(200), want)

	a.call("POST", "/v1/tenants", body).refused(409, "corp_id_taken")
	for _, tt := range []struct {
		suite  string
		status int
		code   string
	}{{"none", 404, "suite_not_found"}, {"ww1", 409, "suite_not_internal"}} {
		other := object{"suite_id": tt.suite, "corp_id": "wwcorp", "agent_id": 1, "secret": "canary-app-secret"}
		a.call("POST", "/v1/tenants", other).refused(tt.status, tt.code)
	}
	p := a.call("POST", "/v1/tenants", object{"suite_id": "ours", "corp_id": "a/b", "agent_id": 1, "secret": "canary-app-secret"}).refused(400, "invalid_request")
	wantField(t, p, "/corp_id")

	got := a.call("PATCH", path, object{"status": "disabled", "name": "新"}).want(200).object()
	if got["status"] != "disabled" || got["name"] != "新" {
		t.Errorf("PATCH disabled = %v", got)
	}
	got = a.call("PATCH", path, object{"status": "active", "agent_id": 7, "secret": "canary-app-secret-2"}).want(200).object()
	if diff := cmp.Diff([]any{object{"agent_id": 7.0, "name": "新"}}, got["agents"]); diff != "" || got["status"] != "active" {
		t.Errorf("PATCH active, agent_id 7 = %v", got)
	}
	for _, status := range []any{"cancelled", "Active", "", nil, 1} {
		a.call("PATCH", path, object{"status": status}).refused(400, "invalid_request")
	}
	a.call("DELETE", path, nil).want(204)
	for _, method := range []string{"GET", "DELETE"} {
		a.call(method, path, nil).refused(404, "tenant_not_found")
	}
	a.call("PATCH", path, object{"name": "x"}).refused(404, "tenant_not_found")
	a.call("PATCH", path, object{"agent_id": 1}).refused(404, "tenant_not_found")
}

func (a *admin) authorize(suiteID, corpID string) (tenant.Tenant, string) {
	a.t.Helper()
	at := time.Now().Add(-time.Minute)
	made, err := a.api.Tenants.Activate(a.t.Context(), tenant.Activation{
		SuiteID: wecom.SuiteID(suiteID), CorpID: wecom.CorpID(corpID), Name: "示例" + corpID, AuthorizedAt: at})
	if err != nil {
		a.t.Fatal(err)
	}
	return made, "/v1/tenants/" + made.ID.String()
}

func TestOnlyWeComEndsAndRenewsAnAuthorization(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	corp, path := a.authorize("ww1", "wpcorp")
	a.call("DELETE", path, nil).refused(409, "suite_not_internal")
	for _, patch := range []object{{"secret": "canary-app-secret"}, {"agent_id": 5, "name": "half"}} {
		a.call("PATCH", path, patch).refused(409, "suite_not_internal")
	}
	if got := a.call("GET", path, nil).want(200).object(); got["name"] != "示例wpcorp" {
		t.Errorf("a refused PATCH changed the name to %v", got["name"])
	}
	if _, err := a.api.Tenants.Cancel(t.Context(), corp.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	got := a.call("GET", path, nil).want(200).object()
	if got["status"] != "cancelled" || got["cancelled_at"] == nil {
		t.Errorf("GET of a cancelled tenant = %v", got)
	}
	a.call("PATCH", path, object{"status": "active"}).refused(409, "tenant_cancelled")
	a.call("PATCH", path, object{"status": "active", "name": "half"}).refused(409, "tenant_cancelled")
	if got := a.call("PATCH", path, object{"status": "disabled"}).want(200).object(); got["status"] != "cancelled" {
		t.Errorf("PATCH disabled of a cancelled tenant = %v", got["status"])
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	corp, path := a.authorize("ww1", "wpcorp")
	_, other := a.authorize("ww1", "wpother")
	for range 2 {
		r := a.call("PUT", path+"/aliases/wwPlain-1", nil).want(200)
		wantObject(t, r, object{"corp_id": "wwPlain-1", "tenant_id": corp.ID.String()})
	}
	if got := a.call("GET", path, nil).want(200).object()["aliases"]; !cmp.Equal(got, []any{"wwPlain-1"}) {
		t.Errorf("aliases = %v", got)
	}
	for _, tt := range []struct{ path, corp string }{{other, "wwPlain-1"}, {other, "wpcorp"}, {path, "wpcorp"}} {
		a.call("PUT", tt.path+"/aliases/"+tt.corp, nil).refused(409, "corp_id_taken")
	}
	a.call("PUT", "/v1/tenants/"+someID+"/aliases/x", nil).refused(404, "tenant_not_found")
	p := a.call("PUT", path+"/aliases/%E4%BD%A0", nil).refused(400, "invalid_request")
	wantField(t, p, "corp_id")
	a.call("DELETE", path+"/aliases/wpcorp", nil).refused(404, "alias_not_found")
	a.call("DELETE", path+"/aliases/wwplain-1", nil).refused(404, "alias_not_found")
	a.call("DELETE", path+"/aliases/wwPlain-1", nil).want(204)
	a.call("DELETE", path+"/aliases/wwPlain-1", nil).refused(404, "alias_not_found")
}

func TestDomains(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	owners := map[string]string{"/v1/suites/ours": "/v1/suites/none", a.addTenant("ours", "ww1"): "/v1/tenants/" + someID}
	for owner, nobody := range owners {
		at := owner + "/domains/"
		wantObject(t, a.call("PUT", at+"H5.Example.com", nil).want(200),
			object{"domain": "h5.example.com", "exact": false, "allow_http": false, "verification_file": nil, "check": nil})
		file := object{"name": "WW_verify_a1B2c3D4e5F6g7H8.txt", "content": "a1B2c3D4e5F6g7H8"}
		want := object{"domain": "h5.example.com:8443", "exact": true, "allow_http": true, "verification_file": file, "check": nil}
		body := object{"exact": true, "allow_http": true, "verification_file": file}
		wantObject(t, a.call("PUT", at+"h5.example.com:8443", body).want(200), want)
		wantObject(t, a.call("GET", at+"h5.example.com:8443", nil).want(200), want)
		wantObject(t, a.call("PUT", at+"h5.example.com:8443", object{"verification_file": nil}).want(200),
			object{"domain": "h5.example.com:8443", "exact": false, "allow_http": false, "verification_file": nil, "check": nil})
		if got := a.call("PUT", at+"中文.com", nil).want(200).object()["domain"]; got != "xn--fiq228c.com" {
			t.Errorf("PUT 中文.com = %v, want punycode", got)
		}
		a.call("GET", at+"xn--fiq228c.com", nil).want(200)

		for _, bad := range []string{"com", "myqcloud.com", "192.168.0.1", "localhost", "a.localhost", "https:%2F%2Fa.example.com", "*.example.com",
			"h5.example.com:0", "h5.example.com:99999", "%FF%FE.example.com", "%00.example.com", "a%20b.example.com"} {
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				r := a.call(method, at+bad, nil)
				if r.status == 404 && strings.Contains(bad, "%2F") {
					continue // not this operation's path at all
				}
				wantField(t, r.refused(400, "invalid_domain"), "domain")
			}
		}
		p := a.call("PUT", at+"h5.example.com", object{"verification_file": object{"name": "WW_verify_../../etc.txt", "content": "<b>"}}).refused(400, "invalid_request")
		wantField(t, p, "/verification_file/name")
		wantField(t, p, "/verification_file/content")

		a.call("DELETE", at+"h5.example.com:8443", nil).want(204)
		a.call("DELETE", at+"h5.example.com:8443", nil).refused(404, "domain_not_found")
		a.call("GET", at+"h5.example.com:8443", nil).refused(404, "domain_not_found")

		code := "suite_not_found"
		if strings.HasPrefix(nobody, "/v1/tenants") {
			code = "tenant_not_found"
		}
		a.call("PUT", nobody+"/domains/h5.example.com", nil).refused(404, code)
		a.call("GET", nobody+"/domains", nil).refused(404, code)
		a.call("GET", nobody+"/domains/h5.example.com", nil).refused(404, "domain_not_found")
	}
}

func TestLocalhostIsTrustedInTheDemoOnly(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, func(api *web.API) { api.Demo = true })
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	a.call("PUT", "/v1/suites/ours/domains/h5.demo.localhost:8080", object{"allow_http": true}).want(200)
}

func TestTenantFilters(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	a.call("POST", "/v1/suites", thirdParty("ww2")).want(201)
	one, path := a.authorize("ww1", "wp_one")
	a.authorize("ww1", "wp_two")
	a.authorize("ww2", "wp_one")
	a.call("PUT", path+"/aliases/wwplain", nil).want(200)
	a.call("PATCH", path, object{"status": "disabled", "name": "100% Acme_Inc"}).want(200)
	err := a.api.Tenants.SetHealth(t.Context(), []tenant.HealthChange{{TenantID: one.ID, Health: tenant.Failing, Errcode: 60020, Error: "not allow to access from your ip"}})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		"": 3, "suite_id=ww1": 2, "suite_id=WW1": 0, "corp_id=wp_one": 2, "corp_id=wwplain": 1, "corp_id=wp_one&suite_id=ww2": 1,
		"status=disabled": 1, "status=active": 2, "status=cancelled": 0, "health=failing": 1, "health=pending": 2,
		"q=wp_": 3, "q=wp_o": 2, "q=100%25": 1, "q=%25": 0, "q=acme": 0, "q=100%25+ACME": 1, "q=100%25+acme-": 0, "q=%E7%A4%BA": 2, "q=wp%5C": 0,
	} {
		if got := len(a.call("GET", "/v1/tenants?"+query, nil).want(200).items()); got != want {
			t.Errorf("GET /v1/tenants?%s has %d items, want %d", query, got, want)
		}
	}
	for _, query := range []string{"status=Active", "health=", "q=", "q=%00", "q=%ff", "q=" + strings.Repeat("x", 129), "suite_id=a%20b", "name=x"} {
		name, _, _ := strings.Cut(query, "=")
		wantField(t, a.call("GET", "/v1/tenants?"+query, nil).refused(400, "invalid_request"), name)
	}
	failing := a.call("GET", path, nil).want(200).object()["last_error"].(object)
	if failing["errcode"] != 60020.0 || failing["message"] != "not allow to access from your ip" || failing["at"] == nil {
		t.Errorf("last_error = %v", failing)
	}
}
