package ticket

import "time"

// The schedule is pure: it is told the time, and a jitter in [0, 1) that spreads
// tenants which would otherwise be due at the same moment.

const (
	maxLead     = 30 * time.Minute // before the end: the longest outage of WeCom that no page notices
	maxSpread   = 10 * time.Minute // and up to this much earlier
	maxInterval = time.Minute      // after a success nothing is fetched again sooner than this

	// atLeast is the shortest lifetime that counts as a good answer. A shorter one is
	// kept and used, but tried again as after a failure: whoever grants a second at a
	// time would otherwise be asked once a second (cert-manager, 24,133 requests in 18 h).
	atLeast = 10 * time.Second

	// rounding is what WeCom's expires_in, whole seconds, can be short of the truth.
	rounding = time.Second
)

// retryAfter is how long to wait after the first failure, the second, and so on;
// the last stands for all that follow.
var retryAfter = []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}

// What pages report (refetch.go) has a ticket fetched again at most this often for
// one tenant, and not for longer if WeCom said the same again: then it was not the
// ticket.
const (
	refetchApart  = 10 * time.Minute
	refetchInVain = time.Hour
)

// Probes of what will not heal by trying: seldom, but a corp that was unblocked
// must not need an admin.
const (
	probeGone    = 6 * time.Hour    // the authorization is gone
	probeRefused = time.Hour        // the app is switched off, a permission is missing, an id is wrong
	probeIP      = 5 * time.Minute  // our address is not on the list; the list is effective within a minute
	blockMinute  = 60 * time.Second // how long WeCom blocks after a limit per minute,
	blockHour    = 60 * time.Minute // and after one per hour (developer.work.weixin.qq.com/document/path/90312)
)

// NextAfterSuccess is when a credential that was granted now and expires at
// expires is fetched again: 30 minutes before its end but never more than a third
// of its lifetime, and up to 10 minutes (a sixth) earlier.
func NextAfterSuccess(now, expires time.Time, jitter float64) time.Time {
	lifetime := expires.Sub(now)
	next := expires.Add(-min(maxLead, lifetime/3) - part(min(maxSpread, lifetime/6), jitter))
	return latest(next, now.Add(interval(lifetime)))
}

// NextAfterRepeat is when a credential is fetched again of which WeCom repeated
// the value. It will not last longer for having been asked for: the first try is
// just before its end, should the platform hand out the next one early, and the
// one after that right behind its end. lifetime is what it was granted for at first.
func NextAfterRepeat(now, expires time.Time, lifetime time.Duration, jitter float64) time.Time {
	gap := interval(max(lifetime, expires.Sub(now)))
	before := expires.Add(-gap - part(gap/2, jitter))
	if !before.Before(now.Add(gap)) {
		return before
	}
	return latest(expires.Add(rounding), now.Add(gap))
}

// NextAfterFailure is when to try again after so many failures in a row.
func NextAfterFailure(now time.Time, failures int, jitter float64) time.Time {
	wait := retryAfter[min(max(failures, 1), len(retryAfter))-1]
	return now.Add(wait - wait/10 + part(wait/5, jitter))
}

// nextProbe is when to look again after a wait that must not be cut short.
func nextProbe(now time.Time, wait time.Duration, jitter float64) time.Time {
	return now.Add(wait + part(wait/10, jitter))
}

// interval is the shortest time between two fetches of what works.
func interval(lifetime time.Duration) time.Duration { return min(maxInterval, lifetime/3) }

func part(d time.Duration, jitter float64) time.Duration {
	return time.Duration(float64(d) * jitter)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
