package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"suitesign/web"
	"suitesign/web/api"
)

// stage has one of everything that a body can be sent to.
func stage(t testing.TB) (a *admin, targets []string) {
	t.Helper()
	a = newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	path := a.addTenant("ours", "wwcorp")
	return a, []string{
		"POST /v1/suites", "PATCH /v1/suites/ww1", "PUT /v1/suites/ww1/domains/h5.example.com",
		"POST /v1/tenants", "PATCH " + path, "PUT " + path + "/domains/h5.example.com", "POST /v1/api-keys", "POST /v1/explain",
	}
}

// send sends a body to a target of the stage.
func (a *admin) send(target string, body any, headers ...string) *answer {
	a.t.Helper()
	method, path, _ := strings.Cut(target, " ")
	return a.call(method, path, body, headers...)
}

func TestBodiesThatAreNoJSON(t *testing.T) {
	t.Parallel()
	a, targets := stage(t)
	for _, target := range targets {
		for _, body := range []string{`{`, `{"name":"canary`, `{}{}`, `{"name":"a"}garbage`, "\xff\xfe{}", "{\"name\":\"\xc0\xae\"}", `{"name":"\ud800"}`,
			`{'name':'canary'}`, `{"name":canary}`, `<xml>canary</xml>`, "name=canary", strings.Repeat("[", 60000)} {
			a.send(target, body).refused(400, "invalid_json")
		}
		for _, body := range []string{`null`, `[]`, `"canary"`, `1`, `true`} {
			a.send(target, body).refused(400, "invalid_request")
		}
		if !strings.HasPrefix(target, "PUT") {
			a.send(target, "").refused(400, "invalid_request")
		}
		large := `{"name":"` + strings.Repeat("x", 64<<10) + `"}`
		a.send(target, large).refused(413, "body_too_large")
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/json; charset=utf-16",
			"application/json;;", "application/problem+json", "*/*"} {
			a.send(target, "{}", "Content-Type", media).refused(415, "unsupported_media_type")
		}
		a.send(target, "{}", "Content-Encoding", "gzip").refused(415, "unsupported_media_type")
		if !strings.HasPrefix(target, "PATCH") {
			a.send(target, "{}", "Content-Type", "application/merge-patch+json").refused(415, "unsupported_media_type")
		}
	}
}

// The streamed body, whose length nobody announces, is bounded as well.
func TestAStreamedBodyIsBounded(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.base+"/v1/suites", io.LimitReader(endless{}, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body without an end = %d, want 413", resp.StatusCode)
	}
}

// endless is a JSON string that never ends.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '"'
	}
	return len(b), nil
}

// schemaOf is the body's schema of a target.
func schemaOf(t testing.TB, target string) *openapi3.Schema {
	t.Helper()
	method, path, _ := strings.Cut(target, " ")
	names := map[string]string{"/v1/suites": "SuiteCreate", "/v1/tenants": "TenantCreate", "/v1/api-keys": "APIKeyCreate", "/v1/explain": "ExplainRequest"}
	name := names[path]
	switch {
	case strings.Contains(path, "/domains/"):
		name = "DomainPut"
	case method == "PATCH" && strings.HasPrefix(path, "/v1/suites"):
		name = "SuitePatch"
	case method == "PATCH":
		name = "TenantPatch"
	}
	return contract(t).Components.Schemas[name].Value
}

// valid is a body that a target accepts, made of the contract's examples.
func valid(t testing.TB, target string) object {
	t.Helper()
	body := object{}
	for name, property := range schemaOf(t, target).Properties {
		switch {
		case property.Value.WriteOnly && name == "callback_token":
			body[name] = "canaryToken"
		case property.Value.WriteOnly && name == "encoding_aes_key":
			body[name] = "canaryAESKeyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		case property.Value.WriteOnly:
			body[name] = "canary-" + name
		case property.Value.Example != nil:
			body[name] = property.Value.Example
		}
	}
	return body
}

