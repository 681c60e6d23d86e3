package web_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/suite"
	"suitesign/web"
)

const named = "Idempotency-Key"

func TestARepeatedPostIsDoneOnce(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	first := a.call("POST", "/v1/suites", internalSuite("ours"), named, "k1").want(201)
	again := a.call("POST", "/v1/suites", internalSuite("ours"), named, "k1").want(201)
	if !bytes.Equal(first.body, again.body) || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("repeated: %v %s\nfirst: %s", again.header, again.body, first.body)
	}
	for _, name := range []string{"Location", "ETag", "Content-Type"} {
		if first.header.Get(name) == "" || first.header.Get(name) != again.header.Get(name) {
			t.Errorf("%s is %q, then %q", name, first.header.Get(name), again.header.Get(name))
		}
	}
	if first.header.Get("X-Request-Id") == again.header.Get("X-Request-Id") {
		t.Error("a repeated request has the id of the first")
	}
	a.call("POST", "/v1/suites", internalSuite("theirs"), named, "k1").refused(422, "idempotency_key_reused")
	a.call("POST", "/v1/tenants", object{"suite_id": "ours", "corp_id": "ww1", "agent_id": 1, "secret": "canary"}, named, "k1").refused(422, "idempotency_key_reused")
	a.call("POST", "/v1/suites", internalSuite("ours")).refused(409, "suite_exists")
	// A refusal that the handler found is an answer like any other.
	a.call("POST", "/v1/suites", internalSuite("ours"), named, "k2").refused(409, "suite_exists")
	a.call("DELETE", "/v1/suites/ours", nil).want(204)
	a.call("POST", "/v1/suites", internalSuite("ours"), named, "k2").refused(409, "suite_exists")
	// What the contract refuses did nothing: the name is still free.
	a.call("POST", "/v1/suites", object{"suite_id": "ours"}, named, "k3").refused(400, "invalid_request")
	a.call("POST", "/v1/suites", internalSuite("ours"), named, "k3").want(201)
	wantField(t, a.call("POST", "/v1/suites", internalSuite("x"), named, strings.Repeat("k", 256)).refused(400, "invalid_request"), named)
}

// Two API keys do not know each other's names.
func TestNamesBelongToTheirKey(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	made, _ := a.call("POST", "/v1/api-keys", object{"name": "other"}).want(201).object()["key"].(string)
	a.call("POST", "/v1/suites", internalSuite("a"), named, "k1").want(201)
	a.call("POST", "/v1/suites", internalSuite("b"), named, "k1", "Authorization", "Bearer "+made).want(201)
}

func TestASecretIsShownOnce(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	first := a.call("POST", "/v1/api-keys", object{"name": "x"}, named, "k1").want(201)
	again := a.call("POST", "/v1/api-keys", object{"name": "x"}, named, "k1").want(201)
	want := first.object()
	key, _ := want["key"].(string)
	if key == "" || strings.Contains(string(again.body), key) {
		t.Fatalf("the key is %q, then %s", key, again.body)
	}
	delete(want, "key")
	want["secret_shown"] = true
	if diff := cmp.Diff(want, again.object()); diff != "" {
		t.Errorf("repeated (-want +got):\n%s", diff)
	}
	if n := len(a.call("GET", "/v1/api-keys", nil).want(200).items()); n != 1 {
		t.Errorf("%d keys were made, want 1", n)
	}
}

// Two replicas, many clients, one request.
func TestConcurrentRequestsOverReplicas(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	twin := *a
	ts := httptest.NewServer((&web.Server{Metrics: web.NewMetrics(), Health: &web.Health{}, PublicURL: publicURL, API: a.api}).Admin())
	t.Cleanup(ts.Close)
	twin.base = ts.URL
	answers := make([]*answer, 16)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			answers[i] = []*admin{a, &twin}[i%2].call("POST", "/v1/api-keys", object{"name": "x"}, named, "k1")
		})
	}
	wg.Wait()
	did := 0
	for _, r := range answers {
		switch {
		case r.status == 201 && r.header.Get("Idempotency-Replayed") == "":
			did++
		case r.status == 201:
		default:
			r.refused(409, "idempotency_in_progress")
			if r.header.Get("Retry-After") == "" {
				t.Error("409 idempotency_in_progress without Retry-After")
			}
		}
	}
	if did != 1 {
		t.Errorf("%d of the requests were done, want 1", did)
	}
	if n := len(a.call("GET", "/v1/api-keys", nil).want(200).items()); n != 1 {
		t.Errorf("%d keys were made, want 1", n)
	}
}

// What is our fault is not remembered, a panic neither.
func TestFaultsAreNotRemembered(t *testing.T) {
	t.Parallel()
	nowhere, err := pgxpool.New(t.Context(), "postgres://127.0.0.1:1/none?connect_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nowhere.Close)
	a := newAdmin(t)
	working := a.api.Suites
	broken := *working
	broken.Pool = nowhere
	for what, suites := range map[string]*suite.Store{"a database away": &broken, "a panic": nil} {
		a.api.Suites = suites
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, a.base+"/v1/suites", strings.NewReader(`{"suite_id":"ours","kind":"internal","name":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+adminKey)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(named, what)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 500 {
			t.Fatalf("%s = %d", what, resp.StatusCode)
		}
		a.api.Suites = working
		r := a.call("POST", "/v1/suites", object{"suite_id": "ours", "kind": "internal", "name": "x"}, named, what).want(201)
		if r.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("after %s the answer is a repeated one", what)
		}
		a.call("DELETE", "/v1/suites/ours", nil).want(204)
	}
}

// A bound key's answers are kept like any other's, beside what it is bound to.
func TestABoundKeyRepeats(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t)
	ask := func(auth []string) *answer {
		return w.call("POST", "/v1/explain", object{"url": "https://h5.example.com/"}, append([]string{named, "k1"}, auth...)...).want(200)
	}
	first, again := ask(w.ofSuite), ask(w.ofSuite)
	if !bytes.Equal(first.body, again.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("repeated: %v %s\nfirst: %s", again.header, again.body, first.body)
	}
	if other := ask(w.ofTenant); other.header.Get("Idempotency-Replayed") != "" {
		t.Error("another key is answered with what this one was")
	}
}
