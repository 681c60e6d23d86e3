package ticket_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/ticket"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// arrivals are the calls that a platform saw, by API, in the platform's time.
type arrivals struct {
	mu sync.Mutex
	at map[string][]time.Time
}

// watch notes every call from now on.
func (h *house) watch() *arrivals {
	a := &arrivals{at: map[string][]time.Time{}}
	h.client.Observe = func(api string, _ int, _ time.Duration) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.at[api] = append(a.at[api], h.clock.Now())
	}
	return a
}

// most is the largest number of calls of one API in a window of any position.
func (a *arrivals) most(api string, window time.Duration) (most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.at[api]
	for first, i := 0, 0; i < len(at); i++ {
		for at[i].Sub(at[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// A cold start, pages, admins, tokens that end early and a suite token that does:
// no minute and no hour of any position sees more of an API than the share of what
// WeCom allows one address, over all replicas, and over restarts of all of them. The
// simulator, told that this share is all there is, would complain.
func TestNoWindowSeesMoreThanTheShare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		window  time.Duration
		limits  ticket.Limits
		share   int // calls in a window
		tenants int
		step    time.Duration
		steps   int
	}{
		{"minute", time.Minute, ticket.Limits{App: 100, Corp: 400, IPMinute: 80, Share: 0.5}, 40, 70, 2 * time.Second, 70},
		{"hour", time.Hour, ticket.Limits{App: 100, Corp: 400, IPHour: 160, Share: 0.25}, 40, 60, 2 * time.Minute, 65},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := wecomtest.Limits{IPPerMinute: -1, IPPerHour: -1, ProviderIPPerMinute: -1, ProviderIPPerHour: -1}
			if tt.window == time.Minute {
				l.IPPerMinute, l.ProviderIPPerMinute = tt.share, tt.share
			} else {
				l.IPPerHour, l.ProviderIPPerHour = tt.share, tt.share
			}
			h := ready(t, wecomtest.WithLimits(l))
			var tenants []uuid.UUID
			for i := range tt.tenants {
				if i%30 == 29 { // an installation has calls of its own
					h.pass(tt.window)
				}
				tenants = append(tenants, h.install(suiteID, wecom.CorpID(fmt.Sprintf("wwpace%04d", i))))
			}
			h.pass(tt.window)
			h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants`)
			seen := h.watch()
			start := func() (out []*ticket.Refresher) {
				for range 3 {
					out = append(out, h.replica(func(r *ticket.Refresher) { r.Limits = tt.limits }))
				}
				return out
			}
			replicas := start()
			for i := range tt.steps {
				switch i % 6 {
				case 0: // all die and come back
					replicas = start()
				case 1, 2:
					if err := replicas[i%3].Force(t.Context(), tenants[(i/6)%len(tenants)]); err != nil {
						wantErr(t, "Force", err, ticket.ErrBudgetSpent)
					}
				case 3: // those who wait longest for their turn
					if err := replicas[i%3].Demand(t.Context(), tenants[len(tenants)-1-i/6]); err != nil {
						wantErr(t, "Demand", err, ticket.ErrNone)
					}
				case 4:
					h.sim.Revoke(suiteID, wecom.CorpID(fmt.Sprintf("wwpace%04d", i/6)), wecomtest.AccessToken)
				}
				if i == tt.steps/2 {
					h.sim.Revoke(suiteID, "", wecomtest.SuiteAccessToken)
				}
				h.run(replicas...)
				h.pass(tt.step)
			}
			for _, api := range []string{wecom.APICorpToken, wecom.APIJSAPITicket, wecom.APIAgentTicket} {
				if n := seen.most(api, tt.window); n > tt.share || n < tt.share/2 {
					t.Errorf("%s: %d in %s, want at most %d and not much less", api, n, tt.window, tt.share)
				}
			}
		})
	}
}

// What an admin asks for draws from the reserve, and goes before all that is due.
func TestForceGoesFirst(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.installMany(suiteID, 20)
	id := h.install(suiteID, "wwlast")
	limits := ticket.Limits{IPMinute: 1600} // 20 at once, of which 5 in reserve
	r := h.replica(func(r *ticket.Refresher) { r.Limits = limits })
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants`)
	h.exec(`INSERT INTO budgets (scope, key, tat) VALUES ('ip_minute', 'default', now() + $1::interval)`, 18*ticket.Cells(limits)["ip_minute"].Step())
	h.sim.ForgetCalls()
	if n, err := ticket.Claim(t.Context(), h.pool, limits, 100); err != nil || n != 0 {
		t.Fatalf("claimed %d, %v: the schedule has no room left", n, err)
	}
	must(t, r.Force(t.Context(), id))
	got := h.run(r)
	h.wantLive(suiteID, "wwlast", id)
	h.wantCalls("wwlast", calls{1, 1, 1})
	if got.OK == 0 || got.OK > 3 {
		t.Errorf("%+v, want what was asked for, and hardly anything besides", got)
	}
}
