package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// What the contract says of the admin API (design.md 2.3), on the built binary.
// Every exchange is also held against the OpenAPI file, by the client (keeper_test.go).

// adminWorld is a world and its admin API.
type adminWorld struct {
	*world
	doc *openapi3.T
}

type object = map[string]any

func newAdminWorld(t *testing.T, o options) *adminWorld {
	t.Helper()
	w := &adminWorld{world: newWorld(t, o)}
	a := call(t, http.MethodGet, w.replicas[0].admin+"/openapi.yaml", nil, nil) // needs no key
	if a.status != http.StatusOK || !strings.Contains(a.header.Get("Content-Type"), "yaml") {
		t.Fatalf("/openapi.yaml = %d %s", a.status, a.header.Get("Content-Type"))
	}
	doc, err := openapi3.NewLoader().LoadFromData(a.body)
	if err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.0.3" {
		t.Errorf("openapi: %s, want 3.0.3", doc.OpenAPI)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.doc = doc
	return w
}

// do calls with the bootstrap key.
// Headers come in pairs; an empty value takes one away.
func (w *adminWorld) do(t *testing.T, method, path string, in any, headers ...string) answer {
	t.Helper()
	header := map[string]string{"Authorization": "Bearer " + w.apiKey, "Accept-Language": "en"}
	for i := 0; i+1 < len(headers); i += 2 {
		if header[headers[i]] = headers[i+1]; headers[i+1] == "" {
			delete(header, headers[i])
		}
	}
	a := call(t, method, w.replicas[0].admin+path, header, in)
	if a.status >= http.StatusInternalServerError {
		t.Errorf("%s %s = %s: a fault on our side", method, path, a)
	}
	return a
}

// want calls and wants a status; the answer's object is returned.
func (w *adminWorld) want(t *testing.T, status int, method, path string, in any, headers ...string) object {
	t.Helper()
	a := w.do(t, method, path, in, headers...)
	if a.status != status {
		t.Fatalf("%s %s = %s, want %d", method, path, a, status)
	}
	if status == http.StatusNoContent {
		if len(a.body) > 0 {
			t.Errorf("%s %s = 204 with a body: %s", method, path, a.body)
		}
		return nil
	}
	var o object
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
	}
	return o
}

// refuse calls and wants a whole problem of a status and code. With a field, it has to be named.
func (w *adminWorld) refuse(t *testing.T, status int, code, field, method, path string, in any, headers ...string) {
	t.Helper()
	a := w.do(t, method, path, in, headers...)
	wantProblem(t, method+" "+path, a, status, code)
	var p struct {
		Errors []struct{ Pointer, Detail string }
	}
	_ = json.Unmarshal(a.body, &p)
	if field != "" && !slices.ContainsFunc(p.Errors, func(e struct{ Pointer, Detail string }) bool { return e.Pointer == field && e.Detail != "" }) {
		t.Errorf("%s %s = %s, which does not name %s", method, path, a, field)
	}
}

// items are those of a list.
func (w *adminWorld) items(t *testing.T, path string) []object {
	t.Helper()
	o := w.want(t, http.StatusOK, http.MethodGet, path, nil)
	if _, ok := o["next_cursor"]; !ok || len(o) != 2 && !strings.HasSuffix(path, "/credentials") { // which tells of their tenant beside them
		t.Errorf("GET %s: a list is items and next_cursor, not %v", path, o)
	}
	var items []object
	for _, i := range o["items"].([]any) {
		items = append(items, i.(object))
	}
	return items
}

var newSuite = object{"suite_id": "ww-a", "kind": "third_party", "name": "应用", "suite_secret": "secret-of-the-suite-1", "callback_token": "tokenOfTheSuite1",
	"encoding_aes_key": "keyOfTheSuite1keyOfTheSuite1keyOfTheSuite11", "provider_corp_id": "wwprovider"}

func with(o object, more ...any) object {
	out := object{}
	for k, v := range o {
		out[k] = v
	}
	for i := 0; i+1 < len(more); i += 2 {
		if out[more[i].(string)] = more[i+1]; more[i+1] == nil {
			delete(out, more[i].(string))
		}
	}
	return out
}

