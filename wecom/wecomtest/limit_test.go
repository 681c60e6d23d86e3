package wecomtest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// repeat calls n times and fails at the first errcode.
func (w *world) repeat(n int, call func() answer) {
	w.t.Helper()
	for i := range n {
		if a := call(); a.code() != 0 {
			w.t.Fatalf("call %d of %d answered %v", i+1, n, a)
		}
	}
}

// blocked fails unless a call is answered with 45009.
func (w *world) blocked(what string, a answer) {
	w.t.Helper()
	if a.code() != 45009 {
		w.t.Errorf("%s answered %v, want 45009", what, a)
	}
}

// The published limits on tickets: 100 an hour and app, blocked for an hour.
func TestTicketsPerApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wecomtest.AllowViolations())
	token := w.token("wwcorp")
	corp := func() answer { return w.get("get_jsapi_ticket", "access_token", token) }
	agent := func() answer { return w.get("ticket/get", "access_token", token, "type", "agent_config") }
	w.repeat(60, corp)
	w.repeat(40, agent) // the two share a counter
	w.blocked("the 101st ticket", corp())
	w.blocked("the other kind", agent())
	w.repeat(1, func() answer { return w.get("agent/list", "access_token", token) })

	v := w.State().Violations
	if len(v) != 1 || v[0].Scope != "app" || v[0].Limit != 100 || v[0].Window != time.Hour || v[0].Key != string(w.suite.SuiteID)+"/wwcorp" {
		t.Errorf("violations %v, want one of the app", v)
	}
	w.clock.Advance(59*time.Minute + 59*time.Second)
	w.blocked("a ticket within the block", corp())
	w.clock.Advance(time.Second)
	w.repeat(1, corp)
	if n := w.Calls().Errcode(45009, "get_jsapi_ticket", "wwcorp", w.suite.SuiteID); n != 2 {
		t.Errorf("%d calls were counted with 45009, want 2", n)
	}
}

func TestTicketsCountedApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wecomtest.AllowViolations(), wecomtest.WithLimits(wecomtest.Limits{TicketPerAppHour: 5, SeparateTickets: true}))
	token := w.token("wwcorp")
	w.repeat(5, func() answer { return w.get("get_jsapi_ticket", "access_token", token) })
	w.repeat(5, func() answer { return w.get("ticket/get", "access_token", token, "type", "agent_config") })
	w.blocked("the sixth", w.get("get_jsapi_ticket", "access_token", token))
}

// 400 an hour and corp, over all its apps: another vendor's calls count too.
func TestTicketsPerCorp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wecomtest.AllowViolations())
	c := wecomtest.Corp{CorpID: "wwcorp"}
	for i := range 5 {
		c.Apps = append(c.Apps, wecomtest.App{AgentID: wecom.AgentID(i + 1), Secret: fmt.Sprintf("secret%d", i)})
	}
	w.AddCorp(c)
	tokens := make([]string, 5)
	for i := range tokens {
		tokens[i] = w.get("gettoken", "corpid", "wwcorp", "corpsecret", fmt.Sprintf("secret%d", i)).text("access_token")
	}
	for i := range 4 {
		w.repeat(100, func() answer { return w.get("get_jsapi_ticket", "access_token", tokens[i]) })
	}
	w.blocked("the fifth app's first ticket", w.get("get_jsapi_ticket", "access_token", tokens[4]))
	if got := w.State().Violations[0]; got.Scope != "corp" || got.Limit != 400 {
		t.Errorf("violation %v, want one of the corp", got)
	}
}

func TestPerAPI(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		limits wecomtest.Limits
		scope  string
		block  time.Duration
		others bool // another corp is blocked, too
	}{
		{"corp and minute", wecomtest.Limits{CorpPerMinute: 10}, "corp", time.Minute, false},
		{"corp and hour", wecomtest.Limits{CorpPerHour: 10}, "corp", time.Hour, false},
		{"provider's IP and minute", wecomtest.Limits{ProviderIPPerMinute: 10}, "ip", time.Minute, true},
		{"provider's IP and hour", wecomtest.Limits{ProviderIPPerHour: 10}, "ip", time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wecomtest.AllowViolations(), wecomtest.WithLimits(tt.limits))
			w.AddCorp(wecomtest.Corp{CorpID: "wwcorp"})
			token, other := w.token("wwcorp"), w.token("wwother")
			call := func() answer { return w.get("agent/list", "access_token", token) }
			w.repeat(10, call)
			w.blocked("the eleventh", call())
			w.repeat(1, func() answer { return w.get("getcallbackip", "access_token", token) }) // per API
			if a := w.get("agent/list", "access_token", other); (a.code() == 45009) != tt.others {
				t.Errorf("another corp is answered %v", a)
			}
			if v := w.State().Violations; len(v) == 0 || v[0].Scope != tt.scope || v[0].Window != tt.block {
				t.Errorf("violations %v, want one of the %s and %s", v, tt.scope, tt.block)
			}
			w.clock.Advance(tt.block - time.Second)
			w.blocked("within the block", call())
			w.clock.Advance(time.Second)
			w.repeat(1, call)
		})
	}
}

