package suite_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A gate is between a replica and the platform. It holds answers back, so that what a
// test does while a call is under way does not depend on how fast the machine is.
type gate struct {
	http.Transport
	mu   sync.Mutex
	held map[string]*answer // by the API whose next answer it is
}

// An answer is one that is held.
type answer struct {
	t         *testing.T
	came, let chan struct{}
}

// hold has the next answer of an API wait until it is let go.
func (r *replica) hold(t *testing.T, api string) *answer {
	t.Helper()
	a := &answer{t: t, came: make(chan struct{}), let: make(chan struct{})}
	r.gate.mu.Lock()
	defer r.gate.mu.Unlock()
	if r.gate.held == nil {
		r.gate.held = map[string]*answer{}
	}
	r.gate.held[api] = a
	return a
}

// comes waits until the platform has done what it was asked and has answered.
func (a *answer) comes() {
	a.t.Helper()
	select {
	case <-a.came:
	case <-time.After(time.Minute):
		a.t.Fatal("the call is not made")
	}
}

func (a *answer) letGo() { close(a.let) }

// RoundTrip makes a call.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	a := g.next(r.URL.Path)
	if a == nil {
		return resp, nil
	}
	close(a.came)
	select {
	case <-a.let:
		return resp, nil
	case <-r.Context().Done():
		_ = resp.Body.Close()
		return nil, r.Context().Err()
	}
}

func (g *gate) next(path string) *answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	for api, a := range g.held {
		if strings.HasSuffix(path, "/"+api) {
			delete(g.held, api)
			return a
		}
	}
	return nil
}
