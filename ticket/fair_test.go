package ticket_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"suitesign/secret"
	"suitesign/ticket"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// crowd puts n tenants of a suite into the schedule that have been due for an hour.
// They exist here only.
func (h *house) crowd(id wecom.SuiteID, n int) {
	h.t.Helper()
	h.exec(`INSERT INTO tenants (id, suite_id, corp_id, authorized_at)
SELECT gen_random_uuid(), $1, 'wwcrowd' || i, now() FROM generate_series(1, $2::int) AS i`, id, n)
	h.exec(`INSERT INTO authorizations (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at)
SELECT id, suite_id, corp_id, '\x00', now() FROM tenants WHERE suite_id = $1 AND corp_id LIKE 'wwcrowd%'`, id)
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at)
SELECT id, suite_id, corp_id, now() - interval '1 hour' FROM tenants WHERE suite_id = $1 AND corp_id LIKE 'wwcrowd%'`, id)
}

func (h *house) count(sql string, args ...any) (n int) {
	h.t.Helper()
	must(h.t, h.pool.QueryRow(h.t.Context(), sql, args...).Scan(&n))
	return n
}

const leasedOf = `SELECT count(*) FROM refreshes WHERE suite_id = $1 AND lease_owner IS NOT NULL`

// Very many due tenants of one suite do not delay another suite's five, which are
// due since a moment only: the first claim has all of them.
func TestManyDoNotDelayFew(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.addSuite(template)
	h.crowd(suiteID, 20_000)
	few := h.installMany(template, 5)
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants WHERE suite_id = $1`, template)
	n, err := ticket.Claim(t.Context(), h.pool, ticket.DefaultLimits(), 32)
	must(t, err)
	if of := h.count(leasedOf, template); of != len(few) || n < 16 {
		t.Errorf("a claim of %d has %d of the other suite's, want all %d", n, of, len(few))
	}
}

// The same where the budget of the address lets one tenant pass at a time: suites
// take turns, so the five are through after some ten claims, not after twenty thousand.
func TestFewGetTheirTurnsOfABudget(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.addSuite(template)
	h.crowd(suiteID, 5000)
	few := h.installMany(template, 5)
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants WHERE suite_id = $1`, template)
	limits := ticket.Limits{IPMinute: 80} // one at once
	claims := 0
	for ; claims < 100 && h.count(leasedOf, template) < len(few); claims++ {
		n, err := ticket.Claim(t.Context(), h.pool, limits, 32)
		must(t, err)
		if n != 1 {
			t.Fatalf("a claim has %d, want one at a time", n)
		}
		h.exec(`UPDATE budgets SET tat = tat - interval '2 seconds'`)
	}
	if claims >= 100 { // each of them is one of the five with a chance of a half
		t.Errorf("%d of five have had their turn in %d claims", h.count(leasedOf, template), claims)
	}
}

// crashing is a platform whose answers to one kind of call are never taken note of:
// the process that asked is no more.
type crashing struct {
	ticket.Platform
	of      string
	lost    atomic.Int64
	reached chan struct{}
	end     chan struct{}
}

func (p *crashing) here(api string) {
	if api != p.of {
		return
	}
	p.lost.Add(1)
	select {
	case p.reached <- struct{}{}:
	default:
	}
	<-p.end
}

func (p *crashing) CorpToken(ctx context.Context, t wecom.SuiteAccessToken, corp wecom.CorpID, code secret.String) (wecom.Grant[wecom.AccessToken], error) {
	g, err := p.Platform.CorpToken(ctx, t, corp, code)
	p.here(wecom.APICorpToken)
	return g, err
}

func (p *crashing) JSAPITicket(ctx context.Context, t wecom.AccessToken) (wecom.Grant[wecom.JSAPITicket], error) {
	g, err := p.Platform.JSAPITicket(ctx, t)
	p.here(wecom.APIJSAPITicket)
	return g, err
}

func (p *crashing) AgentTicket(ctx context.Context, t wecom.AccessToken) (wecom.Grant[wecom.AgentTicket], error) {
	g, err := p.Platform.AgentTicket(ctx, t)
	p.here(wecom.APIAgentTicket)
	return g, err
}

// Cycle after cycle over ten replicas, of which one crashes each time, at another
// point: one call of each kind for a tenant and cycle, and at most one more for each
// lease that was lost.
func TestCyclesWithCrashes(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 40)
	var lost int
	for cycle, of := range []string{"", wecom.APICorpToken, wecom.APIJSAPITicket, wecom.APIAgentTicket} {
		before := h.calls("")
		dying := &crashing{Platform: h.client, of: of, reached: make(chan struct{}, 1), end: make(chan struct{})}
		var wg sync.WaitGroup
		if of != "" {
			r := h.replica(func(r *ticket.Refresher) { r.WeCom = dying; r.Slots = 2 })
			wg.Go(func() { h.run(r) })
			<-dying.reached
			h.exec(`UPDATE refreshes SET lease_until = now() WHERE lease_owner IS NOT NULL`)
		}
		var others []*ticket.Refresher
		for range 9 {
			others = append(others, h.replica())
		}
		h.run(others...)
		h.exec(`UPDATE refreshes SET lease_until = now() - interval '1 second' WHERE lease_owner IS NOT NULL`)
		h.run(others...) // what the dying one claimed last
		for corp, id := range tenants {
			h.wantLive(suiteID, corp, id)
		}
		crashed := int(dying.lost.Load())
		after := h.calls("")
		least, most := len(tenants), len(tenants)+crashed
		for what, n := range map[string]int{"token": after.Token - before.Token, "jsapi": after.JSAPI - before.JSAPI, "agent": after.Agent - before.Agent} {
			if n < least || n > most {
				t.Errorf("cycle %d: %d calls for %s, want %d to %d", cycle, n, what, least, most)
			}
		}
		close(dying.end)
		wg.Wait()
		lost += crashed
		h.pass(91 * time.Minute)
	}
	if lost < 3 {
		t.Errorf("%d leases were lost, want one or more in each of three cycles", lost)
	}
}

// A tenant that has failed for long is asked for every ten minutes, and fine after one success.
func TestBackFromTheDead(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwdead")
	h.sim.ForgetCalls()
	h.sim.Fault(wecomtest.Fault{API: "*", CorpID: "wwdead", Kind: wecomtest.Status, Times: -1})
	r := h.replica()
	for range 12 {
		h.run(r)
		due, _ := h.dueIn(id)
		h.pass(due)
	}
	due, _ := h.dueIn(id)
	within(t, "the thirteenth attempt is due", due, 9*time.Minute, 11*time.Minute)
	if n := h.calls("wwdead").Token; n != 12 {
		t.Errorf("%d calls in twelve attempts", n)
	}
	h.sim.ClearFaults()
	h.sim.ForgetCalls()
	h.run(r)
	h.wantCalls("wwdead", calls{1, 1, 1})
	h.wantHealth(id, "ok", 0)
	h.wantLive(suiteID, "wwdead", id)
	due, _ = h.dueIn(id)
	within(t, "the next refresh is due", due, 79*time.Minute, 91*time.Minute)
}
