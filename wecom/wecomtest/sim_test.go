package wecomtest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the tests' clocks stand.
var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// world is a simulator with one suite and a clock that stands.
type world struct {
	*wecomtest.Sim
	t     *testing.T
	clock *wecomtest.ManualClock
	suite wecomtest.Suite
}

func newWorld(t *testing.T, opts ...wecomtest.Option) *world {
	t.Helper()
	clock := wecomtest.NewClock(start)
	w := &world{Sim: wecomtest.New(t, append([]wecomtest.Option{wecomtest.WithClock(clock)}, opts...)...), t: t, clock: clock}
	w.suite = w.AddSuite(wecomtest.Suite{SuiteID: "ww1234567890abcdef"})
	return w
}

// answer is what the platform says, any call.
type answer map[string]any

func (a answer) code() int {
	f, _ := a["errcode"].(float64)
	return int(f)
}

func (a answer) text(name string) string {
	s, _ := a[name].(string)
	return s
}

func (a answer) num(name string) int {
	f, _ := a[name].(float64)
	return int(f)
}

// get and post call an API; query is name, value, …
func (w *world) get(path string, query ...string) answer {
	w.t.Helper()
	return w.do(http.MethodGet, path, nil, query...)
}

func (w *world) post(path string, body any, query ...string) answer {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do(http.MethodPost, path, b, query...)
}

func (w *world) do(method, path string, body []byte, query ...string) answer {
	w.t.Helper()
	status, b := w.raw(method, "/cgi-bin/"+path, body, query...)
	if status != http.StatusOK {
		w.t.Fatalf("%s %s: status %d: %s", method, path, status, b)
	}
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		w.t.Fatalf("%s %s: %v in %s", method, path, err, b)
	}
	return a
}

func (w *world) raw(method, path string, body []byte, query ...string) (int, []byte) {
	w.t.Helper()
	q := url.Values{}
	for i := 0; i < len(query); i += 2 {
		q.Add(query[i], query[i+1])
	}
	u := w.URL + path
	if len(q) > 0 {
		u += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, u, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, b
}

func (w *world) suiteToken() string {
	w.t.Helper()
	return w.suiteTokenOf(w.suite)
}

func (w *world) suiteTokenOf(su wecomtest.Suite) string {
	w.t.Helper()
	a := w.post("service/get_suite_token", map[string]string{"suite_id": string(su.SuiteID), "suite_secret": su.Secret, "suite_ticket": w.SuiteTicket(su.SuiteID)})
	if a.text("suite_access_token") == "" {
		w.t.Fatalf("get_suite_token answered %v", a)
	}
	return a.text("suite_access_token")
}

// authorize installs and exchanges; it answers with the permanent_code.
func (w *world) authorize(su wecomtest.Suite, corp wecom.CorpID) string {
	w.t.Helper()
	code := w.Install(su.SuiteID, corp, wecomtest.Site).AuthCode
	a := w.post("service/v2/get_permanent_code", map[string]string{"auth_code": code}, "suite_access_token", w.suiteTokenOf(su))
	if a.text("permanent_code") == "" {
		w.t.Fatalf("v2/get_permanent_code answered %v", a)
	}
	return a.text("permanent_code")
}

func (w *world) corpToken(corp wecom.CorpID, permanentCode string) string {
	w.t.Helper()
	a := w.post("service/get_corp_token", map[string]string{"auth_corpid": string(corp), "permanent_code": permanentCode}, "suite_access_token", w.suiteToken())
	if a.text("access_token") == "" {
		w.t.Fatalf("get_corp_token answered %v", a)
	}
	return a.text("access_token")
}

// token authorizes a corp and answers with its access_token.
func (w *world) token(corp wecom.CorpID) string {
	w.t.Helper()
	return w.corpToken(corp, w.authorize(w.suite, corp))
}

// receiver is the product's side of a suite's callbacks.
type receiver struct {
	URL string

	mu       sync.Mutex
	keys     wecom.Keys
	messages []wecom.Opened
	bodies   []string
	answer   http.HandlerFunc // instead of success
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	rc := &receiver{}
	h := httptest.NewServer(rc)
	t.Cleanup(h.Close)
	rc.URL = h.URL
	return rc
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	query := wecom.Query{Signature: q.Get("msg_signature"), Timestamp: q.Get("timestamp"), Nonce: q.Get("nonce")}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if r.Method == http.MethodGet {
		o, err := rc.keys.OpenEcho(query, q.Get("echostr"))
		if err != nil || !strings.HasPrefix(o.ReceiveID, "wwprovider") {
			http.Error(w, "refused", http.StatusForbidden)
			return
		}
		_, _ = w.Write(o.Message)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o, err := rc.keys.OpenBody(query, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	rc.messages = append(rc.messages, o)
	rc.bodies = append(rc.bodies, string(body))
	if rc.answer != nil {
		rc.answer(w, r)
		return
	}
	_, _ = io.WriteString(w, "success")
}

func (rc *receiver) received() []wecom.Opened {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]wecom.Opened{}, rc.messages...)
}

func (rc *receiver) answers(f http.HandlerFunc) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.answer = f
}

func TestFromSuiteTicketToTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	permanentCode := w.authorize(w.suite, "wwcorp")
	token := w.corpToken("wwcorp", permanentCode)

	corp := w.get("get_jsapi_ticket", "access_token", token)
	agent := w.get("ticket/get", "access_token", token, "type", "agent_config")
	for name, a := range map[string]answer{"get_jsapi_ticket": corp, "ticket/get": agent} {
		if a.text("ticket") == "" || a.num("expires_in") != 7200 || a["errmsg"] != "ok" {
			t.Errorf("%s = %v, want a ticket for 7200 s", name, a)
		}
	}
	if corp["ticket"] == agent["ticket"] {
		t.Error("both registrations have the same ticket")
	}
	st := w.Authorization(w.suite.SuiteID, "wwcorp")
	if got := wecomtest.Live(st.JSAPITickets); got != corp.text("ticket") {
		t.Errorf("state has the jsapi_ticket %q, want %q", got, corp.text("ticket"))
	}
	for _, api := range []string{"get_suite_token", "service/v2/get_permanent_code", "/cgi-bin/service/get_corp_token", "get_jsapi_ticket", "ticket/get"} {
		if n := w.Calls().Count(api, "", w.suite.SuiteID); api != "get_suite_token" && n != 1 {
			t.Errorf("%s was counted %d times, want 1", api, n)
		}
	}
}

func TestCallbackIsVerifiedAndPushed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rc := newReceiver(t)
	rc.keys = keysOf(t, w.suite)
	w.suite.CallbackURL = rc.URL
	w.AddSuite(w.suite)

	d := w.PushSuiteTicket(w.suite.SuiteID)
	if d.State != wecomtest.Delivered || len(d.Attempts) != 1 || !d.Attempts[0].OK {
		t.Fatalf("delivery %+v, want one good attempt", d)
	}
	got := rc.received()
	if len(got) != 1 || got[0].ReceiveID != string(w.suite.SuiteID) {
		t.Fatalf("received %+v, want one message for the suite", got)
	}
	if !strings.Contains(string(got[0].Message), "<SuiteTicket><![CDATA["+w.SuiteTicket(w.suite.SuiteID)+"]]></SuiteTicket>") {
		t.Errorf("the message %s has not the suite_ticket", got[0].Message)
	}
}
