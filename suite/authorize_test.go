package suite_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

const (
	apiSuiteToken = "get_suite_token"
	apiPermanent  = "v2/get_permanent_code"
	apiInfo       = "v2/get_auth_info"
)

func TestInstallByTheMarket(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.market(suiteID, acme)
	if got := h.exchanges(); len(got) != 1 || got[0].State != suite.ExchangePending {
		t.Fatalf("before the work: exchanges = %+v, want one that is pending", got)
	}
	h.work()
	h.wantAuthorized(suiteID, acme, 1)
	if e := h.events(suite.EventFilter{InfoType: "create_auth"}); len(e) != 1 || e[0].State != "done" || e[0].CorpID != acme {
		t.Errorf("create_auth = %+v, want done, of %s", e, acme)
	}
	h.work()
	h.wantCalls(apiSuiteToken, 1)
	h.wantCalls(apiPermanent, 1)
	h.wantCalls(apiInfo, 1)
	h.wantCalls("agent/list", 0)
	if n := value[int](h, `SELECT count(*) FROM exchanges WHERE code_sealed IS NOT NULL OR permanent_code_sealed IS NOT NULL`); n != 0 {
		t.Error("the exchange kept its codes")
	}
}

// wantAuthorized checks that a corp's tenant is active with what the platform gave it.
func (h *house) wantAuthorized(id wecom.SuiteID, corp wecom.CorpID, version int64) tenant.Tenant {
	h.t.Helper()
	got, there := h.tenant(id, corp), h.sim.Authorization(id, corp)
	if got.Status != tenant.Active || len(got.Agents) != len(there.Agents) {
		h.t.Errorf("tenant is %s with agents %v, want active with %v", got.Status, got.Agents, there.Agents)
	}
	a, ok := h.authorization(got.ID)
	if !ok || a.PermanentCode.Reveal() != there.Secret || a.Version != version || a.Blocked {
		h.t.Errorf("authorization = %+v (there: %v), want the platform's permanent_code in version %d", a, ok, version)
	}
	return got
}

// redirect is the way back from an installation that the provider's page began.
func (h *house) redirect(id wecom.SuiteID, corp wecom.CorpID) secret.String {
	h.t.Helper()
	return secret.New(h.sim.Install(id, corp, wecomtest.Site).AuthCode)
}

func (h *house) begin(id wecom.SuiteID, code secret.String, door suite.ExchangeDoor) suite.Exchange {
	h.t.Helper()
	x, err := h.exchanger.Begin(h.t.Context(), id, code, door, time.Time{})
	must(h.t, err)
	return x
}

func TestInstallBySite(t *testing.T) {
	t.Parallel()
	h := ready(t)
	x := h.begin(suiteID, h.redirect(suiteID, acme), suite.SiteDoor)
	must(t, h.exchanger.Run(t.Context(), x.ID))
	h.wantAuthorized(suiteID, acme, 1)
	must(t, h.exchanger.Run(t.Context(), x.ID)) // done already
	h.wantCalls(apiPermanent, 1)
	h.wantCalls(apiInfo, 1)
}

// One code, both doors, ten copies on two replicas whose workers run meanwhile:
// one exchange.
func TestBothDoorsAtOnceExchangeOnce(t *testing.T) {
	t.Parallel()
	h := ready(t)
	replicas := []*replica{h.replica, h.another()}
	h.sim.Fault(wecomtest.Fault{API: apiPermanent, Kind: wecomtest.Latency, Value: 200})
	code := h.redirect(suiteID, acme)
	text := message("create_auth", h.now(), "AuthCode", code.Reveal())
	var all sync.WaitGroup
	for i := range 10 {
		r := replicas[i%2]
		all.Go(func() {
			if err := h.send(r, suiteID, suite.CommandDoor, "", text); err != nil {
				t.Errorf("create_auth: %v", err)
			}
		})
		all.Go(func() {
			x, err := r.exchanger.Begin(t.Context(), suiteID, code, suite.SiteDoor, time.Time{})
			if err == nil {
				err = r.exchanger.Run(t.Context(), x.ID)
			}
			if err != nil {
				t.Errorf("redirect: %v", err)
			}
		})
		all.Go(func() {
			if _, err := r.worker.RunOnce(t.Context()); err != nil {
				t.Errorf("worker: %v", err)
			}
		})
	}
	all.Wait()
	h.work()
	h.wantAuthorized(suiteID, acme, 1)
	if got := h.exchanges(); len(got) != 1 || got[0].State != suite.ExchangeDone {
		t.Errorf("exchanges = %+v, want one that is done", got)
	}
	if e := h.events(suite.EventFilter{InfoType: "create_auth"}); len(e) != 1 || e[0].State != "done" || e[0].Deliveries != 10 {
		t.Errorf("create_auth = %+v, want one, done, delivered 10 times", e)
	}
	h.wantCalls(apiSuiteToken, 1)
	h.wantCalls(apiPermanent, 1)
	h.wantCalls(apiInfo, 1)
}