func TestContractAdminKeysAndPaths(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{environ: []string{"SUITESIGN_PPROF=true"}})
	for _, header := range [][]string{{"Authorization", ""}, {"Authorization", "Bearer wrong"}, {"Authorization", "Basic " + w.apiKey}, {"Authorization", w.apiKey}, {"Authorization", "Bearer  "}} {
		for _, target := range []string{"GET /v1/suites", "POST /v1/suites", "GET /v1/tenants/nonsense", "GET /v1/nothing", "PUT /v1/suites", "GET /v1", "GET /v1/"} {
			method, path, _ := strings.Cut(target, " ")
			a := w.do(t, method, path, nil, header...)
			wantProblem(t, target, a, http.StatusUnauthorized, "unauthorized")
			if a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: 401 without WWW-Authenticate", target)
			}
		}
	}
	w.refuse(t, http.StatusNotFound, "not_found", "", "GET", "/v1/nothing", nil)
	w.refuse(t, http.StatusNotFound, "not_found", "", "GET", "/v1/suites/", nil)
	w.refuse(t, http.StatusMethodNotAllowed, "method_not_allowed", "", "PUT", "/v1/suites", object{})
	if a := w.do(t, "PUT", "/v1/suites", object{}); !strings.Contains(a.header.Get("Allow"), "POST") {
		t.Errorf("405 with Allow: %q", a.header.Get("Allow"))
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.yaml", "/debug/pprof/"} { // none of them needs a key
		if a := w.do(t, "GET", path, nil, "Authorization", ""); a.status != http.StatusOK {
			t.Errorf("GET %s = %d", path, a.status)
		}
	}
	plain := w.addReplica()
	w.waitReady(plain)
	if a := call(t, "GET", plain.admin+"/debug/pprof/", nil, nil); a.status != http.StatusNotFound {
		t.Errorf("/debug/pprof/ is there although nobody switched it on: %d", a.status)
	}
	for _, path := range []string{"/v1/suites", "/metrics", "/openapi.yaml", "/debug/pprof/"} {
		if a := call(t, "GET", w.replicas[0].public+path, map[string]string{"Authorization": "Bearer " + w.apiKey}, nil); a.status != http.StatusNotFound {
			t.Errorf("the public listener answers %s with %d", path, a.status)
		}
	}
}

