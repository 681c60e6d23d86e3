package ticket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

const never = -1 * time.Nanosecond

// What each refusal leads to: how many calls it costs, what admins see, and when
// it is tried again.
func TestRefusals(t *testing.T) {
	t.Parallel()
	retry := [2]time.Duration{4 * time.Second, 6 * time.Second}
	hour := [2]time.Duration{time.Hour, 67 * time.Minute}
	minute := [2]time.Duration{time.Minute, 67 * time.Second}
	for _, tt := range []struct {
		api    string
		code   int
		calls  calls
		health tenant.Health
		parked string
		due    [2]time.Duration
	}{
		{"get_corp_token", -1, calls{1, 0, 0}, tenant.Failing, "", retry},
		{"get_corp_token", 6000, calls{1, 0, 0}, tenant.Failing, "", retry},
		{"get_corp_token", 12345678, calls{1, 0, 0}, tenant.Failing, "", retry}, // nobody knows this one
		{"get_corp_token", 40082, calls{2, 0, 0}, tenant.Failing, "", retry},
		{"get_corp_token", 42009, calls{2, 0, 0}, tenant.Failing, "", retry},
		{"get_corp_token", 40084, calls{1, 0, 0}, tenant.NeedsReauthorization, "unauthorized", [2]time.Duration{6 * time.Hour, 7 * time.Hour}},
		{"get_corp_token", 48004, calls{1, 0, 0}, tenant.NeedsReauthorization, "unauthorized", [2]time.Duration{6 * time.Hour, 7 * time.Hour}},
		{"get_corp_token", 2000002, calls{1, 0, 0}, tenant.NeedsReauthorization, "unauthorized", [2]time.Duration{6 * time.Hour, 7 * time.Hour}},
		{"get_corp_token", 301007, calls{1, 0, 0}, tenant.NeedsReauthorization, "unauthorized", [2]time.Duration{6 * time.Hour, 7 * time.Hour}},
		{"get_corp_token", 40085, calls{1, 0, 0}, tenant.Failing, "", retry}, // no suite_ticket was sent
		{"get_corp_token", 50003, calls{1, 0, 0}, tenant.Failing, "refused", hour},
		{"get_corp_token", 48006, calls{1, 0, 0}, tenant.Failing, "refused", hour},
		{"get_corp_token", 60031, calls{1, 0, 0}, tenant.Failing, "refused", hour},
		{"get_corp_token", 48002, calls{1, 0, 0}, tenant.Failing, "refused", hour},
		{"get_corp_token", 40013, calls{1, 0, 0}, tenant.Failing, "refused", hour},
		{"get_corp_token", 60020, calls{1, 0, 0}, tenant.Failing, "suite", [2]time.Duration{never, never}},
		{"get_corp_token", 45009, calls{1, 0, 0}, tenant.Failing, "", minute},
		{"get_corp_token", 45033, calls{1, 0, 0}, tenant.Failing, "", minute},
		{"get_jsapi_ticket", -1, calls{1, 1, 1}, tenant.Failing, "", retry},
		{"get_jsapi_ticket", 40014, calls{2, 2, 1}, tenant.Failing, "", retry},
		{"get_jsapi_ticket", 42001, calls{2, 2, 1}, tenant.Failing, "", retry},
		{"get_jsapi_ticket", 40001, calls{2, 2, 1}, tenant.Failing, "", retry}, // not a secret: none was sent
		{"get_jsapi_ticket", 45009, calls{1, 1, 1}, tenant.Failing, "", hour},
		{"get_jsapi_ticket", 45033, calls{1, 1, 1}, tenant.Failing, "", minute},
		{"get_jsapi_ticket", 48004, calls{1, 1, 1}, tenant.NeedsReauthorization, "unauthorized", [2]time.Duration{6 * time.Hour, 7 * time.Hour}},
		{"ticket/get", 301002, calls{1, 1, 1}, tenant.Failing, "", hour},
		{"ticket/get", 50003, calls{1, 1, 1}, tenant.Failing, "", hour},
		{"ticket/get", 60020, calls{1, 1, 1}, tenant.Failing, "suite", [2]time.Duration{never, never}},
	} {
		t.Run(fmt.Sprintf("%s_%d", tt.api, tt.code), func(t *testing.T) {
			t.Parallel()
			h := ready(t)
			id := h.install(suiteID, "wwno")
			h.sim.ForgetCalls()
			h.sim.Fault(wecomtest.Fault{API: tt.api, Kind: wecomtest.Errcode, Value: tt.code, Times: -1})
			r := h.replica()
			h.run(r)
			h.wantCalls("wwno", tt.calls)
			h.wantHealth(id, tt.health, tt.code)
			due, parked := h.dueIn(id)
			within(t, "due", due, tt.due[0], tt.due[1])
			if parked != tt.parked {
				t.Errorf("parked = %q, want %q", parked, tt.parked)
			}
			if again := h.run(r); again.Claimed != 0 {
				t.Error("tried again at once")
			}
			if tt.due[0] == never {
				return
			}
			// The fault over, one success heals all of it.
			h.sim.ClearFaults()
			h.pass(due + time.Second)
			h.run(r)
			h.wantHealth(id, tenant.OK, 0)
			h.wantLive(suiteID, "wwno", id)
			if a := h.authorization(id); a.Blocked {
				t.Error("the authorization is still blocked")
			}
		})
	}
}

