package web_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"suitesign/ticket"
	"suitesign/wecom/wecomtest"
)

// boundWorld is the admin API with two suites, and keys that are bound.
type boundWorld struct {
	*admin
	mine, sister, foreign string   // tenants: two of ww-a, one of ww-b
	ofSuite, ofTenant     []string // headers of keys: bound to ww-a; bound to mine
	event, foreignEvent   string
	foreignKey            string
	entry, foreignEntry   string // of the audit log: that mine and foreign were added
	report                string // of a page of mine; there is one of foreign, too
}

func newBoundWorld(t *testing.T) *boundWorld {
	t.Helper()
	a := newAdmin(t, withPlatform(t, wecomtest.New(t), ticket.DefaultLimits()))
	w := &boundWorld{admin: a}
	id := func(path string) string { return strings.TrimPrefix(path, "/v1/tenants/") }
	a.call("POST", "/v1/suites", internalSuite("ww-a")).want(201)
	a.call("POST", "/v1/suites", internalSuite("ww-b")).want(201)
	w.mine, w.sister, w.foreign = id(a.addTenant("ww-a", "wwmine")), id(a.addTenant("ww-a", "wwsister")), id(a.addTenant("ww-b", "wwforeign"))
	for _, owner := range []string{"suites/ww-a", "suites/ww-b", "tenants/" + w.mine, "tenants/" + w.foreign} {
		a.call("PUT", "/v1/"+owner+"/domains/h5.example.com", nil).want(200)
	}
	event := func(suite, corp string) string {
		id := uuid.Must(uuid.NewV7())
		const q = `INSERT INTO callback_events (id, suite_id, digest, door, info_type, corp_id, state, received_at, last_received_at)
			VALUES ($1, $2, convert_to($3, 'UTF8'), 'command', 'change_auth', $3, 'done', now(), now())`
		if _, err := a.pool.Exec(t.Context(), q, id, suite, corp); err != nil {
			t.Fatal(err)
		}
		return id.String()
	}
	w.event, w.foreignEvent = event("ww-a", "wwmine"), event("ww-b", "wwforeign")
	entry := func(tenant string) string {
		return a.call("GET", "/v1/audit-log?action=tenant.create&tenant_id="+tenant, nil).ids("id")[0]
	}
	w.entry, w.foreignEntry = entry(w.mine), entry(w.foreign)
	report := func(tenant string) string {
		id := uuid.Must(uuid.NewV7())
		const q = `INSERT INTO page_reports (id, hour, tenant_id, kind, cause, host, client, action)
			VALUES ($1, now(), $2, 'config', 'ticket_refused', 'h5.example.com', 'wecom', 'none')`
		if _, err := a.pool.Exec(t.Context(), q, id, tenant); err != nil {
			t.Fatal(err)
		}
		return id.String()
	}
	w.report = report(w.mine)
	report(w.foreign)
	w.foreignKey, _ = a.newKey(object{"name": "foreign", "tenant_ids": []string{w.foreign}})
	_, w.ofSuite = a.newKey(object{"name": "of a suite", "suite_ids": []string{"ww-a"}})
	_, w.ofTenant = a.newKey(object{"name": "of a tenant", "tenant_ids": []string{w.mine}})
	return w
}

