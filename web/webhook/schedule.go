package webhook

import (
	"net/http"
	"strconv"
	"time"
)

// retryAfter is how long to wait after each failed attempt. After the last one the
// delivery has failed; it took a day and three hours to find out.
var retryAfter = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour}

const (
	// jitterShare spreads the retries of many deliveries that failed at once.
	jitterShare = 0.2
	// maxRetryAfter is the longest Retry-After that is honoured: a target that says
	// "next week" would never be found failing.
	maxRetryAfter = 6 * time.Hour
	// A webhook is disabled when it has failed for so long, and so often: one that
	// seldom has something to tell must not fall over one lost week.
	disableAfter    = 5 * 24 * time.Hour
	disableFailures = 10
)

// nextStep is how long to wait after the failure at a step of the ladder; false
// after the last one. asked is the target's Retry-After, or 0; jitter is in [0, 1).
func nextStep(step int, asked time.Duration, jitter float64) (time.Duration, bool) {
	if step >= len(retryAfter) {
		return 0, false
	}
	wait := retryAfter[step]
	wait += time.Duration(float64(wait) * jitterShare * jitter)
	return max(wait, min(asked, maxRetryAfter)), true
}

// askedFor reads a Retry-After, seconds or a date; 0 without one that can be read.
func askedFor(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
