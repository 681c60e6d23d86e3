package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
)

// maxBody bounds every request's body but a file's: the largest legal one is a callback of a few KiB.
const maxBody = 64 << 10

// door is what every request of a listener passes: see the package's card.
type door struct {
	proxies proxies
	reports *reports
	quick   map[string]quickRoute // answered without the router
	bodies  map[string]int64      // by path: the most that is read there, where that is not maxBody
	next    http.Handler
}

// quickRoute answers a path that the router does not see. It is given every
// method and reads no body.
type quickRoute struct {
	answer func(v *visit, r *http.Request) error
	get    *report // of its GETs, found once
}

// answer takes a path from the router.
func (d *door) answer(path string, with func(v *visit, r *http.Request) error) {
	d.quick[path] = quickRoute{answer: with, get: d.reports.of(http.MethodGet, path)}
}

// Values of headers that answers carry. They are shared: nobody appends to them.
var (
	valueNosniff    = []string{"nosniff"}
	valueNoReferrer = []string{"no-referrer"}
	valuePolicy     = []string{"default-src 'none'; frame-ancestors 'none'"}
)

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ip, proxied := d.proxies.client(r)
	route, quick := d.quick[r.URL.Path]
	var v *visit
	if quick {
		v = quickVisits.Get().(*visit)
	} else {
		v = new(visit)
	}
	v.ResponseWriter, v.start, v.ip, v.method, v.quick = w, time.Now(), ip, r.Method, quick
	if proxied {
		if id := r.Header.Get("X-Request-Id"); wellFormedID(id) {
			v.id = id
		}
	}
	if v.id == "" {
		v.id = uuid.Must(uuid.NewV7()).String()
	}
	v.idHeader[0] = v.id
	h := w.Header()
	h["X-Request-Id"] = v.idHeader[:]
	h["X-Content-Type-Options"] = valueNosniff
	defer d.leave(v, r)

	if quick {
		v.route = r.URL.Path
		if r.Method == http.MethodGet {
			v.report = route.get
		}
		if err := route.answer(v, r); err != nil {
			refuse(v, r, v, err)
		}
		return
	}
	h["Referrer-Policy"] = valueNoReferrer
	h["Content-Security-Policy"] = valuePolicy
	inner := r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	if r.Method == http.MethodHead {
		inner.Method = http.MethodGet // net/http sends no body: it looks at the request it made
	}
	limit, ok := d.bodies[r.URL.Path]
	if !ok {
		limit = maxBody
	}
	if r.ContentLength > limit {
		refuse(v, r, v, errBodyTooLarge)
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		inner.Body = http.MaxBytesReader(w, r.Body, limit)
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
			if _, ok := d.quick[r.URL.Path]; ok && !cut { // a page reads every answer of its own
				q, _ := parseSignQuery(r.URL.RawQuery, true)
				allowOrigin(v.Header(), r, q.url)
			}
			refuse(v, r, v, fmt.Errorf("%w: %v", errPanic, p))
		}
	}
	written := v.status != 0
	if !written && !cut {
		v.status = http.StatusOK // net/http sends it for a handler that wrote nothing
	}
	if v.report == nil {
		v.report = d.reports.of(v.method, v.route)
	}
	v.report.write(r.Context(), v, stack)
	if cut {
		panic(http.ErrAbortHandler)
	}
	if v.quick && written && stack == "" { // what was written net/http has copied
		*v = visit{}
		quickVisits.Put(v)
	}
}