func TestContractAdminSuites(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{})
	made := w.do(t, "POST", "/v1/suites", newSuite)
	if made.status != http.StatusCreated || made.header.Get("Location") != "/v1/suites/ww-a" || made.header.Get("ETag") == "" {
		t.Fatalf("POST /v1/suites = %s, Location %q, ETag %q", made, made.header.Get("Location"), made.header.Get("ETag"))
	}
	got := w.want(t, 200, "GET", "/v1/suites/ww-a", nil)
	for field, want := range (object{"suite_id": "ww-a", "kind": "third_party", "name": "应用", "provider_corp_id": "wwprovider", "install_test_mode": false,
		"suite_secret_set": true, "callback_token_set": true, "encoding_aes_key_set": true, "suite_ticket": nil}) {
		if v, ok := got[field]; !ok || v != want {
			t.Errorf("%s = %v, want %v", field, v, want)
		}
	}
	for _, field := range []string{"suite_secret", "callback_token", "encoding_aes_key"} {
		if _, ok := got[field]; ok {
			t.Errorf("%s is shown", field)
		}
	}
	urls, _ := got["callback_urls"].(object)
	if urls["command"] != w.replicas[0].public+"/callback/ww-a/command" || urls["data"] != w.replicas[0].public+"/callback/ww-a/data" {
		t.Errorf("callback_urls = %v", urls)
	}
	for _, field := range []string{"created_at", "updated_at"} {
		if at, err := time.Parse(time.RFC3339, fmt.Sprint(got[field])); err != nil || !strings.HasSuffix(fmt.Sprint(got[field]), "Z") || time.Since(at).Abs() > time.Minute {
			t.Errorf("%s = %v, want RFC 3339 in UTC", field, got[field])
		}
	}

	// What is refused, by name.
	w.refuse(t, 409, "suite_exists", "", "POST", "/v1/suites", newSuite)
	other := with(newSuite, "suite_id", "ww-b")
	for _, tt := range []struct {
		field string
		in    object
	}{
		{"/suite_id", with(other, "suite_id", nil)}, {"/suite_id", with(other, "suite_id", "")}, {"/suite_id", with(other, "suite_id", "a b")},
		{"/kind", with(other, "kind", "other")}, {"/name", with(other, "name", nil)}, {"/name", with(other, "name", 7)},
		{"/suite_secret", with(other, "suite_secret", nil)}, {"/callback_token", with(other, "callback_token", "with space")},
		{"/encoding_aes_key", with(other, "encoding_aes_key", "short")}, {"/unknown", with(other, "unknown", 1)}, {"/Name", with(other, "Name", "x")},
		{"/suite_secret", object{"suite_id": "in-a", "kind": "internal", "name": "x", "suite_secret": "not-for-internal"}},
	} {
		w.refuse(t, 400, "invalid_request", tt.field, "POST", "/v1/suites", tt.in)
	}
	w.refuse(t, 404, "suite_not_found", "", "GET", "/v1/suites/none", nil)
	w.refuse(t, 404, "suite_not_found", "", "GET", "/v1/suites/WW-A", nil) // ids are never folded

	// PATCH, as both media types, with merge-patch meaning; If-Match is honoured, never required.
	tag := w.do(t, "GET", "/v1/suites/ww-a", nil).header.Get("ETag")
	if o := w.want(t, 200, "PATCH", "/v1/suites/ww-a", object{"name": "renamed"}, "Content-Type", "application/merge-patch+json", "If-Match", tag); o["name"] != "renamed" || o["provider_corp_id"] != "wwprovider" {
		t.Errorf("after a patch of the name: %v", o)
	}
	w.refuse(t, 412, "version_conflict", "", "PATCH", "/v1/suites/ww-a", object{"name": "late"}, "If-Match", tag)
	w.refuse(t, 412, "version_conflict", "", "DELETE", "/v1/suites/ww-a", nil, "If-Match", tag)
	if o := w.want(t, 200, "PATCH", "/v1/suites/ww-a", `{"provider_corp_id":null,"install_test_mode":true}`, "Content-Type", "application/json; charset=utf-8"); o["provider_corp_id"] != "" || o["install_test_mode"] != true || o["name"] != "renamed" {
		t.Errorf("after null and true: %v", o)
	}
	w.want(t, 200, "PATCH", "/v1/suites/ww-a", object{"suite_secret": "secret-of-the-suite-2"}, "If-Match", "*")
	w.refuse(t, 400, "invalid_request", "/suite_secret", "PATCH", "/v1/suites/ww-a", `{"suite_secret":null}`)
	w.refuse(t, 400, "invalid_request", "/kind", "PATCH", "/v1/suites/ww-a", object{"kind": "internal"})
	w.refuse(t, 415, "unsupported_media_type", "", "PATCH", "/v1/suites/ww-a", "name=x", "Content-Type", "application/x-www-form-urlencoded")

	// An internal suite needs only three fields; it has no callbacks.
	if o := w.want(t, 201, "POST", "/v1/suites", object{"suite_id": "in-a", "kind": "internal", "name": "Ours"}); o["callback_urls"] != nil || o["suite_secret_set"] != false {
		t.Errorf("an internal suite = %v", o)
	}
	w.want(t, 201, "POST", "/v1/suites", with(other, "suite_id", "dk-a", "kind", "customized"))

	// The list, page by page.
	var ids []string
	path := "/v1/suites?limit=2"
	for path != "" {
		page := w.want(t, 200, "GET", path, nil)
		for _, i := range page["items"].([]any) {
			ids = append(ids, fmt.Sprint(i.(object)["suite_id"]))
		}
		if path = ""; page["next_cursor"] != nil {
			path = "/v1/suites?limit=2&cursor=" + url.QueryEscape(fmt.Sprint(page["next_cursor"]))
		}
	}
	if !slices.Equal(ids, []string{"dk-a", "in-a", "ww-a"}) {
		t.Errorf("the pages of suites are %v", ids)
	}
	for _, q := range []string{"limit=0", "limit=201", "limit=x", "cursor=nonsense", "unknown=1", "limit=1&limit=2"} {
		name, _, _ := strings.Cut(q, "=")
		w.refuse(t, 400, "invalid_request", name, "GET", "/v1/suites?"+q, nil)
	}
	w.want(t, 204, "DELETE", "/v1/suites/dk-a", nil)
	w.refuse(t, 404, "suite_not_found", "", "DELETE", "/v1/suites/dk-a", nil)
}

