package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestReadiness(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		set     func(h *Health)
		ready   bool
		reason  string
		warning string
	}{
		{"well", func(*Health) {}, true, "", ""},
		{"before the first good start", func(h *Health) { h.started.Store(false) }, false, "starting", ""},
		{"draining", func(h *Health) { h.Drain() }, false, "draining", ""},
		{"schema out of range", func(h *Health) {
			h.Schema = func(context.Context) error { return errors.New("run suitesign migrate up") }
		}, false, "run suitesign migrate up", ""},
		{"database away for a while", func(h *Health) {
			h.LastContact = func() time.Time { return now.Add(-time.Minute) }
		}, true, "", "does not answer"},
		{"database away, so its schema is not asked", func(h *Health) {
			h.LastContact = func() time.Time { return now.Add(-time.Minute) }
			h.Schema = func(context.Context) error { return errors.New("asked") }
		}, true, "", "does not answer"},
		{"database away for too long", func(h *Health) {
			h.LastContact = func() time.Time { return now.Add(-16 * time.Minute) }
		}, false, "signing.max_stale", ""},
		{"something to know", func(h *Health) {
			h.Warnings = []func(context.Context) []string{func(context.Context) []string { return []string{"no suite_ticket"} }}
		}, true, "", "no suite_ticket"},
	} {
		h := &Health{LastContact: func() time.Time { return now }, MaxStale: 15 * time.Minute, Now: func() time.Time { return now }}
		h.Started()
		tt.set(h)
		got, ok := h.Ready(t.Context())
		if ok != tt.ready || (got.Status == "ready") != tt.ready {
			t.Errorf("%s: ready = %v, status %s; want %v", tt.name, ok, got.Status, tt.ready)
		}
		if !containsText(got.Reasons, tt.reason) || !containsText(got.Warnings, tt.warning) {
			t.Errorf("%s: reasons %q, warnings %q; want %q, %q", tt.name, got.Reasons, got.Warnings, tt.reason, tt.warning)
		}
		if tt.warning == "" && len(got.Warnings) > 0 {
			t.Errorf("%s: warnings %q, want none", tt.name, got.Warnings)
		}
	}
}

func containsText(list []string, part string) bool {
	return part == "" || slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, part) })
}

// Probes come every second and must not make as many queries.
func TestReadinessAsksSeldom(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	var asked atomic.Int64
	h := &Health{
		Warnings: []func(context.Context) []string{func(context.Context) []string {
			asked.Add(1)
			return []string{"something"}
		}},
		Now: func() time.Time { return now },
	}
	h.Started()
	for range 100 {
		if r, _ := h.Ready(t.Context()); len(r.Warnings) != 1 {
			t.Fatalf("warnings = %q, want the known one", r.Warnings)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times in one moment, want 1", asked.Load())
	}
	now = now.Add(10 * time.Second)
	h.Ready(t.Context())
	if asked.Load() != 2 {
		t.Errorf("asked %d times after 10 s, want 2", asked.Load())
	}
}

func TestHealthIsOnBothListeners(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	for name, h := range map[string]http.Handler{"public": s.Public(), "admin": s.Admin()} {
		ts := httptest.NewServer(h)
		t.Cleanup(ts.Close)
		if resp := send(t, "GET", ts.URL+"/healthz", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s /healthz = %d, want 200", name, resp.StatusCode)
		}
		resp := send(t, "GET", ts.URL+"/readyz", nil)
		var r Readiness
		if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusServiceUnavailable || !slices.Contains(r.Reasons, "starting") || r.Warnings == nil {
			t.Errorf("%s /readyz = %d %+v, want 503, starting, and warnings that are a list", name, resp.StatusCode, r)
		}
	}
}
