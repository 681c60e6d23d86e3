package wecom

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	callTimeout = 4 * time.Second // of one call, name resolution and body included
	maxAnswer   = 1 << 20         // bytes of an answer's body
	drainLimit  = 64 << 10        // bytes of an answer nobody wants that are read to keep the connection
)

// What Observe is told where there is no errcode. The platform uses no such numbers.
const (
	CodeUnreachable = -1001 // no answer
	CodeMalformed   = -1002 // an answer that is not one
)

// Client calls the platform. The zero Client calls the real one. It may be used by
// many goroutines at once and must not be copied after the first call; its fields
// are not changed after that either.
type Client struct {
	// BaseURL is DefaultBaseURL unless set; see CheckBaseURL.
	BaseURL string

	// HTTP sends the requests. Unless set, it is one of our own with a transport for
	// some hundred calls a second. In either case redirects are not followed.
	HTTP *http.Client

	// Observe, if set, is told of every call that was made: one of the API constants,
	// the errcode (0 for success, CodeUnreachable, CodeMalformed) and how long it took.
	Observe func(api string, code int, d time.Duration)

	once sync.Once
	base *url.URL
	http *http.Client
	bad  error // what CheckBaseURL says
}

func (c *Client) setup() {
	c.once.Do(func() {
		c.base, c.bad = parseBaseURL(c.BaseURL)
		h := http.Client{Transport: newTransport()}
		if c.HTTP != nil {
			h = *c.HTTP
		}
		// A redirect would carry the tokens of the query to another host.
		h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		c.http = &h
	})
}

// CloseIdleConnections gives back what is kept open between calls.
func (c *Client) CloseIdleConnections() {
	c.setup()
	c.http.CloseIdleConnections()
}

// newTransport is made for 150 to 400 calls a second to one host, each some 50 to
// 500 ms: up to 200 at a time. HTTP/1.1 on purpose: a connection that hangs holds
// up one call, not all of them.
//
// The proxy of the environment is used. Operators need it, for the platform wants
// calls to come from listed addresses (error 60020), and it learns nothing: over
// https it only tunnels, and plain http is loopback, which is never proxied.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    3 * time.Second,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    256, // the default of 2 would dial for almost every call of a burst
		MaxConnsPerHost:        256,
		IdleConnTimeout:        30 * time.Second, // sooner than balancers do, so that we are rarely surprised
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // answers are small
	}
}

// do makes the call once and hands a successful answer to read.
func (c *Client) do(ctx context.Context, r request, read func(*reply)) error {
	c.setup()
	if c.bad != nil {
		return &CallError{API: r.api, Reason: c.bad.Error(), kind: ErrRequest}
	}
	if missing := r.missing(); missing != "" {
		return &CallError{API: r.api, Reason: missing + " is empty", kind: ErrRequest}
	}
	start := time.Now()
	err := c.roundTrip(ctx, r, read)
	if c.Observe != nil {
		c.Observe(r.api, observed(err), time.Since(start))
	}
	return err
}

func observed(err error) int {
	var refused *Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &refused):
		return refused.Code
	case errors.Is(err, ErrMalformed):
		return CodeMalformed
	default:
		return CodeUnreachable
	}
}

func (c *Client) roundTrip(ctx context.Context, r request, read func(*reply)) error {
	if err := callerGone(ctx); err != nil {
		return &CallError{API: r.api, Reason: netReason(err), kind: ErrUnreachable, ctx: err}
	}
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var trace sendTrace
	req, err := r.http(trace.attach(limited), c.base)
	if err != nil {
		return &CallError{API: r.api, Reason: "the request cannot be written", kind: ErrRequest}
	}
	fail := func(err error) error {
		return &CallError{API: r.api, Reason: netReason(err), Sent: trace.maybeSent(), kind: ErrUnreachable, ctx: callerGone(ctx)}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.CopyN(io.Discard, resp.Body, drainLimit)
		return &CallError{API: r.api, Reason: "HTTP status " + strconv.Itoa(resp.StatusCode), Status: resp.StatusCode, Sent: true, kind: ErrUnreachable}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fail(err)
	}
	return readAnswer(r, body, read)
}

// readAnswer tells refusals from successes, and both from what is neither.
func readAnswer(r request, body []byte, read func(*reply)) error {
	malformed := func(reason string) error {
		return &CallError{API: r.api, Reason: reason, Status: http.StatusOK, Sent: true, kind: ErrMalformed}
	}
	if len(body) > maxAnswer {
		return malformed("longer than " + strconv.Itoa(maxAnswer) + " bytes")
	}
	a, err := parseReply(body)
	if err != nil {
		return malformed(err.Error())
	}
	if code := a.integer("errcode"); a.err() == nil && code != 0 {
		return newError(r.api, int(code), a.raw("errmsg"), r.secrets())
	}
	// Without errcode the call succeeded (path/90600, path/90603, path/90605), but
	// only if what was asked for is there. read looks at that.
	if a.err() == nil {
		read(a)
	}
	if err := a.err(); err != nil {
		return malformed(err.Error())
	}
	return nil
}

// sendTrace watches whether the request can have reached anybody.
type sendTrace struct{ tracing, wrote atomic.Bool }

func (t *sendTrace) attach(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { t.tracing.Store(true) },
		WroteHeaders: func() { t.wrote.Store(true) },
	})
}

// maybeSent is false only if the transport is one that reports to us and reported
// no complete header: an incomplete one makes no server act.
func (t *sendTrace) maybeSent() bool { return t.wrote.Load() || !t.tracing.Load() }
