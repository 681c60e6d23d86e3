package ticket_test

import (
	"testing"
	"time"

	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom/wecomtest"
)

// live counts, second by second, how long a tenant's jsapi_ticket is not one that
// the platform takes.
func (h *house) without(r *ticket.Refresher, corp string, seconds int, step time.Duration) (without time.Duration) {
	h.t.Helper()
	for range seconds {
		h.pass(step)
		h.run(r)
		var id = h.tenantOf(corp)
		app := h.sim.Authorization(suiteID, id.corp)
		if got := h.tickets(id.id)[ticket.JSAPITicket]; got == "" || !liveAt(app.JSAPITickets, got) {
			without += step
		}
	}
	return without
}

func liveAt(list []wecomtest.CredentialState, value string) bool {
	for _, c := range list {
		if c.Value == value {
			return c.Live
		}
	}
	return false
}

// Whatever a repeated fetch answers with, a ticket is never used past its end, and
// is missed for no longer than the platform makes unavoidable.
func TestRotations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rotation wecomtest.Rotation
		missing  time.Duration // at most, over three lifetimes
		perCycle int           // calls of each kind at most
	}{
		{wecomtest.Rotating, 0, 1},
		{wecomtest.Sticky, 3 * 12 * time.Second, 3},
		{wecomtest.StickyConstant, 3 * 12 * time.Second, 3},
	} {
		t.Run(string(tt.rotation), func(t *testing.T) {
			t.Parallel()
			h := ready(t, wecomtest.WithRotation(tt.rotation, 5*time.Minute))
			h.install(suiteID, "wwmode")
			h.sim.ForgetCalls()
			r := h.replica()
			h.run(r)
			var missing, step time.Duration
			for at := time.Duration(0); at < 6*time.Hour; at += step {
				step = time.Minute
				if left := h.leftOf("wwmode"); left < 3*time.Minute {
					step = time.Second // close to the end every second counts
				}
				missing += h.without(r, "wwmode", 1, step)
			}
			if missing > tt.missing {
				t.Errorf("%s without a ticket, want at most %s", missing, tt.missing)
			}
			// Three lifetimes and what is left of the fourth.
			most := 5 * tt.perCycle
			if got := h.calls("wwmode"); got.Token > most || got.JSAPI > most || got.Agent > most {
				t.Errorf("calls = %+v, want at most %d of each", got, most)
			}
		})
	}
}

// WeCom repeats the value and prints the full lifetime: the older expiry stands.
func TestRepeatedValueKeepsItsExpiry(t *testing.T) {
	t.Parallel()
	h := ready(t, wecomtest.WithRotation(wecomtest.StickyConstant, 0))
	id := h.install(suiteID, "wwsame")
	h.sim.ForgetCalls()
	r := h.replica()
	h.run(r)
	before := h.credential(id, ticket.JSAPITicket)
	h.pass(91 * time.Minute)
	h.run(r)
	h.wantCalls("wwsame", calls{2, 2, 2})
	after := h.credential(id, ticket.JSAPITicket)
	if moved := after.ExpiresAt.Sub(before.ExpiresAt.Add(-91 * time.Minute)).Abs(); moved > time.Millisecond {
		t.Errorf("expiry moved by %s", moved)
	}
	if after.Generation != 1 || !after.RefreshedAt.Equal(before.RefreshedAt.Add(-91*time.Minute)) {
		t.Errorf("generation %d, refreshed %s; want nothing new", after.Generation, after.RefreshedAt)
	}
	within(t, "next try before the end", after.ExpiresAt.Sub(*after.NextAt), time.Minute, 91*time.Second)
	h.wantHealth(id, tenant.OK, 0)

	// Right before the end it is still the same; the next try is behind it.
	h.pass(time.Until(*after.ExpiresAt) - 59*time.Second)
	h.run(r)
	h.wantCalls("wwsame", calls{3, 3, 3})
	last := h.credential(id, ticket.JSAPITicket)
	within(t, "next try behind the end", last.NextAt.Sub(*last.ExpiresAt), 0, 3*time.Second)
	h.pass(65 * time.Second)
	if got := h.tickets(id); len(got) != 0 {
		t.Errorf("%d tickets live past their end", len(got))
	}
	h.run(r)
	h.wantLive(suiteID, "wwsame", id)
	if c := h.credential(id, ticket.JSAPITicket); c.Generation != 2 {
		t.Errorf("generation = %d, want 2", c.Generation)
	}
}

