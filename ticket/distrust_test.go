package ticket_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom/wecomtest"
)

func (h *house) distrust(want int64) {
	h.t.Helper()
	n, err := ticket.Distrust(h.t.Context(), h.pool, 2)
	must(h.t, err)
	if n != want {
		h.t.Errorf("Distrust = %d tenants, want %d", n, want)
	}
}

// After a restore nothing that is stored signs; what WeCom grants anew does. Who
// cancelled meanwhile, of which nothing is stored, gets nothing any more.
func TestDistrust(t *testing.T) {
	t.Parallel()
	h := ready(t)
	stays, idle, gone := h.install(suiteID, "wwstays"), h.install(suiteID, "wwidle"), h.install(suiteID, "wwgone")
	h.sim.ForgetCalls()
	r := h.replica(idleAfter(24 * time.Hour))
	h.run(r)
	h.exec(`UPDATE refreshes SET due_at = 'infinity', used_at = now() - interval '1 week' WHERE tenant_id = $1`, idle)
	h.sim.Uninstall(suiteID, "wwgone") // nobody hears of it

	h.distrust(3)
	for _, id := range []struct {
		name string
		held int
	}{{"wwstays", len(h.tickets(stays))}, {"wwidle", len(h.tickets(idle))}, {"wwgone", len(h.tickets(gone))}} {
		if id.held != 0 {
			t.Errorf("%s has %d tickets that nobody has asked WeCom about", id.name, id.held)
		}
	}
	if c := h.credential(stays, ticket.JSAPITicket); c.ExpiresAt != nil || c.Generation != 1 {
		t.Errorf("an admin is told of a jsapi_ticket until %v, generation %d; want none", c.ExpiresAt, c.Generation)
	}
	held, err := (&ticket.Source{Pool: h.pool, Ring: h.ring}).Held(t.Context(), []uuid.UUID{stays, gone})
	must(t, err)
	if len(held) != 0 {
		t.Errorf("%d values are still told of", len(held))
	}

	wantErr(t, "a page of who cancelled", r.Demand(t.Context(), gone), ticket.ErrNone)
	h.run(r)
	h.wantCalls("wwstays", calls{2, 2, 2})
	h.wantCalls("wwidle", calls{1, 1, 1})
	h.wantLive(suiteID, "wwstays", stays)
	if n := len(h.tickets(gone)); n != 0 {
		t.Errorf("who cancelled has %d tickets", n)
	}
	if got := h.calls("wwgone"); got.JSAPI != 1 || got.Agent != 1 {
		t.Errorf("calls for who cancelled = %+v; want no ticket asked for", got)
	}
	h.wantHealth(gone, tenant.NeedsReauthorization, 48004)
	h.exec(`UPDATE refreshes SET attempted_at = attempted_at - interval '6 seconds'`)
	must(t, r.Demand(t.Context(), idle)) // when a page asks
	h.wantLive(suiteID, "wwidle", idle)
	if c := h.credential(stays, ticket.JSAPITicket); c.ExpiresAt == nil || c.Generation != 2 {
		t.Errorf("jsapi_ticket until %v, generation %d; want another one", c.ExpiresAt, c.Generation)
	}

	// Done again, it costs one more cycle, and harms nobody.
	h.distrust(3)
	h.run(r)
	h.wantCalls("wwstays", calls{3, 3, 3})
	h.wantLive(suiteID, "wwstays", stays)
}

// WeCom repeats what was forgotten and prints the full lifetime: it serves again, and
// the expiry from before stands.
func TestDistrustKeepsTheOlderExpiry(t *testing.T) {
	t.Parallel()
	h := ready(t, wecomtest.WithRotation(wecomtest.StickyConstant, 0))
	id := h.install(suiteID, "wwsticky")
	r := h.replica()
	h.run(r)
	before := h.credential(id, ticket.JSAPITicket)
	h.pass(30 * time.Minute)
	h.distrust(1)
	h.run(r)
	h.wantLive(suiteID, "wwsticky", id)
	after := h.credential(id, ticket.JSAPITicket)
	if after.ExpiresAt == nil {
		t.Fatal("the value that WeCom repeats is not stored")
	}
	if moved := after.ExpiresAt.Sub(before.ExpiresAt.Add(-30 * time.Minute)).Abs(); moved > time.Millisecond {
		t.Errorf("its expiry moved by %s", moved)
	}
	h.wantHealth(id, tenant.OK, 0)
}

