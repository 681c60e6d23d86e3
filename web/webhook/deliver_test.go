package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"suitesign/audit"
	"suitesign/netguard"
	"suitesign/web/webhook"
)

func TestAnEventIsDelivered(t *testing.T) {
	t.Parallel()
	h, rec := newHouse(t), newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "谢谢") })
	w, key := h.add(rec.URL + "/hook")
	h.emit(audit.Event{Type: audit.CredentialFailing, SuiteID: "s1", TenantID: h.tenants[0],
		Data: map[string]any{"suite_id": "s1", "errcode": 40013, "none": nil}})
	report := h.beat(h.deliverer())
	if report.HandedOn != 1 || report.Started != 1 {
		t.Errorf("RunOnce = %+v, want one delivery", report)
	}
	calls := rec.got()
	if len(calls) != 1 {
		t.Fatalf("%d calls, want one", len(calls))
	}
	c, d := calls[0], h.delivery(w)
	if err := c.verify(key); err != nil {
		t.Error(err)
	}
	if c.ContentType != "application/json" || c.Path != "/hook" || c.ID != d.EventID.String() || strings.Contains(c.ID, ".") {
		t.Errorf("call = %+v, want JSON to /hook under the event's id %s", c, d.EventID)
	}
	m := c.message(t)
	if m.Type != "credential.failing" || time.Since(m.Timestamp).Abs() > time.Minute || m.Timestamp.Location() != time.UTC {
		t.Errorf("message = %+v", m)
	}
	if diff := cmp.Diff(map[string]any{"suite_id": "s1", "errcode": 40013.0}, m.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if d.State != webhook.Delivered || d.Attempts != 1 || d.Payload != c.Body || d.NextAt != nil || d.FinishedAt == nil || *d.TenantID != h.tenants[0] {
		t.Errorf("delivery = %+v", d)
	}
	attempts, err := h.store.Attempts(t.Context(), d.ID)
	if err != nil || len(attempts) != 1 || *attempts[0].Status != 200 || attempts[0].Response != "谢谢" || attempts[0].Error != "" || attempts[0].Latency < 0 {
		t.Errorf("attempts = %+v, %v", attempts, err)
	}
	if got := h.get(w); got.LastSuccessAt == nil || got.FailingSince != nil || got.Version != 1 {
		t.Errorf("webhook = %+v, want a success noted and the version as it was", got)
	}
	if again := h.beat(h.deliverer()); again.HandedOn+again.Started != 0 || len(rec.got()) != 1 {
		t.Errorf("another beat did %+v", again)
	}
}

func TestEachWebhookGetsWhatItListensTo(t *testing.T) {
	t.Parallel()
	h, rec := newHouse(t), newReceiver(t, nil)
	only := func(path string, change func(*webhook.New)) { h.add(rec.URL+path, change) }
	only("/all", func(*webhook.New) {})
	only("/changed", func(n *webhook.New) { n.Events = []audit.EventType{audit.TenantChanged} })
	only("/s1", func(n *webhook.New) { n.SuiteIDs = []string{"s1"} })
	only("/t2", func(n *webhook.New) { n.TenantIDs = h.tenants[1:] })
	only("/s1t2", func(n *webhook.New) { n.SuiteIDs, n.TenantIDs = []string{"s1"}, h.tenants[1:] })
	only("/off", func(n *webhook.New) { n.Disabled = true })
	h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1", TenantID: h.tenants[0]})
	h.emit(audit.Event{Type: audit.TenantCancelled, SuiteID: "s2", TenantID: h.tenants[1]})
	h.emit(audit.Event{Type: audit.SuiteTicketLate, SuiteID: "s1"})
	h.beat(h.deliverer())
	got := map[string][]string{}
	for _, c := range rec.got() {
		got[c.Path] = append(got[c.Path], c.message(t).Type)
	}
	for _, types := range got {
		slices.Sort(types)
	}
	want := map[string][]string{
		"/all":     {"suite_ticket.late", "tenant.cancelled", "tenant.changed"},
		"/changed": {"tenant.changed"},
		"/s1":      {"suite_ticket.late", "tenant.changed"},
		"/t2":      {"tenant.cancelled"}, // what concerns a suite as a whole is of no tenant
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
}

func TestAFailureIsRepeatedUpTheLadder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rec := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, strings.Repeat("x", 5000))
	})
	w, key := h.add(rec.URL)
	h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1"})
	d := h.deliverer()
	for n := 1; n <= 8; n++ {
		h.beat(d)
		got := h.delivery(w)
		if got.Attempts != n {
			t.Fatalf("after beat %d: %d attempts", n, got.Attempts)
		}
		if n == 8 {
			if got.State != webhook.Failed || got.NextAt != nil {
				t.Errorf("after the last attempt: %+v, want failed", got)
			}
			break
		}
		if got.State != webhook.Pending || got.NextAt == nil || got.LastError != "it answered 500" || *got.LastStatus != 500 {
			t.Errorf("after attempt %d: %+v", n, got)
		}
		if h.beat(d).Started != 0 {
			t.Errorf("attempt %d was repeated before its time", n)
		}
		h.dueNow()
	}
	for _, c := range rec.got() {
		if c.ID != rec.got()[0].ID || c.Body != rec.got()[0].Body || c.verify(key) != nil {
			t.Errorf("an attempt differs: %+v, want the same id and bytes, signed: %v", c, c.verify(key))
		}
	}
	attempts, err := h.store.Attempts(t.Context(), h.delivery(w).ID)
	if err != nil || len(attempts) != 8 || attempts[0].Number != 1 || len(attempts[7].Response) != 1024 {
		t.Errorf("%d attempts, %v; want eight with 1024 bytes of the answer", len(attempts), err)
	}
	if got := h.get(w); got.FailingSince == nil || got.Failures != 8 || !got.Enabled {
		t.Errorf("webhook = %+v, want it failing and enabled", got)
	}
	rec.works()
	if _, err := h.store.Replay(t.Context(), w.ID, h.delivery(w).ID); err != nil {
		t.Fatal(err)
	}
	h.beat(d)
	if got := h.delivery(w); got.State != webhook.Delivered || got.Attempts != 9 || rec.got()[8].ID != rec.got()[0].ID {
		t.Errorf("after a replay: %+v", got)
	}
	if got := h.get(w); got.FailingSince != nil || got.Failures != 0 {
		t.Errorf("webhook after a success = %+v, want it well", got)
	}
}