// Every field of every body, mutated in every way that there is: what is wrong
// is refused with its place, and nothing is half done.
func TestMutatedFields(t *testing.T) {
	t.Parallel()
	a, targets := stage(t)
	for _, target := range targets {
		schema := schemaOf(t, target)
		for name := range schema.Properties {
			for what, wrong := range map[string]any{
				"a string": "canary\u0001", "a number": 1.5, "a bool": true, "an array": []any{"canary"}, "an object": object{"canary value": "canary"},
				"null": nil, "empty": "", "long": strings.Repeat("canary", 3000), "NUL": "canary\x00", "another language": "canary中文 ",
				"huge": json.Number("1e400"), "negative": -1, "large": json.Number("9223372036854775808"),
			} {
				body := valid(t, target)
				if body[name] = wrong; schema.VisitJSON(plain(t, body)) == nil {
					continue // the contract allows it
				}
				p := a.send(target, body).refused(400, "invalid_request")
				at := func(f web.FieldError) bool {
					return f.Pointer == "/"+name || strings.HasPrefix(f.Pointer, "/"+name+"/")
				}
				if !slices.ContainsFunc(p.Errors, at) {
					t.Errorf("%s with %s as %s = %+v, want it named", target, what, name, p.Errors)
				}
			}
			for _, other := range []string{strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:], name + "_", "_" + name} {
				body := valid(t, target)
				body[other] = body[name]
				wantField(t, a.send(target, body).refused(400, "invalid_request"), "/"+other)
			}
			body := valid(t, target)
			once, err := json.Marshal(body[name])
			if err != nil {
				t.Fatal(err)
			}
			whole, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			twice := fmt.Sprintf(`{%q:%s,%s`, name, once, whole[1:])
			if _, known := body[name]; known {
				wantField(t, a.send(target, twice).refused(400, "invalid_request"), "/"+name)
			}
			if slices.Contains(schema.Required, name) {
				delete(body, name)
				wantField(t, a.send(target, body).refused(400, "invalid_request"), "/"+name)
			}
		}
		for _, forbidden := range []string{"id", "tenant_id", "version", "created_at", "is_admin", "permanent_code", "suite_ticket", "health", "prefix", "hash"} {
			body := valid(t, target)
			body[forbidden] = "canary"
			wantField(t, a.send(target, body).refused(400, "invalid_request"), "/"+forbidden)
		}
		body := valid(t, target)
		body["s3cr3t canary"] = 1
		wantField(t, a.send(target, body).refused(400, "invalid_request"), "/")
	}
	if n := len(a.call("GET", "/v1/suites", nil).want(200).items()); n != 2 {
		t.Errorf("refused bodies left %d suites, want the two of the stage", n)
	}
	if n := len(a.call("GET", "/v1/tenants", nil).want(200).items()); n != 1 {
		t.Errorf("refused bodies left %d tenants, want the one of the stage", n)
	}
	a.noCanary("canary\u0001", "canarycanary")
}

// plain is v as JSON reads it.
func plain(t testing.TB, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		return "not JSON"
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// naughty are strings that trip programs up; a name may be any of them.
var naughty = []string{
	"undefined", "null", "NaN", "true", "0", "-1", "1e309", "0x0", "１２３", "\\", "\\\\", `"`, "'", "`", "''; DROP TABLE suites; --", "1' OR '1'='1",
	"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{7*7}}", "${jndi:ldap://x}", "%s%s%n", "%00", "%n", "../../etc/passwd", "C:\\CON",
	"=cmd|' /C calc'!A0", "田中さんにあげて下さい", "和製漢語", "ﷺ", "ٱلْحَمْدُ لِلَّٰهِ", "Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙͎̯̹̞͓G̻O̭̗̮", "👾 🙇 💁", "🇺🇸🇷🇺", "﷽", "ʇǝɯɐ", "\u200b", "\u202etest\u202c",
	"\ufeff", "\ufffd", "\ufffe", "\U0010ffff", "ö", "o\u0308", "İi", "ﬀ", "__proto__", "constructor", "x\u2028y", "𝕏",
}

func TestNaughtyNamesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	a, _ := stage(t)
	for _, name := range naughty {
		for _, target := range []string{"PATCH /v1/suites/ww1", "POST /v1/api-keys"} {
			got := a.send(target, object{"name": name})
			if got.status >= 300 {
				got.refused(400, "invalid_request")
				continue
			}
			if shown := got.object()["name"]; shown != name {
				t.Errorf("%s with name %q answers %q", target, name, shown)
			}
		}
	}
	accepted := 0
	for _, item := range a.call("GET", "/v1/api-keys?limit=200", nil).want(200).items() {
		if slices.Contains(naughty, item.(object)["name"].(string)) {
			accepted++
		}
	}
	if accepted < len(naughty)-2 { // which may be refused are those that look like white space
		t.Errorf("%d of %d names were stored as they were", accepted, len(naughty))
	}
}

