package main

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// platform is the simulator with what a measurement wants to know of it: how often
// each path was asked, and how long the answers took.
type platform struct {
	next  http.Handler
	paths sync.Map     // of *atomic.Int64
	nanos atomic.Int64 // all answers together
	calls atomic.Int64
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, ok := p.paths.Load(r.URL.Path)
	if !ok {
		n, _ = p.paths.LoadOrStore(r.URL.Path, new(atomic.Int64))
	}
	began := time.Now()
	p.next.ServeHTTP(w, r)
	p.nanos.Add(int64(time.Since(began)))
	p.calls.Add(1)
	n.(*atomic.Int64).Add(1)
}

// asked is how often a path was answered.
func (h *house) asked(path string) int64 {
	if n, ok := h.platform.paths.Load(path); ok {
		return n.(*atomic.Int64).Load()
	}
	return 0
}

func (h *house) forgetCalls() {
	h.platform.paths.Clear()
	h.platform.nanos.Store(0)
	h.platform.calls.Store(0)
	h.sim.ForgetCalls()
}
