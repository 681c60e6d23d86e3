package ticket_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/audit/audittest"
	"suitesign/secret"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// held is a platform whose calls stop where a test wants them to.
type held struct {
	ticket.Platform
	reached chan struct{} // gets one when a ticket call is reached
	goOn    chan struct{} // closed to let it go on
}

func hold(p ticket.Platform) *held {
	return &held{Platform: p, reached: make(chan struct{}, 8), goOn: make(chan struct{})}
}

// JSAPITicket fetches, then holds back the answer whatever becomes of the context:
// a process that is frozen does not notice that its time is up.
func (p *held) JSAPITicket(ctx context.Context, t wecom.AccessToken) (wecom.Grant[wecom.JSAPITicket], error) {
	g, err := p.Platform.JSAPITicket(ctx, t)
	p.reached <- struct{}{}
	<-p.goOn
	return g, err
}

// A process that died between claim and save costs nothing but the time of its lease.
func TestCrashHealsWhenTheLeaseEnds(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 5)
	r := h.replica()
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants`)
	n, err := ticket.Claim(t.Context(), h.pool, ticket.DefaultLimits(), 100)
	must(t, err)
	if n != len(tenants) {
		t.Fatalf("the dying process claimed %d, want %d", n, len(tenants))
	}
	if got := h.run(r); got.Claimed != 0 {
		t.Errorf("claimed %d tenants that are leased", got.Claimed)
	}
	h.pass(16 * time.Second)
	if got := h.run(r); got.OK != len(tenants) {
		t.Errorf("after the lease: %+v, want %d OK", got, len(tenants))
	}
	for corp, id := range tenants {
		h.wantCalls(corp, calls{1, 1, 1})
		h.wantLive(suiteID, corp, id)
	}
}

// A process that is frozen in the middle of an attempt and comes back after
// another took over writes nothing: what it brings is older.
func TestZombieWritesNothing(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwzombie")
	frozen := hold(h.client)
	zombie := h.replica(func(r *ticket.Refresher) { r.WeCom = frozen })
	var wg sync.WaitGroup
	var late ticket.Report
	wg.Go(func() { late = h.run(zombie) })
	<-frozen.reached
	h.exec(`UPDATE refreshes SET lease_until = lease_until - interval '15 seconds'`)
	h.run(h.replica())
	before := h.tickets(id)
	h.wantLive(suiteID, "wwzombie", id)
	close(frozen.goOn)
	wg.Wait()
	if late.Lost != 1 {
		t.Errorf("zombie reports %+v, want one lost", late)
	}
	if after := h.tickets(id); after[ticket.JSAPITicket] != before[ticket.JSAPITicket] {
		t.Error("the zombie's older ticket replaced the newer one")
	}
	if c := h.credential(id, ticket.JSAPITicket); c.Generation != 1 {
		t.Errorf("generation = %d, want 1", c.Generation)
	}
	h.wantHealth(id, tenant.OK, 0)
}

// A tenant that is cancelled while it is refreshed stays cancelled, and nothing
// of it is left.
func TestCancelledWhileRefreshing(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwgone")
	slow := hold(h.client)
	r := h.replica(func(r *ticket.Refresher) { r.WeCom = slow })
	var wg sync.WaitGroup
	wg.Go(func() { h.run(r) })
	<-slow.reached
	h.exec(`DELETE FROM authorizations WHERE tenant_id = $1`, id)
	close(slow.goOn)
	wg.Wait()
	if got := h.tickets(id); len(got) != 0 {
		t.Errorf("%d tickets of a cancelled tenant", len(got))
	}
}

// Told to stop, a process claims nothing more, but what it has under way it finishes.
func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwstop")
	h.sim.ForgetCalls()
	slow := hold(h.client)
	r := h.replica(func(r *ticket.Refresher) { r.WeCom = slow })
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		rep, err := r.RunOnce(ctx)
		if err != nil || rep.OK != 1 {
			t.Errorf("RunOnce = %+v, %v; want one OK", rep, err)
		}
	})
	<-slow.reached
	stop()
	close(slow.goOn)
	wg.Wait()
	h.wantLive(suiteID, "wwstop", id)
	h.wantCalls("wwstop", calls{1, 1, 1})
	if rep, err := r.RunOnce(ctx); err != nil || rep.Claimed != 0 {
		t.Errorf("after the stop: %+v, %v", rep, err)
	}
}

// panicking is a platform client with a fault of its own for one corp.
type panicking struct {
	ticket.Platform
	corp wecom.CorpID
}

func (p panicking) CorpToken(ctx context.Context, t wecom.SuiteAccessToken, corp wecom.CorpID, code secret.String) (wecom.Grant[wecom.AccessToken], error) {
	if corp == p.corp {
		panic("a fault of the program")
	}
	return p.Platform.CorpToken(ctx, t, corp, code)
}

// A panic in one tenant's attempt is that tenant's trouble.
func TestPanicIsOneTenantsTrouble(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 3)
	got := h.run(h.replica(func(r *ticket.Refresher) { r.WeCom = panicking{h.client, "wwww0001"} }))
	if got.OK != 2 || got.Lost != 1 {
		t.Errorf("%+v, want two OK and one lost", got)
	}
	h.pass(16 * time.Second)
	h.run(h.replica())
	h.wantLive(suiteID, "wwww0001", tenants["wwww0001"])
}

// An ordinary refresh tells nobody; a forced one tells every replica once.
func TestOnlyForcedRefreshesAreTold(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwtold")
	h.exec(`DELETE FROM changes`)
	h.sim.ForgetCalls()
	r := h.replica()
	h.run(r)
	if n := h.exec(`DELETE FROM changes`); n != 0 {
		t.Errorf("an ordinary refresh appended %d changes", n)
	}
	first := h.tickets(id)

	audittest.Want(t, h.pool, func() {
		must(t, r.Force(t.Context(), id))
		must(t, r.Force(t.Context(), id)) // asked twice is asked once
	}, "system credentials.refresh "+id.String()+" null null")
	if got := h.run(r, h.replica()); got.OK != 1 {
		t.Errorf("forced refresh: %+v, want one OK", got)
	}
	h.wantCalls("wwtold", calls{2, 2, 2})
	if n := h.exec(`DELETE FROM changes WHERE topic = 'credentials' AND key = $1`, id.String()); n != 1 {
		t.Errorf("a forced refresh appended %d changes, want 1", n)
	}
	if second := h.tickets(id); second[ticket.JSAPITicket] == first[ticket.JSAPITicket] {
		t.Error("the ticket is the old one")
	}
	h.wantLive(suiteID, "wwtold", id)
}

// A refresh that is asked for while one is under way is not lost.
func TestForceDuringRefresh(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwtwice")
	h.sim.ForgetCalls()
	slow := hold(h.client)
	r := h.replica(func(r *ticket.Refresher) { r.WeCom = slow })
	var wg sync.WaitGroup
	wg.Go(func() { h.run(r) })
	<-slow.reached
	must(t, r.Force(t.Context(), id))
	close(slow.goOn)
	wg.Wait()
	h.run(h.replica())
	h.wantCalls("wwtwice", calls{2, 2, 2})
	h.wantLive(suiteID, "wwtwice", id)
}

// The budget of manual refreshes ends before WeCom's does.
func TestForceSpendsItsBudget(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwforce")
	h.sim.ForgetCalls()
	r := h.replica()
	h.run(r)
	n := 0
	for ; n < 100; n++ {
		if err := r.Force(t.Context(), id); err != nil {
			wantErr(t, "Force", err, ticket.ErrBudgetSpent)
			break
		}
		h.run(r)
	}
	if n < 10 || n > 20 {
		t.Errorf("%d refreshes allowed at once, want 10 to 20", n)
	}
	wantErr(t, "Force for nobody", r.Force(t.Context(), uuid.New()), ticket.ErrNoAuthorization)
}

// While WeCom blocks a tenant's calls, nobody makes any: not the schedule, not a
// page, not an admin, not a process that has just started.
func TestBlockIsKept(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwblock")
	h.sim.ForgetCalls()
	h.sim.Fault(wecomtest.Fault{API: "get_jsapi_ticket", Kind: wecomtest.Errcode, Value: 45009})
	h.run(h.replica())
	for range 6 {
		r := h.replica()
		audittest.Want(t, h.pool, func() { wantErr(t, "Force", r.Force(t.Context(), id), ticket.ErrBudgetSpent) })
		must(t, r.Demand(t.Context(), id)) // agent_config is live
		h.run(r)
		h.pass(9 * time.Minute)
	}
	h.wantCalls("wwblock", calls{1, 1, 1})
	h.pass(13 * time.Minute)
	h.run(h.replica())
	h.wantLive(suiteID, "wwblock", id)
}

// A row that the database refuses does not take the batch with it.
func TestPoisonRow(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 10)
	h.exec(`
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NEW.tenant_id = (SELECT id FROM tenants WHERE corp_id = 'wwww0004') THEN RAISE check_violation; END IF;
	RETURN NEW;
