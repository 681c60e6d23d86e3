package wecomtest

import (
	"sync"
	"time"
)

// Clock tells the simulator what time it is and wakes it up. Lifetimes, limits,
// pushes and the retries of callbacks follow it; HTTP timeouts and the faults that
// make a client wait are always real time.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f once d has passed, unless stop is called before.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// ManualClock is a Clock that stands still until it is told to go on.
type ManualClock struct {
	mu      sync.Mutex
	now     time.Time
	next    int64
	waiting map[int64]alarm
}

type alarm struct {
	at time.Time
	f  func()
}

// NewClock answers with a clock that stands at start.
func NewClock(start time.Time) *ManualClock {
	return &ManualClock{now: start, waiting: map[int64]alarm{}}
}

// Now is the time the clock stands at.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc remembers f for the Advance that reaches it.
func (c *ManualClock) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	id := c.next
	c.waiting[id] = alarm{c.now.Add(d), f}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waits := c.waiting[id]
		delete(c.waiting, id)
		return waits
	}
}

// Advance moves the clock on by d. What falls due on the way runs in the
// caller's goroutine, in order, each with the clock at its own time; when Advance
// returns, all of it has been done.
func (c *ManualClock) Advance(d time.Duration) {
	c.mu.Lock()
	end := c.now.Add(d)
	for {
		due, found := int64(0), false
		for id, a := range c.waiting {
			if a.at.After(end) {
				continue
			}
			if b := c.waiting[due]; !found || a.at.Before(b.at) || a.at.Equal(b.at) && id < due {
				due, found = id, true
			}
		}
		if !found {
			break
		}
		a := c.waiting[due]
		delete(c.waiting, due)
		if a.at.After(c.now) {
			c.now = a.at
		}
		c.mu.Unlock()
		a.f()
		c.mu.Lock()
	}
	c.now = end
	c.mu.Unlock()
}
