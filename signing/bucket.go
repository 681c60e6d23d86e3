package signing

import (
	"sync/atomic"
	"time"
)

// A pace is what stays of a tenant when its entry is read again (adopt): how much it
// has asked for and when, and when a request may next ask for a refresh.
type pace struct {
	// tat is the theoretical arrival time of the next conforming request (GCRA),
	// in nanoseconds since the epoch of the directory.
	tat atomic.Int64
	// configQuiet and agentQuiet: until then a request that lacks this ticket is refused
	// without a new attempt. That one cannot be had says nothing of the other. In tenths
	// of a second since the epoch: an entry fills a size class of the allocator.
	configQuiet, agentQuiet atomic.Int32
	// usedAt: when a use was last noted, in nanoseconds since the epoch, and one; 0: never.
	usedAt atomic.Int64
}

// allow takes one request out of rate a second, of which a second's worth may
// come at once. It takes no lock: ten thousand requests of one tenant do not wait
// for each other.
func (p *pace) allow(now time.Duration, rate int) bool {
	step := int64(time.Second) / int64(rate)
	for {
		tat := p.tat.Load()
		next := max(tat, int64(now)) + step
		if next > int64(now)+int64(time.Second) {
			return false
		}
		if p.tat.CompareAndSwap(tat, next) {
			return true
		}
	}
}

// quiet reports whether all that a tenant lacks was tried for in vain just now.
func (e *entry) quiet(m missing, now time.Duration) bool {
	tenths := int32(now / (time.Second / 10)) //nolint:gosec // six years
	return (!m.config || tenths < e.pace.configQuiet.Load()) && (!m.agent || tenths < e.pace.agentQuiet.Load())
}

// beQuiet has what is missing not be tried for again until then.
func (e *entry) beQuiet(m missing, until time.Duration) {
	tenths := int32(until / (time.Second / 10)) //nolint:gosec // six years
	if m.config {
		e.pace.configQuiet.Store(tenths)
	}
	if m.agent {
		e.pace.agentQuiet.Store(tenths)
	}
}