func TestTheLadderTellsWhenTheNextAttemptIs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rec := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	w, _ := h.add(rec.URL)
	h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1"})
	h.beat(h.deliverer())
	wait := h.text(`SELECT extract(epoch FROM d.due_at - a.at)::int::text FROM webhook_deliveries d JOIN webhook_attempts a ON a.delivery_id = d.id`)
	if wait < "3600" || wait > "3630" || h.delivery(w).State != webhook.Pending {
		t.Errorf("with Retry-After of an hour the next attempt is in %s s", wait)
	}
}

func TestWhatWentWrongIsToldInWords(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	closed := newReceiver(t, nil)
	closed.Close()
	redirects := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
	})
	hangsUp := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	})
	nul := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("a\x00b\xffc\x1b[31m"))
	})
	h.store.Guard = &netguard.Guard{Allowed: loopback, Resolver: insideOnly{}}
	for url, want := range map[string]string{
		closed.URL + "/secret-path":                              "nobody listens there: connection refused",
		redirects.URL + "/secret-path":                           "it redirects, which is not followed",
		hangsUp.URL + "/secret-path":                             "it closed the connection without an answer",
		nul.URL + "/secret-path":                                 "it answered 502",
		"https://in.example.com/secret":                          "address must not be called: 10.0.0.1 is not a public address",
		"https://no.example.com/secret":                          "its name does not resolve",
		"https://late.example.com/secret":                        "no answer in time",
		strings.Replace(nul.URL, "http", "https", 1) + "/secret": "http: server gave HTTP response to HTTPS client",
	} {
		id := h.insert(url)
		got, err := h.deliverer(func(d *webhook.Deliverer) { d.SendFor = 2 * time.Second }).Test(t.Context(), id)
		if err != nil || got.State != webhook.Failed || got.LastError != want || strings.Contains(got.LastError, "secret") {
			t.Errorf("%s: %+v, %v; want %q", url, got, err, want)
		}
	}
	if got := h.text(`SELECT string_agg(response, '') FROM webhook_attempts WHERE status = 502`); got != "ab\uFFFDc[31m" {
		t.Errorf("an answer that is no text is kept as %q", got)
	}
}

// insideOnly resolves names as an attacker's server would.
type insideOnly struct{}

func (insideOnly) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	switch host {
	case "in.example.com":
		return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
	case "late.example.com":
		<-ctx.Done()
		return nil, context.DeadlineExceeded
	}
	return nil, nil
}

// insert makes a webhook whose URL nobody checked, as a name that has changed since.
func (h *house) insert(url string) uuid.UUID {
	h.t.Helper()
	w, _ := h.add("https://127.0.0.1/")
	h.exec(`UPDATE webhooks SET url = $2 WHERE id = $1`, w.ID, url)
	return w.ID
}