// bodies are valid ones, for what needs one.
var bodies = map[string]any{
	"createSuite": internalSuite("ww-new"), "updateSuite": object{"name": "x"}, "updateTenant": object{"name": "x"}, "updateAPIKey": object{"name": "x"},
	"createAPIKey": object{"name": "x"}, "explain": object{"url": "https://h5.example.com/"},
	"refuseAccessToken": object{"fingerprint": strings.Repeat("0", 64)},
	"createTenant":      object{"suite_id": "ww-b", "corp_id": "wwnew", "agent_id": 7, "secret": "canary-secret"},
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// fleeting is what differs from answer to answer.
var fleeting = regexp.MustCompile(`"request_id":"[^"]*"`)

// Every route that names a thing answers a foreign id like one that is not there.
func TestForeignIDsLookLikeNothing(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t)
	foreign := map[string]string{"suite_id": "ww-b", "tenant_id": w.foreign, "event_id": w.foreignEvent, "key_id": w.foreignKey, "entry_id": w.foreignEntry}
	nothing := map[string]string{"suite_id": "ww-none", "tenant_id": someID, "event_id": someID, "key_id": someID, "entry_id": someID}
	fill := func(path string, ids map[string]string) string {
		return placeholder.ReplaceAllStringFunc(path, func(name string) string {
			name = strings.Trim(name, "{}")
			if id, ok := ids[name]; ok {
				return id
			}
			return orText(map[string]string{"domain": "h5.example.com", "corp_id": "wwalias"}[name], someID)
		})
	}
	looked := 0
	for path, item := range contract(t).Paths.Map() {
		for method, op := range item.Operations() {
			listed, _ := op.Extensions["x-bound"].([]any)
			if op.Extensions["x-scope"] == nil {
				continue
			}
			for who, auth := range map[string][]string{"suites": w.ofSuite, "tenants": w.ofTenant} {
				narrowed := false
				for _, name := range listed {
					narrowed = narrowed || name == who
				}
				at := fill(path, foreign)
				got := w.call(method, at, bodies[op.OperationID], auth...)
				switch {
				case !narrowed:
					got.refused(403, "key_bound")
				case path != at:
					want := w.call(method, fill(path, nothing), bodies[op.OperationID], auth...)
					if diff := cmp.Diff(fleeting.ReplaceAllString(string(want.body), ""), fleeting.ReplaceAllString(string(got.body), "")); got.status != 404 || diff != "" {
						t.Errorf("key of %s, %s = %d; a thing that is not there (-) and a foreign one (+):\n%s", who, got.call, got.status, diff)
					}
					looked++
				}
				for what, secret := range map[string]string{"tenant": w.foreign, "event": w.foreignEvent, "key": w.foreignKey, "entry": w.foreignEntry, "corp": "wwforeign", "suite": `"ww-b"`} {
					if strings.Contains(string(got.body), secret) {
						t.Errorf("key of %s, %s tells of a foreign %s: %s", who, got.call, what, got.body)
					}
				}
			}
		}
	}
	if looked < 30 {
		t.Errorf("only %d calls named a foreign thing", looked)
	}
	w.call("GET", "/v1/tenants/"+w.foreign, nil).want(200) // nobody removed it
	w.call("GET", "/v1/tenants/"+w.foreign+"/domains/h5.example.com", nil).want(200)
}

// ids are those of a list's items.
func (r *answer) ids(field string) (out []string) {
	r.t.Helper()
	for _, item := range r.want(200).object()["items"].([]any) {
		out = append(out, item.(object)[field].(string))
	}
	return out
}

