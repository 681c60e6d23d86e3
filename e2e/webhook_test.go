package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// hookCall is a webhook's request as a receiver got it.
type hookCall struct {
	id, kind string
	data     map[string]any
	body     string
}

// receiver is somebody's back end that listens to a webhook. It verifies each
// request with nothing but what docs/api.md says.
type receiver struct {
	*httptest.Server
	t      *testing.T
	secret string

	mu     sync.Mutex
	calls  []hookCall
	before func(hookCall) // is told of a call before it is answered
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // cut short
	}
	r.mu.Lock()
	secret, before := r.secret, r.before
	r.mu.Unlock()
	if err := verifyHook(secret, q.Header, body); err != nil {
		r.t.Errorf("a request to the webhook: %v", err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var m struct {
		Type      string
		Timestamp time.Time
		Data      map[string]any
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Timestamp.IsZero() || q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("%s of %q: %v", q.Method, body, err)
	}
	c := hookCall{q.Header.Get("webhook-id"), m.Type, m.Data, string(body)}
	r.mu.Lock()
	r.calls = append(r.calls, c)
	r.mu.Unlock()
	if before != nil {
		before(c)
	}
	fmt.Fprint(w, "noted")
}

// verifyHook is what a receiver does.
func verifyHook(secret string, h http.Header, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	sent, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return fmt.Errorf("webhook-timestamp %q is not of now", h.Get("webhook-timestamp"))
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", h.Get("webhook-id"), sent, body)
	for part := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		version, text, _ := strings.Cut(part, ",")
		got, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(got, mac.Sum(nil)) {
			return nil
		}
	}
	return fmt.Errorf("no signature of %q is good", h.Get("webhook-signature"))
}

// of are the calls of a type about a corp.
func (r *receiver) of(kind, corp string) (out []hookCall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		if c.kind == kind && (corp == "" || c.data["corp_id"] == corp) {
			out = append(out, c)
		}
	}
	return out
}

// wait waits until calls of a type about a corp have come.
func (r *receiver) wait(kind, corp string, n int) []hookCall {
	r.t.Helper()
	var got []hookCall
	eventually(r.t, 30*time.Second, func() error {
		if got = r.of(kind, corp); len(got) < n {
			return fmt.Errorf("%d calls of %s about %s, want %d", len(got), kind, corp, n)
		}
		return nil
	})
	return got
}