// A tenant whose first try after it fails is tried again for the next page, although
// what was forgotten would still live.
func TestDistrustIsTriedAgainOnDemand(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwagain")
	r := h.replica()
	h.run(r)
	h.distrust(1)
	h.sim.Fault(wecomtest.Fault{API: "get_corp_token", Kind: wecomtest.Status, Value: 500, Times: 3})
	for range 3 {
		h.run(r)
		h.exec(`UPDATE refreshes SET due_at = now() - interval '1 second', attempted_at = attempted_at - interval '6 seconds'`)
		h.exec(`UPDATE credentials SET next_at = now() - interval '1 second'`)
	}
	if n := len(h.tickets(id)); n != 0 {
		t.Fatalf("%d tickets though WeCom granted none", n)
	}
	h.sim.ClearFaults()
	h.exec(`UPDATE refreshes SET due_at = now() + interval '5 minutes', attempted_at = attempted_at - interval '6 seconds'`)
	h.exec(`UPDATE credentials SET next_at = now() + interval '5 minutes'`)
	h.exec(`DELETE FROM budgets WHERE scope = 'probe'`)
	must(t, h.replica().Demand(t.Context(), id))
	h.wantCalls("wwagain", calls{5, 2, 2}) // three of the tokens in vain
	h.wantLive(suiteID, "wwagain", id)
}

// What was being fetched when everything was forgotten is thrown away: its attempt
// began with what is trusted no more.
func TestDistrustDuringARefresh(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwunderway")
	slow := hold(h.client)
	r := h.replica(func(r *ticket.Refresher) { r.WeCom, r.Slots = slow, 1 }) // one, or it claims the tenant again meanwhile
	var wg sync.WaitGroup
	wg.Go(func() { h.run(r) })
	<-slow.reached
	h.distrust(1)
	h.exec(`UPDATE refreshes SET due_at = now() + interval '5 minutes'`) // nor afterwards, in the same run
	close(slow.goOn)
	wg.Wait()
	if n := len(h.tickets(id)); n != 0 {
		t.Errorf("%d tickets of an attempt from before", n)
	}
	h.exec(`UPDATE refreshes SET due_at = now()`)
	h.run(h.replica())
	h.wantLive(suiteID, "wwunderway", id)
}

// Ended half way, what is forgotten is forgotten, and the next run does the rest.
func TestDistrustGoesOnWhereItWasEnded(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.installMany(suiteID, 6)
	h.run(h.replica())
	held := func() (n int) {
		must(t, h.pool.QueryRow(t.Context(), `SELECT count(DISTINCT tenant_id) FROM credentials WHERE value_sealed IS NOT NULL`).Scan(&n))
		return n
	}
	h.exec(`CREATE SEQUENCE batches`)
	h.exec(`CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('batches') = 3 THEN RAISE 'crash'; END IF; RETURN NULL; END $$`)
	h.exec(`CREATE TRIGGER crash AFTER UPDATE ON credentials FOR EACH STATEMENT EXECUTE FUNCTION crash()`)
	if n, err := ticket.Distrust(t.Context(), h.pool, 2); err == nil || n != 4 {
		t.Errorf("Distrust = %d, %v; want 4 and the crash", n, err)
	}
	if n := held(); n != 2 {
		t.Errorf("%d tenants hold something, want the last two", n)
	}
	h.distrust(6)
	if n := held(); n != 0 {
		t.Errorf("%d tenants still hold something", n)
	}
}
