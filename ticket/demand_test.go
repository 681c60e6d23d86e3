package ticket_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom/wecomtest"
)

// Two hundred pages ask at once, over three replicas: one call of each kind.
func TestDemandIsShared(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwcold")
	h.sim.ForgetCalls()
	h.sim.Fault(wecomtest.Fault{API: "get_corp_token", Kind: wecomtest.Latency, Value: 200})
	replicas := []*ticket.Refresher{h.replica(), h.replica(), h.replica()}
	var wg sync.WaitGroup
	var failed atomic.Int64
	for i := range 200 {
		wg.Go(func() {
			if err := replicas[i%3].Demand(t.Context(), id); err != nil {
				failed.Add(1)
				t.Logf("Demand: %v", err)
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n != 0 {
		t.Errorf("%d of 200 requests got no ticket", n)
	}
	h.wantCalls("wwcold", calls{1, 1, 1})
	h.wantLive(suiteID, "wwcold", id)
	h.wantHealth(id, tenant.OK, 0)
	if got := h.run(replicas...); got.Claimed != 0 {
		t.Error("the heartbeat refreshes it again")
	}
}

// Requests for a tenant that fails start at most one attempt in five seconds, and
// the failures count.
func TestDemandIsThrottled(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwfail")
	h.sim.ForgetCalls()
	h.sim.Fault(wecomtest.Fault{API: "get_corp_token", Kind: wecomtest.Errcode, Value: -1, Times: -1})
	replicas := []*ticket.Refresher{h.replica(), h.replica()}
	for range 3 {
		for i := range 20 {
			wantErr(t, "Demand", replicas[i%2].Demand(t.Context(), id), ticket.ErrNone)
		}
		h.pass(5*time.Second + time.Millisecond)
	}
	h.wantCalls("wwfail", calls{3, 0, 0})
	if c := h.credential(id, ticket.AccessToken); c.Failures != 3 {
		t.Errorf("failures = %d, want 3", c.Failures)
	}
	h.sim.ClearFaults()
	must(t, replicas[0].Demand(t.Context(), id))
	h.wantLive(suiteID, "wwfail", id)
}

// A live ticket is not refreshed for being asked for.
func TestDemandOfALiveTenant(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwlive")
	r := h.replica()
	h.run(r)
	h.sim.ForgetCalls()
	must(t, r.Demand(t.Context(), id))
	h.wantCalls("wwlive", calls{})
}

// Only what is missing is fetched, and one live ticket is an answer.
func TestDemandOfHalf(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwhalf")
	h.sim.Fault(wecomtest.Fault{API: "ticket/get", Kind: wecomtest.Errcode, Value: -1, Times: 2})
	r := h.replica()
	h.run(r)
	h.sim.ForgetCalls()
	must(t, r.Demand(t.Context(), id)) // within five seconds: nothing is tried
	h.wantCalls("wwhalf", calls{})
	h.pass(5*time.Second + time.Millisecond)
	must(t, r.Demand(t.Context(), id))
	h.wantCalls("wwhalf", calls{0, 0, 1})
	h.pass(5*time.Second + time.Millisecond)
	must(t, r.Demand(t.Context(), id))
	h.wantCalls("wwhalf", calls{0, 0, 2})
	h.wantLive(suiteID, "wwhalf", id)
}

// What is refused for good is not probed by pages that load.
func TestDemandDoesNotProbe(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwapp")
	h.sim.ForgetCalls()
	h.sim.Fault(wecomtest.Fault{API: "ticket/get", Kind: wecomtest.Errcode, Value: 50003, Times: -1})
	h.sim.Fault(wecomtest.Fault{API: "get_jsapi_ticket", Kind: wecomtest.Errcode, Value: 50003, Times: -1})
	r := h.replica()
	for range 10 {
		wantErr(t, "Demand", r.Demand(t.Context(), id), ticket.ErrNone)
		h.pass(6 * time.Second)
	}
	h.wantCalls("wwapp", calls{1, 1, 1})
}

// A tenant whose lease a dead process holds is not waited for beyond the bound,
// and not called for.
func TestDemandWaitsForALeaseInVain(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwheld")
	h.sim.ForgetCalls()
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at, lease_owner, lease_until)
SELECT id, suite_id, corp_id, now(), $1, now() + interval '1 hour' FROM tenants`, uuid.New())
	r := h.replica(func(r *ticket.Refresher) { r.WaitFor = 300 * time.Millisecond })
	wantErr(t, "Demand", r.Demand(t.Context(), id), ticket.ErrNone)
	h.wantCalls("wwheld", calls{})
}

// Who asks may leave: the attempt goes on without them.
func TestDemandGoesOn(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwleave")
	slow := hold(h.client)
	r := h.replica(func(r *ticket.Refresher) { r.WeCom = slow; r.WaitFor = 10 * time.Millisecond })
	wantErr(t, "Demand", r.Demand(t.Context(), id), ticket.ErrNone)
	<-slow.reached
	ctx, leave := context.WithCancel(t.Context())
	leave()
	wantErr(t, "Demand of one who left", r.Demand(ctx, id), ticket.ErrNone)
	close(slow.goOn)
	r.Wait()
	h.wantLive(suiteID, "wwleave", id)
}

// Nobody's authorization, no call.
func TestDemandForNobody(t *testing.T) {
	t.Parallel()
	h := ready(t)
	wantErr(t, "Demand", h.replica().Demand(t.Context(), uuid.New()), ticket.ErrNone)
}

// A scheduled refresh and requests at the same time: one of them does it.
func TestDemandBesideTheHeartbeat(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 20)
	replicas := []*ticket.Refresher{h.replica(), h.replica()}
	var wg sync.WaitGroup
	for _, id := range tenants {
		for _, r := range replicas {
			wg.Go(func() {
				if err := r.Demand(t.Context(), id); err != nil {
					t.Errorf("Demand: %v", err)
				}
			})
		}
	}
	h.run(replicas...)
	wg.Wait()
	for corp, id := range tenants {
		h.wantCalls(corp, calls{1, 1, 1})
		h.wantLive(suiteID, corp, id)
	}
}

// The budget of an app is kept over requests, retries and restarts: the simulator
// fails the test if WeCom's limit is ever exceeded.
func TestDemandKeepsTheBudget(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwhot")
	h.sim.ForgetCalls()
	h.sim.Fault(wecomtest.Fault{API: "ticket/get", Kind: wecomtest.Errcode, Value: -1, Times: -1})
	h.sim.Fault(wecomtest.Fault{API: "get_jsapi_ticket", Kind: wecomtest.Errcode, Value: -1, Times: -1})
	for at := time.Duration(0); at < time.Hour; at += 10 * time.Second {
		wantErr(t, "Demand", h.replica().Demand(t.Context(), id), ticket.ErrNone) // a new process each time
		h.pass(10 * time.Second)
	}
	if got := h.calls("wwhot"); got.JSAPI+got.Agent > 100 || got.JSAPI+got.Agent < 60 {
		t.Errorf("%d ticket calls in an hour, want 60 to 100", got.JSAPI+got.Agent)
	}
}
