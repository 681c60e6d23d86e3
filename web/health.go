package web

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// Health decides what /readyz says. A balancer must not take away what still
// signs: only what makes this replica useless is 503, everything else is told
// as a warning of a 200.
type Health struct {
	LastContact func() time.Time                     // when the database last answered
	Schema      func(ctx context.Context) error      // nil while the schema is in range; asked until it was, then each WarnEvery
	MaxStale    time.Duration                        // how long this replica signs from memory
	Warnings    []func(ctx context.Context) []string // what an operator should know, in words; asked each WarnEvery
	WarnEvery   time.Duration                        // 10 s unless set
	Now         func() time.Time                     // time.Now unless set

	started  atomic.Bool
	draining atomic.Bool

	mu       sync.Mutex
	asked    time.Time
	warnings []string
	schema   error
}

// Started tells that the first good start is done.
func (h *Health) Started() { h.started.Store(true) }

// Drain makes /readyz 503 for good: this replica is going away.
func (h *Health) Drain() { h.draining.Store(true) }

// Draining tells whether Drain was called.
func (h *Health) Draining() bool { return h.draining.Load() }

// Readiness is the body of /readyz.
type Readiness struct {
	Status   string   `json:"status"` // ready or unready
	Reasons  []string `json:"reasons,omitempty"`
	Warnings []string `json:"warnings"`
}

// Ready decides.
func (h *Health) Ready(ctx context.Context) (Readiness, bool) {
	warnings, schema := h.look(ctx)
	var reasons []string
	if !h.started.Load() {
		reasons = append(reasons, "starting")
	}
	if h.draining.Load() {
		reasons = append(reasons, "draining")
	}
	if schema != nil {
		reasons = append(reasons, "schema out of range: "+schema.Error())
	}
	if away := h.away(); away > h.MaxStale {
		reasons = append(reasons, "the database has been away longer than signing.max_stale")
	} else if away > databaseQuiet {
		warnings = append([]string{"the database does not answer; signatures come from memory"}, warnings...)
	}
	r := Readiness{Status: "ready", Reasons: reasons, Warnings: append([]string{}, warnings...)}
	if len(reasons) > 0 {
		r.Status = "unready"
	}
	return r, len(reasons) == 0
}

// databaseQuiet is how long the database may be silent before /readyz warns: the heartbeat asks it every second.
const databaseQuiet = 5 * time.Second

func (h *Health) away() time.Duration {
	if h.LastContact == nil {
		return 0
	}
	return h.now().Sub(h.LastContact())
}

// look asks for warnings and the schema, at most once per WarnEvery: probes
// come every second, from several sides, and must cost nothing. While one
// probe asks, the others answer with what was known.
func (h *Health) look(ctx context.Context) (warnings []string, schema error) {
	every := h.WarnEvery
	if every == 0 {
		every = 10 * time.Second
	}
	now := h.now()
	h.mu.Lock()
	warnings, schema = slices.Clone(h.warnings), h.schema
	if !h.asked.IsZero() && now.Sub(h.asked) < every {
		h.mu.Unlock()
		return warnings, schema
	}
	h.asked = now
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	warnings = nil
	for _, ask := range h.Warnings {
		warnings = append(warnings, ask(ctx)...)
	}
	if h.Schema != nil && h.away() <= databaseQuiet {
		schema = h.Schema(ctx)
		if ctx.Err() != nil {
			schema = nil // the database is slow, which says nothing of its schema
		}
	}
	h.mu.Lock()
	h.warnings, h.schema = slices.Clone(warnings), schema
	h.mu.Unlock()
	return warnings, schema
}

func (h *Health) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}

// healthz tells that the process answers.
func (s *Server) healthz(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, gin.H{"status": "ok"})
	return nil
}

// readyz tells whether a balancer should send requests here.
func (s *Server) readyz(c *gin.Context) error {
	readiness, ok := s.Health.Ready(c.Request.Context())
	status := http.StatusOK
	if !ok {
		status = http.StatusServiceUnavailable
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(status, readiness)
	return nil
}
