package suite

import (
	"math/rand/v2"
	"time"
)

// retryAfter is how long each failure in a row waits; the last one repeats.
var retryAfter = []time.Duration{
	5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
}

// Leases. One call takes at most 4 s (wecom.Client), one attempt attemptFor; the
// lease outlasts it, counted from before the claim was sent.
const (
	leaseFor   = 15 * time.Second
	attemptFor = 12 * time.Second
	saveFor    = 3 * time.Second // writing down what an attempt brought, also when its caller is gone
)

// retryIn is the wait after that many failures in a row, plus up to a tenth, so
// that what failed together does not come back together.
func retryIn(failures int) time.Duration {
	d := retryAfter[min(max(failures, 1), len(retryAfter))-1]
	return d + rand.N(d/10) //nolint:gosec // a jitter is no secret
}

// retrySoon is retryIn for work that waits for something pushed from outside,
// like a suite_ticket, and costs only a query to look again.
func retrySoon(failures int) time.Duration { return min(retryIn(failures), 30*time.Second) }