func TestManyInstallsOverTwoWorkers(t *testing.T) {
	t.Parallel()
	h := ready(t)
	other := h.another()
	const corps = 40
	for i := range corps {
		h.market(suiteID, corpNumber(i))
	}
	var both sync.WaitGroup
	for _, w := range []*suite.Worker{h.worker, other.worker} {
		both.Go(func() {
			if _, err := w.RunOnce(t.Context()); err != nil {
				t.Errorf("RunOnce = %v", err)
			}
		})
	}
	both.Wait()
	for i := range corps {
		h.wantAuthorized(suiteID, corpNumber(i), 1)
	}
	h.wantCalls(apiSuiteToken, 1)
	h.wantCalls(apiPermanent, corps)
	h.wantCalls(apiInfo, corps)
}

func corpNumber(i int) wecom.CorpID {
	return wecom.CorpID("wwcorp" + string(rune('a'+i/26)) + string(rune('a'+i%26)))
}

func TestCustomizedTemplate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.addSuite(template)
	h.pushTicket(template)
	got := h.install(template, acme)
	h.wantAuthorized(template, acme, 1)
	if a, _ := h.authorization(got.ID); a.Kind != suite.Customized {
		t.Errorf("kind = %s, want customized", a.Kind)
	}
	h.wantCalls("gettoken", 0)

	old, _ := h.authorization(got.ID)
	must(t, blocked(h.store.Block(t.Context(), got.ID, old.Version)))
	h.wantTaken(*h.sim.ResetPermanentCode(template, acme).Delivery)
	h.work()
	again := h.wantAuthorized(template, acme, 2)
	if now, _ := h.authorization(got.ID); again.ID != got.ID || now.PermanentCode.Equal(old.PermanentCode) {
		t.Errorf("after the reset: tenant %s with the old code = %v, want %s with another", again.ID, now.PermanentCode.Equal(old.PermanentCode), got.ID)
	}
}

func blocked(news bool, err error) error {
	if err == nil && !news {
		return suite.ErrNotFound
	}
	return err
}

// A pull that needs a token of its own asks for the call, and comes again where there
// is none left.
func TestAgentsByTheListAreCharged(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.addSuite(template)
	h.pushTicket(template)
	h.sim.Fault(wecomtest.Fault{API: apiInfo, Kind: wecomtest.SetFields, Value: map[string]any{"auth_info": nil}, Times: -1})
	var charged atomic.Int64
	allowed := false
	h.exchanger.Charge = func(context.Context, uuid.UUID) (bool, error) {
		charged.Add(1)
		return allowed, nil
	}
	if got := h.install(template, acme); len(got.Agents) != 0 {
		t.Errorf("agents = %v without a call that was allowed", got.Agents)
	}
	h.wantCalls("gettoken", 0)
	allowed = true
	h.due()
	h.work()
	if got := h.tenant(template, acme); len(got.Agents) != 1 {
		t.Errorf("agents = %v, want the one that the list names", got.Agents)
	}
	h.wantCalls("gettoken", 1)
	if n := charged.Load(); n != 2 {
		t.Errorf("%d calls were charged, want 2", n)
	}
}