// Bodies are one strict JSON object; nothing is half done.
func TestContractAdminBodies(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{})
	for _, tt := range []struct {
		name, body, media string
		status            int
		code              string
	}{
		{"not JSON", `{"suite_id":`, "application/json", 400, "invalid_json"},
		{"two values", `{"suite_id":"x","kind":"internal","name":"x"}{}`, "application/json", 400, "invalid_json"},
		{"a field twice", `{"suite_id":"x","suite_id":"y","kind":"internal","name":"x"}`, "application/json", 400, "invalid_request"},
		{"a list", `[]`, "application/json", 400, "invalid_request"},
		{"null", `null`, "application/json", 400, "invalid_request"},
		{"nothing", ``, "application/json", 400, "invalid_request"},
		{"no UTF-8", "{\"suite_id\":\"\xff\"}", "application/json", 400, "invalid_json"},
		{"a form", `suite_id=x`, "application/x-www-form-urlencoded", 415, "unsupported_media_type"},
		{"another charset", `{"suite_id":"x","kind":"internal","name":"x"}`, "application/json; charset=gbk", 415, "unsupported_media_type"},
		{"too large", `{"name":"` + strings.Repeat("x", 65<<10) + `"}`, "application/json", 413, "body_too_large"},
		{"a NUL", `{"suite_id":"x","kind":"internal","name":"a\u0000b"}`, "application/json", 400, "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.refuse(t, tt.status, tt.code, "", "POST", "/v1/suites", tt.body, "Content-Type", tt.media)
		})
	}
	w.refuse(t, 415, "unsupported_media_type", "", "POST", "/v1/suites", `{"suite_id":"x","kind":"internal","name":"x"}`, "Content-Encoding", "gzip")
	if n := len(w.items(t, "/v1/suites")); n != 0 {
		t.Errorf("%d suites are there after nothing but refusals", n)
	}
	a := w.do(t, "POST", "/v1/suites", `{`, "Accept-Language", "zh-CN,zh;q=0.9")
	if !regexp.MustCompile(`\p{Han}`).Match(a.body) {
		t.Errorf("a refusal for who reads Chinese: %s", a)
	}
}

