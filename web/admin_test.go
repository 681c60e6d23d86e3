package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/tenant"
	"suitesign/web"
	"suitesign/wecom"
)

const someID = "0198f0a1-7b1c-7d3e-9a55-3c5d7e9f1a2b"

// operations are the contract's, with a path that leads to nothing.
func operations(t *testing.T) []string {
	t.Helper()
	var out []string
	for path, item := range contract(t).Paths.Map() {
		path = strings.NewReplacer("{suite_id}", "wwnone", "{tenant_id}", someID, "{event_id}", someID, "{key_id}", someID,
			"{corp_id}", "wpnone", "{domain}", "h5.example.com").Replace(path)
		for method := range item.Operations() {
			out = append(out, method+" "+path)
		}
	}
	slices.Sort(out)
	return out
}

func TestNothingUnderV1WithoutAKey(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	calls := append(operations(t), "GET /v1", "GET /v1/", "GET /v1/nothing", "PUT /v1/suites", "DELETE /v1/events", "POST /v1/suites/x/y/z",
		"GET /v1/suites/", "OPTIONS /v1/suites", "GET /v1/../v1/suites", "GET /v1/tenants/not-an-id")
	for _, call := range calls {
		method, path, _ := strings.Cut(call, " ")
		if !strings.HasPrefix(path, "/v1") {
			continue
		}
		for name, authorization := range map[string]string{
			"none": "", "empty": "Bearer ", "basic": "Basic " + adminKey, "no scheme": adminKey, "cut": "Bearer " + adminKey[:20],
			"other": "Bearer suitesign_" + strings.Repeat("x", 49),
		} {
			r := a.call(method, path, nil, "Authorization", authorization)
			r.refused(401, "unauthorized")
			if got := r.header.Get("WWW-Authenticate"); got != `Bearer realm="suitesign"` {
				t.Errorf("%s with key %s: WWW-Authenticate = %q", call, name, got)
			}
		}
	}
	if strings.Contains(a.log.String(), adminKey) {
		t.Error("the log holds the key")
	}
}

func TestUnknownPathsWithAKey(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("GET", "/v1/nothing", nil).refused(404, "not_found")
	a.call("GET", "/v1/suites/", nil).refused(404, "not_found")
	r := a.call("DELETE", "/v1/events", nil)
	r.refused(405, "method_not_allowed")
	if got := r.header.Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow = %q, want GET, HEAD", got)
	}
}

func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.base+"/v1/suites", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Authorization"] = []string{"Bearer " + adminKey, "Bearer " + adminKey}
	resp, err := a.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("two Authorization headers = %d, want 401", resp.StatusCode)
	}
}

func TestTheContractIsServedWithoutAKey(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	r := a.call("GET", "/openapi.yaml", nil, "Authorization", "").want(200)
	if got := r.header.Get("Content-Type"); got != "application/yaml" {
		t.Errorf("Content-Type = %q, want application/yaml", got)
	}
	if !strings.HasPrefix(string(r.body), "openapi: 3.0.3\n") {
		t.Errorf("the file begins %.40q", r.body)
	}
	for _, path := range []string{"/healthz", "/metrics"} {
		a.call("GET", path, nil, "Authorization", "").want(200)
	}
	a.call("GET", "/readyz", nil, "Authorization", "").want(503) // nobody called Started
}

func TestAPIKeysOfTheAPI(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	made := a.call("POST", "/v1/api-keys", object{"name": "terraform"}).want(201)
	key, _ := made.object()["key"].(string)
	path := made.header.Get("Location")
	a.call("GET", "/v1/suites", nil, "Authorization", "Bearer "+key).want(200)
	a.call("GET", "/v1/suites", nil, "Authorization", "bearer "+key).want(200)

	shown := a.call("GET", path, nil).want(200).object()
	if shown["name"] != "terraform" || shown["last_used_at"] == nil || shown["revoked_at"] != nil || shown["expires_at"] != nil {
		t.Errorf("GET of a used key = %v", shown)
	}
	if _, ok := shown["key"]; ok || !strings.HasPrefix(key, shown["prefix"].(string)) {
		t.Errorf("GET shows the key, or no prefix of it: %v", shown)
	}
	for range 2 {
		a.call("DELETE", path, nil).want(204)
	}
	a.call("GET", "/v1/suites", nil, "Authorization", "Bearer "+key).refused(401, "unauthorized")
	if shown := a.call("GET", path, nil).want(200).object(); shown["revoked_at"] == nil {
		t.Errorf("GET of a revoked key = %v", shown)
	}
	a.call("GET", "/v1/api-keys/"+someID, nil).refused(404, "api_key_not_found")
	a.call("DELETE", "/v1/api-keys/"+someID, nil).refused(404, "api_key_not_found")

	a.call("POST", "/v1/api-keys", object{"name": "short", "expires_at": time.Now().Add(time.Hour)}).want(201)
	a.call("POST", "/v1/api-keys", object{"name": "ever", "expires_at": nil}).want(201)
	p := a.call("POST", "/v1/api-keys", object{"name": "late", "expires_at": "2020-01-01T00:00:00Z"}).refused(400, "invalid_request")
	wantField(t, p, "/expires_at")
	p = a.call("POST", "/v1/api-keys", object{"name": "odd", "expires_at": "tomorrow"}).refused(400, "invalid_request")
	wantField(t, p, "/expires_at")
	a.call("POST", "/v1/api-keys", object{"name": "odd", "expires_at": "2030-02-30T00:00:00Z"}).refused(400, "invalid_request")

	if log := a.log.String(); strings.Contains(log, key) || !strings.Contains(log, `"api_key":"terraform"`) || !strings.Contains(log, `"api_key":"bootstrap"`) {
		t.Error("the log holds a key, or does not name who called")
	}
}

