package web

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reports write one log line per request and count it. Both cost more than a
// signature unless what is the same for every request of a route is made once:
// a [report] is kept for each.
type reports struct {
	listener string
	handler  slog.Handler
	metrics  *Metrics
	byRoute  sync.Map // reportKey -> *report
}

type reportKey struct{ method, route string }

// report is what one route's requests have in common.
type report struct {
	handler  slog.Handler // knows listener, method and route
	level    slog.Level
	seconds  prometheus.Observer
	requests *prometheus.CounterVec
	status   [600]atomic.Pointer[prometheus.Counter]
}

// probes are asked every few seconds by machines: their lines are for debugging.
var probes = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// of finds the report of a route. Methods outside of the usual ones share one,
// and so do the paths that no route matches.
func (r *reports) of(method, route string) *report {
	key := reportKey{method, route}
	switch key.method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		key.method = "other"
	}
	if key.route == "" {
		key.route = "none"
	}
	if found, ok := r.byRoute.Load(key); ok {
		return found.(*report)
	}
	made := &report{
		handler: r.handler.WithAttrs([]slog.Attr{
			slog.String("listener", r.listener), slog.String("method", key.method), slog.String("route", key.route)}),
		level:   slog.LevelInfo,
		seconds: r.metrics.durations.WithLabelValues(r.listener, key.method, key.route),
		requests: r.metrics.requests.MustCurryWith(prometheus.Labels{
			"listener": r.listener, "method": key.method, "route": key.route}),
	}
	if probes[key.route] {
		made.level = slog.LevelDebug
	}
	found, _ := r.byRoute.LoadOrStore(key, made)
	return found.(*report)
}

// write writes the line. It has no query string and no header: both can hold
// what must not be logged.
func (r *report) write(ctx context.Context, v *visit, stack string) {
	took := time.Since(v.start)
	r.count(v.status, took)
	level := r.level
	if v.err != nil && v.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !r.handler.Enabled(ctx, level) {
		return
	}
	line := slog.NewRecord(v.start.Add(took), level, "request", 0) // 0: where this is called says nothing
	line.AddAttrs(
		slog.Int("status", v.status),
		slog.Int64("bytes", v.bytes),
		slog.Int64("duration_us", took.Microseconds()),
		slog.String("ip", v.ip.String()),
		slog.String("request_id", v.id),
	)
	if v.key != "" {
		line.AddAttrs(slog.String("api_key", v.key))
	}
	if v.code != "" {
		line.AddAttrs(slog.String("code", v.code))
	}
	if v.err != nil {
		line.AddAttrs(slog.String("error", v.err.Error()))
	}
	if stack != "" {
		line.AddAttrs(slog.String("stack", stack))
	}
	_ = r.handler.Handle(ctx, line) // a log that cannot be written is nobody's answer
}

// count counts one answer.
func (r *report) count(status int, took time.Duration) {
	r.seconds.Observe(took.Seconds())
	if status < 0 || status >= len(r.status) {
		status = 0
	}
	counter := r.status[status].Load()
	if counter == nil {
		made := r.requests.WithLabelValues(strconv.Itoa(status))
		r.status[status].Store(&made)
		counter = &made
	}
	(*counter).Inc()
}