// What is its own a bound key sees and changes like any other key.
func TestStoryOfABoundKey(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t)
	for _, tt := range []struct {
		what, path, field string
		auth, want        []string
	}{
		{"suites of a suite's key", "/v1/suites", "suite_id", w.ofSuite, []string{"ww-a"}},
		{"tenants of a suite's key", "/v1/tenants", "id", w.ofSuite, []string{w.mine, w.sister}},
		{"tenants of a tenant's key", "/v1/tenants", "id", w.ofTenant, []string{w.mine}},
		{"foreign tenants by a filter", "/v1/tenants?suite_id=ww-b", "id", w.ofTenant, nil},
		{"foreign tenants by corp_id", "/v1/tenants?corp_id=wwforeign", "id", w.ofSuite, nil},
		{"events of a tenant's key", "/v1/events", "id", w.ofTenant, []string{w.event}},
		{"changes of a tenant's key", "/v1/audit-log?action=tenant.create", "id", w.ofTenant, []string{w.entry}},
		{"changes to tenants of others", "/v1/audit-log?tenant_id=" + w.foreign, "id", w.ofSuite, nil},
		{"reports of a tenant's key", "/v1/reports", "id", w.ofTenant, []string{w.report}},
		{"reports of a suite's key", "/v1/reports", "id", w.ofSuite, []string{w.report}},
		{"domains of a tenant's key", "/v1/tenants/" + w.mine + "/domains", "domain", w.ofTenant, []string{"h5.example.com"}},
	} {
		if diff := cmp.Diff(tt.want, w.call("GET", tt.path, nil, tt.auth...).ids(tt.field)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.what, diff)
		}
	}
	for _, auth := range [][]string{w.ofSuite, w.ofTenant} {
		w.call("GET", "/v1/audit-log/"+w.entry, nil, auth...).want(200)
		export := string(w.call("GET", "/v1/audit-log/export?format=jsonl", nil, auth...).want(200).body)
		if !strings.Contains(export, w.entry) || strings.Contains(export, w.foreign) || strings.Contains(export, "api_key.create") {
			t.Errorf("export of the audit log, narrowed:\n%s", export)
		}
	}
	own := "/v1/tenants/" + w.mine
	for who, auth := range map[string][]string{"suite": w.ofSuite, "tenant": w.ofTenant} {
		call := func(method, path string, body any) *answer { t.Helper(); return w.call(method, path, body, auth...) }
		call("GET", own, nil).want(200)
		call("PATCH", own, object{"name": "of a " + who, "secret": "canary-secret-2", "status": "disabled"}).want(200)
		call("PATCH", own, object{"status": "active", "agent_id": 1000003}).want(200)
		call("PUT", own+"/domains/"+who+".example.com", object{"exact": true}).want(200)
		call("DELETE", own+"/domains/"+who+".example.com", nil).want(204)
		call("PUT", own+"/aliases/wp"+who, nil).want(200)
		call("PUT", own+"/aliases/wwsister", nil).refused(409, "corp_id_taken")
		call("DELETE", own+"/aliases/wp"+who, nil).want(204)
		call("GET", own+"/credentials", nil).want(200)
		call("POST", own+"/credentials/refresh", nil).want(202)
		call("POST", "/v1/explain", object{"url": "https://h5.example.com/", "suite_id": "ww-a", "corp_id": "wwmine"}).want(200)
		call("POST", "/v1/events/"+w.event+"/retry", nil).want(202)
	}
	w.call("POST", "/v1/tenants", object{"suite_id": "ww-a", "corp_id": "wwnew", "agent_id": 7, "secret": "canary-secret"}, w.ofSuite...).want(201)
	w.call("PATCH", "/v1/suites/ww-a", object{"name": "renamed"}, w.ofSuite...).want(200)
	w.call("PUT", "/v1/suites/ww-a/domains/all.example.com", nil, w.ofSuite...).want(200)
	w.call("DELETE", own, nil, w.ofTenant...).want(204)
	w.call("GET", "/v1/tenants", nil, w.ofTenant...).want(200)
	w.call("DELETE", "/v1/tenants/"+w.sister, nil, w.ofSuite...).want(204)
}

// Explaining a page, a bound key learns nothing about the pages of others.
func TestExplainIsNarrowed(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t)
	for _, body := range []object{
		{"url": "https://h5.example.com/"}, {"url": "https://h5.example.com/", "suite_id": "ww-b", "corp_id": "wwforeign"},
		{"url": "https://h5.example.com/", "corp_id": "wwforeign"},
	} {
		got := w.call("POST", "/v1/explain", body, w.ofTenant...).want(200)
		if text := string(got.body); strings.Contains(text, w.foreign) || body["suite_id"] == nil && strings.Contains(text, `"ww-b"`) {
			t.Errorf("explain tells of others: %s", text)
		}
	}
	nobody := w.call("POST", "/v1/explain", object{"url": "https://h5.example.com/", "corp_id": "wwnobodyX"}, w.ofTenant...).want(200)
	foreign := w.call("POST", "/v1/explain", object{"url": "https://h5.example.com/", "corp_id": "wwforeign"}, w.ofTenant...).want(200)
	if diff := cmp.Diff(strings.ReplaceAll(string(nobody.body), "wwnobodyX", "…"), strings.ReplaceAll(string(foreign.body), "wwforeign", "…")); diff != "" {
		t.Errorf("a corp that nobody knows (-) and a foreign one (+):\n%s", diff)
	}
}

