package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// calm looks for a while, and asks for a signature with each look: what was counted
// must not grow, neither by itself nor because pages ask.
func (w *world) calm(what, suite, corp string, count func() int, most int) {
	w.t.Helper()
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) { // between looks
		anonymous(w.t, http.MethodGet, w.replicas[0].signURL("signatures", pageURL, suite, corp), nil)
		if n := count(); n > most {
			w.t.Errorf("%s: %d calls, want %d at most", what, n, most)
			return
		}
	}
}

// suiteWarnings are what an operator is told about a suite.
func (w *world) suiteWarnings(id string) []string {
	w.t.Helper()
	var s struct{ Warnings []string }
	w.api(http.MethodGet, "/v1/suites/"+id, http.StatusOK, nil, &s)
	return s.Warnings
}

// What each errcode leads to: a refetch, a wait for the next push, a breaker that
// only the operator closes; and never a loop.
func TestContractErrcodes(t *testing.T) {
	t.Parallel()
	shared := newWorld(t, options{environ: []string{"SUITESIGN_LIMITS_PER_IP=0"}})
	for _, tt := range []struct {
		name  string
		kind  string
		api   string
		code  int
		times int // -1: always; once is enough where a second call would be one too many

		// Where the tenant signs all the same: what it cost.
		signs bool
		calls map[string]int
		// Where it does not: how often the API is asked at most, and what admins see.
		most    int
		health  string
		warning string
		recover string // what ends it: push, secret
	}{
		{name: "stale suite token at get_corp_token", api: "get_corp_token", code: 40082, times: 1, signs: true, calls: map[string]int{"get_corp_token": 2, "get_suite_token": 2}},
		{name: "expired suite token at get_corp_token", api: "get_corp_token", code: 42009, times: 1, signs: true, calls: map[string]int{"get_corp_token": 2, "get_suite_token": 2}},
		{name: "stale suite token at get_permanent_code", api: "v2/get_permanent_code", code: 40082, times: 1, signs: true, calls: map[string]int{"v2/get_permanent_code": 2, "get_suite_token": 2}},
		{name: "expired suite token at get_auth_info", api: "v2/get_auth_info", code: 42009, times: 1, signs: true, calls: map[string]int{"v2/get_auth_info": 2, "get_suite_token": 2}},
		{name: "stale token at get_jsapi_ticket", api: "get_jsapi_ticket", code: 40014, times: 1, signs: true, calls: map[string]int{"get_corp_token": 2, "get_jsapi_ticket": 2}},
		{name: "expired token at ticket/get", api: "ticket/get", code: 42001, times: 1, signs: true, calls: map[string]int{"get_corp_token": 2, "ticket/get": 2}},
		{name: "40001 on a ticket is a stale token", api: "get_jsapi_ticket", code: 40001, times: 1, signs: true, calls: map[string]int{"get_corp_token": 2, "get_jsapi_ticket": 2}},
		{name: "busy", api: "get_corp_token", code: -1, times: 1, signs: true, calls: map[string]int{"get_corp_token": 2, "get_suite_token": 1}},

		{name: "suite_ticket refused", api: "get_suite_token", code: 40085, times: 1, most: 1, warning: "suite_ticket_refused", recover: "push"},
		{name: "suite_secret refused, 40001", api: "get_suite_token", code: 40001, times: 1, most: 1, warning: "suite_secret_refused", recover: "secret"},
		{name: "suite_secret refused, 40080", api: "get_suite_token", code: 40080, times: 1, most: 1, warning: "suite_secret_refused", recover: "secret"},
		{name: "suite_id refused", api: "get_suite_token", code: 40083, times: 1, most: 1, warning: "suite_secret_refused", recover: "secret"},
		{name: "address refused", api: "get_suite_token", code: 60020, times: -1, most: 1, warning: "ip_refused"},
		{name: "permanent_code refused", api: "get_corp_token", code: 40084, times: -1, most: 2, health: "needs_reauthorization"},
		{name: "authorization gone", api: "get_corp_token", code: 48004, times: -1, most: 2, health: "needs_reauthorization"},
		{name: "not permitted", api: "get_corp_token", code: 48002, times: -1, most: 2, health: "failing"},
		{name: "app disabled", api: "get_corp_token", code: 50003, times: -1, most: 2, health: "failing"},
		{name: "secret of a customised app refused", kind: "customized", api: "gettoken", code: 40001, times: -1, most: 3, health: "needs_reauthorization"},
		{name: "too often", api: "get_jsapi_ticket", code: 45009, times: -1, most: 1, health: "failing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inner := *shared
			w := &inner
			w.t = t
			kind, prefix := "third_party", "ww-"
			if tt.kind != "" {
				kind, prefix = tt.kind, "dk-"
			}
			id := prefix + strings.NewReplacer(" ", "-", "/", "-", ",", "").Replace(tt.name)
			w.simulate("faults", map[string]any{"api": tt.api, "suite_id": id, "kind": "errcode", "value": tt.code, "times": tt.times}, nil)
			s := w.suite(id, kind, "corp.example.com")
			corp := "wwerr" + fmt.Sprint(len(id)) + strings.ReplaceAll(id, "-", "")
			corp = corp[:min(len(corp), 60)]
			w.install(id, corp, "")
			if tt.signs {
				w.waitSigned(w.replicas[0], pageURL, id, corp, 20*time.Second)
				for api, want := range tt.calls {
					if n := w.calls(api, id, ""); n != want {
						t.Errorf("%s was called %d times, want %d", api, n, want)
					}
				}
				return
			}
			asked := func() int { return w.calls(tt.api, id, "") }
			eventually(t, 20*time.Second, func() error {
				if asked() == 0 {
					return fmt.Errorf("%s was not called yet", tt.api)
				}
				if tt.health != "" {
					if got := w.tenant(id, corp).Health; got != tt.health {
						return fmt.Errorf("health = %s, want %s", got, tt.health)
					}
				}
				if got := w.suiteWarnings(id); tt.warning != "" && !slices.Contains(got, tt.warning) {
					return fmt.Errorf("warnings = %v, want %s", got, tt.warning)
				}
				return nil
			})
			w.calm(tt.name, id, corp, asked, tt.most)
			if tt.health != "" {
				a := anonymous(t, http.MethodGet, w.replicas[0].signURL("signatures", pageURL, id, corp), nil)
				wantProblem(t, tt.name, a, http.StatusServiceUnavailable, "ticket_unavailable")
			}
			switch tt.recover {
			case "push":
				w.pushSuiteTicket(id)
			case "secret": // the same one, stored again, will do
				w.api(http.MethodPatch, "/v1/suites/"+id, http.StatusOK, map[string]any{"suite_secret": s.Secret}, nil)
			default:
				return
			}
			w.waitSigned(w.replicas[0], pageURL, id, corp, 5*time.Second)
		})
	}
}