func TestANameThatTurnsInwardsIsNotCalled(t *testing.T) {
	t.Parallel()
	h, inside := newHouse(t), newReceiver(t, nil)
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	turning := &turns{answers: []string{"8.8.8.8", "127.0.0.1"}}
	h.store.Guard = &netguard.Guard{Resolver: turning}
	w, _ := h.add("https://rebind.example.com" + port + "/")
	h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1"})
	h.beat(h.deliverer())
	if d := h.delivery(w); !strings.Contains(d.LastError, "must not be called") || d.Attempts != 1 {
		t.Errorf("delivery = %+v, want it refused", d)
	}
	if len(inside.got()) != 0 || turning.asked.Load() != 2 {
		t.Errorf("inside was called %d times after %d look-ups, want never after two", len(inside.got()), turning.asked.Load())
	}
}

// turns answers each look-up with the next address, the last one for good.
type turns struct {
	asked   atomic.Int64
	answers []string
}

func (r *turns) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	i := int(r.asked.Add(1)) - 1
	return []netip.Addr{netip.MustParseAddr(r.answers[min(i, len(r.answers)-1)])}, nil
}

func TestAWebhookThatIsGoneIsAskedNoMore(t *testing.T) {
	t.Parallel()
	h, rec := newHouse(t), newReceiver(t, status(http.StatusGone))
	w, _ := h.add(rec.URL)
	h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1"})
	h.beat(h.deliverer())
	if got := h.get(w); got.Enabled || got.DisabledReason != webhook.Gone || got.Version != 2 {
		t.Errorf("webhook = %+v, want it disabled", got)
	}
	if d := h.delivery(w); d.State != webhook.Failed {
		t.Errorf("delivery = %+v, want it failed", d)
	}
	if got := h.text(`SELECT concat_ws(' ', actor_kind, action, after->>'disabled_reason') FROM audit_log WHERE action = 'webhook.update'`); got != "system webhook.update gone" {
		t.Errorf("audit log = %q", got)
	}
	h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1"})
	if n := h.text(`SELECT count(*)::text FROM outbox`); n != "0" {
		t.Error("the outbox keeps what nobody listens to any more")
	}
	if s, err := h.store.Status(t.Context()); err != nil || s.Ended != 1 || s.Enabled != 0 {
		t.Errorf("Status = %+v, %v; want one that was ended", s, err)
	}
}

func TestFiveDaysOfFailureEndAWebhook(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		since    string
		failures int
		want     webhook.Reason
	}{
		{"5 days 1 minute", 9, webhook.Failing},
		{"4 days 23 hours", 900, ""},
		{"30 days", 3, ""}, // it seldom has anything to tell
	} {
		t.Run(tt.since, func(t *testing.T) {
			t.Parallel()
			h, rec := newHouse(t), newReceiver(t, status(http.StatusBadGateway))
			w, _ := h.add(rec.URL)
			h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1"})
			h.exec(`UPDATE webhooks SET failing_since = now() - $1::interval, failures = $2`, tt.since, tt.failures)
			h.beat(h.deliverer())
			got := h.get(w)
			if got.DisabledReason != tt.want || got.Enabled != (tt.want == "") || got.Failures != tt.failures+1 {
				t.Errorf("webhook = %+v, want disabled for %q", got, tt.want)
			}
			if tt.want == "" {
				return
			}
			// What waited for it is sent when it is switched on again.
			on := true
			rec.works()
			if again, err := h.store.Update(t.Context(), w.ID, webhook.Patch{Enabled: &on}); err != nil || again.FailingSince != nil || again.Failures != 0 {
				t.Fatalf("switched on again: %+v, %v", again, err)
			}
			h.dueNow()
			h.beat(h.deliverer())
			if d := h.delivery(w); d.State != webhook.Delivered {
				t.Errorf("delivery = %+v, want it delivered", d)
			}
		})
	}
}

// A replica dies between sending and saving: its lease ends, and the same is sent again.
func TestWhatWasSentAndNotSavedIsSentAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rec := newReceiver(t, func(n int, _ http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			h.exec(`UPDATE webhook_deliveries SET lease_owner = gen_random_uuid(), lease_until = now()`)
		}
	})
	w, key := h.add(rec.URL)
	h.emit(audit.Event{Type: audit.TenantAuthorized, SuiteID: "s1"})
	d := h.deliverer()
	h.beat(d)
	h.beat(d)
	calls := rec.got()
	if len(calls) != 2 || calls[0].ID != calls[1].ID || calls[0].Body != calls[1].Body || calls[1].verify(key) != nil {
		t.Fatalf("calls = %+v, want the same twice", calls)
	}
	if got := h.delivery(w); got.State != webhook.Delivered || got.Attempts != 1 {
		t.Errorf("delivery = %+v, want one attempt counted: the other one's outcome is nobody's", got)
	}
}