// wantField wants a problem that names a place, in words.
func wantField(t *testing.T, p web.Problem, pointer string) {
	t.Helper()
	for _, f := range p.Errors {
		if f.Pointer == pointer && f.Detail != "" {
			return
		}
	}
	t.Errorf("errors = %+v, want one at %q", p.Errors, pointer)
}

func TestSuites(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	made := a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	if got := made.header.Get("Location"); got != "/v1/suites/ww1" {
		t.Errorf("Location = %q", got)
	}
	want := object{
		"suite_id": "ww1", "kind": "third_party", "name": "Theirs", "provider_corp_id": "", "install_test_mode": false,
		"suite_secret_set": true, "callback_token_set": true, "encoding_aes_key_set": true,
		"suite_ticket": nil, "warnings": []any{"suite_ticket_missing"}, "last_error": nil,
		"callback_urls": object{"command": publicURL + "/callback/ww1/command", "data": publicURL + "/callback/ww1/data"},
		"install_url":   publicURL + "/install/ww1",
	}
	wantObject(t, made, want)
	read := a.call("GET", "/v1/suites/ww1", nil).want(200)
	wantObject(t, read, want)
	if read.header.Get("ETag") != made.header.Get("ETag") {
		t.Errorf("ETag of POST and GET: %q, %q", made.header.Get("ETag"), read.header.Get("ETag"))
	}
	a.call("POST", "/v1/suites", thirdParty("ww1")).refused(409, "suite_exists")
	a.call("POST", "/v1/suites", thirdParty("WW1")).want(201) // ids are never folded

	internal := a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	wantObject(t, internal, object{
		"suite_id": "ours", "kind": "internal", "name": "Ours", "provider_corp_id": "", "install_test_mode": false,
		"suite_secret_set": false, "callback_token_set": false, "encoding_aes_key_set": false,
		"suite_ticket": nil, "warnings": []any{}, "last_error": nil, "callback_urls": nil, "install_url": nil,
	})

	a.call("GET", "/v1/suites/none", nil).refused(404, "suite_not_found")
	a.call("PATCH", "/v1/suites/none", object{"name": "x"}).refused(404, "suite_not_found")
	a.call("DELETE", "/v1/suites/none", nil).refused(404, "suite_not_found")
	a.call("DELETE", "/v1/suites/WW1", nil).want(204)
	a.call("GET", "/v1/suites/WW1", nil).refused(404, "suite_not_found")
}

