package netguard

import (
	"fmt"
	"net/http"
	"time"
)

// Client makes an HTTP client that calls through the guard: no proxy, no redirect
// is followed, no cookie kept. A request is bounded by its context, and by timeout
// unless that is 0. Reading no more of a body than one means to is the caller's part.
func (g *Guard) Client(timeout time.Duration) *http.Client {
	return &http.Client{
		Transport:     g.Transport(),
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Transport is the client's. https and http have connections of their own, for
// they may go to different addresses.
func (g *Guard) Transport() http.RoundTripper {
	secure, plain := transport(), transport()
	secure.DialContext = g.DialContext
	plain.DialContext = g.dialPlain
	return schemes{"https": secure, "http": plain}
}

func transport() *http.Transport {
	return &http.Transport{
		// Proxy is left out on purpose: see the package.
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
	}
}

// schemes sends a request to the transport of its scheme.
type schemes map[string]*http.Transport

// RoundTrip fits http.RoundTripper.
func (s schemes) RoundTrip(r *http.Request) (*http.Response, error) {
	if t := s[r.URL.Scheme]; t != nil {
		return t.RoundTrip(r)
	}
	if r.Body != nil {
		r.Body.Close()
	}
	return nil, fmt.Errorf("%w: its scheme is not https", ErrURL)
}

// CloseIdleConnections fits what http.Client looks for.
func (s schemes) CloseIdleConnections() {
	for _, t := range s {
		t.CloseIdleConnections()
	}
}