// An internal app's calls are held to the smaller limits of an ordinary IP.
func TestOrdinaryIP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wecomtest.AllowViolations(), wecomtest.WithLimits(wecomtest.Limits{IPPerMinute: 5, ProviderIPPerMinute: 50}))
	w.AddCorp(wecomtest.Corp{CorpID: "wwcorp", Apps: []wecomtest.App{{AgentID: 1, Secret: "secret"}}})
	call := func() answer { return w.get("gettoken", "corpid", "wwcorp", "corpsecret", "secret") }
	w.repeat(5, call)
	w.blocked("the sixth", call())
	w.repeat(20, func() answer { return w.get("service/get_pre_auth_code", "suite_access_token", w.suiteToken()) })
}

// Wrong secrets block the IP for everybody: one stale tenant takes down all.
func TestWrongSecretsBlockTheIP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wecomtest.AllowViolations(), wecomtest.WithLimits(wecomtest.Limits{WrongSecretsPerHour: 20}))
	w.AddCorp(wecomtest.Corp{CorpID: "wwcorp"})
	token := w.token("wwhealthy")
	for range 20 {
		if a := w.get("gettoken", "corpid", "wwcorp", "corpsecret", "wrong"); a.code() != 40001 {
			t.Fatalf("a wrong secret is answered %v", a)
		}
	}
	if a := w.suiteTokenWith(w.suite.SuiteID, "wrong", w.SuiteTicket(w.suite.SuiteID)); a.code() != 40080 {
		t.Fatalf("a wrong suite_secret is answered %v", a)
	}
	w.blocked("a healthy corp's call", w.get("get_jsapi_ticket", "access_token", token))
	w.blocked("get_suite_token", w.suiteTokenWith(w.suite.SuiteID, w.suite.Secret, w.SuiteTicket(w.suite.SuiteID)))
	if v := w.State().Violations; len(v) != 1 || v[0].Scope != "secret" {
		t.Errorf("violations %v, want one of wrong secrets", v)
	}
	w.clock.Advance(time.Hour)
	w.repeat(1, func() answer { return w.get("get_jsapi_ticket", "access_token", token) })
}

func TestDebugLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wecomtest.AllowViolations())
	token := w.token("wwcorp")
	debug := func() answer { return w.get("agent/list", "access_token", token, "debug", "1") }
	w.repeat(5, debug)
	w.blocked("the sixth with debug=1", debug())
	w.repeat(1, func() answer { return w.get("agent/list", "access_token", token) })
	w.clock.Advance(time.Minute)
	w.repeat(1, debug)
}

func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wecomtest.AllowViolations(), wecomtest.WithLimits(wecomtest.Limits{Concurrent: 2}))
	token := w.token("wwcorp")
	w.Fault(wecomtest.Fault{API: "agent/list", Kind: wecomtest.Silent, Times: 2})
	ctx, cancel := context.WithCancel(t.Context())
	var silent sync.WaitGroup
	for range 2 {
		silent.Go(func() { w.observe(ctx, "agent/list?access_token="+token) })
	}
	eventually(t, func() bool { return len(w.State().Faults) == 0 }) // both are inside
	if a := w.get("agent/list", "access_token", token); a.code() != 45033 {
		t.Errorf("the third call at the same time is answered %v, want 45033", a)
	}
	w.repeat(1, func() answer { return w.get("getcallbackip", "access_token", token) })
	cancel()
	silent.Wait()
	eventually(t, func() bool { return w.get("agent/list", "access_token", token).code() == 0 })
	w.repeat(3, func() answer { return w.get("agent/list", "access_token", token) })
}

func TestLimitsOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wecomtest.WithLimits(wecomtest.Limits{Off: true}))
	token := w.token("wwcorp")
	w.repeat(150, func() answer { return w.get("get_jsapi_ticket", "access_token", token) })
	if v := w.State().Violations; len(v) != 0 {
		t.Errorf("violations %v without limits", v)
	}
}

// recorder is a testing.TB that notes failures instead of having them.
type recorder struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (r *recorder) Errorf(format string, a ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, a...))
}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Helper()          {}

// A test that exceeds a limit fails, whatever else it shows.
func TestViolationFailsTheTest(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	w := &world{Sim: wecomtest.New(r, wecomtest.WithLimits(wecomtest.Limits{TicketPerAppHour: 1})), t: t}
	w.suite = w.AddSuite(wecomtest.Suite{})
	token := w.token("wwcorp")
	w.repeat(1, func() answer { return w.get("get_jsapi_ticket", "access_token", token) })
	w.blocked("the second", w.get("get_jsapi_ticket", "access_token", token))
	for _, f := range r.cleanups {
		f()
	}
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], "get_jsapi_ticket") {
		t.Errorf("failures %q, want one that names get_jsapi_ticket", r.failures)
	}
}
