package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
)

// maxBody bounds every request's body: the largest legal one is a callback of a few KiB.
const maxBody = 64 << 10

// door is what every request of a listener passes: see the package's card.
type door struct {
	listener string
	proxies  proxies
	log      *slog.Logger
	metrics  *Metrics
	quick    map[string]quickRoute // answered without the router
	next     http.Handler
}

// quickRoute answers a path that the router does not see. It is given every
// method and reads no body.
type quickRoute func(v *visit, r *http.Request) error

// Values of headers that every answer carries. They are shared: nobody appends to them.
var (
	valueNosniff    = []string{"nosniff"}
	valueNoReferrer = []string{"no-referrer"}
	valuePolicy     = []string{"default-src 'none'; frame-ancestors 'none'"}
)

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ip, proxied := d.proxies.client(r)
	v := &visit{ResponseWriter: w, start: time.Now(), ip: ip, method: r.Method}
	if proxied {
		if id := r.Header.Get("X-Request-Id"); wellFormedID(id) {
			v.id = id
		}
	}
	if v.id == "" {
		v.id = uuid.Must(uuid.NewV7()).String()
	}
	h := w.Header()
	h["X-Request-Id"] = []string{v.id}
	h["X-Content-Type-Options"] = valueNosniff
	h["Referrer-Policy"] = valueNoReferrer
	h["Content-Security-Policy"] = valuePolicy
	defer d.leave(v, r)

	if route, ok := d.quick[r.URL.Path]; ok {
		v.route = r.URL.Path
		if err := route(v, r); err != nil {
			refuse(v, r, v, err)
		}
		return
	}
	inner := r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	if r.Method == http.MethodHead {
		inner.Method = http.MethodGet // net/http sends no body: it looks at the request it made
	}
	if r.ContentLength > maxBody {
		refuse(v, r, v, errBodyTooLarge)
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		inner.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}
	d.next.ServeHTTP(v, inner)
}

// leave ends a visit: a panic becomes a problem, then come one log line and the
// metrics. A panic after the answer has begun cuts the connection, so that
// nobody takes half an answer for a whole one.
func (d *door) leave(v *visit, r *http.Request) {
	var stack string
	cut := false
	if p := recover(); p != nil {
		cut = v.status != 0
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			cut = true
			v.code, v.err = "client_gone", http.ErrAbortHandler
		} else {
			stack = string(debug.Stack())
			refuse(v, r, v, fmt.Errorf("%w: %v", errPanic, p))
		}
	}
	if v.status == 0 && !cut {
		v.status = http.StatusOK // net/http sends it for a handler that wrote nothing
	}
	d.report(v, r, stack)
	if cut {
		panic(http.ErrAbortHandler)
	}
}

// report writes the one log line of a request and counts it. The line has no
// query string and no header: both can hold what must not be logged.
func (d *door) report(v *visit, r *http.Request, stack string) {
	took := time.Since(v.start)
	d.metrics.meterOf(d.listener, v.method, v.route).observe(v.status, took)
	level := slog.LevelInfo
	switch {
	case v.err != nil && v.status >= http.StatusInternalServerError:
		level = slog.LevelError
	case probes[v.route]:
		level = slog.LevelDebug
	}
	ctx := r.Context()
	if !d.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs,
		slog.String("listener", d.listener),
		slog.String("method", v.method),
		slog.String("route", v.route),
		slog.Int("status", v.status),
		slog.Int64("bytes", v.bytes),
		slog.Duration("duration", took),
		slog.String("ip", v.ip.String()),
		slog.String("request_id", v.id),
	)
	if v.key != "" {
		attrs = append(attrs, slog.String("api_key", v.key))
	}
	if v.code != "" {
		attrs = append(attrs, slog.String("code", v.code))
	}
	if v.err != nil {
		attrs = append(attrs, slog.String("error", v.err.Error()))
	}
	if stack != "" {
		attrs = append(attrs, slog.String("stack", stack))
	}
	d.log.LogAttrs(ctx, level, "request", attrs...)
}

// probes are asked every few seconds by machines: their lines are for debugging.
var probes = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}
