package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"suitesign/audit"
	"suitesign/migrations/pgtest"
	"suitesign/netguard"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/web/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// house is a store of webhooks, with suites s1 and s2 that have a tenant each.
type house struct {
	t       *testing.T
	pool    *pgxpool.Pool
	ring    *secret.Keyring
	store   *webhook.Store
	tenants []uuid.UUID
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, pool: pgtest.New(t), ring: secrettest.New(t)}
	h.store = &webhook.Store{Pool: h.pool, Ring: h.ring, Guard: &netguard.Guard{Allowed: loopback}}
	for _, s := range []string{"s1", "s2"} {
		id := uuid.Must(uuid.NewV7())
		h.tenants = append(h.tenants, id)
		h.exec(`INSERT INTO suites (suite_id, kind, name) VALUES ($1, 'internal', 'x')`, s)
		h.exec(`INSERT INTO tenants (id, suite_id, corp_id, authorized_at) VALUES ($1, $2, 'corp', now())`, id, s)
	}
	return h
}

func (h *house) exec(q string, args ...any) int64 {
	h.t.Helper()
	tag, err := h.pool.Exec(h.t.Context(), q, args...)
	if err != nil {
		h.t.Fatalf("%s: %v", q, err)
	}
	return tag.RowsAffected()
}

func (h *house) text(q string, args ...any) (out string) {
	h.t.Helper()
	if err := h.pool.QueryRow(h.t.Context(), q, args...).Scan(&out); err != nil {
		h.t.Fatalf("%s: %v", q, err)
	}
	return out
}

// add makes a webhook that listens to everything, unless change says otherwise.
func (h *house) add(url string, change ...func(*webhook.New)) (webhook.Webhook, secret.String) {
	h.t.Helper()
	n := webhook.New{URL: url, Events: slices.Clone(audit.EventTypes)}
	for _, f := range change {
		f(&n)
	}
	w, s, err := h.store.Create(h.t.Context(), n)
	if err != nil {
		h.t.Fatal(err)
	}
	return w, s
}

func (h *house) emit(e audit.Event) {
	h.t.Helper()
	if e.Data == nil {
		e.Data = map[string]any{"suite_id": e.SuiteID}
	}
	if err := pgx.BeginFunc(h.t.Context(), h.pool, func(tx pgx.Tx) error { return audit.Emit(h.t.Context(), tx, e) }); err != nil {
		h.t.Fatal(err)
	}
}

// deliverer works on the house's store; what it does is over when the test is.
func (h *house) deliverer(change ...func(*webhook.Deliverer)) *webhook.Deliverer {
	d := &webhook.Deliverer{Store: h.store, Grace: time.Minute, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(d)
	}
	h.t.Cleanup(d.Wait)
	return d
}

// beat is one beat, and the end of the calls that it started.
func (h *house) beat(d *webhook.Deliverer) webhook.Report {
	h.t.Helper()
	report, err := d.RunOnce(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	d.Wait()
	return report
}

// dueNow makes everything due that waits for its next attempt.
func (h *house) dueNow() {
	h.t.Helper()
	h.exec(`UPDATE webhook_deliveries SET due_at = now() WHERE state = 'pending'`)
}

// the one delivery that there is of a webhook.
func (h *house) delivery(w webhook.Webhook) webhook.Delivery {
	h.t.Helper()
	list, err := h.store.Deliveries(h.t.Context(), w.ID, webhook.DeliveryFilter{}, webhook.DeliveryCursor{}, 10)
	if err != nil || len(list) != 1 {
		h.t.Fatalf("deliveries = %+v, %v; want one", list, err)
	}
	return list[0]
}

func (h *house) get(w webhook.Webhook) webhook.Webhook {
	h.t.Helper()
	out, err := h.store.Get(h.t.Context(), w.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// call is a request that a receiver got.
type call struct {
	ID, Timestamp, Signature, Body string
	ContentType, Path              string
}

// receiver is a target that writes down what it gets and answers as it is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(n int, w http.ResponseWriter, r *http.Request) // n counts from 1
}

func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	rec := &receiver{answer: answer}
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // cut short
		}
		rec.mu.Lock()
		rec.calls = append(rec.calls, call{r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"),
			string(body), r.Header.Get("Content-Type"), r.URL.Path})
		n, answer := len(rec.calls), rec.answer
		rec.mu.Unlock()
		if answer != nil {
			answer(n, w, r)
		}
	}))
	t.Cleanup(rec.Close)
	return rec
}

// works makes it answer 200 from now on.
func (r *receiver) works() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = nil
}

func status(code int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func (r *receiver) got() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// verify holds a call against a secret as a receiver does that was written from the
// specification, with none of the sender's code.
func (c call) verify(s secret.String) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), "whsec_"))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", c.ID, c.Timestamp, c.Body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if !slices.Contains(strings.Split(c.Signature, " "), want) {
		return fmt.Errorf("no signature of %q is %q", c.Signature, want)
	}
	var sent int64
	if _, err := fmt.Sscan(c.Timestamp, &sent); err != nil || time.Since(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return fmt.Errorf("timestamp %q is not of now", c.Timestamp)
	}
	return nil
}

// message is the body of a call.
type message struct {
	Type      string         `json:"type"`
	Timestamp time.Time      `json:"timestamp"`
	Data      map[string]any `json:"data"`
}

func (c call) message(t *testing.T) (m message) {
	t.Helper()
	if err := json.Unmarshal([]byte(c.Body), &m); err != nil {
		t.Fatalf("body %q: %v", c.Body, err)
	}
	return m
}
