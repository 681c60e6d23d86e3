package suite_test

import (
	"testing"

	"suitesign/suite"
	"suitesign/wecom/wecomtest"
)

// A process dies at one step of an installation, its leases with it. Another
// process waits until they end, finishes, and asks the platform for nothing twice.
func TestDeathAtEachStep(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		step            string
		table, on, when string
		permanent, info int // calls in the end
		before          suite.ExchangeState
		unknown         bool
	}{
		{"before the call is announced", "exchanges", "UPDATE", "NEW.unknown_outcome AND NOT OLD.unknown_outcome", 1, 1, suite.ExchangePending, false},
		{"before the tenant", "tenants", "INSERT", "true", 1, 1, suite.ExchangeExchanged, false},
		{"before the form of its id", "tenant_corp_ids", "INSERT", "true", 1, 1, suite.ExchangeExchanged, false},
		{"before the authorization", "authorizations", "INSERT", "true", 1, 1, suite.ExchangeExchanged, false},
		{"before the exchange is done", "exchanges", "UPDATE", "NEW.state = 'done'", 1, 1, suite.ExchangeExchanged, false},
		{"before the event is done", "callback_events", "UPDATE", "NEW.state = 'done'", 1, 1, suite.ExchangeExchanged, false},
		{"before the agents", "agents", "INSERT", "true", 1, 2, suite.ExchangeDone, false},
		{"before the pull is done", "authorizations", "UPDATE", "NEW.info_due_at IS NULL", 1, 2, suite.ExchangeDone, false},
	} {
		t.Run(tt.step, func(t *testing.T) {
			t.Parallel()
			h := ready(t)
			h.market(suiteID, acme)
			h.breakOnce(tt.table, tt.on, tt.when)
			h.work()
			// Whoever dies writes nothing down and gives nothing back.
			h.exec(`UPDATE exchanges SET due_at = now(), lease_owner = gen_random_uuid(), lease_until = now() + interval '1 hour' WHERE state IN ('pending', 'exchanged')`)
			h.exec(`UPDATE authorizations SET info_due_at = now(), lease_owner = gen_random_uuid(), lease_until = now() + interval '1 hour' WHERE info_due_at IS NOT NULL`)
			if x := h.exchanges()[0]; x.State != tt.before || x.Unknown != tt.unknown {
				t.Errorf("after the death: %s, unknown %v; want %s, %v", x.State, x.Unknown, tt.before, tt.unknown)
			}
			other := h.another()
			calls := h.sim.Calls().Total
			r, err := other.worker.RunOnce(t.Context())
			must(t, err)
			if r.Exchanges+r.Pulls != 0 || h.sim.Calls().Total != calls {
				t.Errorf("another process worked under a lease that lives: %+v", r)
			}
			h.exec(`UPDATE exchanges SET lease_until = now()`)
			h.exec(`UPDATE authorizations SET lease_until = now()`)
			_, err = other.worker.RunOnce(t.Context())
			must(t, err)
			h.wantAuthorized(suiteID, acme, 1)
			h.wantCalls(apiSuiteToken, 1)
			h.wantCalls(apiPermanent, tt.permanent)
			h.wantCalls(apiInfo, tt.info)
		})
	}
}

// The death came between the call and its answer: the code is spent, nobody has
// what it brought. One more call tells, then the corp has to authorize again.
func TestDeathDuringTheCall(t *testing.T) {
	t.Parallel()
	h := ready(t)
	code := h.market(suiteID, acme).AuthCode
	h.sim.Fault(wecomtest.Fault{API: apiPermanent, Kind: wecomtest.DropAfter})
	h.work()
	h.exec(`UPDATE exchanges SET due_at = now(), lease_owner = gen_random_uuid(), lease_until = now() + interval '1 second'`)
	other := h.another()
	h.eventually("the lease ends", func() bool {
		_, err := other.worker.RunOnce(t.Context())
		must(t, err)
		return h.exchanges()[0].State.Final()
	})
	if x := h.exchanges()[0]; x.State != suite.ExchangeLost || or(x.LastErrcode, 0) != 40078 {
		t.Errorf("exchange = %+v, want needs_reauthorization with 40078", x)
	}
	h.wantCalls(apiPermanent, 2)
	if n := value[int](h, `SELECT count(*) FROM tenants`); n != 0 {
		t.Error("there is a tenant without an authorization")
	}
	// The other door with the same code brings nothing new; a new code does.
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("create_auth", h.now(), "AuthCode", code, "State", "x")))
	h.work()
	h.wantCalls(apiPermanent, 2)
	h.install(suiteID, acme)
	h.wantAuthorized(suiteID, acme, 1)
}