// Answers that are none, and a platform that does not answer.
func TestTroubleOnTheWire(t *testing.T) {
	t.Parallel()
	for _, kind := range []wecomtest.FaultKind{
		wecomtest.Status, wecomtest.HTML, wecomtest.Empty, wecomtest.Redirect, wecomtest.Drop, wecomtest.DropAfter,
		wecomtest.Malformed, wecomtest.Truncated, wecomtest.Big, wecomtest.DuplicateKeys, wecomtest.Null, wecomtest.Silent,
	} {
		for _, api := range []string{"get_corp_token", "get_jsapi_ticket", "ticket/get"} {
			t.Run(string(kind)+"_"+api, func(t *testing.T) {
				t.Parallel()
				h := ready(t)
				id := h.install(suiteID, "wwwire")
				r := h.replica(func(r *ticket.Refresher) { r.CallFor = 500 * time.Millisecond })
				h.run(r)
				h.pass(91 * time.Minute)
				h.sim.ForgetCalls()
				h.sim.Fault(wecomtest.Fault{API: api, Kind: kind, Times: -1})
				h.run(r)
				if n := h.sim.Calls().Count(api, "wwwire", ""); n != 1 {
					t.Errorf("%d calls, want 1", n)
				}
				if got := h.tickets(id); len(got) != 2 {
					t.Errorf("%d live tickets, want the old ones to serve", len(got))
				}
				h.wantHealth(id, tenant.Failing, 0)
				due, _ := h.dueIn(id)
				within(t, "due", due, 4*time.Second, 6*time.Second)
				h.sim.ClearFaults()
				h.pass(due)
				h.run(r)
				h.wantHealth(id, tenant.OK, 0)
				h.wantLive(suiteID, "wwwire", id)
			})
		}
	}
}

// WeCom ends a token early: it is fetched anew once, and only that one is thrown away.
func TestStaleToken(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwstale")
	r := h.replica()
	h.run(r)
	h.sim.ForgetCalls()
	h.exec(`UPDATE credentials SET next_at = now() WHERE kind <> 'access_token'`)
	h.exec(`UPDATE refreshes SET due_at = now()`)
	h.sim.Revoke(suiteID, "wwstale", wecomtest.AccessToken)
	h.run(r)
	h.wantCalls("wwstale", calls{1, 2, 2})
	h.wantHealth(id, tenant.OK, 0)
	h.wantLive(suiteID, "wwstale", id)
}

// The same for the suite's token: one for all of its tenants.
func TestStaleSuiteToken(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 8)
	h.sim.Revoke(suiteID, "", wecomtest.SuiteAccessToken)
	// The suite's token was fetched a moment ago; it is not fetched again within the minute.
	h.pass(2 * time.Minute)
	h.sim.ForgetCalls()
	h.run(h.replica(), h.replica())
	if n := h.sim.Calls().Count("get_suite_token", "", suiteID); n != 1 {
		t.Errorf("%d calls for the suite's token, want 1", n)
	}
	for corp, id := range tenants {
		h.wantLive(suiteID, corp, id)
	}
}