// Where get_auth_info names no agent, the app's own token sees it.
func TestAgentsByTheList(t *testing.T) {
	t.Parallel()
	for _, id := range []wecom.SuiteID{suiteID, template} {
		t.Run(string(id), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.addSuite(id)
			h.pushTicket(id)
			h.sim.Fault(wecomtest.Fault{API: apiInfo, Kind: wecomtest.SetFields, Value: map[string]any{"auth_info": nil}, Times: -1})
			got := h.install(id, acme)
			if want := h.sim.Authorization(id, acme).Agents[0].AgentID; len(got.Agents) != 1 || got.Agents[0].ID != want {
				t.Errorf("agents = %v, want %d", got.Agents, want)
			}
			h.wantCalls("agent/list", 1)
			h.sim.Fault(wecomtest.Fault{API: "agent/list", Kind: wecomtest.Errcode, Value: 48002, Times: -1})
			h.sim.Change(wecomtest.Change{Target: wecomtest.Target{SuiteID: id, CorpID: acme}})
			h.work()
			if again := h.tenant(id, acme); len(again.Agents) != 1 {
				t.Errorf("agents = %v: what is not told must stay", again.Agents)
			}
			h.wantCalls("agent/list", 2)
			h.due()
			h.work()
			h.wantCalls("agent/list", 2)
		})
	}
}

func TestReinstallKeepsTheTenant(t *testing.T) {
	t.Parallel()
	h := ready(t)
	first := h.install(suiteID, acme)
	h.sim.Uninstall(suiteID, acme)
	if got := h.tenant(suiteID, acme); got.Status != tenant.Cancelled {
		t.Fatalf("status = %s, want cancelled", got.Status)
	}
	for _, door := range []wecomtest.Door{wecomtest.Market, wecomtest.Site} {
		if door == wecomtest.Market {
			h.market(suiteID, acme)
		} else {
			h.sim.Uninstall(suiteID, acme) // within the same second it reads like the first
			h.work()
			h.begin(suiteID, h.redirect(suiteID, acme), suite.SiteDoor)
		}
		h.work()
		if again := h.wantAuthorized(suiteID, acme, 1); again.ID != first.ID {
			t.Errorf("by %s: tenant %s, want %s as before", door, again.ID, first.ID)
		}
	}
}

func TestAnotherConsentIsAnotherVersion(t *testing.T) {
	t.Parallel()
	h := ready(t)
	first := h.install(suiteID, acme)
	must(t, blocked(h.store.Block(t.Context(), first.ID, 1)))
	h.install(suiteID, acme)
	h.wantAuthorized(suiteID, acme, 2)
	if news, err := h.store.Block(t.Context(), first.ID, 1); news || err != nil {
		t.Errorf("Block of the old version = %v, %v; want no news", news, err)
	}
}

// An exchange that took long must not put an older code in the place of a younger.
func TestAnOlderConsentChangesNothing(t *testing.T) {
	t.Parallel()
	h := ready(t)
	late := h.redirect(suiteID, acme)
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("create_auth", h.now().Add(-time.Minute), "AuthCode", late.Reveal())))
	h.exec(`UPDATE exchanges SET due_at = now() + interval '1 hour'`)
	h.install(suiteID, acme)
	h.wantAuthorized(suiteID, acme, 1)
	id := h.tenant(suiteID, acme).ID
	young, _ := h.authorization(id)
	h.due()
	h.work()
	if got, _ := h.authorization(id); !got.PermanentCode.Equal(young.PermanentCode) || got.Version != 1 {
		t.Errorf("authorization = %+v, want the younger one to stay", got)
	}
	for _, x := range h.exchanges() {
		if x.State != suite.ExchangeDone {
			t.Errorf("exchange %+v, want done", x)
		}
	}
}

func TestWaitsForTheSuiteTicket(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.addSuite(suiteID)
	h.market(suiteID, acme)
	if r := h.work(); r.Failed != 1 {
		t.Errorf("report = %+v, want one failure", r)
	}
	x := h.exchanges()[0]
	if x.State != suite.ExchangePending || x.LastError != suite.ErrNoSuiteTicket.Error() || x.Unknown {
		t.Errorf("exchange = %+v, want it pending for want of a suite_ticket", x)
	}
	if e := h.events(suite.EventFilter{InfoType: "create_auth"}); e[0].State != "pending" || e[0].LastError == "" || e[0].NextAttemptAt == nil {
		t.Errorf("event = %+v, want it to tell of its exchange", e[0])
	}
	h.pushTicket(suiteID) // makes it due at once
	h.work()
	h.wantAuthorized(suiteID, acme, 1)
	h.wantCalls(apiPermanent, 1)
}
