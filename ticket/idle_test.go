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

func idleAfter(d time.Duration) func(*ticket.Refresher) {
	return func(r *ticket.Refresher) { r.IdleAfter = d }
}

func (h *house) standing(id uuid.UUID) ticket.Standing {
	h.t.Helper()
	s, err := (&ticket.Source{Pool: h.pool}).Standing(h.t.Context(), id)
	must(h.t, err)
	return s
}

func (h *house) wantIdle(id uuid.UUID, want bool) {
	h.t.Helper()
	if s := h.standing(id); s.Idle != want || s.UsedAt == nil {
		h.t.Errorf("standing = %+v, want idle %v", s, want)
	}
}

// Who is asked for is refreshed on schedule for as long as that goes on. Who is not
// is refreshed for as long after the installation as after a use, and then not
// before somebody asks; and whoever asks gets a ticket.
func TestIdle(t *testing.T) {
	t.Parallel()
	h := ready(t)
	busy, idle := h.install(suiteID, "wwbusy"), h.install(suiteID, "wwidle")
	h.sim.ForgetCalls()
	const after = 6 * time.Hour
	r := h.replica(idleAfter(after))
	cycle := func() {
		h.run(r)
		must(t, r.Used(t.Context(), []uuid.UUID{busy}))
		h.pass(91 * time.Minute)
	}
	for range 4 { // the last of them at 4h33: its tickets are due at 5h53, at the latest
		cycle()
	}
	h.wantCalls("wwidle", calls{4, 4, 4}) // to be new is to be used
	for range 6 {
		cycle()
	}
	h.run(r)
	h.wantCalls("wwbusy", calls{11, 11, 11})
	if n := h.calls("wwidle").Token; n > 5 {
		t.Errorf("%d cycles of a tenant that nobody asked for in %s, want 4 or 5", n, after)
	}
	h.wantIdle(busy, false)
	h.wantIdle(idle, true)
	h.wantHealth(idle, tenant.OK, 0)
	if c := h.credential(idle, ticket.JSAPITicket); c.NextAt != nil {
		t.Errorf("the next refresh of an idle tenant is told to be at %s", c.NextAt)
	}

	h.sim.ForgetCalls()
	must(t, r.Demand(t.Context(), idle))
	h.wantCalls("wwidle", calls{1, 1, 1})
	h.wantLive(suiteID, "wwidle", idle)
	h.wantIdle(idle, false)
	h.pass(91 * time.Minute)
	h.run(r)
	h.wantCalls("wwidle", calls{2, 2, 2}) // it is back in the schedule
}

// An idle tenant whose tickets still live is asked for: it goes back to where it would have stood.
func TestUseEndsIdleness(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwback")
	h.sim.ForgetCalls()
	r := h.replica(idleAfter(time.Hour))
	h.run(r)
	h.wantIdle(id, true) // nobody asked in the hour before it would have been due
	h.pass(30 * time.Minute)
	h.run(r)
	h.wantIdle(id, true)
	must(t, r.Used(t.Context(), []uuid.UUID{id, uuid.New()}))
	h.wantIdle(id, false)
	h.run(r)
	h.wantCalls("wwback", calls{1, 1, 1}) // not sooner
	h.pass(61 * time.Minute)
	h.run(r)
	h.wantCalls("wwback", calls{2, 2, 2})
	h.wantLive(suiteID, "wwback", id)
}

// A use that is told while the tenant is being refreshed counts.
func TestUseDuringARefresh(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwmeanwhile")
	slow := hold(h.client)
	r := h.replica(idleAfter(2*time.Hour), func(r *ticket.Refresher) { r.WeCom = slow })
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at, used_at) SELECT id, suite_id, corp_id, now(), now() - interval '1 day' FROM tenants`)
	var wg sync.WaitGroup
	wg.Go(func() { h.run(r) })
	<-slow.reached
	must(t, r.Used(t.Context(), []uuid.UUID{id}))
	close(slow.goOn)
	wg.Wait()
	h.wantIdle(id, false)
}

// However often a use is told, and by however many, the row is written once an hour.
func TestUseIsWrittenOnceAnHour(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwmuch")
	replicas := []*ticket.Refresher{h.replica(idleAfter(72 * time.Hour)), h.replica(idleAfter(72 * time.Hour))}
	h.run(replicas...)
	writes := func() (n int) {
		must(t, h.pool.QueryRow(t.Context(), `SELECT count(*) FROM writes`).Scan(&n))
		return n
	}
	h.exec(`CREATE TABLE writes (at timestamptz)`)
	h.exec(`
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO writes VALUES (now()); RETURN NEW;
END $$`)
	h.pass(30 * time.Minute)
	h.exec(`CREATE TRIGGER note BEFORE UPDATE ON refreshes FOR EACH ROW WHEN (OLD.lease_owner IS NULL AND NEW.lease_owner IS NULL) EXECUTE FUNCTION note()`)
	for range 20 {
		for _, r := range replicas {
			must(t, r.Used(t.Context(), []uuid.UUID{id}))
		}
	}
	if n := writes(); n != 0 {
		t.Errorf("%d writes half an hour after the installation, want none", n)
	}
	h.exec(`UPDATE refreshes SET used_at = used_at - interval '31 minutes'`)
	h.exec(`DELETE FROM writes`)
	for range 20 {
		for _, r := range replicas {
			must(t, r.Used(t.Context(), []uuid.UUID{id}))
		}
	}
	if n := writes(); n != 1 {
		t.Errorf("%d writes in an hour, want 1", n)
	}
}

// Claims pass by no row that is idle: they find what is due through indexes in
// which idle tenants do not stand.
func TestClaimsDoNotSeeIdleTenants(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, "wwone")
	h.exec(`INSERT INTO tenants (id, suite_id, corp_id, authorized_at)
