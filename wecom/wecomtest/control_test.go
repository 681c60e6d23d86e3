package wecomtest_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"suitesign/wecom/wecomtest"
)

// spec is the OpenAPI file as the simulator serves it.
func spec(t *testing.T, w *world) *openapi3.T {
	t.Helper()
	status, b := w.raw(http.MethodGet, "/sim/openapi.yaml", nil)
	if status != http.StatusOK {
		t.Fatalf("openapi.yaml is answered %d", status)
	}
	doc, err := openapi3.NewLoader().LoadFromData(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// The file and the server know the same operations.
func TestOpenAPITellsEveryRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := spec(t, w)
	var told []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			told = append(told, method+" "+path)
		}
	}
	known := w.Routes()
	slices.Sort(told)
	slices.Sort(known)
	if diff := cmp.Diff(told, known); diff != "" {
		t.Errorf("operations (-openapi.yaml +server):\n%s", diff)
	}
}

// control calls a control and holds request and answer against the file.
func (w *world) control(doc *openapi3.T, method, path, body string) (int, []byte) {
	w.t.Helper()
	path, query, _ := strings.Cut(path, "?")
	op := doc.Paths.Value(path).GetOperation(method)
	var in []byte
	if body != "" {
		in = []byte(body)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+path+"?"+query, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var out any
	d := json.NewDecoder(res.Body)
	if err := d.Decode(&out); err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	if res.StatusCode == http.StatusOK && in != nil {
		var asked any
		if err := json.Unmarshal(in, &asked); err != nil {
			w.t.Fatal(err)
		}
		if err := op.RequestBody.Value.Content.Get("application/json").Schema.Value.VisitJSON(asked); err != nil {
			w.t.Errorf("%s %s took a body that openapi.yaml does not know: %v", method, path, err)
		}
	}
	answer := op.Responses.Status(res.StatusCode)
	if answer == nil {
		w.t.Fatalf("%s %s: openapi.yaml does not know the status %d (%v)", method, path, res.StatusCode, out)
	}
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		w.t.Fatal(err)
	}
	content := answer.Value.Content.Get(media)
	if content == nil {
		w.t.Fatalf("%s %s: openapi.yaml does not know %s for status %d", method, path, media, res.StatusCode)
	}
	if err := content.Schema.Value.VisitJSON(out); err != nil {
		w.t.Errorf("%s %s answers what openapi.yaml does not know: %v", method, path, err)
	}
	b, err := json.Marshal(out)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, b
}

