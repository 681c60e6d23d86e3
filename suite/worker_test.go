package suite_test

import (
	"context"
	"testing"

	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom/wecomtest"
)

// One that hangs and many that fail do not keep the others waiting.
func TestPoisonDelaysNobody(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.token(h.replica)
	h.worker.Concurrency = 4
	for i := range 3 {
		h.sim.Fault(wecomtest.Fault{API: apiPermanent, Kind: wecomtest.Silent, CorpID: corpNumber(i), Times: -1})
	}
	for i := 3; i < 8; i++ {
		h.sim.Fault(wecomtest.Fault{API: apiPermanent, Kind: wecomtest.Errcode, Value: -1, CorpID: corpNumber(i), Times: -1})
	}
	const corps = 20
	for i := range corps {
		h.market(suiteID, corpNumber(i))
	}
	done := make(chan suite.Report, 1)
	go func() {
		r, err := h.worker.RunOnce(context.Background())
		if err != nil {
			t.Errorf("RunOnce = %v", err)
		}
		done <- r
	}()
	// The healthy ones are there while the three still hang: a call hangs for 4 s.
	h.eventually("the healthy ones", func() bool {
		return value[int](h, `SELECT count(*) FROM authorizations WHERE info_due_at IS NULL`) == corps-8
	})
	// And what comes in meanwhile is not kept waiting either.
	h.market(suiteID, "wwlate")
	r := <-done
	if r.Failed < 8 || r.Exchanges < corps+1 {
		t.Errorf("report = %+v, want %d exchanges and 8 failures", r, corps+1)
	}
	h.wantAuthorized(suiteID, "wwlate", 1)
	if n := value[int](h, `SELECT count(*) FROM exchanges WHERE lease_owner IS NOT NULL`); n != 0 {
		t.Errorf("%d leases were not given back", n)
	}
}

// One row that does not open fails alone.
func TestOneBrokenRowFailsAlone(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.market(suiteID, "wwbroken")
	h.exec(`UPDATE exchanges SET code_sealed = '\x00'`)
	broken := h.install(suiteID, acme)
	h.exec(`UPDATE authorizations SET permanent_code_sealed = '\x00', info_due_at = now()`)
	h.install(suiteID, "wwother")
	h.wantAuthorized(suiteID, "wwother", 1)
	if a, ok := h.authorization(broken.ID); !ok || !a.PermanentCode.IsZero() {
		t.Errorf("authorization = %+v, want one without a code", a)
	}
	if got := h.tenant(suiteID, acme); got.Status != tenant.Active {
		t.Errorf("status = %s", got.Status)
	}
}

func TestRunOnceWithoutADatabase(t *testing.T) {
	t.Parallel()
	h := ready(t)
	r := h.another()
	r.pool.Close()
	if _, err := r.worker.RunOnce(t.Context()); err == nil {
		t.Error("RunOnce = nil, want the database's error")
	}
}

// Shutting down, nothing more is claimed, and what is under way is brought home.
func TestShutdown(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.worker.Concurrency = 1
	h.market(suiteID, acme)
	h.market(suiteID, "wwother")
	answer := h.hold(t, apiPermanent)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := h.worker.RunOnce(ctx)
		done <- err
	}()
	answer.comes()
	stop()
	answer.letGo()
	must(t, <-done)
	h.wantCalls(apiPermanent, 1)
	states := map[suite.ExchangeState]int{}
	for _, x := range h.exchanges() {
		states[x.State]++
	}
	if states[suite.ExchangeExchanged] != 1 || states[suite.ExchangePending] != 1 {
		t.Errorf("exchanges = %v, want the called one stored and the other untouched", states)
	}
	// Another replica goes on at once.
	_, err := h.another().worker.RunOnce(t.Context())
	must(t, err)
	h.wantAuthorized(suiteID, acme, 1)
	h.wantAuthorized(suiteID, "wwother", 1)
	h.wantCalls(apiPermanent, 2)
}