SELECT gen_random_uuid(), $1, 'wwmany' || i, now() FROM generate_series(1, 3000) AS i`, suiteID)
	h.exec(`INSERT INTO authorizations (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at)
SELECT id, suite_id, corp_id, '\x00', now() FROM tenants WHERE corp_id LIKE 'wwmany%'`)
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at)
SELECT id, suite_id, corp_id, 'infinity' FROM tenants WHERE corp_id LIKE 'wwmany%'`)
	h.exec(`ANALYZE refreshes`)
	for _, index := range []string{"refreshes_due", "refreshes_retry"} {
		var n float64
		must(t, h.pool.QueryRow(t.Context(), `SELECT reltuples FROM pg_class WHERE oid = $1::text::regclass`, index).Scan(&n))
		if n > 1 {
			t.Errorf("%s has %.0f entries, want none of an idle tenant", index, n)
		}
	}
	if got := h.run(h.replica(idleAfter(72 * time.Hour))); got.Claimed != 1 || got.Woken != 0 {
		t.Errorf("%+v, want the one that is not idle", got)
	}
}

// Who switches idleness off, or makes it longer, gets back all that would not be idle then.
func TestIdleAfterIsChanged(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 3)
	h.run(h.replica(idleAfter(time.Hour)))
	for _, id := range tenants {
		h.wantIdle(id, true)
	}
	full := func(r *ticket.Refresher) ticket.Report {
		h.exec(`UPDATE budgets SET tat = now() WHERE scope = 'chore'`)
		return h.run(r)
	}
	if got := full(h.replica(idleAfter(70 * time.Minute))); got.Woken != 0 {
		t.Errorf("%+v, want nobody woken: they stay idle", got)
	}
	if got := full(h.replica()); got.Woken != len(tenants) || got.Claimed != 0 {
		t.Errorf("%+v, want all woken, and none due yet", got)
	}
	for _, id := range tenants {
		h.wantIdle(id, false)
	}
	h.pass(91 * time.Minute)
	h.run(h.replica())
	for corp := range tenants {
		h.wantCalls(corp, calls{2, 2, 2})
	}
}

// Only who is fine falls idle: who fails is tried until it is fine again.
func TestFailingIsNotIdle(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwill")
	h.sim.Fault(wecomtest.Fault{API: "ticket/get", Kind: wecomtest.Errcode, Value: -1, Times: 1})
	r := h.replica(idleAfter(time.Minute))
	h.run(r)
	h.wantIdle(id, false)
	h.wantHealth(id, tenant.Failing, -1)
	h.pass(6 * time.Second)
	h.run(r)
	h.wantHealth(id, tenant.OK, 0)
	h.wantIdle(id, true)
}

// What an admin asks for is done for an idle tenant, too, and does not end its idleness.
func TestForceOfAnIdleTenant(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwforced")
	h.sim.ForgetCalls()
	r := h.replica(idleAfter(time.Hour))
	h.run(r)
	must(t, r.Force(t.Context(), id))
	h.run(r)
	h.wantCalls("wwforced", calls{2, 2, 2})
	h.wantLive(suiteID, "wwforced", id)
	h.wantIdle(id, true)
}

// The first two hundred requests for an idle tenant, over three replicas, cost what one does.
func TestFirstRequestsOfAnIdleTenant(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwasleep")
	var replicas []*ticket.Refresher
	for range 3 {
		replicas = append(replicas, h.replica(idleAfter(time.Hour)))
	}
	h.run(replicas...)
	h.pass(24 * time.Hour)
	h.run(replicas...)
	h.sim.ForgetCalls()
	if n := len(h.tickets(id)); n != 0 {
		t.Fatalf("%d live tickets of a tenant that is idle for a day", n)
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if err := replicas[i%3].Demand(t.Context(), id); err != nil {
				t.Errorf("Demand: %v", err)
			}
		})
	}
	wg.Wait()
	h.wantCalls("wwasleep", calls{1, 1, 1})
	h.wantLive(suiteID, "wwasleep", id)
}

// An idle tenant that gets its first agent is refreshed, for it lacks a ticket.
func TestFirstAgentOfAnIdleTenant(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwbare")
	must(t, h.tenants.ReplaceAgents(t.Context(), id, nil))
	h.sim.ForgetCalls()
	r := h.replica(idleAfter(time.Hour))
	h.run(r)
	h.wantIdle(id, true)
	must(t, h.tenants.ReplaceAgents(t.Context(), id, []tenant.Agent{{ID: 1000001}}))
	h.run(r)
	h.wantCalls("wwbare", calls{1, 1, 1})
	h.wantLive(suiteID, "wwbare", id)
}

// Uses, claims and saves of the same tenants at once: nobody waits for anybody in a circle.
func TestUsesBesideRefreshes(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 40)
	var ids []uuid.UUID
	for _, id := range tenants {
		ids = append(ids, id)
	}
	replicas := []*ticket.Refresher{h.replica(idleAfter(time.Hour)), h.replica(idleAfter(time.Hour))}
	for range 3 {
		must(t, replicas[0].Used(t.Context(), ids)) // each has just fallen idle
		done := make(chan struct{})
		var wg sync.WaitGroup
		for _, r := range replicas {
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						if err := r.Used(t.Context(), ids); err != nil {
							t.Errorf("Used: %v", err)
						}
					}
				}
			})
		}
		h.run(replicas...)
		close(done)
		wg.Wait()
		h.pass(91 * time.Minute)
	}
	for corp := range tenants {
		h.wantCalls(corp, calls{3, 3, 3})
	}
}
