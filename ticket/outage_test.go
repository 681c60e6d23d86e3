package ticket_test

import (
	"fmt"
	"testing"
	"time"

	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// WeCom answers nobody: one attempt in five seconds over all replicas, old tickets
// serve, and when it is back all are refreshed at once.
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, kind := range []wecomtest.FaultKind{wecomtest.Status, wecomtest.Drop} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			h := ready(t)
			tenants := h.installMany(suiteID, 30)
			replicas := []*ticket.Refresher{h.replica(), h.replica(), h.replica()}
			for _, r := range replicas {
				r.Slots = 4
			}
			h.run(replicas...)
			h.pass(91 * time.Minute)
			h.tokenFetched(replicas)
			h.sim.ForgetCalls()
			h.sim.Fault(wecomtest.Fault{API: "*", Kind: kind, Times: -1})
			h.run(replicas...)
			noticed := h.sim.Calls().Total
			if noticed > 3*(2*4+3) {
				t.Errorf("%d calls until it was noticed", noticed)
			}
			for range 12 { // a minute
				h.pass(time.Second)
				for range 4 {
					h.run(replicas...)
				}
				h.pass(4 * time.Second)
			}
			if probes := h.sim.Calls().Total - noticed; probes < 6 || probes > 13 {
				t.Errorf("%d calls in a minute, want about 12", probes)
			}
			for _, id := range tenants {
				if got := h.tickets(id); len(got) != 2 {
					t.Fatalf("%d live tickets, want the old ones to serve", len(got))
				}
			}
			h.sim.ClearFaults()
			h.pass(6 * time.Second)
			for range 3 { // each replica finds out by its own probe
				h.run(replicas...)
				h.pass(6 * time.Second)
			}
			h.pass(time.Minute)
			h.run(replicas...)
			for corp, id := range tenants {
				h.wantLive(suiteID, corp, id)
				if c := h.credential(id, ticket.JSAPITicket); c.Generation != 2 {
					t.Errorf("%s: generation = %d, want 2", corp, c.Generation)
				}
				h.wantHealth(id, tenant.OK, 0)
			}
		})
	}
}

// tokenFetched has the suite's token fetched, which is not what a test is about.
func (h *house) tokenFetched([]*ticket.Refresher) {
	h.t.Helper()
	h.exec(`UPDATE suite_tokens SET expires_at = now() + interval '2 hours'`)
	h.clock.Advance(0)
}

// Tenants whose every call times out cost the others nothing.
func TestPoisonTenants(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 40)
	for i := range 20 {
		h.sim.Fault(wecomtest.Fault{API: "*", CorpID: wecom.CorpID(fmt.Sprintf("wwww%04d", 2*i)), Kind: wecomtest.Silent, Times: -1})
	}
	r := h.replica(func(r *ticket.Refresher) { r.Slots = 8; r.CallFor = 3 * time.Second })
	done := make(chan ticket.Report)
	go func() {
		rep, err := r.RunOnce(t.Context())
		if err != nil {
			t.Errorf("RunOnce: %v", err)
		}
		done <- rep
	}()
	healthy := func() (n int) {
		must(t, h.pool.QueryRow(t.Context(), `SELECT count(*) FROM credentials WHERE kind = 'jsapi_ticket' AND expires_at > now()`).Scan(&n))
		return n
	}
	eventually(t, "all healthy tenants have tickets", func() bool { return healthy() == 20 })
	rep := <-done
	if rep.OK != 20 || rep.Failed != 20 {
		t.Errorf("%+v, want 20 OK and 20 failed", rep)
	}
	for corp, id := range tenants {
		var n int
		_, err := fmt.Sscanf(string(corp), "wwww%d", &n)
		must(t, err)
		if n%2 == 1 {
			h.wantCalls(corp, calls{1, 1, 1})
			h.wantHealth(id, tenant.OK, 0)
		} else {
			h.wantCalls(corp, calls{1, 0, 0})
			h.wantHealth(id, tenant.Failing, 0)
		}
	}
}

// One suite with very many due tenants does not delay another's few.
func TestSuitesShareABatch(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.addSuite(template)
	h.installMany(suiteID, 50)
	small := h.installMany(template, 3)
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants WHERE suite_id = $1`, suiteID)
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants WHERE suite_id = $1`, template)
	n, err := ticket.Claim(t.Context(), h.pool, ticket.DefaultLimits(), 8)
	must(t, err)
	var of int
	must(t, h.pool.QueryRow(t.Context(), `SELECT count(*) FROM refreshes WHERE suite_id = $1 AND lease_owner IS NOT NULL`, template).Scan(&of))
	if of != len(small) || n < 6 || n > 8 {
		t.Errorf("claimed %d, %d of them of the small suite; want 6 to 8 with all 3 of it", n, of)
	}
}

// What is due but over the budget is put off, and charged for nothing.
func TestPutOff(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwover")
	h.sim.ForgetCalls()
	h.exec(`INSERT INTO budgets (scope, key, tat) VALUES ('app', $1, now() + interval '30 minutes')`, id.String())
	r := h.replica()
	if got := h.run(r); got.PutOff != 1 || got.Claimed != 0 {
		t.Errorf("%+v, want one put off", got)
	}
	h.wantCalls("wwover", calls{})
	if got := h.run(r); got.PutOff != 0 {
		t.Error("looked at again at once")
	}
	for range 20 {
		h.pass(2 * time.Minute)
		h.run(r)
	}
	h.wantCalls("wwover", calls{1, 1, 1})
	h.wantLive(suiteID, "wwover", id)
}

// The budget of the address is shared: all replicas together claim what it
// allows, requests have a reserve, and what waits is claimed as time goes by.
func TestPacing(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.installMany(suiteID, 60)
	slow := func(r *ticket.Refresher) { r.Limits = ticket.Limits{IPMinute: 80} } // half of it: 40 a minute, one at once
	replicas := []*ticket.Refresher{h.replica(slow), h.replica(slow), h.replica(slow)}
	var at []time.Duration
	for now := time.Duration(0); now < 2*time.Minute; now += time.Second {
		for range h.run(replicas...).Claimed {
			at = append(at, now)
		}
		h.pass(time.Second)
	}
	for _, from := range at {
		n := 0
		for _, t := range at {
			if t >= from && t < from+time.Minute {
				n++
			}
		}
		if n > 40 {
			t.Fatalf("%d tenants in a minute, want at most 40", n)
		}
	}
	if len(at) < 50 {
		t.Errorf("%d tenants in two minutes, want 50 or more", len(at))
	}
}

// The order of the day for a tenant that is asked for while thousands are due.
func TestDemandGoesFirst(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.installMany(suiteID, 3)
	id := h.install(suiteID, "wwfirst")
	limits := func(r *ticket.Refresher) { r.Limits = ticket.Limits{IPMinute: 1600} } // 20 at once, of which 5 in reserve
	r := h.replica(limits)
	h.exec(`INSERT INTO budgets (scope, key, tat) VALUES ('ip_minute', 'default', now() + $1::interval)`, 15*ticket.Cells(ticket.Limits{IPMinute: 1600})["ip_minute"].Step())
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants`)
	h.sim.ForgetCalls()
	must(t, r.Demand(t.Context(), id))
	h.wantLive(suiteID, "wwfirst", id)
}
