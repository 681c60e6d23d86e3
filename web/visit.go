package web

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// visit is one request on its way through the door: what the log line and the
// metrics tell about it. It is the ResponseWriter that the handlers see, so
// that it knows what was answered.
type visit struct {
	http.ResponseWriter
	start  time.Time
	id     string
	ip     netip.Addr
	method string // as it came; HEAD is routed as GET
	route  string // the route's template; "" where no route matched
	key    string // the name of the API key; "" where none was shown
	code   string // the code of the problem; "" where there is none
	err    error  // what stays inside: logged, never answered
	status int    // 0 while nothing is written
	bytes  int64

	idHeader [1]string // the X-Request-Id header's values
	report   *report   // of the route, once it is known
	quick    bool      // answered without the router
	space    [384]byte // for a short answer to be put together in
}

// quickVisits are visits that ended. Only those that the door answered without the
// router come back: nobody else has seen them.
var quickVisits = sync.Pool{New: func() any { return new(visit) }}

// WriteHeader notes the status.
func (v *visit) WriteHeader(status int) {
	if v.status == 0 && status >= http.StatusOK {
		v.status = status
	}
	v.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (v *visit) Write(b []byte) (int, error) {
	if v.status == 0 {
		v.status = http.StatusOK
	}
	n, err := v.ResponseWriter.Write(b)
	v.bytes += int64(n)
	return n, err
}

// Flush is for handlers that stream.
func (v *visit) Flush() { _ = http.NewResponseController(v.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (v *visit) Unwrap() http.ResponseWriter { return v.ResponseWriter }

type visitKey struct{}

// visitOf finds the visit of a request; outside of the door it is one that nobody reads.
func visitOf(ctx context.Context) *visit {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{}
}
