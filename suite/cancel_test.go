package suite_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom/wecomtest"
)

// wantCancelled checks that nothing of a corp's consent is left.
func (h *house) wantCancelled(t tenant.Tenant) {
	h.t.Helper()
	if got, err := h.store.Tenants.Get(h.t.Context(), t.ID); err != nil || got.Status != tenant.Cancelled {
		h.t.Errorf("tenant is %s, %v; want cancelled", got.Status, err)
	}
	if _, ok := h.authorization(t.ID); ok {
		h.t.Error("the authorization is still there")
	}
	if n := value[int](h, `SELECT count(*) FROM callback_events WHERE corp_id = $1 AND payload_sealed IS NOT NULL`, t.CorpID); n != 0 {
		h.t.Errorf("%d payloads of the corp are still there", n)
	}
}

func TestCancelIsInEffectBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	h := ready(t)
	got := h.install(suiteID, acme)
	other := h.install(suiteID, "wwother")
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("change_contact", h.now(), "AuthCorpId", string(acme))))
	h.wantTaken(h.sim.Uninstall(suiteID, acme))
	h.wantCancelled(got)
	h.wantAuthorized(suiteID, other.CorpID, 1)
	if e := h.events(suite.EventFilter{InfoType: "cancel_auth"}); len(e) != 1 || e[0].State != "done" {
		t.Errorf("cancel_auth = %+v, want one that is done", e)
	}
	if n := value[int](h, `SELECT count(*) FROM exchanges WHERE corp_id = 'wwacme' AND corp_name <> ''`); n != 0 {
		t.Error("the exchange kept the corp's name")
	}
	if r := h.work(); r.Exchanges+r.Events+r.Pulls != 0 {
		t.Errorf("report = %+v, want nothing left to do", r)
	}
	h.wantCalls(apiInfo, 2)
}

func TestDisabledByTheAdminStaysDisabled(t *testing.T) {
	t.Parallel()
	h := ready(t)
	got := h.install(suiteID, acme)
	_, err := h.store.Tenants.SetDisabled(t.Context(), got.ID, true, nil)
	must(t, err)
	h.sim.Uninstall(suiteID, acme)
	h.wantCancelled(got)
	if again := h.install(suiteID, acme); again.Status != tenant.Disabled {
		t.Errorf("after a re-install: %s, want disabled", again.Status)
	}
}

// An old cancel_auth changes nothing by itself; the platform is asked once.
func TestAnOldCancelIsVerified(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		installed bool
	}{{"it stands", true}, {"it is gone", false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := ready(t)
			got := h.install(suiteID, acme)
			if !tt.installed { // and the true cancel_auth was lost
				h.sim.Fault(wecomtest.Fault{API: wecomtest.Callbacks, Kind: wecomtest.Drop})
				h.sim.Uninstall(suiteID, acme)
			}
			calls := h.calls(apiInfo)
			old := message("cancel_auth", got.AuthorizedAt.Add(-time.Hour), "AuthCorpId", string(acme))
			must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", old))
			if now := h.tenant(suiteID, acme); now.Status != tenant.Active {
				t.Fatalf("status = %s before the platform was asked, want active", now.Status)
			}
			h.work()
			h.wantCalls(apiInfo, calls+1)
			if tt.installed {
				h.wantAuthorized(suiteID, acme, 1)
			} else {
				h.wantCancelled(got)
			}
			for range 3 { // replayed: nothing happens, nobody is asked
				must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", old))
				h.work()
			}
			h.wantCalls(apiInfo, calls+1)
			if e := h.events(suite.EventFilter{InfoType: "cancel_auth", CorpID: acme}); e[len(e)-1].State != "done" {
				t.Errorf("event = %+v, want done", e)
			}
		})
	}
}

func TestVerificationIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := ready(t)
	got := h.install(suiteID, acme)
	h.sim.Fault(wecomtest.Fault{API: apiInfo, Kind: wecomtest.Status})
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("cancel_auth", got.AuthorizedAt.Add(-time.Hour), "AuthCorpId", string(acme))))
	if r := h.work(); r.Failed != 1 {
		t.Errorf("report = %+v, want one failure", r)
	}
	if e := h.events(suite.EventFilter{InfoType: "cancel_auth"}); e[0].State != "pending" || e[0].LastError == "" || e[0].Attempts != 1 {
		t.Errorf("event = %+v, want it pending with the reason", e[0])
	}
	h.due()
	h.work()
	if e := h.events(suite.EventFilter{InfoType: "cancel_auth"}); e[0].State != "done" {
		t.Errorf("event = %+v, want done", e[0])
	}
	h.wantAuthorized(suiteID, acme, 1)
}

