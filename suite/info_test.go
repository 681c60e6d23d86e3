package suite_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

func agentIDs(t tenant.Tenant) []wecom.AgentID {
	var ids []wecom.AgentID
	for _, a := range t.Agents {
		ids = append(ids, a.ID)
	}
	return ids
}

func TestChangeAuthPullsAgain(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	for i, agents := range [][]wecomtest.Agent{{{AgentID: 7}, {AgentID: 9}}, {{AgentID: 9}}} {
		d := h.sim.Change(wecomtest.Change{Target: wecomtest.Target{SuiteID: suiteID, CorpID: acme}, Agents: agents})
		h.work()
		var want []wecom.AgentID
		for _, a := range agents {
			want = append(want, a.AgentID)
		}
		if diff := cmp.Diff(want, agentIDs(h.tenant(suiteID, acme))); diff != "" {
			t.Errorf("agents (-want +got):\n%s", diff)
		}
		// Told again, also in the same words, it is pulled again: something may have changed since.
		calls := h.calls(apiInfo)
		must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", d.Message))
		h.work()
		h.wantCalls(apiInfo, calls+1)
		if i == 0 {
			h.work()
			h.wantCalls(apiInfo, calls+1)
		}
	}
	h.wantCalls(apiPermanent, 1)
}

// What changes while a pull is under way is pulled once more.
func TestChangeDuringAPull(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	answer := h.hold(t, apiInfo)
	h.sim.Change(wecomtest.Change{Target: wecomtest.Target{SuiteID: suiteID, CorpID: acme}})
	calls := h.calls(apiInfo)
	done := make(chan error, 1)
	go func() {
		_, err := h.worker.RunOnce(t.Context())
		done <- err
	}()
	answer.comes()
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("change_auth", h.now(), "AuthCorpId", string(acme), "State", "again")))
	answer.letGo()
	must(t, <-done)
	h.work()
	h.wantCalls(apiInfo, calls+2)
	if n := value[int](h, `SELECT count(*) FROM authorizations WHERE info_due_at IS NOT NULL OR lease_owner IS NOT NULL`); n != 0 {
		t.Error("something is still due")
	}
}

func TestFailuresOfAPull(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fault  wecomtest.Fault
		calls  int // of get_auth_info after the second round
		health tenant.Health
		block  bool
	}{
		{"busy", wecomtest.Fault{Kind: wecomtest.Errcode, Value: -1}, 2, tenant.Pending, false},
		{"no answer", wecomtest.Fault{Kind: wecomtest.DropAfter}, 2, tenant.Pending, false},
		{"stale suite token", wecomtest.Fault{Kind: wecomtest.Errcode, Value: 42009}, 2, tenant.Pending, false},
		{"no such authorization", wecomtest.Fault{Kind: wecomtest.Errcode, Value: 40084, Times: -1}, 1, tenant.NeedsReauthorization, true},
		{"our address", wecomtest.Fault{Kind: wecomtest.Errcode, Value: 60020}, 1, tenant.Pending, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := ready(t)
			tt.fault.API = apiInfo
			h.sim.Fault(tt.fault)
			got := h.install(suiteID, acme)
			h.due()
			h.work()
			h.wantCalls(apiInfo, tt.calls)
			a, _ := h.authorization(got.ID)
			if now := h.tenant(suiteID, acme); now.Health != tt.health || a.Blocked != tt.block || now.Status != tenant.Active {
				t.Errorf("health %s, blocked %v, %s; want %s, %v, active", now.Health, a.Blocked, now.Status, tt.health, tt.block)
			}
			if _, err := h.tokens.Token(t.Context(), suiteID); tt.fault.Value == 60020 {
				wantErr(t, err, suite.ErrSuiteBlocked)
			} else {
				must(t, err)
			}
			if tt.block {
				h.sim.ClearFaults()
				must(t, h.store.Unblock(t.Context(), got.ID, a.Version))
				h.work()
				if now := h.tenant(suiteID, acme); len(now.Agents) != 1 {
					t.Errorf("agents = %v: not pulled after it was unblocked", now.Agents)
				}
			}
		})
	}
}

// The secret of a customised app is refused where it is sent as one.
func TestRefusedSecretOfACustomisedApp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.addSuite(template)
	h.pushTicket(template)
	h.sim.Fault(wecomtest.Fault{API: apiInfo, Kind: wecomtest.SetFields, Value: map[string]any{"auth_info": nil}, Times: -1})
	h.sim.Fault(wecomtest.Fault{API: "gettoken", Kind: wecomtest.Errcode, Value: 40001, Times: -1})
	got := h.install(template, acme)
	for range 4 {
		h.due()
		h.work()
	}
	h.wantCalls("gettoken", 1) // a loop of wrong secrets bans our address
	if a, _ := h.authorization(got.ID); !a.Blocked {
		t.Error("the authorization is not blocked")
	}
}

func TestBlockOfWhatIsGone(t *testing.T) {
	t.Parallel()
	h := ready(t)
	got := h.install(suiteID, acme)
	for _, version := range []int64{0, 2} {
		if news, err := h.store.Block(t.Context(), got.ID, version); news || err != nil {
			t.Errorf("Block of version %d = %v, %v; want no news", version, news, err)
		}
	}
	must(t, blocked(h.store.Block(t.Context(), got.ID, 1)))
	if news, err := h.store.Block(t.Context(), got.ID, 1); news || err != nil {
		t.Errorf("Block again = %v, %v; want no news", news, err)
	}
}

// Reread has one read again, at most once at a time.
func TestReread(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tn := h.install(suiteID, acme)
	calls := h.calls(apiInfo)
	must(t, h.store.Reread(t.Context(), tn.ID))
	must(t, h.store.Reread(t.Context(), tn.ID))
	h.work()
	h.wantCalls(apiInfo, calls+1)
	h.exec(`UPDATE authorizations SET blocked_version = version`)
	must(t, h.store.Reread(t.Context(), tn.ID))
	h.work()
	h.wantCalls(apiInfo, calls+1)
}
