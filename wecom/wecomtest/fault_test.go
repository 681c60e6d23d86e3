package wecomtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"suitesign/wecom/wecomtest"
)

// outcome is what a client sees of one call.
type outcome struct {
	status int
	header http.Header
	body   string
	err    error // of the request, or of reading the body
}

func (w *world) observe(ctx context.Context, path string) outcome {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+"/cgi-bin/"+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	tr := &http.Transport{DisableKeepAlives: true} // or it would repeat a GET whose connection was cut
	defer tr.CloseIdleConnections()
	res, err := tr.RoundTrip(r)
	if err != nil {
		return outcome{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return outcome{res.StatusCode, res.Header, string(b), err}
}

func TestFaultKinds(t *testing.T) {
	t.Parallel()
	isJSON := func(o outcome) bool { return json.Valid([]byte(o.body)) }
	for _, tt := range []struct {
		name   string
		fault  wecomtest.Fault
		worked bool // the ticket was made all the same
		ok     func(outcome) bool
	}{
		{"errcode", wecomtest.Fault{Kind: wecomtest.Errcode, Value: 45009}, false, func(o outcome) bool {
			return o.status == 200 && strings.Contains(o.body, `"errcode":45009`) && strings.Contains(o.body, "hint: [")
		}},
		{"errcode with errmsg", wecomtest.Fault{Kind: wecomtest.Errcode, Value: map[string]any{"errcode": -1, "errmsg": "system busy"}}, false, func(o outcome) bool {
			return strings.Contains(o.body, `"errcode":-1`) && strings.Contains(o.body, "system busy")
		}},
		{"status", wecomtest.Fault{Kind: wecomtest.Status, Value: 500}, false, func(o outcome) bool { return o.status == 500 }},
		{"status by default", wecomtest.Fault{Kind: wecomtest.Status}, false, func(o outcome) bool { return o.status == 503 }},
		{"html", wecomtest.Fault{Kind: wecomtest.HTML}, false, func(o outcome) bool {
			return o.status == 502 && o.header.Get("Content-Type") == "text/html" && strings.HasPrefix(o.body, "<html>")
		}},
		{"html with 200", wecomtest.Fault{Kind: wecomtest.HTML, Value: 200}, false, func(o outcome) bool { return o.status == 200 && strings.HasPrefix(o.body, "<html>") }},
		{"empty", wecomtest.Fault{Kind: wecomtest.Empty}, false, func(o outcome) bool { return o.status == 200 && o.body == "" && o.err == nil }},
		{"redirect", wecomtest.Fault{Kind: wecomtest.Redirect, Value: "https://elsewhere.example/"}, false, func(o outcome) bool {
			return o.status == 302 && o.header.Get("Location") == "https://elsewhere.example/"
		}},
		{"drop", wecomtest.Fault{Kind: wecomtest.Drop}, false, func(o outcome) bool { return o.err != nil && o.status == 0 }},
		{"drop_after", wecomtest.Fault{Kind: wecomtest.DropAfter}, true, func(o outcome) bool { return o.err != nil && o.status == 0 }},
		{"latency", wecomtest.Fault{Kind: wecomtest.Latency, Value: 20}, true, func(o outcome) bool { return strings.Contains(o.body, `"ticket":`) }},
		{"malformed", wecomtest.Fault{Kind: wecomtest.Malformed}, true, func(o outcome) bool { return o.status == 200 && o.err == nil && !isJSON(o) }},
		{"malformed as told", wecomtest.Fault{Kind: wecomtest.Malformed, Value: "{]"}, true, func(o outcome) bool { return o.body == "{]" }},
		{"truncated", wecomtest.Fault{Kind: wecomtest.Truncated}, true, func(o outcome) bool { return errors.Is(o.err, io.ErrUnexpectedEOF) && len(o.body) > 10 }},
		{"truncated at 3", wecomtest.Fault{Kind: wecomtest.Truncated, Value: 3}, true, func(o outcome) bool { return errors.Is(o.err, io.ErrUnexpectedEOF) && len(o.body) == 3 }},
		{"slow", wecomtest.Fault{Kind: wecomtest.Slow, Value: 0.1}, true, func(o outcome) bool { return isJSON(o) && o.err == nil }},
		{"big", wecomtest.Fault{Kind: wecomtest.Big, Value: 2 << 20}, true, func(o outcome) bool { return len(o.body) > 2<<20 && isJSON(o) }},
		{"expires_in 0", wecomtest.Fault{Kind: wecomtest.ExpiresIn, Value: 0}, true, func(o outcome) bool { return strings.Contains(o.body, `"expires_in":0`) }},
		{"expires_in as text", wecomtest.Fault{Kind: wecomtest.ExpiresIn, Value: "7200"}, true, func(o outcome) bool { return strings.Contains(o.body, `"expires_in":"7200"`) }},
		{"expires_in 1e18", wecomtest.Fault{Kind: wecomtest.ExpiresIn, Value: json.RawMessage("1e18")}, true, func(o outcome) bool { return strings.Contains(o.body, `"expires_in":1e18`) }},
		{"expires_in absent", wecomtest.Fault{Kind: wecomtest.ExpiresIn}, true, func(o outcome) bool { return isJSON(o) && !strings.Contains(o.body, "expires_in") }},
		{"duplicate_keys", wecomtest.Fault{Kind: wecomtest.DuplicateKeys}, true, func(o outcome) bool {
			return isJSON(o) && strings.Count(o.body, `"ticket":`) == 2 && strings.Count(o.body, `"expires_in":`) == 2
		}},
		{"set", wecomtest.Fault{Kind: wecomtest.SetFields, Value: map[string]any{"ticket": "", "more": []int{1}, "errmsg": nil}}, true, func(o outcome) bool {
			return strings.Contains(o.body, `"ticket":""`) && strings.Contains(o.body, `"more":[1]`) && !strings.Contains(o.body, "errmsg")
		}},
		{"strings", wecomtest.Fault{Kind: wecomtest.Strings}, true, func(o outcome) bool {
			return strings.Contains(o.body, `"errcode":"0"`) && strings.Contains(o.body, `"expires_in":"7200"`)
		}},
		{"bom", wecomtest.Fault{Kind: wecomtest.BOM}, true, func(o outcome) bool { return strings.HasPrefix(o.body, "\xef\xbb\xbf{") }},
		{"content_type", wecomtest.Fault{Kind: wecomtest.ContentType, Value: "text/plain"}, true, func(o outcome) bool {
			return o.header.Get("Content-Type") == "text/plain" && isJSON(o)
		}},
		{"null", wecomtest.Fault{Kind: wecomtest.Null}, true, func(o outcome) bool { return o.body == "null" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			token := w.token("wwcorp")
			tt.fault.API = "get_jsapi_ticket"
			w.Fault(tt.fault)
			if o := w.observe(t.Context(), "get_jsapi_ticket?access_token="+token); !tt.ok(o) {
				t.Errorf("the client saw %d %v %.300q %v", o.status, o.header, o.body, o.err)
			}
			if worked := len(w.Authorization(w.suite.SuiteID, "wwcorp").JSAPITickets) == 1; worked != tt.worked {
				t.Errorf("the work was done: %v, want %v", worked, tt.worked)
			}
			if o := w.observe(t.Context(), "get_jsapi_ticket?access_token="+token); !strings.Contains(o.body, `"errmsg":"ok"`) {
				t.Errorf("after one time the fault goes on: %.300q %v", o.body, o.err)
			}
			c := w.Calls()
			if n := c.Count("get_jsapi_ticket", "wwcorp", w.suite.SuiteID); n != 2 {
				t.Errorf("%d calls were counted, want 2", n)
			}
			for _, e := range c.Calls {
				if e.API == "get_jsapi_ticket" && e.Faults != 1 {
					t.Errorf("%d faults were counted, want 1", e.Faults)
				}
			}
		})
	}
}

// The work is done, and its answer takes for ever.
func TestSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token("wwcorp")
	w.Fault(wecomtest.Fault{API: "get_jsapi_ticket", Kind: wecomtest.Slow, Value: "1h"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if o := w.observe(ctx, "get_jsapi_ticket?access_token="+token); !errors.Is(o.err, context.DeadlineExceeded) || len(o.body) > 1 {
		t.Errorf("the client saw %+v, want one byte at most", o)
	}
	eventually(t, func() bool { return len(w.Authorization(w.suite.SuiteID, "wwcorp").JSAPITickets) == 1 })
}

// A client that gives up ends the silence; so does the simulator's end.
func TestSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fault(wecomtest.Fault{API: "gettoken", Kind: wecomtest.Silent, Times: 2})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if o := w.observe(ctx, "gettoken"); !errors.Is(o.err, context.DeadlineExceeded) {
		t.Errorf("the client saw %+v, want nothing", o)
	}
	left := make(chan outcome, 1)
	go func() { left <- w.observe(t.Context(), "gettoken") }()
	eventually(t, func() bool { return w.Calls().Count("gettoken", "", "") == 2 })
	w.Close()
	if o := <-left; o.err == nil {
		t.Errorf("the client saw %+v, want the connection's end", o)
	}
}

// Faults choose by API, corp and suite, skip, count down, and go together with a delay.
func TestFaultMatching(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.token("wwa"), w.token("wwb")
	call := func(token string) int { return w.get("agent/list", "access_token", token).code() }

	w.Fault(wecomtest.Fault{API: "/cgi-bin/agent/list", CorpID: "wwa", Kind: wecomtest.Errcode, Value: -1, Times: 2, Skip: 1})
	got := []int{call(b), call(a), call(a), call(b), call(a), call(a)}
	if want := [...]int{0, 0, -1, 0, -1, 0}; [6]int(got) != want {
		t.Errorf("answers %v, want %v", got, want)
	}

	w.Fault(wecomtest.Fault{API: "*", SuiteID: w.suite.SuiteID, Kind: wecomtest.Errcode, Value: 45033, Times: -1})
	for range 5 {
		if code := call(a); code != 45033 {
			t.Fatalf("with a fault for all of the suite's calls: %d", code)
		}
	}
	if code := w.get("gettoken", "corpid", "wwb", "corpsecret", "x").code(); code != 40001 {
		t.Errorf("a call without suite answers %d, want 40001", code)
	}
	if got := w.State().Faults; len(got) != 1 || got[0].Times != -1 {
		t.Errorf("faults left: %v", got)
	}
	w.ClearFaults()

	w.Fault(wecomtest.Fault{API: "agent/list", Kind: wecomtest.Latency, Value: 1})
	w.Fault(wecomtest.Fault{API: "agent/list", Kind: wecomtest.Errcode, Value: -1})
	if code := call(a); code != -1 {
		t.Errorf("a delay and an errcode answer %d, want -1", code)
	}
	if code := call(a); code != 0 {
		t.Errorf("both are used up, but the answer is %d", code)
	}

	w.Fault(wecomtest.Fault{API: "get_corp_token", CorpID: "wwc", Kind: wecomtest.Errcode, Value: -1})
	w.authorize(w.suite, "wwc") // the fault is for another API
	p := w.authorize(w.suite, "wwc")
	if code := w.getCorpToken("wwc", p).code(); code != -1 {
		t.Errorf("get_corp_token of wwc answers %d, want -1", code)
	}

	code := w.Install(w.suite.SuiteID, "wwd", wecomtest.Site).AuthCode
	w.Fault(wecomtest.Fault{API: "v2/get_permanent_code", CorpID: "wwd", Kind: wecomtest.DropAfter})
	if o := w.postRaw("service/v2/get_permanent_code", `{"auth_code":"`+code+`"}`, w.suiteToken()); o == nil {
		t.Error("the exchange's answer arrived")
	}
	if a := w.exchange(code); a.code() != 40078 {
		t.Errorf("the exchange was done, but the auth_code answers %v", a)
	}
}

// postRaw posts and answers with what went wrong on the way.
func (w *world) postRaw(path, body, suiteToken string) error {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL+"/cgi-bin/"+path+"?suite_access_token="+suiteToken, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		res.Body.Close()
	}
	return err
}

func TestBadFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, f := range []wecomtest.Fault{
		{Kind: wecomtest.Drop},
		{API: "get_nothing", Kind: wecomtest.Drop},
		{API: "gettoken", Kind: "strange"},
		{API: "gettoken"},
		{API: "gettoken", Kind: wecomtest.Errcode},
		{API: "gettoken", Kind: wecomtest.Errcode, Value: 0},
		{API: "gettoken", Kind: wecomtest.Errcode, Value: "x"},
		{API: "gettoken", Kind: wecomtest.Status, Value: 99},
		{API: "gettoken", Kind: wecomtest.Status, Value: "x"},
		{API: "gettoken", Kind: wecomtest.Latency},
		{API: "gettoken", Kind: wecomtest.Latency, Value: "soon"},
		{API: "gettoken", Kind: wecomtest.Latency, Value: -1},
		{API: "gettoken", Kind: wecomtest.Latency, Value: true},
		{API: "gettoken", Kind: wecomtest.Redirect, Value: 5},
		{API: "gettoken", Kind: wecomtest.SetFields, Value: 5},
		{API: "gettoken", Kind: wecomtest.Duplicate},
		{API: "gettoken", Kind: wecomtest.Drop, Skip: -1},
		{API: "callback", Kind: wecomtest.Status},
		{API: "gettoken", Kind: wecomtest.SetFields, Value: func() {}},
	} {
		if _, err := w.AddFault(f); err == nil {
			t.Errorf("fault %+v was taken", f)
		}
	}
	if got := w.State().Faults; len(got) != 0 {
		t.Errorf("faults %v were kept", got)
	}
}