// A back end listens to a webhook and is told, by two replicas and over a crash of
// both, what happens to corps; from a replica that is not allowed to call it, nothing
// can be pointed at it.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	const suite = "ww-hooked"
	w := newWorld(t, options{replicas: 2, environ: []string{"SUITESIGN_OUTBOUND_ALLOW=127.0.0.1/32"}})
	strict := w.addReplica("SUITESIGN_WORKER=false")
	w.waitReady(strict)
	r := newReceiver(t)
	hook := map[string]any{"url": r.URL + "/hook", "suite_ids": []string{suite}, "events": []string{"tenant.authorized", "tenant.changed",
		"tenant.cancelled", "credential.failing", "credential.recovered", "suite_ticket.late"}}
	w.suite(suite, "third_party", "h5.example.com")
	refused := call(t, http.MethodPost, strict.admin+"/v1/webhooks", map[string]string{"Authorization": "Bearer " + w.apiKey}, hook)
	wantProblem(t, "a webhook inside, not allowed", refused, http.StatusBadRequest, "webhook_url_forbidden")
	var made struct{ ID, Secret string }
	w.api(http.MethodPost, "/v1/webhooks", http.StatusCreated, hook, &made)
	r.secret = made.Secret

	w.install(suite, "wwone", "https://h5.example.com/")
	authorized := r.wait("tenant.authorized", "wwone", 1)[0]
	if authorized.data["suite_id"] != suite || authorized.data["first"] != true || authorized.data["tenant_id"] == nil {
		t.Errorf("tenant.authorized = %s", authorized.body)
	}
	r.wait("tenant.changed", "wwone", 1)

	w.simulate("faults", map[string]any{"api": "get_jsapi_ticket", "corp_id": "wwtwo", "kind": "errcode", "value": -1, "times": 1}, nil)
	w.install(suite, "wwtwo", "https://h5.example.com/")
	failing := r.wait("credential.failing", "wwtwo", 1)[0]
	if failing.data["health"] != "failing" || failing.data["errcode"] != -1.0 {
		t.Errorf("credential.failing = %s", failing.body)
	}
	r.wait("credential.recovered", "wwtwo", 1)
	w.simulate("uninstall", map[string]any{"suite_id": suite, "corp_id": "wwtwo"}, nil)
	if c := r.wait("tenant.cancelled", "wwtwo", 1)[0]; c.data["by"] != "wecom" {
		t.Errorf("tenant.cancelled = %s", c.body)
	}

	// What a replica has signed is added to that of the others when it leaves, too.
	for range 3 {
		w.waitSigned(strict, "https://h5.example.com/", suite, "wwone", 10*time.Second)
	}
	strict.signal(syscall.SIGTERM)
	if err := strict.wait(30 * time.Second); err != nil {
		t.Errorf("the replica that only answers ended: %v", err)
	}
	var stats struct {
		AsOf    *time.Time `json:"as_of"`
		Minutes []struct {
			Both int64 `json:"signatures_both"`
		}
	}
	w.api(http.MethodGet, "/v1/stats", http.StatusOK, nil, &stats)
	signed := int64(0)
	for _, m := range stats.Minutes {
		signed += m.Both
	}
	if signed < 3 || stats.AsOf == nil {
		t.Errorf("stats as of %v tell of %d signatures, want the three of the replica that left", stats.AsOf, signed)
	}

	// Both replicas die while the receiver holds a request: it gets the same again.
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r.mu.Lock()
	r.before = func(c hookCall) {
		if c.kind == "tenant.authorized" && c.data["corp_id"] == "wwthree" {
			once.Do(func() { close(held); <-release })
		}
	}
	r.mu.Unlock()
	w.install(suite, "wwthree", "")
	<-held
	for _, replica := range w.replicas[:2] {
		replica.kill()
	}
	close(release)
	for _, replica := range w.replicas[:2] {
		w.restart(replica)
	}
	execute(t, w.database, `UPDATE webhook_deliveries SET lease_until = now() WHERE lease_until IS NOT NULL`) // what half a minute does
	twice := r.wait("tenant.authorized", "wwthree", 2)
	if twice[0].id != twice[1].id || twice[0].body != twice[1].body {
		t.Errorf("after a crash the same event came as %+v and %+v", twice[0], twice[1])
	}

	// The log says what was sent; nothing else came twice, and nothing holds a secret.
	var log struct {
		Items []struct {
			EventID string `json:"event_id"`
			State   string
		}
	}
	eventually(t, 30*time.Second, func() error {
		w.api(http.MethodGet, "/v1/webhooks/"+made.ID+"/deliveries?limit=200", http.StatusOK, nil, &log)
		for _, d := range log.Items {
			if d.State != "delivered" {
				return fmt.Errorf("delivery %s is %s", d.EventID, d.State)
			}
		}
		return nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]int{}
	for _, c := range r.calls {
		if c.data["corp_id"] != "wwthree" { // what is sent when both replicas die may come again, whatever it tells
			seen[c.id]++
		}
		for _, leak := range []string{w.apiKey, w.masterKey, made.Secret} {
			if strings.Contains(c.body, leak) {
				t.Errorf("a payload holds a secret: %s", c.kind)
			}
		}
		if !slices.ContainsFunc(log.Items, func(d struct {
			EventID string `json:"event_id"`
			State   string
		}) bool {
			return d.EventID == c.id
		}) {
			t.Errorf("the log lacks %s", c.id)
		}
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("event %s came %d times, want once where nobody died", id, n)
		}
	}
}