// Should the platform never let go of a value, nothing is signed with it past its
// end, and it is asked for ever more seldom.
func TestRepeatedValueThatNeverEnds(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwever")
	h.sim.Fault(wecomtest.Fault{API: "get_jsapi_ticket", Kind: wecomtest.SetFields, Value: map[string]any{"ticket": "always-the-same"}, Times: -1})
	h.sim.ForgetCalls()
	r := h.replica()
	h.run(r)
	h.pass(121 * time.Minute)
	asked := h.calls("wwever").JSAPI
	for range 8 { // up the ladder: 5 s, 15 s, 30 s, 1, 2, 5, 10, 10 min
		h.run(r)
		if got := h.tickets(id); got[ticket.JSAPITicket] != "" {
			t.Fatal("a ticket is live past its end")
		}
		in, _ := h.dueIn(id)
		h.pass(in + time.Second)
	}
	if got := h.calls("wwever").JSAPI - asked; got != 8 {
		t.Errorf("%d calls, want 8", got)
	}
	if c := h.credential(id, ticket.JSAPITicket); c.Failures != 8 || c.LastError == "" {
		t.Errorf("failures = %d (%s), want 8", c.Failures, c.LastError)
	}
	h.wantHealth(id, tenant.Failing, 0)
}

// Whatever expires_in says, the old ticket is kept and nothing loops hot.
func TestExpiresIn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		value any
		ok    bool          // a ticket is there afterwards
		from  time.Duration // the next try
		to    time.Duration
	}{
		"absent":     {nil, false, 4 * time.Second, 6 * time.Second},
		"zero":       {0, false, 4 * time.Second, 6 * time.Second},
		"negative":   {-1, false, 4 * time.Second, 6 * time.Second},
		"no number":  {"soon", false, 4 * time.Second, 6 * time.Second},
		"one":        {1, true, 4 * time.Second, 6 * time.Second},
		"sixty":      {60, true, 29 * time.Second, 40 * time.Second},
		"text":       {"7200", true, 79 * time.Minute, 90 * time.Minute},
		"fraction":   {7200.0, true, 79 * time.Minute, 90 * time.Minute},
		"very large": {1e15, true, 79 * time.Minute, 90 * time.Minute}, // the token's end comes first
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := ready(t)
			id := h.install(suiteID, "wwodd")
			h.sim.Fault(wecomtest.Fault{API: "get_jsapi_ticket", Kind: wecomtest.ExpiresIn, Value: tt.value})
			h.run(h.replica())
			if c := h.credential(id, ticket.JSAPITicket); (c.Generation == 1) != tt.ok {
				t.Errorf("generation = %d, want a ticket: %v", c.Generation, tt.ok)
			}
			in, _ := h.dueIn(id)
			within(t, "next try", in, tt.from, tt.to)
		})
	}
}

// A second at a time is asked for ever more seldom: ten minutes in the end.
func TestShortLivesDoNotLoop(t *testing.T) {
	t.Parallel()
	h := ready(t, wecomtest.WithLifetimes(wecomtest.Lifetimes{AccessToken: time.Second, JSAPITicket: time.Second, AgentTicket: time.Second}))
	id := h.install(suiteID, "wwshort")
	h.sim.ForgetCalls()
	r := h.replica()
	for at := time.Duration(0); at < time.Hour; {
		h.run(r)
		in, _ := h.dueIn(id)
		if in < 4*time.Second {
			t.Fatalf("due again in %s", in)
		}
		h.pass(in)
		at += in
	}
	if got := h.calls("wwshort"); got.Token > 13 || got.JSAPI > 13 {
		t.Errorf("calls in an hour = %+v, want at most 13 of each", got)
	}
}

// With short but sensible lifetimes there is always a ticket.
func TestLifetimeOfAMinute(t *testing.T) {
	t.Parallel()
	minute := wecomtest.Lifetimes{AccessToken: time.Minute, JSAPITicket: time.Minute, AgentTicket: time.Minute}
	h := ready(t, wecomtest.WithLifetimes(minute), wecomtest.WithLimits(wecomtest.Limits{Off: true}))
	h.install(suiteID, "wwminute")
	r := h.replica(func(r *ticket.Refresher) { r.Limits = ticket.Limits{} })
	h.run(r)
	if missing := h.without(r, "wwminute", 70, time.Second); missing > 0 {
		t.Errorf("%s without a ticket", missing)
	}
}
