package ticket_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/ticket"
	"suitesign/wecom/wecomtest"
)

// refetch asks for a kind on behalf of a report.
func (h *house) refetch(r *ticket.Refresher, id uuid.UUID, k ticket.Kind, want ticket.Refetching) {
	h.t.Helper()
	got, err := r.Refetch(h.t.Context(), id, k)
	if err != nil || got != want {
		h.t.Errorf("Refetch(%s) = %s, %v; want %s", k, got, err, want)
	}
}

// A ticket that was revoked behind our back is fetched again, it alone, for its
// tenant alone, however many report it; and all replicas are told.
func TestRefetch(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id, other := h.install(suiteID, "wwrevoked"), h.install(suiteID, "wwother")
	replicas := []*ticket.Refresher{h.replica(), h.replica()}
	h.run(replicas...)
	before := h.tickets(id)
	h.sim.Revoke(suiteID, "wwrevoked", wecomtest.JSAPITicket)
	h.sim.ForgetCalls()
	h.exec(`DELETE FROM changes`)

	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[ticket.Refetching]int{}
	for i := range 20 {
		wg.Go(func() {
			what, err := replicas[i%2].Refetch(t.Context(), id, ticket.JSAPITicket)
			mu.Lock()
			defer mu.Unlock()
			got[what]++
			if err != nil {
				t.Errorf("Refetch: %v", err)
			}
		})
	}
	wg.Wait()
	if got[ticket.RefetchAsked] != 1 || got[ticket.RefetchUnderWay] != 19 {
		t.Errorf("20 reports = %v, want one asked and 19 under way", got)
	}
	h.run(replicas...)
	h.wantCalls("", calls{0, 1, 0})
	h.wantLive(suiteID, "wwrevoked", id)
	h.wantLive(suiteID, "wwother", other)
	if after := h.tickets(id); after[ticket.AgentConfig] != before[ticket.AgentConfig] {
		t.Error("the other kind was fetched, too")
	}
	var told int
	must(t, h.pool.QueryRow(t.Context(), `SELECT count(*) FROM changes WHERE topic = 'credentials' AND key = $1`, id.String()).Scan(&told))
	if told != 1 {
		t.Errorf("replicas are told %d times, want once", told)
	}
}

// Who reports cannot burn a tenant's quota: one refetch in ten minutes, and none
// for an hour after WeCom said the same again.
func TestRefetchIsBounded(t *testing.T) {
	t.Parallel()
	h := ready(t, wecomtest.WithRotation(wecomtest.Rotating, 5*time.Minute))
	id := h.install(suiteID, "wwflood")
	r := h.replica()
	h.run(r)
	h.sim.ForgetCalls()
	h.refetch(r, id, ticket.AgentConfig, ticket.RefetchAsked)
	h.run(r)
	h.pass(time.Minute)
	for _, k := range []ticket.Kind{ticket.AgentConfig, ticket.JSAPITicket} { // for the tenant, whichever kind
		h.refetch(r, id, k, ticket.RefetchTooSoon)
	}
	h.pass(8 * time.Minute)
	h.refetch(h.replica(), id, ticket.AgentConfig, ticket.RefetchTooSoon)
	h.run(r)
	h.wantCalls("wwflood", calls{0, 0, 1})
	h.pass(time.Minute + time.Second)
	h.refetch(r, id, ticket.JSAPITicket, ticket.RefetchAsked)
	h.run(r)
	h.wantCalls("wwflood", calls{0, 1, 1})
}

func TestRefetchInVain(t *testing.T) {
	t.Parallel()
	h := ready(t, wecomtest.WithRotation(wecomtest.Sticky, 0))
	id := h.install(suiteID, "wwsame")
	r := h.replica()
	h.run(r)
	h.sim.ForgetCalls()
	h.refetch(r, id, ticket.JSAPITicket, ticket.RefetchAsked)
	h.run(r)
	for range 5 {
		h.pass(11 * time.Minute)
		h.refetch(r, id, ticket.JSAPITicket, ticket.RefetchTooSoon)
	}
	h.run(r)
	h.wantCalls("wwsame", calls{0, 1, 0})
	h.pass(6 * time.Minute)
	h.refetch(r, id, ticket.JSAPITicket, ticket.RefetchAsked)
}

// What cannot help is not tried: a tenant that is not here, or in trouble, or
// whose budget is spent.
func TestRefetchLeavesTroubleAlone(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwtrouble")
	limits := ticket.DefaultLimits()
	limits.App = 4
	r := h.replica(func(r *ticket.Refresher) { r.Limits = limits })
	h.refetch(r, uuid.New(), ticket.JSAPITicket, ticket.RefetchTooSoon)
	h.refetch(r, id, ticket.JSAPITicket, ticket.RefetchTooSoon) // it has none yet
	h.run(r)
	h.exec(`UPDATE credentials SET failures = 1 WHERE kind = 'jsapi_ticket'`)
	h.refetch(r, id, ticket.JSAPITicket, ticket.RefetchTooSoon)
	h.exec(`UPDATE credentials SET failures = 0`)
	h.exec(`UPDATE budgets SET tat = now() + interval '1 hour' WHERE scope = 'app'`)
	h.sim.ForgetCalls()
	h.refetch(r, id, ticket.JSAPITicket, ticket.RefetchTooSoon)
	h.run(r)
	h.wantCalls("wwtrouble", calls{})
}

// The value before the present one is known until it expires, and is sealed anew
// with the rest after a rotation.
func TestPreviousValueIsHeld(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwbefore")
	mk, err := secret.ParseMasterKey(secret.New("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
	must(t, err)
	ring, _, err := secret.LoadOrCreate(t.Context(), h.pool, mk)
	must(t, err)
	h.ring = ring // of all that follows: credentials
	r := h.replica()
	h.run(r)
	first := h.tickets(id)
	h.refetch(r, id, ticket.JSAPITicket, ticket.RefetchAsked)
	h.run(r)
	src := &ticket.Source{Pool: h.pool, Ring: h.ring}
	previous := func() (values []string) {
		t.Helper()
		held, err := src.Held(t.Context(), []uuid.UUID{id})
		must(t, err)
		for _, c := range held {
			if c.Previous {
				if c.Live || c.Kind != ticket.JSAPITicket {
					t.Errorf("previous: %+v", c)
				}
				values = append(values, c.Value.Reveal())
			}
		}
		return values
	}
	if got := previous(); len(got) != 1 || got[0] != first[ticket.JSAPITicket] {
		t.Errorf("%d previous values, want the first jsapi_ticket", len(got))
	}
	_, err = secret.Rotate(t.Context(), h.pool, mk)
	must(t, err)
	if done, err := secret.Reencrypt(t.Context(), h.pool, ring, ticket.SealedColumns, 10); err != nil || done != 4 {
		t.Errorf("Reencrypt = %d, %v; want three values and the one before", done, err)
	}
	if n, err := secret.CountByKey(t.Context(), h.pool, ticket.SealedColumns); err != nil || len(n) != 1 {
		t.Errorf("keys in use = %v, %v; want one", n, err)
	}
	if got := previous(); len(got) != 1 || got[0] != first[ticket.JSAPITicket] {
		t.Errorf("%d previous values after a rotation, want the first jsapi_ticket", len(got))
	}
	h.pass(2 * time.Hour)
	if got := previous(); len(got) != 0 {
		t.Errorf("%d previous values after their end", len(got))
	}
}