// Every control, once well, in an order that makes sense; the names of the fields
// are a contract.
func TestControls(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	doc := spec(t, w)
	su := w.suite
	suiteID := string(su.SuiteID)
	for _, step := range []struct{ method, path, body, want string }{
		{"POST", "/sim/suites", fmt.Sprintf(`{"suite_id":%q,"secret":%q,"token":%q,"encoding_aes_key":%q,"callback_url":%q}`, suiteID, su.Secret, su.Token, su.EncodingAESKey, rc.URL), `"ok":true`},
		{"POST", "/sim/suites", `{"suite_id":"dk1","kind":"customized","name":"Custom","provider_corp_id":"wwprovider00000001","redirect_domain":"isv.example","trusted_domains":["a.example"],"exact_domains":true,"unpublished":true,"allowed_ips":["127.0.0.*"],"personal":true,"plain_corp_ids":true,"skip_verification":true,"command_url":"` + rc.URL + `/c","data_url":"` + rc.URL + `/d"}`, `"provider_secret":"`},
		{"POST", "/sim/corps", `{"corp_id":"wwcorp","open_corp_id":"wpcorp","name":"Corp","apps":[{"agent_id":5,"name":"App","secret":"s","trusted_domains":["a.example"],"trusted_ips":["127.0.0.1"]}]}`, `"open_corp_id":"wpcorp"`},
		{"POST", "/sim/corps", `{"generate":{"prefix":"wwgen","count":3}}`, `"last":"wwgen0000002"`},
		{"POST", "/sim/push-suite-ticket", `{"suite_id":"` + suiteID + `"}`, `"state":"delivered"`},
		{"POST", "/sim/install", `{"suite_id":"` + suiteID + `","corp_id":"wwcorp","door":"market"}`, `"event":"create_auth"`},
		{"POST", "/sim/install", `{"suite_id":"` + suiteID + `","corp_id":"wwgen0000001","door":"site","state":"s","redirect_uri":"https://isv.example/","agents":[{"agent_id":9,"name":"A"}],"trusted_domains":["b.example"]}`, `"redirect_url":"https://isv.example/?auth_code=`},
		{"POST", "/sim/install", `{"suite_id":"dk1","corp_id":"wwcorp","door":"market","async":true}`, `"corp_id":"wwcorp"`},
		{"POST", "/sim/change", `{"suite_id":"` + suiteID + `","corp_id":"wwcorp","agents":[],"trusted_domains":["b.example"],"corp_name":"N","state":"s"}`, `"event":"change_auth"`},
		{"POST", "/sim/reset-permanent-code", `{"suite_id":"dk1","corp_id":"wwcorp"}`, `"auth_code":"`},
		{"POST", "/sim/push", `{"suite_id":"` + suiteID + `","corp_id":"wwcorp","door":"data","event":"subscribe","timestamp":1,"fields":{"A":"b"},"copies":2}`, `"event":"subscribe"`},
		{"POST", "/sim/verify", `{"suite_id":"` + suiteID + `"}`, `"door":"data"`},
		{"POST", "/sim/revoke", `{"suite_id":"` + suiteID + `","corp_id":"wwcorp","kind":"jsapi_ticket"}`, `{"count":0}`},
		{"POST", "/sim/revoke", `{"corp_id":"wwcorp","agent_id":5,"kind":"access_token"}`, `{"count":0}`},
		{"POST", "/sim/revoke", `{"suite_id":"` + suiteID + `","kind":"provider_access_token"}`, `{"count":0}`},
		{"POST", "/sim/disable", `{"suite_id":"` + suiteID + `","corp_id":"wwcorp","state":"inactive"}`, `{"count":1}`},
		{"POST", "/sim/disable", `{"corp_id":"wwcorp","state":"dissolved"}`, `{"count":3}`},
		{"POST", "/sim/disable", `{"corp_id":"wwcorp","state":"enabled"}`, `{"count":3}`},
		{"POST", "/sim/faults", `{"api":"get_jsapi_ticket","corp_id":"wwcorp","kind":"errcode","value":45009,"times":3}`, `"id":1`},
		{"POST", "/sim/faults", `{"api":"*","suite_id":"dk1","kind":"latency","value":"1ms","times":-1,"skip":2}`, `"id":2`},
		{"GET", "/sim/faults", "", `"kind":"latency"`},
		{"GET", "/sim/state", "", `"wwgen0000002"`},
		{"GET", "/sim/state?suite_id=dk1&corp_id=wpcorp", "", `"agent_tickets":[]`},
		{"DELETE", "/sim/faults?api=get_jsapi_ticket", "", `{"count":1}`},
		{"DELETE", "/sim/faults", "", `{"count":1}`},
		{"POST", "/sim/jsapi", `{"kind":"config","corp_id":"wwcorp","url":"https://b.example/","timestamp":"1","nonceStr":"n","signature":"s","jsApiList":["scanQRCode"]}`, `"reason":"no_ticket"`},
		{"POST", "/sim/jsapi", `{"kind":"agent_config","suite_id":"dk1","corp_id":"wwcorp","agent_id":5,"url":"https://b.example/","timestamp":1,"nonceStr":"n","signature":"s","jsApiList":null}`, `"reason":"unknown_agent"`},
		{"POST", "/sim/jsapi", `{"kind":"agentConfig","corp_id":"wwcorp","agent_id":"undefined","url":"https://b.example/","timestamp":1,"nonceStr":"n","signature":"s","jsApiList":[]}`, `"reason":"missing_agent_id"`},
		{"GET", "/sim/healthz", "", `"status":"ok"`},
		{"POST", "/sim/uninstall", `{"suite_id":"` + suiteID + `","corp_id":"wpcorp"}`, `"event":"cancel_auth"`},
		{"POST", "/sim/uninstall", `{"suite_id":"` + suiteID + `","corp_id":"wwgen0000001","silent":true}`, `{"delivery":null}`},
		{"GET", "/sim/calls", "", `"total":0`},
		{"GET", "/sim/calls?api=gettoken&corp_id=wwcorp&suite_id=dk1", "", `"calls":[]`},
		{"DELETE", "/sim/calls", "", `{}`},
		{"POST", "/sim/reset", "", `{}`},
	} {
		status, b := w.control(doc, step.method, step.path, step.body)
		if status != http.StatusOK || !strings.Contains(string(b), step.want) {
			t.Errorf("%s %s %s answers %d %s, want 200 with %s", step.method, step.path, step.body, status, b, step.want)
		}
	}
	if st := w.State(); len(st.Suites)+len(st.Corps)+len(st.Deliveries) != 0 {
		t.Errorf("after the reset there is %+v", st)
	}
}

