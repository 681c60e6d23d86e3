package suite_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"suitesign/audit/audittest"
	"suitesign/secret"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom/wecomtest"
)

// TestASuitesLifeIsAudited: which secrets are others now is told, never what they are.
func TestASuitesLifeIsAudited(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	want := func(f func(), want ...string) {
		t.Helper()
		audittest.Want(t, h.pool, f, want...)
	}
	update := func(p suite.Patch) func() {
		return func() { _, err := h.store.Update(t.Context(), "wwnew", p); must(t, err) }
	}
	n := newSuite("wwnew", suite.ThirdParty)
	whole := `"kind": "third_party", "name": "` + n.Name + `"`
	marks := `"suite_secret": "set", "callback_token": "set"`
	want(func() { _, err := h.store.Create(t.Context(), n); must(t, err) },
		`system suite.create wwnew null {`+whole+`, `+marks+`, "encoding_aes_key": "set", "provider_corp_id": "`+string(n.ProviderCorpID)+`", "install_test_mode": false}`)
	want(func() { _, err := h.store.Create(t.Context(), n); wantErr(t, err, suite.ErrExists) })

	name, token, key, again, stale, test := "Other", secret.New("CANARYtoken2"), secret.New(strings.Repeat("CANARYkey", 5)[:43]), n.SuiteSecret, int64(99), true
	want(update(suite.Patch{Name: &name, InstallTestMode: &test}), `system suite.update wwnew {"name": "`+n.Name+`", "install_test_mode": false} {"name": "Other", "install_test_mode": true}`)
	want(update(suite.Patch{Name: &name}))
	want(update(suite.Patch{CallbackToken: &token}), `system suite.update wwnew {"callback_token": "set"} {"callback_token": "changed"}`)
	want(update(suite.Patch{CallbackToken: &token, EncodingAESKey: &key}), `system suite.update wwnew {"encoding_aes_key": "set"} {"encoding_aes_key": "changed"}`)
	want(update(suite.Patch{CallbackToken: &token, EncodingAESKey: &key}))
	want(update(suite.Patch{SuiteSecret: &again}), `system suite.update wwnew {"suite_secret": "set"} {"suite_secret": "changed"}`)
	want(func() {
		_, err := h.store.Update(t.Context(), "wwnew", suite.Patch{Name: &name, IfVersion: &stale})
		wantErr(t, err, suite.ErrVersion)
	})
	want(func() { wantErr(t, h.store.Delete(t.Context(), "wwnew", &stale), suite.ErrVersion) })
	want(func() { must(t, h.store.Delete(t.Context(), "wwnew", nil)) },
		`system suite.delete wwnew {"kind": "third_party", "name": "Other", `+marks+`, "encoding_aes_key": "set", "provider_corp_id": "`+string(n.ProviderCorpID)+`", "install_test_mode": true} null`)
	h.wantNotAudited(n.SuiteSecret.Reveal(), n.CallbackToken.Reveal(), n.EncodingAESKey.Reveal(), token.Reveal(), key.Reveal())
}

// wantNotAudited checks that the audit log holds none of the secrets.
func (h *house) wantNotAudited(secrets ...string) {
	h.t.Helper()
	dump := value[string](h, `SELECT COALESCE(string_agg(a::text, E'\n'), '') FROM audit_log a`)
	for i, s := range secrets {
		if s == "" || strings.Contains(dump, s) {
			h.t.Errorf("the audit log holds secret number %d, or there is none", i)
		}
	}
}

func TestAnInternalTenantsLifeIsAudited(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.store.Create(t.Context(), newSuite("own", suite.Internal))
	must(t, err)
	var id uuid.UUID
	made := audittest.Written(t, h.pool, func() {
		got, err := h.store.CreateInternal(t.Context(), newInternal())
		must(t, err)
		id = got.ID
	})
	want := `system tenant.create ` + id.String() + ` null {"name": "Acme", "agents": [{"name": "Acme", "agent_id": 1000002}], ` +
		`"secret": "set", "status": "active", "corp_id": "wwacme", "suite_id": "own"}`
	if len(made) != 1 || made[0] != want {
		t.Errorf("audit log = %q, want one entry %q", made, want)
	}
	again, agent, empty := secret.New("CANARY-app-secret-2"), newInternal().AgentID+1, secret.String{}
	update := func(p suite.InternalPatch, fails error) func() {
		return func() { wantErr(t, h.store.UpdateInternal(t.Context(), id, p), fails) }
	}
	says := `system tenant.update ` + id.String()
	audittest.Want(t, h.pool, update(suite.InternalPatch{Secret: &empty}, suite.ErrInvalid))
	audittest.Want(t, h.pool, update(suite.InternalPatch{Secret: &again}, nil), says+` {"secret": "set"} {"secret": "changed"}`)
	audittest.Want(t, h.pool, update(suite.InternalPatch{AgentID: &agent}, nil),
		says+` {"agents": [{"name": "Acme", "agent_id": 1000002}]} {"agents": [{"name": "Acme", "agent_id": 1000003}]}`)
	audittest.Want(t, h.pool, update(suite.InternalPatch{AgentID: &agent}, nil))
	h.wantNotAudited(newInternal().Secret.Reveal(), again.Reveal())
}