// wantObject compares a body without its times.
func wantObject(t *testing.T, r *answer, want object) {
	t.Helper()
	got := r.object()
	for _, name := range []string{"created_at", "updated_at", "authorized_at"} {
		delete(got, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", r.call, diff)
	}
}

func TestSuiteTicketAge(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	const q = `INSERT INTO suite_tickets (suite_id, ticket_sealed, fingerprint, pushed_at, received_at)
		VALUES ('ww1', '\x00', '\x00', now(), now() - interval '25 minutes')`
	if _, err := a.pool.Exec(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	got := a.call("GET", "/v1/suites/ww1", nil).want(200).object()
	ticket, _ := got["suite_ticket"].(object)
	if age, _ := ticket["age_seconds"].(float64); age < 1500 || age > 1800 {
		t.Errorf("suite_ticket = %v, want an age of 25 minutes", ticket)
	}
	if diff := cmp.Diff([]any{"suite_ticket_old"}, got["warnings"]); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestAMergePatchTellsAbsentFromNull(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	body := thirdParty("ww1")
	body["provider_corp_id"], body["install_test_mode"] = "wwprovider", true
	a.call("POST", "/v1/suites", body).want(201)
	for _, tt := range []struct {
		patch              string
		name, provider     string
		testMode           bool
		contentType        string
		secretStillThereIs bool
	}{
		{`{}`, "Theirs", "wwprovider", true, "application/json", true},
		{`{"name":"新名字"}`, "新名字", "wwprovider", true, "application/merge-patch+json", true},
		{`{"provider_corp_id":null}`, "新名字", "", true, "application/json; charset=utf-8", true},
		{`{"install_test_mode":null,"suite_secret":"canary-2"}`, "新名字", "", false, "application/json", true},
	} {
		r := a.call("PATCH", "/v1/suites/ww1", tt.patch, "Content-Type", tt.contentType).want(200)
		got := r.object()
		if got["name"] != tt.name || got["provider_corp_id"] != tt.provider || got["install_test_mode"] != tt.testMode || got["suite_secret_set"] != true {
			t.Errorf("PATCH %s = %s", tt.patch, r.body)
		}
	}
	for _, patch := range []string{`{"name":null}`, `{"suite_secret":null}`, `{"callback_token":null}`, `{"encoding_aes_key":null}`} {
		p := a.call("PATCH", "/v1/suites/ww1", patch).refused(400, "invalid_request")
		if len(p.Errors) != 1 || p.Errors[0].Detail != "must not be null" {
			t.Errorf("PATCH %s = %+v", patch, p.Errors)
		}
	}
	for _, patch := range []string{`{"kind":"internal"}`, `{"suite_id":"ww2"}`, `{"suite_secret_set":false}`} {
		a.call("PATCH", "/v1/suites/ww1", patch).refused(400, "invalid_request")
	}
}

func TestIfMatchIsHonoured(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	tenantPath := a.addTenant("ours", "ww1")
	things := []struct{ path, method, body string }{
		{"/v1/suites/ours", "PATCH", `{"name":"N"}`},
		{"/v1/suites/ours/domains/h5.example.com", "PUT", `{"exact":true}`},
		{tenantPath, "PATCH", `{"name":"N"}`},
		{tenantPath + "/domains/h5.example.com", "PUT", `{"exact":true}`},
	}
	a.call("PUT", things[1].path, nil, "If-Match", "*").refused(412, "version_conflict") // there is none yet
	a.call("PUT", things[3].path, nil, "If-Match", "*").refused(412, "version_conflict")
	a.call("PUT", things[1].path, nil).want(200)
	a.call("PUT", things[3].path, nil).want(200)
	for _, thing := range things {
		seen := a.call("GET", thing.path, nil).want(200).header.Get("ETag")
		for _, other := range []string{`"0"`, `"x"`, "W/" + seen, `""`} {
			a.call(thing.method, thing.path, thing.body, "If-Match", other).refused(412, "version_conflict")
			a.call("DELETE", thing.path, nil, "If-Match", other).refused(412, "version_conflict")
		}
		for _, malformed := range []string{"1", `"1", "2"`, strings.Repeat("x", 200)} {
			p := a.call(thing.method, thing.path, thing.body, "If-Match", malformed).refused(400, "invalid_request")
			wantField(t, p, "If-Match")
		}
		now := a.call(thing.method, thing.path, thing.body, "If-Match", seen).want(200).header.Get("ETag")
		if now == seen {
			t.Errorf("%s %s did not change its ETag %s", thing.method, thing.path, seen)
		}
		a.call(thing.method, thing.path, thing.body, "If-Match", seen).refused(412, "version_conflict")
		a.call(thing.method, thing.path, thing.body, "If-Match", "*").want(200)
	}
	a.call("DELETE", things[3].path, nil, "If-Match", "*").want(204)
	a.call("PUT", things[3].path, nil, "If-Match", "*").refused(412, "version_conflict")
}

// Of many admins who have seen the same version, one changes it.
func TestNoUpdateIsLost(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	path := a.addTenant("ours", "ww1")
	for _, thing := range []struct{ method, path string }{
		{"PATCH", "/v1/suites/ours"}, {"PATCH", path}, {"PUT", path + "/domains/h5.example.com"},
	} {
		if thing.method == "PUT" {
			a.call("PUT", thing.path, nil).want(200)
		}
		seen := a.call("GET", thing.path, nil).want(200).header.Get("ETag")
		statuses := make([]int, 8)
		var wg sync.WaitGroup
		for i := range statuses {
			wg.Go(func() {
				body := object{"name": fmt.Sprint("N", i)}
				if thing.method == "PUT" {
					body = object{"exact": true}
				}
				statuses[i] = a.call(thing.method, thing.path, body, "If-Match", seen).status
			})
		}
		wg.Wait()
		slices.Sort(statuses)
		if diff := cmp.Diff([]int{200, 412, 412, 412, 412, 412, 412, 412}, statuses); diff != "" {
			t.Errorf("%s %s by eight at once (-want +got):\n%s", thing.method, thing.path, diff)
		}
	}
}

func TestASuiteInUseIsNotDeleted(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	path := a.addTenant("ours", "ww1")
	a.call("DELETE", "/v1/suites/ours", nil).refused(409, "suite_has_active_tenants")
	a.call("PATCH", path, object{"status": "disabled"}).want(200)
	a.call("DELETE", "/v1/suites/ours", nil).want(204)
	a.call("GET", path, nil).refused(404, "tenant_not_found")
}

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

// authorize makes a tenant as an authorization in WeCom does.
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
			object{"domain": "h5.example.com", "exact": false, "allow_http": false, "verification_file": nil})
		file := object{"name": "WW_verify_a1B2c3D4e5F6g7H8.txt", "content": "a1B2c3D4e5F6g7H8"}
		want := object{"domain": "h5.example.com:8443", "exact": true, "allow_http": true, "verification_file": file}
		body := object{"exact": true, "allow_http": true, "verification_file": file}
		wantObject(t, a.call("PUT", at+"h5.example.com:8443", body).want(200), want)
		wantObject(t, a.call("GET", at+"h5.example.com:8443", nil).want(200), want)
		wantObject(t, a.call("PUT", at+"h5.example.com:8443", object{"verification_file": nil}).want(200),
			object{"domain": "h5.example.com:8443", "exact": false, "allow_http": false, "verification_file": nil})
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

// Every list answers everything once, in pages of any size, and refuses cursors and limits that are none.
func TestListsPage(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	const n = 7
	a.call("POST", "/v1/suites", thirdParty("ww0")).want(201)
	_, tenantPath := a.authorize("ww0", "wp0")
	for i := 1; i < n; i++ {
		a.call("POST", "/v1/suites", thirdParty(fmt.Sprintf("ww%d", i))).want(201)
		a.authorize("ww0", fmt.Sprintf("wp%d", i))
	}
	for i := range n {
		a.call("POST", "/v1/api-keys", object{"name": fmt.Sprint(i)}).want(201)
		a.call("PUT", fmt.Sprintf("/v1/suites/ww0/domains/h5.example.com:%d", 900+i*50), nil).want(200) // 950 before 1000
		a.call("PUT", fmt.Sprintf("%s/domains/h%d.example.com", tenantPath, i), nil).want(200)
		a.event("ww0", "wp0", "change_auth", "done", time.Duration(i/2)*time.Second)
	}
	for _, list := range []string{"/v1/suites", "/v1/tenants", "/v1/api-keys", "/v1/suites/ww0/domains", tenantPath + "/domains", "/v1/events"} {
		whole := a.call("GET", list, nil).want(200).items()
		if len(whole) != n {
			t.Errorf("%s has %d items, want %d", list, len(whole), n)
		}
		for _, limit := range []int{1, 2, 3, n, 200} {
			var paged []any
			cursor := ""
			for {
				r := a.call("GET", fmt.Sprintf("%s?limit=%d%s", list, limit, cursor), nil).want(200)
				if items := r.items(); len(items) == 0 || len(items) > limit {
					t.Fatalf("%s?limit=%d%s has %d items", list, limit, cursor, len(items))
				}
				paged = append(paged, r.items()...)
				next, _ := r.object()["next_cursor"].(string)
				if next == "" {
					break
				}
				cursor = "&cursor=" + next
			}
			if diff := cmp.Diff(whole, paged); diff != "" {
				t.Errorf("%s in pages of %d (-whole +paged):\n%s", list, limit, diff)
			}
		}
		for _, query := range []string{"limit=0", "limit=201", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "limit=99999999999999999999", "limit=1.5",
			"cursor=", "cursor=%00", "cursor=!", "cursor=e30", "cursor=WyJub25lIl0", "page=2", "Limit=1", "limit=%zz", "a;b=1", "limit=%ff"} {
			p := a.call("GET", list+"?"+query, nil).refused(400, "invalid_request")
			if strings.Contains(query, "%zz") || strings.Contains(query, ";") {
				continue
			}
			name, _, _ := strings.Cut(query, "=")
			wantField(t, p, name)
		}
	}
	other, _ := a.call("GET", "/v1/suites?limit=1", nil).want(200).object()["next_cursor"].(string)
	wantField(t, a.call("GET", "/v1/tenants?cursor="+other, nil).refused(400, "invalid_request"), "cursor")
}

// items are those of a list.
func (r *answer) items() []any {
	r.t.Helper()
	items, ok := r.object()["items"].([]any)
	if !ok {
		r.t.Fatalf("%s has no items: %s", r.call, r.body)
	}
	return items
}

// event stores a callback as if it had come a while ago and answers its id.
func (a *admin) event(suiteID, corpID, infoType, state string, ago time.Duration) string {
	a.t.Helper()
	id := uuid.Must(uuid.NewV7())
	const q = `
INSERT INTO callback_events (id, suite_id, digest, door, info_type, corp_id, state, event_time, received_at, last_received_at, finished_at, last_errcode, last_error)
VALUES ($1, $2, uuid_send($1), 'command', $3, $4, $5, now() - $6::interval, now() - $6::interval, now() - $6::interval,
	CASE WHEN $5 <> 'pending' THEN now() END, CASE WHEN $5 = 'failed' THEN 40078 END, CASE WHEN $5 = 'failed' THEN 'invalid auth code' ELSE '' END)`
	if _, err := a.pool.Exec(a.t.Context(), q, id, suiteID, infoType, corpID, state, ago); err != nil {
		a.t.Fatal(err)
	}
	return id.String()
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

func TestEvents(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	failed := a.event("ww1", "wp1", "create_auth", "failed", time.Hour)
	ticket := a.event("ww1", "", "suite_ticket", "ignored", 0)
	cancel := a.event("ww1", "wp1", "cancel_auth", "done", time.Minute)
	var ids []any
	for _, item := range a.call("GET", "/v1/events", nil).want(200).items() {
		ids = append(ids, item.(object)["id"])
	}
	if diff := cmp.Diff([]any{ticket, cancel, failed}, ids); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
	for query, want := range map[string]int{
		"suite_id=ww1": 3, "suite_id=ww2": 0, "corp_id=wp1": 2, "info_type=cancel_auth": 1, "state=failed": 1, "state=failed&info_type=cancel_auth": 0,
	} {
		if got := len(a.call("GET", "/v1/events?"+query, nil).want(200).items()); got != want {
			t.Errorf("GET /v1/events?%s has %d items, want %d", query, got, want)
		}
	}
	got := a.call("GET", "/v1/events/"+failed, nil).want(200).object()
	if got["errcode"] != 40078.0 || got["error"] != "invalid auth code" || got["state"] != "failed" || got["corp_id"] != "wp1" {
		t.Errorf("GET of a failed event = %v", got)
	}
	if got := a.call("GET", "/v1/events/"+ticket, nil).want(200).object(); got["corp_id"] != nil || got["error"] != nil {
		t.Errorf("GET of a suite_ticket = %v", got)
	}
	a.call("GET", "/v1/events/"+someID, nil).refused(404, "event_not_found")
	a.call("POST", "/v1/events/"+someID+"/retry", nil).refused(404, "event_not_found")
	a.call("POST", "/v1/events/"+ticket+"/retry", nil).refused(409, "event_not_retryable")
	if got := a.call("POST", "/v1/events/"+cancel+"/retry", nil).want(202).object(); got["state"] != "pending" || got["next_attempt_at"] == nil {
		t.Errorf("retry of a cancel_auth = %v", got)
	}
	a.call("POST", "/v1/events/"+cancel+"/retry", "{}").want(202)
	a.call("POST", "/v1/events/"+cancel+"/retry", `{"force":true}`).refused(400, "invalid_request")
}

func TestTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	nowhere, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none?connect_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nowhere.Close)
	a := newAdmin(t, func(api *web.API) { api.Suites.Pool, api.Tenants.Pool, api.Gate.Store.Pool = nowhere, nowhere, nowhere })
	calls := operations(t)
	for _, call := range calls {
		method, path, _ := strings.Cut(call, " ")
		if !strings.HasPrefix(path, "/v1/") || method == "POST" && !strings.HasSuffix(path, "retry") || method == "PATCH" {
			continue
		}
		r := a.call(method, path, nil)
		r.refused(503, "database_unavailable")
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s has no Retry-After", call)
		}
	}
	key := "suitesign_" + strings.Repeat("0", 42) + "10Jslat"
	a.call("GET", "/v1/suites", nil, "Authorization", "Bearer "+key).refused(503, "database_unavailable")
}
