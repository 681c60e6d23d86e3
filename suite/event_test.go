package suite_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

func TestEventsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	h := ready(t)
	for i := range 7 {
		corp := corpNumber(i % 2)
		must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("tomorrows_news", h.now(), "AuthCorpId", string(corp), "State", itoa(i))))
	}
	h.exec(`UPDATE callback_events SET received_at = date_trunc('minute', received_at)`) // all at once: the id decides
	all := h.events(suite.EventFilter{})
	if len(all) != 8 {
		t.Fatalf("events = %d, want 8", len(all))
	}
	var paged []suite.Event
	for after := (suite.EventCursor{}); ; {
		page, err := h.store.Events(t.Context(), suite.EventFilter{}, after, false, 3)
		must(t, err)
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
		last := page[len(page)-1]
		after = suite.EventCursor{ReceivedAt: last.ReceivedAt, ID: last.ID}
	}
	if diff := cmp.Diff(all, paged); diff != "" {
		t.Errorf("pages differ from the whole (-whole +pages):\n%s", diff)
	}
	for i := 1; i < len(all); i++ {
		if all[i].ReceivedAt.After(all[i-1].ReceivedAt) {
			t.Errorf("event %d is younger than the one before", i)
		}
	}
	for _, tt := range []struct {
		f    suite.EventFilter
		want int
	}{
		{suite.EventFilter{SuiteID: suiteID}, 8},
		{suite.EventFilter{SuiteID: template}, 0},
		{suite.EventFilter{CorpID: corpNumber(0)}, 4},
		{suite.EventFilter{InfoType: "suite_ticket"}, 1},
		{suite.EventFilter{State: "ignored"}, 7},
		{suite.EventFilter{State: "done", CorpID: corpNumber(0)}, 0},
	} {
		if got := len(h.events(tt.f)); got != tt.want {
			t.Errorf("events of %+v = %d, want %d", tt.f, got, tt.want)
		}
	}
	got, err := h.store.Event(t.Context(), all[3].ID)
	must(t, err)
	if diff := cmp.Diff(all[3], got); diff != "" {
		t.Errorf("Event differs from the list (-list +one):\n%s", diff)
	}
	_, err = h.store.Event(t.Context(), uuid.New())
	wantErr(t, err, suite.ErrNotFound)
}

func TestEventTimeIsTheEventsOwn(t *testing.T) {
	t.Parallel()
	h := ready(t)
	at := h.now().Add(-42 * time.Minute)
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("tomorrows_news", at)))
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", "<xml><MsgType>event</MsgType><Event>timeless</Event></xml>"))
	if e := h.events(suite.EventFilter{InfoType: "tomorrows_news"})[0]; e.EventTime == nil || !e.EventTime.Equal(at) {
		t.Errorf("event time = %v, want %v", e.EventTime, at)
	}
	if e := h.events(suite.EventFilter{InfoType: "timeless"})[0]; e.EventTime != nil {
		t.Errorf("event time = %v, want none", e.EventTime)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	h := ready(t)
	only := func(infoType string) suite.Event {
		t.Helper()
		list := h.events(suite.EventFilter{InfoType: infoType})
		if len(list) != 1 {
			t.Fatalf("%s: %d events, want 1", infoType, len(list))
		}
		return list[0]
	}
	wantErr(t, h.store.Retry(t.Context(), uuid.New()), suite.ErrNotFound)
	wantErr(t, h.store.Retry(t.Context(), only("suite_ticket").ID), suite.ErrNotRetryable)

	// Pending: its exchange becomes due.
	h.sim.Fault(wecomtest.Fault{API: apiPermanent, Kind: wecomtest.Errcode, Value: -1})
	h.market(suiteID, acme)
	h.work()
	create := only("create_auth")
	if create.State != "pending" || create.Attempts != 1 || or(create.LastErrcode, 0) != -1 {
		t.Errorf("create_auth = %+v, want its exchange's failure", create)
	}
	must(t, h.store.Retry(t.Context(), create.ID))
	// Failed: the code is exchanged again as long as it can live.
	h.sim.Fault(wecomtest.Fault{API: apiPermanent, Kind: wecomtest.Errcode, Value: 40058})
	h.work()
	if create = only("create_auth"); create.State != "failed" || create.FinishedAt == nil {
		t.Errorf("create_auth = %+v, want failed", create)
	}
	h.exec(`UPDATE exchanges SET created_at = created_at - interval '11 minutes'`)
	wantErr(t, h.store.Retry(t.Context(), create.ID), suite.ErrNotRetryable)
	h.exec(`UPDATE exchanges SET created_at = created_at + interval '11 minutes'`)
	must(t, h.store.Retry(t.Context(), create.ID))
	h.work()
	h.wantAuthorized(suiteID, acme, 1)
	if create = only("create_auth"); create.State != "done" {
		t.Errorf("create_auth = %+v, want done", create)
	}
	wantErr(t, h.store.Retry(t.Context(), create.ID), suite.ErrNotRetryable)

	// change_auth pulls again.
	h.sim.Change(wecomtest.Change{Target: wecomtest.Target{SuiteID: suiteID, CorpID: acme}})
	h.work()
	calls := h.calls(apiInfo)
	must(t, h.store.Retry(t.Context(), only("change_auth").ID))
	h.work()
	h.wantCalls(apiInfo, calls+1)

	// cancel_auth is verified: here it was a false one.
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("cancel_auth", h.now().Add(-time.Hour), "AuthCorpId", string(acme))))
	h.work()
	must(t, h.store.Retry(t.Context(), only("cancel_auth").ID))
	h.work()
	h.wantCalls(apiInfo, calls+3)
	h.wantAuthorized(suiteID, acme, 1)
	if e := only("cancel_auth"); e.State != "done" {
		t.Errorf("cancel_auth = %+v, want done", e)
	}

	// What nothing follows from is not done again.
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("change_auth", h.now(), "AuthCorpId", "wwstranger")))
	for _, e := range h.events(suite.EventFilter{CorpID: "wwstranger"}) {
		wantErr(t, h.store.Retry(t.Context(), e.ID), suite.ErrNotRetryable)
	}
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("tomorrows_news", h.now())))
	wantErr(t, h.store.Retry(t.Context(), only("tomorrows_news").ID), suite.ErrNotRetryable)
}

