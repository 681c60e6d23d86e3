package main

import (
	"net"
	"time"
)

// unheard is how long a connection to PostgreSQL may be without a sign of life from the
// other machine. One that dies without a word closes nothing, and what waits for its
// answer would wait for a quarter of an hour, as long as Linux sends a segment again:
// a claim of the worker's has no deadline of its own, since its commit may have to
// wait for a standby.
const unheard = 10 * time.Second

// databaseDialer finds that out from both ends: of what was sent and is not
// acknowledged (where the system can), and of a silence in which nothing was to be sent.
func databaseDialer() *net.Dialer {
	return &net.Dialer{
		Control:         limitUnacknowledged,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: unheard / 2, Interval: unheard / 5, Count: 3},
	}
}