// A service without a suite_ticket says so, keeps what it is told, and is at work
// within five seconds of the push.
func TestContractWithoutSuiteTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{sim: []string{"--suite-ticket-lifetime", "3s", "--suite-access-token-lifetime", "6s", "--access-token-lifetime", "9s", "--ticket-lifetime", "15s",
		"--push-interval", "1h", "--rotation", "rotating", "--grace", "30s"}})
	r := w.replicas[0]
	s := w.suiteWithoutTicket("ww-fresh", "third_party", "corp.example.com")
	w.install(s.ID, "wwfresh", "")
	if n := w.calls("get_suite_token", s.ID, ""); n != 0 {
		t.Errorf("get_suite_token was called %d times without a suite_ticket", n)
	}
	if got := w.suiteWarnings(s.ID); !slices.Contains(got, "suite_ticket_missing") {
		t.Errorf("warnings = %v, want suite_ticket_missing", got)
	}
	eventually(t, 15*time.Second, func() error { // warnings are asked for every ten seconds
		a := anonymous(t, http.MethodGet, r.public+"/readyz", nil)
		if a.status != http.StatusOK {
			t.Fatalf("readyz = %s, want 200", a)
		}
		if !strings.Contains(string(a.body), s.ID) || !strings.Contains(string(a.body), "refresh") {
			return fmt.Errorf("readyz = %s, want the suite and what to press", a)
		}
		return nil
	})
	wantProblem(t, "the click without a suite_ticket", anonymous(t, http.MethodPost, r.public+"/install/"+s.ID, nil), http.StatusServiceUnavailable, "suite_ticket_missing")
	w.pushSuiteTicket(s.ID)
	w.waitSigned(r, pageURL, s.ID, "wwfresh", 5*time.Second)

	// The suite_ticket of then is no longer good when the suite_access_token ends.
	eventually(t, 40*time.Second, func() error {
		if got := w.tenant(s.ID, "wwfresh").Health; got != "waiting_suite_ticket" {
			return fmt.Errorf("health = %s, want waiting_suite_ticket", got)
		}
		return nil
	})
	asked := w.calls("get_suite_token", s.ID, "")
	w.calm("without a good suite_ticket", s.ID, "wwfresh", func() int { return w.calls("get_suite_token", s.ID, "") }, asked)
	w.pushSuiteTicket(s.ID)
	eventually(t, 5*time.Second, func() error {
		if n := w.calls("get_suite_token", s.ID, ""); n <= asked {
			return fmt.Errorf("get_suite_token was not called after the push")
		}
		return w.try(http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwfresh"), nil, nil, nil)
	})
	w.waitSigned(r, pageURL, s.ID, "wwfresh", 5*time.Second)
}