// TestAnInternalTenantThatIsFinishedLaterIsMadeOnce: what was begun and failed is no entry.
func TestAnInternalTenantThatIsFinishedLaterIsMadeOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.store.Create(t.Context(), newSuite("own", suite.Internal))
	must(t, err)
	h.breakOnce("agents", "INSERT", "true")
	audittest.Want(t, h.pool, func() {
		if _, err := h.store.CreateInternal(t.Context(), newInternal()); err == nil {
			t.Fatal("CreateInternal = nil although its last step failed")
		}
	})
	if got := audittest.Written(t, h.pool, func() { _, err := h.store.CreateInternal(t.Context(), newInternal()); must(t, err) }); len(got) != 1 {
		t.Errorf("audit log = %q, want one entry", got)
	}
}

// TestWhatWeComDoesToATenantIsAudited: installed, installed again, its code reset, uninstalled.
func TestWhatWeComDoesToATenantIsAudited(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.addSuite(template)
	h.pushTicket(template)
	var got tenant.Tenant
	made := audittest.Written(t, h.pool, func() { got = h.install(template, acme) })
	says := "wecom tenant."
	if len(made) != 2 || !strings.HasPrefix(made[0], says+"authorize "+got.ID.String()+" null {") || !strings.HasPrefix(made[1], says+"replace_agents "+got.ID.String()) {
		t.Errorf("installed: audit log = %q, want authorize and replace_agents", made)
	}
	code, _ := h.authorization(got.ID)
	audittest.Want(t, h.pool, func() {
		h.wantTaken(*h.sim.ResetPermanentCode(template, acme).Delivery)
		h.work()
	}, says+"reset_permanent_code "+got.ID.String()+` {"permanent_code": "set"} {"permanent_code": "changed"}`)
	reset, _ := h.authorization(got.ID)
	h.wantNotAudited(code.PermanentCode.Reveal(), reset.PermanentCode.Reveal())
	audittest.Want(t, h.pool, func() { h.wantTaken(h.sim.Uninstall(template, acme)) },
		says+"cancel "+got.ID.String()+` {"status": "active"} {"status": "cancelled"}`)
	if again := audittest.Written(t, h.pool, func() { h.sim.Install(template, acme, wecomtest.Market); h.work() }); len(again) != 1 ||
		!strings.HasPrefix(again[0], says+"authorize "+got.ID.String()+` {"status": "cancelled"} {"status": "active"}`) {
		t.Errorf("installed again: audit log = %q, want one entry authorize", again)
	}
}

func TestARetryIsAudited(t *testing.T) {
	t.Parallel()
	h := ready(t)
	got := h.install(suiteID, acme)
	h.wantTaken(h.sim.Change(wecomtest.Change{Target: wecomtest.Target{SuiteID: suiteID, CorpID: acme}}))
	h.work()
	changed := h.events(suite.EventFilter{InfoType: "change_auth"})[0]
	audittest.Want(t, h.pool, func() { must(t, h.store.Retry(t.Context(), changed.ID)) }, "system event.retry "+changed.ID.String()+" null null")
	if owner := value[uuid.UUID](h, `SELECT tenant_id FROM audit_log WHERE action = 'event.retry'`); owner != got.ID {
		t.Errorf("the entry belongs to tenant %s, want %s", owner, got.ID)
	}
	ticket := h.events(suite.EventFilter{InfoType: "suite_ticket"})[0]
	audittest.Want(t, h.pool, func() { wantErr(t, h.store.Retry(t.Context(), ticket.ID), suite.ErrNotRetryable) })
}