// The longest name that the contract allows is stored whole, whatever its characters are.
func TestTheLongestNames(t *testing.T) {
	t.Parallel()
	a, targets := stage(t)
	for _, target := range targets {
		property := schemaOf(t, target).Properties["name"]
		if property == nil || target == "POST /v1/suites" || target == "POST /v1/tenants" {
			continue // they are covered by their PATCH
		}
		for _, character := range []string{"x", "中", "👾"} {
			name := strings.Repeat(character, int(*property.Value.MaxLength))
			if got := a.send(target, object{"name": name}).object()["name"]; got != name {
				t.Errorf("%s with %d times %s answers %v", target, *property.Value.MaxLength, character, got)
			}
			a.send(target, object{"name": name + character}).refused(400, "invalid_request")
		}
	}
}

func TestErrorsSpeakChinese(t *testing.T) {
	t.Parallel()
	a, _ := stage(t)
	for _, tt := range []struct{ target, body, detail, field string }{
		{"POST /v1/suites", `{}`, "请求不符合接口文档，详见 errors。", "为必填项"},
		{"POST /v1/suites", `{"suite_id":"dk1","kind":"third_party","name":"x"}`, "请求不符合接口文档，详见 errors。", "以 dk 开头的 id 是代开发模板，kind 应为 customized"},
		{"PATCH /v1/suites/none", `{}`, "没有该 suite_id 对应的套件（区分大小写）。", ""},
		{"PUT /v1/suites/ww1/domains/com", `{}`, "该域名不能设为可信域名：", "该域名不能设为可信域名："},
		{"POST /v1/api-keys", `{"name":"x","expires_at":"2001-01-01T00:00:00Z"}`, "请求不符合接口文档，详见 errors。", "须为将来的时间"},
	} {
		r := a.send(tt.target, tt.body, "Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8")
		var p web.Problem
		r.into(&p)
		field := ""
		for _, f := range p.Errors {
			field += f.Detail
		}
		if !strings.HasPrefix(p.Detail, tt.detail) || !strings.Contains(field, tt.field) || r.header.Get("Content-Language") != "zh" {
			t.Errorf("%s %s = %s", tt.target, tt.body, r.body)
		}
	}
}

// FuzzAdminBody sends what the fuzzer makes to every operation that takes a
// body: whatever it is, the answer is as documented, never a fault of ours, and
// repeats no value of what was refused.
func FuzzAdminBody(f *testing.F) {
	a, targets := stage(f)
	for i, target := range targets {
		body, err := json.Marshal(valid(f, target))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), body, "application/json")
		f.Add(uint8(i), []byte(`{"name":null,"name":"\u0000","Name":"x"}`), "application/merge-patch+json")
		f.Add(uint8(i), []byte(`{"verification_file":{"name":"<b>","content":[[[]]]},"agent_id":1e999,"expires_at":"2026-02-30T00:00:00Z"}`), "application/json; charset=UTF-8")
		for _, name := range naughty[:8] {
			quoted, err := json.Marshal(object{"name": name, "suite_secret": name, "secret": name})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), quoted, "application/json")
		}
	}
	words := string(api.YAML)
	f.Fuzz(func(t *testing.T, target uint8, body []byte, media string) {
		if strings.ContainsFunc(media, func(r rune) bool { return r < ' ' || r > '~' }) {
			return // no client can send such a header
		}
		a := a.in(t)
		r := a.send(targets[int(target)%len(targets)], body, "Content-Type", media)
		if r.status >= 500 || r.status < 200 || r.status >= 300 && r.status < 400 {
			t.Fatalf("%s with %q = %d: %s", r.call, body, r.status, r.body)
		}
		if r.status < 400 {
			return
		}
		for _, value := range values(body) {
			quoted, _ := json.Marshal(value)
			if len(value) >= 12 && !strings.Contains(words, value) && (bytes.Contains(r.body, []byte(value)) || bytes.Contains(r.body, quoted)) {
				t.Errorf("%s repeats %q of %q: %s", r.call, value, body, r.body)
			}
		}
	})
}

// values are the strings of a body that are values, or the whole of it where it is no JSON.
func values(body []byte) []string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return []string{string(body)}
	}
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				walk(v[name])
			}
		}
	}
	walk(v)
	return out
}