func TestRefusedControls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := spec(t, w)
	w.AddCorp(wecomtest.Corp{CorpID: "wwcorp", OpenCorpID: "wpcorp", Apps: []wecomtest.App{{AgentID: 5, Secret: "taken"}}})
	w.authorize(w.suite, "wwcorp")
	suiteID := string(w.suite.SuiteID)
	for _, tt := range []struct {
		path, body string
		status     int
		want       string // in the detail
	}{
		{"/sim/suites", `{"suite_id":"ww1","secrets":"x"}`, 400, "secrets"},
		{"/sim/suites", `{"suite_id":"ww1"}{}`, 400, "follows"},
		{"/sim/suites", `[]`, 400, "object"},
		{"/sim/suites", `{"suite_id":`, 400, "body"},
		{"/sim/suites", `{"suite_id":5}`, 400, "suite_id"},
		{"/sim/suites", `{}`, 400, "suite_id is missing"},
		{"/sim/suites", `{"suite_id":"ww1","kind":"internal"}`, 400, "kind"},
		{"/sim/suites", `{"suite_id":"ww1","kind":"customized"}`, 400, "dk"},
		{"/sim/suites", `{"suite_id":"dk1","kind":"third_party"}`, 400, "dk"},
		{"/sim/suites", `{"suite_id":"ww1","token":"with space"}`, 400, "token"},
		{"/sim/suites", `{"suite_id":"ww1","encoding_aes_key":"short"}`, 400, "43"},
		{"/sim/suites", `{"suite_id":"ww1","callback_url":"/relative"}`, 400, "callback_url"},
		{"/sim/suites", `{"suite_id":"` + strings.Repeat("w", 65) + `"}`, 400, "64"},
		{"/sim/corps", `{}`, 400, "corp_id"},
		{"/sim/corps", `{"corp_id":"ww1","generate":{"prefix":"a","count":1}}`, 400, "either"},
		{"/sim/corps", `{"generate":{"prefix":"","count":1}}`, 400, "prefix"},
		{"/sim/corps", `{"generate":{"prefix":"a","count":0}}`, 400, "count"},
		{"/sim/corps", `{"corp_id":"ww1","open_corp_id":"ww1"}`, 400, "same"},
		{"/sim/corps", `{"corp_id":"ww1","open_corp_id":"wpcorp"}`, 409, "wwcorp"},
		{"/sim/corps", `{"corp_id":"ww1","apps":[{"agent_id":0}]}`, 400, "agent_id"},
		{"/sim/corps", `{"corp_id":"ww1","apps":[{"agent_id":1},{"agent_id":1}]}`, 400, "twice"},
		{"/sim/corps", `{"corp_id":"ww1","apps":[{"agent_id":1,"secret":"taken"}]}`, 409, "secret"},
		{"/sim/corps", `{"corp_id":"wwcorp","apps":[{"agent_id":1000001}]}`, 409, "suite's"},
		{"/sim/install", `{"suite_id":"ww0","corp_id":"wwcorp"}`, 404, "/sim/suites"},
		{"/sim/install", `{"suite_id":"` + suiteID + `"}`, 400, "corp_id"},
		{"/sim/install", `{"suite_id":"` + suiteID + `","corp_id":"ww1","door":"window"}`, 400, "door"},
		{"/sim/install", `{"suite_id":"` + suiteID + `","corp_id":"ww1","state":"-"}`, 400, "84025"},
		{"/sim/install", `{"suite_id":"` + suiteID + `","corp_id":"ww1","agents":[{"agent_id":-1}]}`, 400, "agent_id"},
		{"/sim/uninstall", `{"suite_id":"` + suiteID + `","corp_id":"ww0"}`, 404, "ww0"},
		{"/sim/change", `{"suite_id":"ww0","corp_id":"wwcorp"}`, 404, "ww0"},
		{"/sim/reset-permanent-code", `{"suite_id":"` + suiteID + `","corp_id":"wwcorp"}`, 409, "customised"},
		{"/sim/push-suite-ticket", `{"suite_id":"ww0"}`, 404, "ww0"},
		{"/sim/push", `{"suite_id":"` + suiteID + `"}`, 400, "exactly one"},
		{"/sim/verify", `{"suite_id":"ww0"}`, 404, "ww0"},
		{"/sim/revoke", `{"suite_id":"` + suiteID + `","corp_id":"wwcorp","kind":"suite_ticket"}`, 400, "kind"},
		{"/sim/revoke", `{"suite_id":"ww0","kind":"suite_access_token"}`, 404, "ww0"},
		{"/sim/revoke", `{"corp_id":"wwcorp","agent_id":6,"kind":"access_token"}`, 404, "agent_id 6"},
		{"/sim/revoke", `{"corp_id":"ww0","agent_id":6,"kind":"access_token"}`, 404, "ww0"},
		{"/sim/disable", `{"corp_id":"ww0"}`, 404, "ww0"},
		{"/sim/disable", `{"corp_id":"wwcorp","state":"tired"}`, 400, "state"},
		{"/sim/faults", `{"api":"gettoken","kind":"strange"}`, 400, "strange"},
		{"/sim/jsapi", `{"kind":"other"}`, 400, "kind"},
		{"/sim/jsapi", `{"kind":"config","timestamp":[]}`, 400, "number"},
		{"/sim/suites", `{"suite_id":"` + strings.Repeat("w", 1<<20) + `"}`, 400, "longer"},
	} {
		status, b := w.control(doc, "POST", tt.path, tt.body)
		if status != tt.status || !strings.Contains(string(b), tt.want) {
			t.Errorf("POST %s %.200s answers %d %s, want %d with %q", tt.path, tt.body, status, b, tt.status, tt.want)
		}
	}
	for _, path := range []string{"/sim/state?suit_id=x", "/sim/calls?api=a&api=b", "/sim/state?=x"} {
		if status, b := w.control(doc, "GET", path, ""); status != 400 {
			t.Errorf("GET %s answers %d %s, want 400", path, status, b)
		}
	}
}