func TestContractAdminDomains(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{})
	w.want(t, 201, "POST", "/v1/suites", object{"suite_id": "in-d", "kind": "internal", "name": "Ours"})
	tenant := w.want(t, 201, "POST", "/v1/tenants", object{"suite_id": "in-d", "corp_id": "wwdom", "agent_id": 1000002, "secret": "secret-of-the-app"})
	for _, base := range []string{"/v1/suites/in-d/domains", "/v1/tenants/" + fmt.Sprint(tenant["id"]) + "/domains"} {
		if n := len(w.items(t, base)); n != 0 {
			t.Errorf("%s begins with %d domains", base, n)
		}
		for in, stored := range map[string]string{"h5.example.com": "h5.example.com", "H5.Example.COM": "h5.example.com", "h5.example.com:8443": "h5.example.com:8443",
			"中文.example.com": "xn--fiq228c.example.com", "mine.myqcloud.com": "mine.myqcloud.com", "mine.github.io": "mine.github.io"} {
			o := w.want(t, 200, "PUT", base+"/"+url.PathEscape(in), object{})
			if o["domain"] != stored || o["exact"] != false || o["allow_http"] != false || o["verification_file"] != nil {
				t.Errorf("PUT %s = %v, want %s with the defaults", in, o, stored)
			}
		}
		for _, in := range []string{"192.0.2.1", "[2001:db8::1]", "localhost", "com", "co.uk", "github.io", "myqcloud.com", "h5.demo.localhost", "example.com.", "*.example.com", "https://example.com",
			"example.com/path", "example.com:0", "example.com:65536", "example.com:x", "a_b..example.com", "user@example.com", "exa mple.com", "127.1", "0x7f.1"} {
			w.refuse(t, 400, "invalid_domain", "domain", "PUT", base+"/"+url.PathEscape(in), object{})
		}
		file := object{"name": "WW_verify_a1B2c3D4e5F6g7H8.txt", "content": "a1B2c3D4e5F6g7H8"}
		a := w.do(t, "PUT", base+"/h5.example.com", object{"exact": true, "allow_http": true, "verification_file": file})
		var o object
		if err := json.Unmarshal(a.body, &o); err != nil || o["exact"] != true || o["allow_http"] != true || fmt.Sprint(o["verification_file"]) != fmt.Sprint(file) {
			t.Errorf("PUT with everything = %s", a)
		}
		tag := a.header.Get("ETag")
		if got := w.want(t, 200, "GET", base+"/H5.example.com", nil); fmt.Sprint(got) != fmt.Sprint(o) {
			t.Errorf("GET = %v, want what PUT answered: %v", got, o)
		}
		w.want(t, 200, "PUT", base+"/h5.example.com", nil, "If-Match", tag) // no body: the defaults
		w.refuse(t, 412, "version_conflict", "", "PUT", base+"/h5.example.com", object{}, "If-Match", tag)
		w.refuse(t, 412, "version_conflict", "", "DELETE", base+"/h5.example.com", nil, "If-Match", tag)
		w.refuse(t, 400, "invalid_request", "/exact", "PUT", base+"/h5.example.com", object{"exact": "yes"})
		w.refuse(t, 400, "invalid_request", "/verification_file/name", "PUT", base+"/h5.example.com", object{"verification_file": with(file, "name", "../etc/passwd")})
		w.refuse(t, 400, "invalid_request", "/verification_file/content", "PUT", base+"/h5.example.com", object{"verification_file": with(file, "content", "<script>")})
		before := w.items(t, base)
		if !slices.ContainsFunc(before, func(o object) bool { return o["domain"] == "h5.example.com" && o["exact"] == false }) || len(before) != 5 {
			t.Errorf("the list is %v", before)
		}
		w.want(t, 204, "DELETE", base+"/h5.example.com%3A8443", nil)
		w.refuse(t, 404, "domain_not_found", "", "DELETE", base+"/h5.example.com:8443", nil)
		w.refuse(t, 404, "domain_not_found", "", "GET", base+"/h5.example.com:8443", nil)
	}
	w.refuse(t, 404, "suite_not_found", "", "PUT", "/v1/suites/none/domains/example.com", object{})
	w.refuse(t, 404, "suite_not_found", "", "GET", "/v1/suites/none/domains", nil)
	w.refuse(t, 404, "tenant_not_found", "", "PUT", "/v1/tenants/"+nobody+"/domains/example.com", object{})
	w.refuse(t, 404, "tenant_not_found", "", "GET", "/v1/tenants/"+nobody+"/domains", nil)
}

// nobody is the id of nothing.
const nobody = "0198f0a1-7b1c-7d3e-9a55-3c5d7e9f1a2b"