// Bound keys make keys within their bounds, see these alone, and no wider one.
func TestABoundKeyMakesNarrowerKeys(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t)
	inherited := w.call("POST", "/v1/api-keys", object{"name": "like its maker"}, w.ofSuite...).want(201).object()
	if diff := cmp.Diff([]any{"ww-a"}, inherited["suite_ids"]); diff != "" {
		t.Errorf("suite_ids of a key that says nothing (-want +got):\n%s", diff)
	}
	narrow := w.call("POST", "/v1/api-keys", object{"name": "narrower", "tenant_ids": []string{w.sister}}, w.ofSuite...).want(201).object()
	for _, tt := range []struct {
		auth    []string
		body    object
		pointer string
	}{
		{w.ofSuite, object{"name": "x", "suite_ids": []string{"ww-a", "ww-b"}}, "/suite_ids/1"},
		{w.ofSuite, object{"name": "x", "tenant_ids": []string{w.foreign}}, "/tenant_ids/0"},
		{w.ofTenant, object{"name": "x", "tenant_ids": []string{w.mine, w.sister}}, "/tenant_ids/1"},
		{w.ofTenant, object{"name": "x", "suite_ids": []string{"ww-a"}}, "/suite_ids/0"},
		{nil, object{"name": "x", "suite_ids": []string{"ww-none"}}, "/suite_ids/0"},
		{nil, object{"name": "x", "tenant_ids": []string{someID}}, "/tenant_ids/0"},
		{nil, object{"name": "x", "tenant_ids": []string{}}, "/tenant_ids"},
	} {
		p := w.call("POST", "/v1/api-keys", tt.body, tt.auth...).refused(400, "invalid_request")
		if len(p.Errors) != 1 || p.Errors[0].Pointer != tt.pointer {
			t.Errorf("%v: errors = %+v, want the pointer %s", tt.body, p.Errors, tt.pointer)
		}
	}
	// The suite's key sees itself, what it made, and the key of its tenant; the tenant's key itself.
	if got := w.call("GET", "/v1/api-keys", nil, w.ofSuite...).ids("name"); len(got) != 4 {
		t.Errorf("a suite's key sees the keys %v, want 4", got)
	}
	if diff := cmp.Diff([]string{"of a tenant"}, w.call("GET", "/v1/api-keys", nil, w.ofTenant...).ids("name")); diff != "" {
		t.Errorf("keys that a tenant's key sees (-want +got):\n%s", diff)
	}
	path := "/v1/api-keys/" + narrow["id"].(string)
	w.call("PATCH", path, object{"name": "renamed"}, w.ofSuite...).want(200)
	rotated := w.call("POST", path+"/rotate", object{}, w.ofSuite...).want(201).object()
	if diff := cmp.Diff([]any{w.sister}, rotated["tenant_ids"]); diff != "" {
		t.Errorf("tenant_ids of the successor (-want +got):\n%s", diff)
	}
	w.call("DELETE", path, nil, w.ofSuite...).want(204)
	w.call("GET", path, nil, w.ofTenant...).refused(404, "api_key_not_found")
}

// A key whose last tenant is gone reaches nothing, not everything.
func TestAKeyOutlivesItsTenant(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t)
	w.call("DELETE", "/v1/tenants/"+w.mine, nil).want(204)
	if got := w.call("GET", "/v1/tenants", nil, w.ofTenant...).ids("id"); len(got) > 0 {
		t.Errorf("a key whose tenant is gone sees %v", got)
	}
	w.call("POST", "/v1/suites", internalSuite("ww-c"), w.ofTenant...).refused(403, "key_bound")
}

// Where the role cannot be taken bound keys are refused, and nobody else is.
func TestWithoutRowLevelSecurityBoundKeysAreRefused(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t)
	// The role belongs to the whole server, so it is not dropped: here it may not read what every request reads first.
	if _, err := w.pool.Exec(t.Context(), `ALTER TABLE tenants DISABLE ROW LEVEL SECURITY`); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"/v1/tenants", "/v1/tenants/" + w.mine, "/v1/events", "/v1/api-keys"} {
		w.call("GET", call, nil, w.ofTenant...).refused(503, "bound_keys_unprotected")
		w.call("GET", call, nil).want(200)
	}
	w.call("POST", "/v1/api-keys", object{"name": "x", "tenant_ids": []string{w.mine}}).refused(503, "bound_keys_unprotected")
	w.call("POST", "/v1/api-keys", object{"name": "x"}).want(201)
}