// Authorization events live for 35 days, the others for 24 hours; what goes is counted.
func TestRetention(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	h.sim.Fault(wecomtest.Fault{API: apiPermanent, Kind: wecomtest.Status, Times: -1})
	h.market(suiteID, "wwpending")
	h.work()
	h.exec(`
INSERT INTO callback_events (id, suite_id, digest, door, info_type, state, received_at, last_received_at)
SELECT gen_random_uuid(), $1, int4send(i), 'data', 'change_contact', 'ignored',
	date_trunc('day', now(), 'UTC') - interval '2 days' + i * interval '1 second', now() FROM generate_series(1, 4500) i`, suiteID)
	age := func(d string) {
		h.exec(`UPDATE callback_events SET received_at = now() - $1::interval WHERE info_type <> 'change_contact'`, d)
	}
	clean := func() suite.Removed {
		t.Helper()
		w := &suite.Worker{Store: h.store, Exchanger: h.exchanger, Log: quiet()} // a new one cleans at once
		r, err := w.RunOnce(t.Context())
		must(t, err)
		return r.Removed
	}
	age("23 hours")
	if got := clean(); got.Events != 4500 {
		t.Errorf("removed %+v, want the 4500 old ones", got)
	}
	if got := value[int](h, `SELECT events FROM callback_counts WHERE info_type = 'change_contact'`); got != 4500 {
		t.Errorf("counted %d, want 4500 on one day", got)
	}
	age("25 hours")
	if got := clean(); got.Events != 1 || len(h.events(suite.EventFilter{})) != 2 {
		t.Errorf("removed %+v of what is a day old, want the suite_ticket alone", got)
	}
	age("36 days")
	h.exec(`UPDATE exchanges SET finished_at = now() - interval '36 days' WHERE finished_at IS NOT NULL`)
	h.exec(`INSERT INTO install_states (state_digest, cookie_digest, suite_id, expires_at) VALUES ('a', 'b', $1, now() - interval '2 days')`, suiteID)
	got := clean()
	if diff := cmp.Diff(suite.Removed{Events: 1, Exchanges: 1, States: 1}, got); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	left := h.events(suite.EventFilter{})
	if len(left) != 1 || left[0].State != "pending" {
		t.Errorf("left = %+v, want what is still to be done", left)
	}
	if got := value[int](h, `SELECT sum(events) FROM callback_counts`); got != 4502 {
		t.Errorf("counted %d in all, want 4502", got)
	}
	h.wantAuthorized(suiteID, acme, 1)
	// The same worker does not clean with every beat.
	h.work()
	age("99 days")
	h.exec(`UPDATE callback_events SET state = 'failed'`)
	if r := h.work(); r.Removed.Events != 0 {
		t.Errorf("cleaned again at once: %+v", r.Removed)
	}
}

// A whole day, replayed: nothing changes but the counters.
func TestReplayOfEverything(t *testing.T) {
	t.Parallel()
	h := ready(t)
	start := h.now().Add(-time.Hour)
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	codes := map[wecom.CorpID]string{}
	for _, corp := range []wecom.CorpID{acme, "wwgone", "wwback"} {
		codes[corp] = h.redirect(suiteID, corp).Reveal()
	}
	day := []string{
		message("create_auth", at(1), "AuthCode", codes[acme]),
		message("create_auth", at(2), "AuthCode", codes["wwgone"]),
		message("create_auth", at(3), "AuthCode", codes["wwback"]),
		"work",
		message("cancel_auth", at(5), "AuthCorpId", "wwgone"),
		message("cancel_auth", at(6), "AuthCorpId", "wwback"),
		message("create_auth", at(7), "AuthCode", h.redirect(suiteID, "wwback").Reveal()),
		message("suite_ticket", at(65), "SuiteTicket", h.sim.SuiteTicket(suiteID)),
		"work",
	}
	play := func() {
		t.Helper()
		for _, text := range day {
			if text == "work" {
				h.work()
				continue
			}
			must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", text))
		}
	}
	play()
	state := func() string {
		return value[string](h, `SELECT string_agg(concat_ws(' ', t.corp_id, t.status, t.version, a.version, a.authorized_at), ', ' ORDER BY t.corp_id)
			FROM tenants t LEFT JOIN authorizations a ON a.tenant_id = t.id`) +
			value[string](h, `SELECT concat_ws(' ', pushed_at, generation, received_at) FROM suite_tickets`)
	}
	before, calls := state(), h.sim.Calls().Total
	if got := h.tenant(suiteID, "wwgone").Status; got != tenant.Cancelled {
		t.Fatalf("wwgone is %s, want cancelled", got)
	}
	h.wantAuthorized(suiteID, "wwback", 1)
	for range 3 {
		play()
	}
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("the replay changed something (-before +after):\n%s", diff)
	}
	if got := h.sim.Calls().Total; got != calls {
		t.Errorf("the replay made %d calls, want none", got-calls)
	}
}
