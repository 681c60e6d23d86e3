package main

import "time"

// sizes say how large the large lines are. A line tells the sizes it was measured with.
type sizes struct {
	drain        int // tenants due at once
	stored, hot  int // tenants stored, and of those asked for
	steady       int // tenants in the steady state; a fifth of them idle
	steadyFor    time.Duration
	callbacksFor time.Duration // at callbackRate
	burst        int           // callbacks at once
	idle         int           // idle tenants that are asked for
	scale        int           // corps of the simulation
	cold         int           // tenants due at once within the limits
	coldFor      time.Duration
}

// Small ones for minutes, and those of the targets.
var (
	smallSizes = sizes{drain: 10_000, stored: 50_000, hot: 10_000, steady: 20_000, steadyFor: 2 * time.Minute,
		callbacksFor: 20 * time.Second, burst: 5_000, idle: 50, scale: 500_000, cold: 100_000, coldFor: 80 * time.Second}
	fullSizes = sizes{drain: 100_000, stored: 1_000_000, hot: 100_000, steady: 1_000_000, steadyFor: 30 * time.Minute,
		callbacksFor: time.Minute, burst: 20_000, idle: 200, scale: 5_000_000, cold: 1_000_000, coldFor: 4 * time.Minute}
)

// sized are the sizes that the command line asks for.
func (o options) sized() sizes {
	s := smallSizes
	if o.full {
		s = fullSizes
	}
	if n := o.tenants; n > 0 {
		s.drain, s.stored, s.steady, s.burst, s.cold = n, n, n, n, n
		s.hot = max(1, n/10)
	}
	if d := o.lasts; d > 0 {
		s.steadyFor, s.callbacksFor, s.coldFor = d, d, d
	}
	return s
}