// A form from a page of anywhere is refused: only JSON, which a browser asks for first.
func TestControlsAreNotOpenToPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, open := range map[string]bool{"/sim/install": false, "/sim/faults": false, "/sim/suites": false, "/sim/jsapi": true} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+path, strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "text/plain")
		r.Header.Set("Origin", "https://page.example")
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("POST %s as text/plain answers %d, want 415", path, res.StatusCode)
		}
		if got := res.Header.Get("Access-Control-Allow-Origin"); (got == "*") != open {
			t.Errorf("POST %s has Access-Control-Allow-Origin %q", path, got)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, w.URL+"/sim/jsapi", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if h := res.Header; res.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Headers") != "Content-Type" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("the preflight is answered %d %v", res.StatusCode, h)
	}
}

func TestWrongPathAndMethod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/sim/nothing", 404, ""},
		{"GET", "/elsewhere", 404, ""},
		{"GET", "/sim/install", 405, "POST"},
		{"POST", "/sim/state", 405, "GET"},
		{"PUT", "/sim/faults", 405, "POST, GET, DELETE"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, w.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tt.status || res.Header.Get("Allow") != tt.allow || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s answers %d %v, want %d allowing %q", tt.method, tt.path, res.StatusCode, res.Header, tt.status, tt.allow)
		}
	}
}

// A suite keeps what a later POST leaves out.
func TestSuiteIsChangedNotReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suite.CallbackURL, w.suite.TrustedDomains, w.suite.AllowedIPs, w.suite.RedirectDomain = "http://127.0.0.1:9/x", []string{"a.example"}, []string{"127.0.0.1"}, "isv.example"
	before := w.AddSuite(w.suite)
	after := w.AddSuite(wecomtest.Suite{SuiteID: w.suite.SuiteID})
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("after an empty change (-before +after):\n%s", diff)
	}
	if _, err := w.PutSuite(wecomtest.Suite{SuiteID: "ww5", ProviderSecret: "new"}); err != nil {
		t.Fatal(err)
	}
	if got := w.Server.State(w.suite.SuiteID, "").Suites[0].ProviderSecret; got != "new" {
		t.Errorf("two suites of one provider: the first still has the provider_secret %q", got)
	}
}

// An internal app with a new secret: the old one is wrong, and so are its tokens.
func TestInternalAppSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddCorp(wecomtest.Corp{CorpID: "wwcorp", Apps: []wecomtest.App{{AgentID: 5, Secret: "old"}}})
	token := w.get("gettoken", "corpid", "wwcorp", "corpsecret", "old").text("access_token")
	w.AddCorp(wecomtest.Corp{CorpID: "wwcorp", Apps: []wecomtest.App{{AgentID: 5, Secret: "new"}, {AgentID: 6}}})
	if a := w.get("gettoken", "corpid", "wwcorp", "corpsecret", "old"); a.code() != 40001 {
		t.Errorf("the old secret answers %v, want 40001", a)
	}
	if a := w.get("agent/list", "access_token", token); a.code() != 40014 {
		t.Errorf("the old token answers %v, want 40014", a)
	}
	if a := w.get("gettoken", "corpid", "wwcorp", "corpsecret", "new"); a.code() != 0 {
		t.Errorf("the new secret answers %v", a)
	}
	if apps := w.State().Corps[0].Apps; len(apps) != 2 || apps[1].Secret == "" {
		t.Errorf("apps %+v, want two, each with a secret", apps)
	}
	if n := w.Calls().Count("gettoken", "wwcorp", ""); n != 3 {
		t.Errorf("%d gettoken calls of the corp, want 3", n)
	}
}