// A wrong secret is tried once, by nobody again, until it is changed.
func TestWrongSecretIsNeverProbed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.sim.AddCorp(wecomtest.Corp{CorpID: "wwown", Apps: []wecomtest.App{{AgentID: 7, Secret: "right"}}})
	id := h.addInternal("wwown", 7, "wrong")
	r := h.replica()
	for range 5 {
		h.run(r)
		_ = r.Demand(t.Context(), id)
		must(t, r.Force(t.Context(), id))
		h.run(r)
		h.pass(24 * time.Hour)
	}
	h.wantCalls("wwown", calls{1, 0, 0})
	h.wantHealth(id, tenant.NeedsReauthorization, 40001)
	if due, parked := h.dueIn(id); due != never || parked != "secret" {
		t.Errorf("due in %s, parked %q; want never, secret", due, parked)
	}
	right := secret.New("right")
	must(t, h.suites.UpdateInternal(t.Context(), id, suite.InternalPatch{Secret: &right}))
	h.run(r)
	h.wantCalls("wwown", calls{2, 1, 1})
	h.wantHealth(id, tenant.OK, 0)
}

// Many tenants with wrong secrets are held to fewer than what bans our address.
func TestWrongSecretsOverAll(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const tenants = 300
	for i := range tenants {
		corp := wecom.CorpID(fmt.Sprintf("ww%d", i))
		h.sim.AddCorp(wecomtest.Corp{CorpID: corp, Apps: []wecomtest.App{{AgentID: 7}}})
		h.addInternal(corp, 7, fmt.Sprintf("wrong%d", i))
	}
	replicas := []*ticket.Refresher{h.replica(), h.replica()}
	for _, r := range replicas {
		r.Slots = 8
	}
	h.run(replicas...)
	first := h.sim.Calls().Errcode(40001, "gettoken", "", "")
	if first < 120 || first > 250 {
		t.Errorf("%d wrong secrets at once, want 120 to 250", first)
	}
	for range 60 {
		h.pass(time.Minute)
		h.run(replicas...)
	}
	if n := h.sim.Calls().Errcode(40001, "gettoken", "", ""); n > 500 {
		t.Errorf("%d wrong secrets within an hour, want at most 500", n)
	}
}

// While there is no suite_ticket nobody calls; what lives goes on, and the push heals all.
func TestWaitingForSuiteTicket(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 5)
	r := h.replica()
	h.run(r)
	h.exec(`DELETE FROM suite_tickets`)
	h.exec(`UPDATE suite_tokens SET expires_at = now(), retry_at = now()`)
	h.pushed = nil
	h.pass(91 * time.Minute) // tickets are due, and the old access_token lives
	h.sim.ForgetCalls()
	h.run(r)
	for corp, id := range tenants {
		h.wantCalls(corp, calls{0, 1, 1})
		h.wantHealth(id, tenant.WaitingSuiteTicket, 0)
		h.wantLive(suiteID, corp, id)
		if c := h.credential(id, ticket.JSAPITicket); c.Generation != 2 {
			t.Errorf("%s: generation = %d, want 2: the old token still fetches tickets", corp, c.Generation)
		}
	}
	h.pass(121 * time.Minute) // now all of it is over
	h.sim.ForgetCalls()
	for range 3 {
		h.run(r)
		h.pass(time.Minute)
	}
	if n := h.sim.Calls().Total; n != 0 {
		t.Errorf("%d calls without a suite_ticket", n)
	}
	h.pushTicket(suiteID)
	h.run(r)
	for corp, id := range tenants {
		h.wantCalls(corp, calls{1, 1, 1})
		h.wantHealth(id, tenant.OK, 0)
		h.wantLive(suiteID, corp, id)
	}
}