// cancel_auth overtakes the exchange of the create_auth before it.
func TestCancelBeforeTheExchange(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		t.Run(fmt.Sprintf("tenant known %v", known), func(t *testing.T) {
			t.Parallel()
			h := ready(t)
			if known {
				h.install(suiteID, acme)
			}
			code := h.redirect(suiteID, acme)
			at := h.now().Add(time.Second) // after the first consent, if any
			must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("create_auth", at, "AuthCode", code.Reveal())))
			must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("cancel_auth", at.Add(time.Second), "AuthCorpId", string(acme))))
			h.work()
			h.wantCancelled(h.tenant(suiteID, acme))
			x := h.exchanges()
			if last := x[len(x)-1]; last.State != suite.ExchangeFailed {
				t.Errorf("exchange = %+v, want failed: the consent is gone", last)
			}
			if n := value[int](h, `SELECT count(*) FROM exchanges WHERE permanent_code_sealed IS NOT NULL`); n != 0 {
				t.Error("the permanent_code was kept")
			}
			// A later consent is not touched by it.
			must(t, h.send(h.replica, suiteID, suite.CommandDoor, "",
				message("create_auth", at.Add(2*time.Second), "AuthCode", h.redirect(suiteID, acme).Reveal())))
			h.work()
			h.wantAuthorized(suiteID, acme, 1)
		})
	}
}

// The redirect tells no time. What was cancelled before it came is another consent,
// whatever the clocks say.
func TestSiteInstallAfterACancelFromTheFuture(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	ahead := h.now().Add(5 * time.Minute) // the platform's clock is ahead of ours
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("cancel_auth", ahead, "AuthCorpId", string(acme))))
	h.wantCancelled(h.tenant(suiteID, acme))
	x := h.begin(suiteID, h.redirect(suiteID, acme), suite.SiteDoor)
	must(t, h.exchanger.Run(t.Context(), x.ID))
	h.wantAuthorized(suiteID, acme, 1)
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("cancel_auth", ahead.Add(time.Minute), "AuthCorpId", string(acme))))
	h.wantCancelled(h.tenant(suiteID, acme))
}

func TestCancelByAnAlias(t *testing.T) {
	t.Parallel()
	h := ready(t)
	got := h.install(suiteID, acme)
	must(t, h.store.Tenants.AddAlias(t.Context(), got.ID, "wpencrypted"))
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("change_contact", h.now(), "AuthCorpId", "wpencrypted")))
	must(t, h.send(h.replica, suiteID, suite.DataDoor, acme, message("cancel_auth", h.now(), "AuthCorpId", "wpencrypted")))
	h.wantCancelled(got)
	if n := value[int](h, `SELECT count(*) FROM callback_events WHERE corp_id = 'wpencrypted' AND payload_sealed IS NOT NULL`); n != 0 {
		t.Error("payloads under the alias are still there")
	}
}

func TestCancelOfAnotherCorpByTheDataURL(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	h.install(suiteID, "wwother")
	must(t, h.send(h.replica, suiteID, suite.DataDoor, "wwother", message("cancel_auth", h.now(), "AuthCorpId", string(acme))))
	must(t, h.send(h.replica, suiteID, suite.DataDoor, "wwstranger", message("cancel_auth", h.now(), "AuthCorpId", "wwstranger")))
	h.wantAuthorized(suiteID, acme, 1)
	for _, e := range h.events(suite.EventFilter{InfoType: "cancel_auth"}) {
		if e.State != "ignored" {
			t.Errorf("event = %+v, want ignored", e)
		}
	}
}

// The platform is answered before a corp's last payload is gone; a worker goes on.
func TestVeryManyPayloads(t *testing.T) {
	t.Parallel()
	h := ready(t)
	got := h.install(suiteID, acme)
	h.exec(`
INSERT INTO callback_events (id, suite_id, digest, door, info_type, corp_id, event_time, payload_sealed, state, received_at, last_received_at)
SELECT gen_random_uuid(), $1, int4send(i), 'command', 'change_contact', $2, now(), '\x00', 'ignored', now(), now() FROM generate_series(1, 6000) i`, suiteID, acme)
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("cancel_auth", h.now().Add(time.Second), "AuthCorpId", string(acme))))
	if left := value[int](h, `SELECT count(*) FROM callback_events WHERE corp_id = 'wwacme' AND payload_sealed IS NOT NULL`); left == 0 || left > 2100 {
		t.Errorf("payloads left at the answer = %d, want some, but 4000 fewer", left)
	}
	if now := h.tenant(suiteID, acme); now.Status != tenant.Cancelled {
		t.Errorf("status at the answer = %s, want cancelled", now.Status)
	}
	h.work()
	h.wantCancelled(got)
	if e := h.events(suite.EventFilter{InfoType: "cancel_auth"}); e[0].State != "done" {
		t.Errorf("event = %+v, want done", e[0])
	}
}