END $$`)
	h.exec(`CREATE TRIGGER poison BEFORE INSERT ON credentials FOR EACH ROW EXECUTE FUNCTION poison()`)
	got := h.run(h.replica())
	if got.OK != 9 || got.Lost != 1 {
		t.Errorf("%+v, want nine OK and one lost", got)
	}
	for corp, id := range tenants {
		if n, want := len(h.tickets(id)), 2; (n == want) == (corp == "wwww0004") {
			t.Errorf("%s has %d tickets", corp, n)
		}
	}
}

// Ten replicas, crashes in between: at most one more call of a kind for each crash.
func TestCrashesCostAtMostOneCall(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 20)
	// The answers of one call of each kind are lost together with the process that asked.
	crashed := hold(h.client)
	dying := h.replica(func(r *ticket.Refresher) { r.WeCom = crashed; r.Slots = 4 })
	var wg sync.WaitGroup
	wg.Go(func() { h.run(dying) })
	for range 4 {
		<-crashed.reached
	}
	h.exec(`UPDATE refreshes SET lease_until = lease_until - interval '15 seconds' WHERE lease_owner IS NOT NULL`)
	var replicas []*ticket.Refresher
	for range 9 {
		replicas = append(replicas, h.replica())
	}
	h.run(replicas...)
	total := h.calls("")
	if want := len(tenants) + 4; total.Token > want || total.JSAPI > want || total.Agent > want || total.JSAPI < len(tenants) {
		t.Errorf("calls = %+v, want %d to %d of each", total, len(tenants), want)
	}
	for corp, id := range tenants {
		h.wantLive(suiteID, corp, id)
	}
	close(crashed.goOn)
	wg.Wait()
	for corp, id := range tenants {
		h.wantLive(suiteID, corp, id)
	}
}

// A refresh that an admin asks for reads the authorization again, and so finds agents
// of which no change_auth told: once, however often it is asked for.
func TestForceReadsTheAuthorizationAgain(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwlost", wecomtest.Agent{AgentID: 7})
	worker := h.worker()
	_, err := worker.RunOnce(t.Context())
	must(t, err)
	r := h.replica()
	h.run(r)
	h.sim.Change(wecomtest.Change{Target: wecomtest.Target{SuiteID: suiteID, CorpID: "wwlost"}, Agents: []wecomtest.Agent{{AgentID: 9}}}) // lost
	reads := func() int { return h.sim.Calls().Count("v2/get_auth_info", "wwlost", "") }
	before := reads()
	must(t, r.Force(t.Context(), id))
	must(t, r.Force(t.Context(), id))
	_, err = worker.RunOnce(t.Context())
	must(t, err)
	if n := reads() - before; n != 1 {
		t.Errorf("the authorization was read %d times, want once", n)
	}
	tn, err := h.tenants.Get(t.Context(), id)
	must(t, err)
	if len(tn.Agents) != 1 || tn.Agents[0].ID != 9 {
		t.Errorf("agents = %v, want the one that WeCom names now", tn.Agents)
	}
	h.run(r)
	h.wantLive(suiteID, "wwlost", id)
}