// A zombie brings its answer when its lease is over and the exchange given up:
// what it brings is kept, for nobody else has it.
func TestALateAnswerIsKept(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.market(suiteID, acme)
	h.token(h.replica)
	h.worker.Concurrency = 1 // or it takes the exchange up itself while it waits
	answer := h.hold(t, apiPermanent)
	zombie := make(chan error, 1)
	go func() {
		_, err := h.worker.RunOnce(t.Context())
		zombie <- err
	}()
	answer.comes()
	h.exec(`UPDATE exchanges SET lease_until = now()`)
	_, err := h.another().worker.RunOnce(t.Context())
	must(t, err)
	if x := h.exchanges()[0]; x.State != suite.ExchangeLost {
		t.Fatalf("exchange = %s, want needs_reauthorization while the zombie sleeps", x.State)
	}
	answer.letGo()
	must(t, <-zombie)
	h.due()
	h.work()
	h.wantAuthorized(suiteID, acme, 1)
	if x := h.exchanges()[0]; x.State != suite.ExchangeDone {
		t.Errorf("exchange = %+v, want done", x)
	}
}

// The database is away when the permanent_code comes: it is kept until it is back.
func TestThePermanentCodeWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.market(suiteID, acme)
	h.breakTimes(5, "exchanges", "UPDATE", "NEW.state = 'exchanged' AND OLD.state = 'pending'")
	h.work()
	h.wantAuthorized(suiteID, acme, 1)
	h.wantCalls(apiPermanent, 1)
}

// The lease ended while its holder waited for the suite's token: it must not spend
// the code that another holder has by now.
func TestNoCallWithoutTheLease(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.market(suiteID, acme)
	token := h.hold(t, apiSuiteToken)
	late := make(chan error, 1)
	go func() {
		_, err := h.worker.RunOnce(t.Context())
		late <- err
	}()
	token.comes()
	h.exec(`UPDATE exchanges SET lease_owner = gen_random_uuid(), lease_until = now() + interval '1 hour'`)
	token.letGo()
	must(t, <-late)
	h.wantCalls(apiPermanent, 0)
	if x := h.exchanges()[0]; x.Unknown || x.State != suite.ExchangePending {
		t.Errorf("exchange = %+v, want it untouched", x)
	}
	h.exec(`UPDATE exchanges SET lease_until = now()`)
	h.work()
	h.wantAuthorized(suiteID, acme, 1)
}

// 40078, because an earlier holder was faster: what it stored meanwhile is used.
func TestWhatAnEarlierHolderStored(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.market(suiteID, acme)
	h.token(h.replica)
	h.worker.Concurrency = 1 // or it takes the exchange up itself while it waits
	other := h.another()
	code, refusal := h.hold(t, apiPermanent), other.hold(t, apiPermanent)
	early, late := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := h.worker.RunOnce(t.Context())
		early <- err
	}()
	code.comes()
	h.exec(`UPDATE exchanges SET lease_until = now()`)
	go func() {
		_, err := other.worker.RunOnce(t.Context())
		late <- err
	}()
	refusal.comes()
	code.letGo()
	must(t, <-early)
	refusal.letGo()
	must(t, <-late)
	h.wantAuthorized(suiteID, acme, 1)
	h.wantCalls(apiPermanent, 2)
	if x := h.exchanges()[0]; x.State != suite.ExchangeDone {
		t.Errorf("exchange = %+v, want done", x)
	}
}