func TestContractAdminAPIKeys(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{replicas: 2})
	a := w.do(t, "POST", "/v1/api-keys", object{"name": "terraform", "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	var key struct{ ID, Key, Prefix string }
	if err := json.Unmarshal(a.body, &key); err != nil || a.status != http.StatusCreated || a.header.Get("Location") != "/v1/api-keys/"+key.ID || !strings.HasPrefix(key.Key, key.Prefix) {
		t.Fatalf("POST /v1/api-keys = %s, Location %q", a, a.header.Get("Location"))
	}
	if !regexp.MustCompile(`^suitesign_[0-9A-Za-z]{49}$`).MatchString(key.Key) {
		t.Errorf("the key is no %q", "suitesign_[0-9A-Za-z]{49}")
	}
	for _, path := range []string{"/v1/api-keys", "/v1/api-keys/" + key.ID} {
		if a := w.do(t, "GET", path, nil); a.status != http.StatusOK || strings.Contains(string(a.body), key.Key) || !strings.Contains(string(a.body), "terraform") {
			t.Errorf("GET %s = %s", path, a)
		}
	}
	use := func(r *replica) int {
		return call(t, "GET", r.admin+"/v1/tenants", map[string]string{"Authorization": "Bearer " + key.Key}, nil).status
	}
	for _, r := range w.replicas {
		if status := use(r); status != http.StatusOK {
			t.Errorf("%s answers the key with %d", r.name, status)
		}
	}
	w.refuse(t, 400, "invalid_request", "/name", "POST", "/v1/api-keys", object{})
	w.refuse(t, 400, "invalid_request", "/expires_at", "POST", "/v1/api-keys", object{"name": "x", "expires_at": "2001-01-01T00:00:00Z"})
	w.refuse(t, 400, "invalid_request", "/expires_at", "POST", "/v1/api-keys", object{"name": "x", "expires_at": "tomorrow"})
	w.want(t, 204, "DELETE", "/v1/api-keys/"+key.ID, nil)
	for _, r := range w.replicas {
		eventually(t, 2*time.Second, func() error {
			if status := use(r); status != http.StatusUnauthorized {
				return fmt.Errorf("%s answers a revoked key with %d", r.name, status)
			}
			return nil
		})
	}
	w.refuse(t, 404, "api_key_not_found", "", "DELETE", "/v1/api-keys/"+nobody, nil)

	// One that ends by itself.
	short := w.want(t, 201, "POST", "/v1/api-keys", object{"name": "short", "expires_at": time.Now().Add(1500 * time.Millisecond).UTC().Format(time.RFC3339Nano)})
	key.Key = fmt.Sprint(short["key"])
	eventually(t, 10*time.Second, func() error {
		if status := use(w.replicas[1]); status != http.StatusUnauthorized {
			return fmt.Errorf("an expired key is answered %d", status)
		}
		return nil
	})
}

// Metrics have no label that holds a corp, a tenant, a page or a key.
func TestContractMetrics(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{})
	w.suite("ww-m", "third_party", "corp.example.com")
	w.install("ww-m", "wwmetric", pageURL)
	w.do(t, "GET", "/v1/tenants?corp_id=wwmetric", nil)
	call(t, "GET", w.replicas[0].public+"/wwmetric/nothing", nil, nil)
	call(t, "BREW", w.replicas[0].public+"/wwmetric", nil, nil)
	text := string(call(t, "GET", w.replicas[0].admin+"/metrics", nil, nil).body)
	for _, never := range []string{"wwmetric", "corp.example.com", w.tenant("ww-m", "wwmetric").ID, w.apiKey, "BREW"} {
		if strings.Contains(text, never) {
			t.Errorf("the metrics hold %s", never)
		}
	}
	for _, family := range []string{"suitesign_http_requests_total", "suitesign_signatures_total", "suitesign_callbacks_total", "suitesign_wecom_calls_total", "suitesign_credential_fetches_total",
		"suitesign_refreshes_total", "suitesign_refresh_lateness_seconds", "suitesign_suite_ticket_age_seconds", "suitesign_db_connections", "go_goroutines", "process_resident_memory_bytes"} {
		if !strings.Contains(text, "\n"+family) {
			t.Errorf("there is no metric %s", family)
		}
	}
}