// The answer is cut off between the steps: it is an error, and a worker, or the
// redelivery, finishes.
func TestCancelCutShort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, table string }{
		{"before the tenant", "tenants"},
		{"before the authorization", "authorizations"},
		{"before the payloads", "payloads"},
	} {
		for _, by := range []string{"worker", "redelivery"} {
			t.Run(tt.name+", finished by a "+by, func(t *testing.T) {
				t.Parallel()
				h := ready(t)
				got := h.install(suiteID, acme)
				text := message("cancel_auth", h.now(), "AuthCorpId", string(acme))
				mend := h.breakStatement(tt.table)
				if err := h.send(h.replica, suiteID, suite.CommandDoor, "", text); err == nil {
					t.Fatal("acknowledged although it was cut short")
				}
				mend()
				if by == "worker" {
					h.due()
					h.work()
				} else {
					must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", text))
				}
				h.wantCancelled(got)
			})
		}
	}
}

// breakStatement makes one step of a cancellation fail.
func (h *house) breakStatement(step string) (mend func()) {
	h.t.Helper()
	table, when := step, "BEFORE UPDATE OR DELETE"
	condition := "true"
	if step == "payloads" {
		table, condition = "callback_events", "OLD.payload_sealed IS NOT NULL AND NEW.payload_sealed IS NULL"
		when = "BEFORE UPDATE"
	}
	h.exec(`CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fault'; END $$`)
	h.exec(`CREATE TRIGGER fault ` + when + ` ON ` + table + ` FOR EACH ROW WHEN (` + condition + `) EXECUTE FUNCTION fault()`)
	return func() { h.exec(`DROP FUNCTION fault CASCADE`) }
}

// What came second sees the first: a cancel_auth and the exchange that it ends run
// at the same time, in every order that the database allows.
func TestCancelAndExchangeAtOnce(t *testing.T) {
	t.Parallel()
	h := ready(t)
	other := h.another()
	for i := range 15 {
		corp := corpNumber(i)
		code := h.redirect(suiteID, corp)
		at := h.now().Add(-time.Minute)
		must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("create_auth", at, "AuthCode", code.Reveal())))
		done := make(chan error, 2)
		go func() {
			done <- h.send(other, suiteID, suite.CommandDoor, "", message("cancel_auth", at.Add(time.Second), "AuthCorpId", string(corp)))
		}()
		go func() {
			_, err := h.worker.RunOnce(context.Background())
			done <- err
		}()
		must(t, <-done)
		must(t, <-done)
		h.due()
		h.work()
		h.wantCancelled(h.tenant(suiteID, corp))
	}
}

func TestSettleHoldsTheTenant(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.market(suiteID, acme)
	// The authorization is inserted while the tenant's row is held: a cancel_auth waits for it.
	h.exec(`CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END $$`)
	h.exec(`CREATE TRIGGER pause BEFORE INSERT ON authorizations FOR EACH ROW EXECUTE FUNCTION pause()`)
	worked := make(chan error, 1)
	go func() {
		_, err := h.worker.RunOnce(context.Background())
		worked <- err
	}()
	h.eventually("the insert sleeps", func() bool {
		return value[int](h, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`) == 1
	})
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("cancel_auth", h.now().Add(time.Minute), "AuthCorpId", string(acme))))
	must(t, <-worked)
	h.wantCancelled(h.tenant(suiteID, acme))
}

// A redelivery must not end an installation that followed within the same second.
func TestCancelAgainInTheSecondOfAReinstall(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	at := h.now().Add(10 * time.Second)
	gone := message("cancel_auth", at, "AuthCorpId", string(acme))
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", gone))
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("create_auth", at, "AuthCode", h.redirect(suiteID, acme).Reveal())))
	h.work()
	h.wantAuthorized(suiteID, acme, 1)
	calls := h.calls(apiInfo)
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", gone))
	h.work()
	h.wantCalls(apiInfo, calls+1)
	h.wantAuthorized(suiteID, acme, 1)
	// Was it another one that reads the same, the platform knows.
	h.sim.Fault(wecomtest.Fault{API: wecomtest.Callbacks, Kind: wecomtest.Drop})
	h.sim.Uninstall(suiteID, acme)
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", gone))
	h.work()
	h.wantCancelled(h.tenant(suiteID, acme))
}
