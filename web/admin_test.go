package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/web"
)

const someID = "0198f0a1-7b1c-7d3e-9a55-3c5d7e9f1a2b"

// operations are the contract's, with a path that leads to nothing.
func operations(t *testing.T) []string {
	t.Helper()
	var out []string
	for path, item := range contract(t).Paths.Map() {
		path = strings.NewReplacer("{suite_id}", "wwnone", "{corp_id}", "wpnone", "{domain}", "h5.example.com").Replace(path)
		path = parameter.ReplaceAllString(path, someID)
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

	if err := a.api.Gate.RunOnce(t.Context()); err != nil { // what the heartbeat does
		t.Fatal(err)
	}
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

// wantObject compares a body without its times.
// Of many admins who have seen the same version, one changes it.
// authorize makes a tenant as an authorization in WeCom does.
// Every list answers everything once, in pages of any size, and refuses cursors and limits that are none.
// items are those of a list.
// event stores a callback as if it had come a while ago and answers its id.
func TestTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	nowhere, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none?connect_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nowhere.Close)
	a := newAdmin(t, func(api *web.API) {
		api.Suites.Pool, api.Tenants.Pool, api.Gate.Store.Pool, api.Reports.Pool, api.Audit.Pool = nowhere, nowhere, nowhere, nowhere, nowhere
		api.Webhooks.Pool, api.Imports.Pool, api.Stats.Pool = nowhere, nowhere, nowhere
	})
	calls := operations(t)
	for _, call := range calls {
		method, path, _ := strings.Cut(call, " ")
		if !strings.HasPrefix(path, "/v1/") || method == "POST" && !strings.HasSuffix(path, "retry") || method == "PATCH" {
			continue
		}
		if strings.HasSuffix(path, "/export") {
			path += "?format=csv"
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