func TestTwoReplicasDeliverOnce(t *testing.T) {
	t.Parallel()
	h, rec := newHouse(t), newReceiver(t, nil)
	h.add(rec.URL)
	const events = 60
	for range events {
		h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1"})
	}
	var replicas sync.WaitGroup
	for range 3 {
		d := h.deliverer()
		replicas.Go(func() {
			if _, err := d.RunOnce(t.Context()); err != nil {
				t.Error(err)
			}
			d.Wait()
		})
	}
	replicas.Wait()
	h.beat(h.deliverer()) // what one had just taken when the others found nothing
	seen := map[string]int{}
	for _, c := range rec.got() {
		seen[c.ID]++
	}
	if len(seen) != events || len(rec.got()) != events {
		t.Errorf("%d calls of %d events, want %d of each", len(rec.got()), len(seen), events)
	}
}

func TestASlowTargetDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	release := make(chan struct{})
	hangs := newReceiver(t, func(int, http.ResponseWriter, *http.Request) { <-release })
	quick := newReceiver(t, nil)
	defer close(release)
	h.add(hangs.URL)
	h.add(quick.URL)
	d := h.deliverer(func(d *webhook.Deliverer) {
		d.Slots, d.PerEndpoint, d.SendFor, d.LeaseFor, d.Grace = 10, 4, time.Hour, time.Hour, time.Millisecond
	})
	for range 2 { // the second beat begins while calls of the first one hang
		for range 40 {
			h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1"})
		}
		if _, err := d.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const delivered = `SELECT count(*)::text FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE w.url = $1 AND d.state = 'delivered'`
	for h.text(delivered, quick.URL) != "80" { // a beat is over when nothing ends for a while, and machines can be slow
		if _, err := d.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(quick.got()); n != 80 {
		t.Errorf("the quick target has %d calls, want each of 80 events once", n)
	}
	if n := len(hangs.got()); n != 4 {
		t.Errorf("the target that hangs has %d calls at once, want 4", n)
	}
}

func TestWhatFailsHasOneCallAtATimeAndHalfOfThePlaces(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	release := make(chan struct{})
	hangs := newReceiver(t, func(int, http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	for range 8 {
		h.add(hangs.URL)
	}
	h.exec(`UPDATE webhooks SET failing_since = now()`)
	for range 5 {
		h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1"})
	}
	d := h.deliverer(func(d *webhook.Deliverer) {
		d.Slots, d.SendFor, d.LeaseFor, d.Grace = 10, time.Hour, time.Hour, time.Millisecond
	})
	if _, err := d.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := h.text(`SELECT count(*) || ' of ' || count(DISTINCT webhook_id) FROM webhook_deliveries WHERE lease_until > now()`); n != "5 of 5" {
		t.Errorf("%s webhooks that fail are being called, want one call for each of half as many as there are places", n)
	}
}

func TestTheEndOfTheProcessGivesBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	called, release := make(chan struct{}, 1), make(chan struct{})
	hangs := newReceiver(t, func(int, http.ResponseWriter, *http.Request) { called <- struct{}{}; <-release })
	defer close(release)
	w, _ := h.add(hangs.URL)
	h.emit(audit.Event{Type: audit.TenantChanged, SuiteID: "s1"})
	d := h.deliverer(func(d *webhook.Deliverer) { d.Grace, d.SendFor = time.Millisecond, time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-called; cancel() }()
	if _, err := d.RunOnce(ctx); err != nil {
		t.Fatal(err)
	}
	d.Wait()
	if got := h.delivery(w); got.Attempts != 0 || got.State != webhook.Pending {
		t.Errorf("delivery = %+v, want it as it was", got)
	}
	if n := h.text(`SELECT count(*)::text FROM webhook_deliveries WHERE lease_until IS NOT NULL`); n != "0" {
		t.Error("its lease was not given back")
	}
}

func TestBothSecretsSignWhileOneIsRotated(t *testing.T) {
	t.Parallel()
	h, rec := newHouse(t), newReceiver(t, nil)
	w, before := h.add(rec.URL)
	rotated, after, err := h.store.Rotate(t.Context(), w.ID, time.Hour, nil)
	if err != nil || rotated.PreviousUntil == nil || rotated.Version != 2 || after.Equal(before) {
		t.Fatalf("Rotate = %+v, %v", rotated, err)
	}
	d := h.deliverer()
	for _, step := range []struct {
		what string
		do   func()
		old  bool
	}{
		{"within the overlap", func() {}, true},
		{"after it", func() { h.exec(`UPDATE webhooks SET previous_until = now()`) }, false},
		{"without one", func() {
			if _, after, err = h.store.Rotate(t.Context(), w.ID, 0, nil); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		step.do()
		if _, err := d.Test(t.Context(), w.ID); err != nil {
			t.Fatal(err)
		}
		calls := rec.got()
		c := calls[len(calls)-1]
		if err := c.verify(after); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
		if got := c.verify(before) == nil; got != step.old {
			t.Errorf("%s: the secret before verifies: %v, want %v", step.what, got, step.old)
		}
	}
}

func TestATestSaysNothingAboutHowAWebhookFares(t *testing.T) {
	t.Parallel()
	h, rec := newHouse(t), newReceiver(t, status(http.StatusTeapot))
	w, key := h.add(rec.URL, func(n *webhook.New) { n.Disabled = true })
	d := h.deliverer()
	got, err := d.Test(t.Context(), w.ID)
	if err != nil || got.State != webhook.Failed || got.Attempts != 1 || *got.LastStatus != http.StatusTeapot || got.EventType != "webhook.test" {
		t.Errorf("Test = %+v, %v", got, err)
	}
	c := rec.got()[0]
	if m := c.message(t); c.verify(key) != nil || m.Type != "webhook.test" || m.Data["webhook_id"] != w.ID.String() {
		t.Errorf("call = %+v, %v", c, c.verify(key))
	}
	if after := h.get(w); after.FailingSince != nil || after.LastFailureAt != nil || after.Version != 1 {
		t.Errorf("webhook = %+v, want it as it was", after)
	}
	if _, err := d.Test(t.Context(), uuid.New()); err == nil {
		t.Error("Test of no webhook = nil")
	}
	if _, err := h.store.Replay(t.Context(), w.ID, got.ID); err == nil || !strings.Contains(err.Error(), webhook.ErrDisabled.Error()) {
		t.Errorf("Replay of a disabled webhook = %v, want ErrDisabled", err)
	}
	if n := h.text(`SELECT count(*)::text FROM audit_log WHERE action = 'webhook.test'`); n != "1" {
		t.Errorf("%s audit entries of tests, want 1", n)
	}
}

func TestDeliveriesArePagedFilteredAndForgotten(t *testing.T) {
	t.Parallel()
	h, rec := newHouse(t), newReceiver(t, nil)
	w, _ := h.add(rec.URL)
	for _, e := range []audit.EventType{audit.TenantChanged, audit.TenantChanged, audit.TenantCancelled} {
		h.emit(audit.Event{Type: e, SuiteID: "s1"})
	}
	h.beat(h.deliverer())
	list := func(f webhook.DeliveryFilter, after webhook.DeliveryCursor, limit int) []webhook.Delivery {
		t.Helper()
		out, err := h.store.Deliveries(t.Context(), w.ID, f, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	page := list(webhook.DeliveryFilter{}, webhook.DeliveryCursor{}, 2)
	rest := list(webhook.DeliveryFilter{}, webhook.DeliveryCursor{CreatedAt: page[1].CreatedAt, ID: page[1].ID}, 2)
	if len(page) != 2 || len(rest) != 1 || rest[0].ID == page[0].ID || rest[0].ID == page[1].ID {
		t.Errorf("pages of %d and %d", len(page), len(rest))
	}
	if n := len(list(webhook.DeliveryFilter{EventType: "tenant.changed"}, webhook.DeliveryCursor{}, 9)); n != 2 {
		t.Errorf("%d deliveries of tenant.changed, want 2", n)
	}
	if n := len(list(webhook.DeliveryFilter{State: webhook.Failed}, webhook.DeliveryCursor{}, 9)); n != 0 {
		t.Errorf("%d failed deliveries, want none", n)
	}
	h.exec(`UPDATE webhook_deliveries SET created_at = now() - interval '15 days' WHERE event_type = 'tenant.changed'`)
	if report := h.beat(h.deliverer()); report.Removed != 2 {
		t.Errorf("RunOnce removed %d deliveries, want 2", report.Removed)
	}
	if n := h.text(`SELECT count(*)::text FROM webhook_attempts`); n != "1" {
		t.Errorf("%s attempts are left, want 1", n)
	}
}
