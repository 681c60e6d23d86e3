package wecomtest_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// 100,000 corps of two suites: nothing is made before somebody asks for it, and
// one corp's calls do not depend on how many others there are.
func TestHundredThousandCorps(t *testing.T) {
	t.Parallel()
	const corps = 100_000
	w := newWorld(t)
	if status, b := w.raw("POST", "/sim/corps", fmt.Appendf(nil, `{"generate":{"prefix":"ww","count":%d}}`, corps)); status != 200 {
		t.Fatalf("generate answers %d %s", status, b)
	}
	dk := w.AddSuite(wecomtest.Suite{SuiteID: "dk0001"})
	for i := range corps {
		w.Install(w.suite.SuiteID, wecom.CorpID(fmt.Sprintf("ww%07d", i)), wecomtest.Site)
	}
	w.authorize(dk, "ww0099999")
	permanentCode := w.authorize(w.suite, "ww0099999")
	token := w.corpToken("ww0099999", permanentCode)
	if a := w.get("get_jsapi_ticket", "access_token", token); a.code() != 0 {
		t.Errorf("get_jsapi_ticket answers %v", a)
	}
	st := w.Server.State("", "ww0099999")
	if len(st.Suites) != 2 || len(st.Suites[0].Corps) != 1 || len(st.Corps) != 1 {
		t.Errorf("the state of one corp has %d suites and %d corps", len(st.Suites), len(st.Corps))
	}
	live := 0
	for _, a := range w.Server.State(w.suite.SuiteID, "").Suites[0].Corps {
		live += len(a.AccessTokens) + len(a.JSAPITickets) + len(a.AgentTickets)
	}
	if live != 2 {
		t.Errorf("%d credentials of corps exist, want the two that were fetched", live)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("at most %d MiB in use with %d corps", mem.HeapAlloc>>20, corps)
}

// Everything at once, for the race detector: calls, controls and pushes.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	w, _ := callbackWorld(t, wecomtest.WithRotation(wecomtest.Rotating, time.Minute))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			corp := wecom.CorpID(fmt.Sprintf("ww%d", i))
			for range 10 {
				token := w.token(corp)
				w.get("get_jsapi_ticket", "access_token", token)
				w.get("ticket/get", "access_token", token, "type", "agent_config")
				w.Push(wecomtest.Push{SuiteID: w.suite.SuiteID, CorpID: corp, InfoType: "change_contact"})
				w.JSAPI(wecomtest.Check{Kind: wecomtest.ConfigIdentity, CorpID: corp, URL: page, NonceStr: "n", Timestamp: "1", Signature: "s"})
				w.Fault(wecomtest.Fault{API: "agent/get", CorpID: corp, Kind: wecomtest.Status})
				w.Uninstall(w.suite.SuiteID, corp)
				w.State()
				w.Calls()
			}
		})
	}
	all.Go(func() {
		for range 20 {
			w.PushSuiteTicket(w.suite.SuiteID)
			w.clock.Advance(1)
		}
	})
	all.Wait()
	if n := w.State().Pushed[wecomtest.Delivered]; n != 8*10*2+20 {
		t.Errorf("%d pushes were delivered, want %d", n, 8*10*2+20)
	}
}