// WeCom refuses our address for a suite: all of its tenants stop after a few
// calls, and one of them finds out that it is over.
func TestAddressRefused(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		id  wecom.SuiteID
		api string
	}{{suiteID, "get_corp_token"}, {template, "gettoken"}} {
		t.Run(string(kind.id[:2]), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.addSuite(kind.id)
			tenants := h.installMany(kind.id, 40)
			r := h.replica(func(r *ticket.Refresher) { r.Slots = 4 })
			h.sim.Fault(wecomtest.Fault{API: kind.api, Kind: wecomtest.Errcode, Value: 60020, Times: -1})
			h.run(r, h.replica(func(r *ticket.Refresher) { r.Slots = 4 }))
			if n := h.sim.Calls().Count(kind.api, "", kind.id); n < 1 || n > 16 {
				t.Errorf("%d calls, want no more than were under way", n)
			}
			first := h.sim.Calls().Count(kind.api, "", kind.id)
			for range 4 {
				h.pass(time.Minute)
				h.run(r)
			}
			if n := h.sim.Calls().Count(kind.api, "", kind.id); n != first {
				t.Errorf("%d calls while the address is refused", n-first)
			}
			h.pass(time.Minute + time.Second)
			h.run(h.replica())
			if n := h.sim.Calls().Count(kind.api, "", kind.id); n != first+1 {
				t.Errorf("%d probes, want 1", n-first)
			}
			h.sim.ClearFaults()
			h.pass(5*time.Minute + time.Second)
			fresh := h.replica()
			h.run(fresh)
			h.pass(31 * time.Second)
			h.run(fresh)
			for corp, id := range tenants {
				h.wantLive(kind.id, corp, id)
			}
		})
	}
}

// A suite whose secret WeCom refuses is left alone until the secret changes.
func TestSuiteSecretRefused(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 5)
	h.exec(`UPDATE suite_tokens SET expires_at = now(), retry_at = now()`)
	wrong := secret.New("not-the-secret-not-the-secret-not-the-secret")
	if _, err := h.suites.Update(t.Context(), suiteID, suite.Patch{SuiteSecret: &wrong}); err != nil {
		t.Fatal(err)
	}
	r := h.replica()
	for range 3 {
		h.run(r)
		h.pass(time.Hour)
	}
	if n := h.sim.Calls().Total; n != 1 {
		t.Errorf("%d calls with a wrong suite_secret, want 1", n)
	}
	right := secret.New(h.sim.State().Suites[0].Secret)
	if _, err := h.suites.Update(t.Context(), suiteID, suite.Patch{SuiteSecret: &right}); err != nil {
		t.Fatal(err)
	}
	h.run(r)
	for corp, id := range tenants {
		h.wantHealth(id, tenant.OK, 0)
		h.wantLive(suiteID, corp, id)
	}
}

// What a tenant waits for ends the wait: its switch, a new authorization.
func TestWakes(t *testing.T) {
	t.Parallel()
	h := ready(t)
	off, gone := h.install(suiteID, "wwoff"), h.install(suiteID, "wwgone")
	_, err := h.tenants.SetDisabled(t.Context(), off, true, nil)
	must(t, err)
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() FROM tenants`)
	h.sim.ForgetCalls()
	h.sim.Disable(suiteID, "wwgone", wecomtest.Dissolved)
	r := h.replica()
	h.run(r)
	h.wantCalls("wwoff", calls{})
	h.wantCalls("wwgone", calls{1, 0, 0})
	if _, parked := h.dueIn(off); parked != "inactive" {
		t.Errorf("disabled tenant parked = %q, want inactive", parked)
	}
	h.wantHealth(off, tenant.Pending, 0)
	h.wantHealth(gone, tenant.NeedsReauthorization, 301007)
	if !h.authorization(gone).Blocked {
		t.Error("the authorization is not blocked")
	}

	_, err = h.tenants.SetDisabled(t.Context(), off, false, nil)
	must(t, err)
	h.sim.Disable(suiteID, "wwgone", wecomtest.Enabled)
	again := h.install(suiteID, "wwgone") // a new permanent_code
	if again != gone {
		t.Fatalf("a re-install made another tenant")
	}
	h.run(r)
	h.wantLive(suiteID, "wwoff", off)
	h.wantLive(suiteID, "wwgone", gone)
	h.wantHealth(gone, tenant.OK, 0)
}

func (h *house) authorization(id uuid.UUID) suite.Authorization {
	h.t.Helper()
	all, err := h.suites.Authorizations(h.t.Context(), []uuid.UUID{id})
	must(h.t, err)
	return all[id]
}
