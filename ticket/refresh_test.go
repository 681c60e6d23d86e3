package ticket_test

import (
	"testing"
	"time"

	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// Ten replicas cost WeCom no more than one: each tenant's cycle is one call for
// the token and one for each ticket.
func TestReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 60)
	var replicas []*ticket.Refresher
	for range 10 {
		replicas = append(replicas, h.replica())
	}
	for cycle := 1; cycle <= 3; cycle++ {
		got := h.run(replicas...)
		if got.OK != len(tenants) || got.Claimed != len(tenants) {
			t.Errorf("cycle %d: %+v, want %d tenants claimed and OK", cycle, got, len(tenants))
		}
		for corp, id := range tenants {
			h.wantCalls(corp, calls{cycle, cycle, cycle})
			h.wantLive(suiteID, corp, id)
		}
		if again := h.run(replicas...); again.Claimed != 0 {
			t.Errorf("cycle %d: %d tenants were due again at once", cycle, again.Claimed)
		}
		h.pass(91 * time.Minute)
	}
	for _, id := range tenants {
		h.wantHealth(id, tenant.OK, 0)
		if c := h.credential(id, ticket.JSAPITicket); c.Generation != 3 {
			t.Errorf("generation = %d, want 3", c.Generation)
		}
	}
}

// All kinds of suites end in the same credentials.
func TestKindsOfSuites(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.addSuite(template)
	h.sim.AddCorp(wecomtest.Corp{CorpID: "wwown", Apps: []wecomtest.App{{AgentID: 1000002, Secret: "own-secret"}}})
	own := h.addInternal("wwown", 1000002, "own-secret")
	third := h.install(suiteID, "wwthird")
	custom := h.install(template, "wwcustom")
	h.sim.ForgetCalls()
	h.run(h.replica())
	for corp, id := range map[wecom.CorpID]struct {
		of    wecom.SuiteID
		token string
	}{"wwthird": {suiteID, "get_corp_token"}, "wwcustom": {template, "gettoken"}, "wwown": {internal, "gettoken"}} {
		h.wantCalls(corp, calls{1, 1, 1})
		if n := h.sim.Calls().Count(id.token, corp, ""); n != 1 {
			t.Errorf("%s: %d calls of %s, want 1", corp, n, id.token)
		}
	}
	h.wantLive(suiteID, "wwthird", third)
	h.wantLive(template, "wwcustom", custom)
	if got := h.tickets(own); len(got) != 2 {
		t.Errorf("internal tenant has %d tickets, want 2", len(got))
	}
	h.wantHealth(own, tenant.OK, 0)
}

// Without an agent there is no agent_config, and one that comes later is noticed.
func TestAgentComesLater(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwlater")
	must(t, h.tenants.ReplaceAgents(t.Context(), id, nil))
	h.sim.ForgetCalls()
	r := h.replica()
	h.run(r)
	h.wantCalls("wwlater", calls{1, 1, 0})
	h.wantHealth(id, tenant.OK, 0)

	must(t, h.tenants.ReplaceAgents(t.Context(), id, []tenant.Agent{{ID: 1000001}}))
	h.run(r)
	h.wantCalls("wwlater", calls{1, 1, 1})
	h.wantLive(suiteID, "wwlater", id)
}

// Only what failed is fetched again, and a tenant is healthy after one success.
func TestOnlyWhatFailedIsFetchedAgain(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwhalf")
	h.sim.ForgetCalls()
	h.sim.Fault(wecomtest.Fault{API: "ticket/get", Kind: wecomtest.Errcode, Value: -1, Times: 2})
	r := h.replica()
	h.run(r)
	h.wantCalls("wwhalf", calls{1, 1, 1})
	h.wantHealth(id, tenant.Failing, -1)
	if got := h.tickets(id); got[ticket.JSAPITicket] == "" || got[ticket.AgentConfig] != "" {
		t.Errorf("live tickets = %v, want the jsapi_ticket only", got)
	}
	in, _ := h.dueIn(id)
	within(t, "retry", in, 4*time.Second, 6*time.Second)

	h.pass(6 * time.Second)
	h.run(r)
	h.wantCalls("wwhalf", calls{1, 1, 2})
	in, _ = h.dueIn(id)
	within(t, "second retry", in, 13*time.Second, 17*time.Second)

	h.pass(17 * time.Second)
	h.run(r)
	h.wantCalls("wwhalf", calls{1, 1, 3})
	h.wantHealth(id, tenant.OK, 0)
	h.wantLive(suiteID, "wwhalf", id)
}

// A tenant that is claimed although nothing of it is due costs nothing.
func TestNothingDue(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwidle")
	r := h.replica()
	h.run(r)
	h.sim.ForgetCalls()
	before, _ := h.dueIn(id)
	h.exec(`UPDATE refreshes SET due_at = now()`)
	h.run(r)
	h.wantCalls("wwidle", calls{})
	if after, parked := h.dueIn(id); after != before || parked != "" {
		t.Errorf("due in %s, parked %q; want %s as before", after, parked, before)
	}
	h.pass(121 * time.Minute) // the token is over, too, and still nothing is asked for
	h.exec(`UPDATE credentials SET next_at = now() + interval '1 hour'`)
	h.exec(`UPDATE refreshes SET due_at = now()`)
	h.run(r)
	h.wantCalls("wwidle", calls{})
}

// A database that fails for a moment loses nothing that was fetched.
func TestSaveIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwagain")
	h.sim.ForgetCalls()
	h.exec(`CREATE SEQUENCE tries`)
	h.exec(`
CREATE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF nextval('tries') <= 2 THEN RAISE serialization_failure; END IF;
	RETURN NEW;
END $$`)
	h.exec(`CREATE TRIGGER fail_twice BEFORE INSERT ON credentials FOR EACH ROW EXECUTE FUNCTION fail_twice()`)
	if got := h.run(h.replica()); got.OK != 1 {
		t.Errorf("%+v, want one OK", got)
	}
	h.wantCalls("wwagain", calls{1, 1, 1})
	h.wantLive(suiteID, "wwagain", id)
}

// A request that was faster than the pull of the agents must not cost the agent its
// ticket until a retry of something else is due.
func TestFirstAgentComesAfterAFailure(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwearly")
	tn, err := h.tenants.Get(t.Context(), id)
	must(t, err)
	must(t, h.tenants.ReplaceAgents(t.Context(), id, nil))
	h.sim.ForgetCalls()
	h.sim.Fault(wecomtest.Fault{API: "get_jsapi_ticket", Kind: wecomtest.Errcode, Value: -1, Times: 1})
	r := h.replica()
	wantErr(t, "Demand before the agents are known", r.Demand(t.Context(), id), ticket.ErrNone)
	h.wantCalls("wwearly", calls{1, 1, 0})

	must(t, h.tenants.ReplaceAgents(t.Context(), id, tn.Agents))
	h.run(r)
	h.wantCalls("wwearly", calls{1, 1, 1}) // and nothing else sooner than its time
	if h.tickets(id)[ticket.AgentConfig] == "" {
		t.Error("the agent has no ticket")
	}
	if got := h.run(r); got.Woken != 0 || got.Claimed != 0 {
		t.Errorf("the next beat: %+v, want nothing to do", got)
	}
	h.pass(6 * time.Second)
	h.run(r)
	h.wantCalls("wwearly", calls{1, 2, 1})
	h.wantLive(suiteID, "wwearly", id)
}
