package wecomtest_test

import (
	"testing"
	"time"

	"suitesign/wecom/wecomtest"
)

// What a repeated fetch answers with: value, expires_in, and what the old value is
// good for.
func TestRotation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rotation wecomtest.Rotation
		same     bool
		expires  int // of the second fetch, 1000 s later
	}{
		{wecomtest.Sticky, true, 6200},
		{wecomtest.StickyConstant, true, 7200},
		{wecomtest.Rotating, false, 7200},
	} {
		t.Run(string(tt.rotation), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wecomtest.WithRotation(tt.rotation, time.Minute))
			permanentCode := w.authorize(w.suite, "wwcorp")
			fetch := map[string]func() (string, int){
				"suite_access_token": func() (string, int) {
					a := w.suiteTokenWith(w.suite.SuiteID, w.suite.Secret, w.SuiteTicket(w.suite.SuiteID))
					return a.text("suite_access_token"), a.num("expires_in")
				},
				"provider_access_token": func() (string, int) {
					a := w.getProviderToken(w.suite.ProviderCorpID, w.suite.ProviderSecret)
					return a.text("provider_access_token"), a.num("expires_in")
				},
				"access_token": func() (string, int) {
					a := w.getCorpToken("wwcorp", permanentCode)
					return a.text("access_token"), a.num("expires_in")
				},
				"jsapi_ticket": func() (string, int) {
					a := w.get("get_jsapi_ticket", "access_token", w.corpToken("wwcorp", permanentCode))
					return a.text("ticket"), a.num("expires_in")
				},
				"agent_config": func() (string, int) {
					a := w.get("ticket/get", "access_token", w.corpToken("wwcorp", permanentCode), "type", "agent_config")
					return a.text("ticket"), a.num("expires_in")
				},
			}
			before := map[string]string{}
			w.clock.Advance(2 * time.Hour) // what authorize fetched is over
			for kind, f := range fetch {
				v, expires := f()
				if expires != 7200 {
					t.Errorf("%s: first expires_in = %d, want 7200", kind, expires)
				}
				before[kind] = v
			}
			w.clock.Advance(1000 * time.Second)
			for kind, f := range fetch {
				v, expires := f()
				if (v == before[kind]) != tt.same || expires != tt.expires {
					t.Errorf("%s: second value same %v, expires_in %d; want %v, %d", kind, v == before[kind], expires, tt.same, tt.expires)
				}
			}
		})
	}
}

// A replaced token works for the grace and is then expired; a sticky one works to
// its end, and what follows is new.
func TestEndOfCredentials(t *testing.T) {
	t.Parallel()
	t.Run("rotating", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, wecomtest.WithRotation(wecomtest.Rotating, time.Minute))
		p := w.authorize(w.suite, "wwcorp")
		old := w.corpToken("wwcorp", p)
		w.corpToken("wwcorp", p)
		w.clock.Advance(59 * time.Second)
		if a := w.get("agent/list", "access_token", old); a.code() != 0 {
			t.Errorf("within the grace the old token answers %v", a)
		}
		w.clock.Advance(time.Second)
		if a := w.get("agent/list", "access_token", old); a.code() != 42001 {
			t.Errorf("after the grace the old token answers %v, want 42001", a)
		}
	})
	t.Run("rotating without grace", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, wecomtest.WithRotation(wecomtest.Rotating, 0))
		p := w.authorize(w.suite, "wwcorp")
		old := w.corpToken("wwcorp", p)
		w.corpToken("wwcorp", p)
		if a := w.get("agent/list", "access_token", old); a.code() != 42001 {
			t.Errorf("the old token answers %v, want 42001", a)
		}
	})
	t.Run("sticky", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.authorize(w.suite, "wwcorp")
		old := w.corpToken("wwcorp", p)
		w.clock.Advance(7199*time.Second + 500*time.Millisecond)
		if a := w.get("agent/list", "access_token", old); a.code() != 0 {
			t.Errorf("half a second before its end the token answers %v", a)
		}
		if v := w.corpToken("wwcorp", p); v == old {
			t.Error("in its last second the token is handed out again, with expires_in 0")
		}
	})
	t.Run("exception by kind", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, wecomtest.WithConfig(wecomtest.Config{RotationOf: map[wecomtest.Kind]wecomtest.Rotation{wecomtest.JSAPITicket: wecomtest.Rotating}}),
			wecomtest.WithClock(wecomtest.NewClock(start)))
		token := w.token("wwcorp")
		for kind, same := range map[string]bool{"get_jsapi_ticket": false, "ticket/get": true} {
			query := []string{"access_token", token}
			if kind == "ticket/get" {
				query = append(query, "type", "agent_config")
			}
			a, b := w.get(kind, query...), w.get(kind, query...)
			if (a.text("ticket") == b.text("ticket")) != same {
				t.Errorf("%s answers with the same value: %v, want %v", kind, !same, same)
			}
		}
	})
}

func TestShortLifetimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wecomtest.WithLifetimes(wecomtest.Lifetimes{JSAPITicket: 60 * time.Second, AgentTicket: 90 * time.Second, AccessToken: 30 * time.Second, AuthCode: 5 * time.Second}))
	if out := w.Install(w.suite.SuiteID, "wwother", wecomtest.Site); out.ExpiresIn != 5 {
		t.Errorf("the auth_code has expires_in %d, want 5", out.ExpiresIn)
	}
	token := w.token("wwcorp")
	if a := w.get("get_jsapi_ticket", "access_token", token); a.num("expires_in") != 60 {
		t.Errorf("get_jsapi_ticket = %v, want expires_in 60", a)
	}
	if a := w.get("ticket/get", "access_token", token, "type", "agent_config"); a.num("expires_in") != 90 {
		t.Errorf("ticket/get = %v, want expires_in 90", a)
	}
	w.clock.Advance(30 * time.Second)
	if a := w.get("get_jsapi_ticket", "access_token", token); a.code() != 42001 {
		t.Errorf("after 30 s the token answers %v, want 42001", a)
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]wecomtest.Config{
		"half a second":    {Lifetimes: wecomtest.Lifetimes{JSAPITicket: 500 * time.Millisecond}},
		"no whole seconds": {Lifetimes: wecomtest.Lifetimes{AuthCode: 1500 * time.Millisecond}},
		"negative":         {Lifetimes: wecomtest.Lifetimes{AuthCode: -time.Second}},
		"rotation":         {Rotation: "sometimes"},
		"rotation of":      {RotationOf: map[wecomtest.Kind]wecomtest.Rotation{wecomtest.AccessToken: "never"}},
		"grace":            {Grace: -time.Second},
	} {
		if s, err := wecomtest.NewServer(c); err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
