package web_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// newKey makes a key and answers how to call with it.
func (a *admin) newKey(body object) (id string, auth []string) {
	a.t.Helper()
	made := a.call("POST", "/v1/api-keys", body).want(201).object()
	return made["id"].(string), []string{"Authorization", "Bearer " + made["key"].(string)}
}

// placeholder is a parameter of a path.
var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// A key without an operation's scope is refused before anything else is looked at,
// and is told which scope that is; with the scope, and it alone, it is let in.
func TestEveryOperationAsksForItsScope(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	keys := map[string][]string{}
	key := func(scope string) []string {
		if keys[scope] == nil {
			_, keys[scope] = a.newKey(object{"name": scope, "scopes": []string{scope}})
		}
		return keys[scope]
	}
	for path, item := range contract(t).Paths.Map() {
		for method, op := range item.Operations() {
			scope, _ := op.Extensions["x-scope"].(string)
			if scope == "" {
				continue
			}
			other := "audit:read"
			if scope == other {
				other = "stats:read"
			}
			at := placeholder.ReplaceAllString(path, someID)
			p := a.call(method, at, nil, key(other)...).refused(403, "insufficient_scope")
			if !strings.Contains(p.Detail, scope) {
				t.Errorf("%s %s: %q does not name the scope %s", method, path, p.Detail, scope)
			}
			if got := a.call(method, at, nil, key(scope)...); got.status == 403 || got.status == 401 {
				t.Errorf("%s %s with %s = %d: %s", method, path, scope, got.status, got.body)
			}
		}
	}
	if len(keys) < 12 {
		t.Errorf("only the scopes %v were tried", slices.Sorted(maps.Keys(keys)))
	}
}

func TestAKeyGivesAwayNoMoreThanItHas(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	wide, _ := a.newKey(object{"name": "wide"})
	_, auth := a.newKey(object{"name": "maker", "scopes": []string{"keys:write", "tenants:read"}})

	made := a.call("POST", "/v1/api-keys", object{"name": "same"}, auth...).want(201).object()
	if got := made["scopes"].([]any); len(got) != 2 || got[0] != "keys:write" || got[1] != "tenants:read" {
		t.Errorf("a key made without scopes has %v, want its maker's", got)
	}
	for _, call := range []struct {
		method, path string
		body         object
		lacks        string
	}{
		{"POST", "/v1/api-keys", object{"name": "x", "scopes": []string{"*"}}, "*"},
		{"POST", "/v1/api-keys", object{"name": "x", "scopes": []string{"tenants:write"}}, "tenants:write"},
		{"POST", "/v1/api-keys", object{"name": "x", "scopes": []string{"tokens:read"}}, "tokens:read"},
		{"PATCH", "/v1/api-keys/" + wide, object{"expires_at": nil}, "*"},
		{"POST", "/v1/api-keys/" + wide + "/rotate", object{}, "*"},
	} {
		p := a.call(call.method, call.path, call.body, auth...).refused(403, "insufficient_scope")
		if !strings.Contains(p.Detail, "scope "+call.lacks) {
			t.Errorf("%s %s: %q does not name %s", call.method, call.path, p.Detail, call.lacks)
		}
	}
	p := a.call("POST", "/v1/api-keys", object{"name": "x", "scopes": []string{"tenants:own"}}).refused(400, "invalid_request")
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/scopes/0" || strings.Contains(p.Errors[0].Detail, "tenants:own") {
		t.Errorf("errors = %+v, want the pointer /scopes/0 and not the value", p.Errors)
	}
}

func TestStoryOfAKey(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	id, auth := a.newKey(object{"name": "ci", "scopes": []string{"tenants:read"}})
	path := "/v1/api-keys/" + id
	got := a.call("GET", path, nil).want(200)
	tag := got.header.Get("ETag")
	if tag == "" || got.object()["replaces"] != nil {
		t.Errorf("GET = %s, ETag %q", got.body, tag)
	}
	day := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	changed := a.call("PATCH", path, object{"name": "deploy", "expires_at": day}, "If-Match", tag).want(200)
	if m := changed.object(); m["name"] != "deploy" || m["expires_at"] != day || changed.header.Get("ETag") == tag {
		t.Errorf("PATCH = %s, ETag %s after %s", changed.body, changed.header.Get("ETag"), tag)
	}
	a.call("PATCH", path, object{"name": "again"}, "If-Match", tag).refused(412, "version_conflict")
	late := a.call("PATCH", path, object{"expires_at": "2020-01-01T00:00:00Z"}).refused(400, "invalid_request")
	if len(late.Errors) != 1 || late.Errors[0].Pointer != "/expires_at" {
		t.Errorf("errors = %+v, want the pointer /expires_at", late.Errors)
	}
	a.call("PATCH", path, object{"scopes": []string{"*"}}).refused(400, "invalid_request")

	rotated := a.call("POST", path+"/rotate", object{"overlap_seconds": 60}).want(201)
	m := rotated.object()
	next := "/v1/api-keys/" + m["id"].(string)
	if m["replaces"] != id || m["name"] != "deploy" || rotated.header.Get("Location") != next {
		t.Errorf("rotate = id %v, replaces %v, Location %q", m["id"], m["replaces"], rotated.header.Get("Location"))
	}
	newAuth := []string{"Authorization", "Bearer " + m["key"].(string)}
	for _, auth := range [][]string{auth, newAuth} {
		a.call("GET", "/v1/tenants", nil, auth...).want(200)
		a.call("GET", "/v1/suites", nil, auth...).refused(403, "insufficient_scope")
	}
	a.call("POST", path+"/rotate", nil).refused(409, "api_key_replaced")
	a.call("POST", next+"/rotate", object{"overlap_seconds": -1}).refused(400, "invalid_request")
	last := a.call("POST", next+"/rotate", object{"overlap_seconds": 0, "expires_at": nil}).want(201).object()
	a.call("GET", "/v1/tenants", nil, newAuth...).refused(401, "unauthorized")
	if last["expires_at"] != nil {
		t.Errorf("a key rotated to live for ever ends %v", last["expires_at"])
	}
	a.call("DELETE", path, nil).want(204)
	a.call("GET", "/v1/tenants", nil, auth...).refused(401, "unauthorized")
	a.call("PATCH", path, object{"name": "x"}).refused(409, "api_key_inactive")
	a.call("POST", path+"/rotate", nil).refused(409, "api_key_inactive")
	for _, call := range []string{"PATCH", "POST"} {
		at := map[string]string{"PATCH": "", "POST": "/rotate"}[call]
		a.call(call, "/v1/api-keys/"+someID+at, object{}).refused(404, "api_key_not_found")
	}
}
