package ticket

import (
	"errors"
	"fmt"
	"time"
)

// Limits are what WeCom allows, and so what all replicas together may ask for.
// A limit of 0 is off. The zero Limits ask without end: for tests.
type Limits struct {
	App      int     // ticket calls an hour for one app in one corp
	Corp     int     // ticket calls an hour for one corp, over all its apps
	IPMinute int     // calls a minute of one API from one address
	IPHour   int     // calls an hour of one API from one address
	Share    float64 // how much of the two IP limits is used; 0: half, the rest is for what is not ours
}

// DefaultLimits are the published ones (developer.work.weixin.qq.com/document/path/90312).
func DefaultLimits() Limits {
	return Limits{App: 100, Corp: 400, IPMinute: 40_000, IPHour: 1_200_000, Share: 0.5}
}

// Validate reports limits that could never be kept: a cycle of a tenant has two
// ticket calls, which are charged together.
func (l Limits) Validate() error {
	var faults []error
	for _, f := range []struct {
		name string
		n    int
	}{{"app", l.App}, {"corp", l.Corp}} {
		if f.n < 0 || f.n == 1 {
			faults = append(faults, fmt.Errorf("limit %s: %d is neither 0 (off) nor at least %d", f.name, f.n, ticketsPerCycle))
		}
	}
	if l.IPMinute < 0 || l.IPHour < 0 {
		faults = append(faults, errors.New("limit ip: below 0"))
	}
	if l.Share < 0 || l.Share > 1 {
		faults = append(faults, errors.New("limit share: not within 0 and 1"))
	}
	return errors.Join(faults...)
}

// ticketsPerCycle is what a tenant's and its corp's cell are charged with at each
// claim. Whether the two tickets share a counter is not published: as if they did.
const ticketsPerCycle = 2

// The scopes of budgets.
const (
	scopeApp      = "app"       // key: tenant id
	scopeCorp     = "corp"      // key: corp id
	scopeIPMinute = "ip_minute" // key: the name of the egress address
	scopeIPHour   = "ip_hour"   // key: the same
	scopeSecret   = "secret"    // key: the same; answers "wrong secret"
	scopeProbe    = "probe"     // key: the same; tat is when WeCom, being down, may be asked again
	scopeChore    = "chore"     // key: name of what one replica does for all
)

// cell is a GCRA cell (the token bucket that needs one timestamp): a call costs
// step, and is allowed while the cell is no further ahead of the clock than room.
// No window sees more than burst + window/step calls, and that is what its limit is.
type cell struct {
	scope   string
	step    time.Duration
	room    time.Duration // for what goes first: manual refreshes and first requests
	regular time.Duration // for the schedule: room less a reserve
}

// newCell makes a cell with burst + rate x (window+slack) <= limit. slack is how
// much later than charged a call may arrive.
func newCell(scope string, limit int, window, slack time.Duration, burst, reserve int) cell {
	burst = min(max(burst, 1), limit)
	step := window + slack
	if rest := limit - burst; rest > 0 {
		step = (step + time.Duration(rest) - 1) / time.Duration(rest)
	}
	// The database counts in microseconds. Rounded down, the cell would give too much.
	step = (step + time.Microsecond - 1).Truncate(time.Microsecond)
	reserve = max(0, min(reserve, burst-ticketsPerCycle))
	return cell{scope: scope, step: step, room: time.Duration(burst) * step, regular: time.Duration(burst-reserve) * step}
}

// take charges a cell that stands at tat with up to n calls, and says how many it
// allows. The SQL of the claim does the same.
func (c cell) take(tat, now time.Time, n int, first bool) (time.Time, int) {
	if tat.Before(now) {
		tat = now
	}
	n = max(0, min(n, int(now.Add(c.roomFor(first)).Sub(tat)/c.step)))
	return tat.Add(time.Duration(n) * c.step), n
}

func (c cell) roomFor(first bool) time.Duration {
	if first {
		return c.room
	}
	return c.regular
}

const (
	// A claim charges before the calls are made; the last one of a slow attempt
	// arrives this much later. Then its context has ended.
	callSlack = defaultLease - defaultLease/attemptShare

	wrongSecretsPerHour = 500 // answers that say so; more get the address banned
	probeEvery          = 5 * time.Second
)

// cells are those that are not off. A unit of the IP cells is a cycle: one call
// of each API. What an attempt repeats is charged as another one.
func (l Limits) cells() []cell {
	share := l.Share
	if share == 0 {
		share = 0.5
	}
	var cs []cell
	if l.App > 0 {
		cs = append(cs, newCell(scopeApp, l.App, time.Hour, callSlack, l.App*2/5, l.App/5))
	}
	if l.Corp > 0 {
		cs = append(cs, newCell(scopeCorp, l.Corp, time.Hour, callSlack, l.Corp*2/5, l.Corp/5))
	}
	if n := int(float64(l.IPMinute) * share); l.IPMinute > 0 {
		// Small, so that the rate comes close to what is allowed: 100,000 tenants in six minutes.
		cs = append(cs, newCell(scopeIPMinute, max(n, 1), time.Minute, callSlack, n/40, n/160))
	}
	if n := int(float64(l.IPHour) * share); l.IPHour > 0 {
		cs = append(cs, newCell(scopeIPHour, max(n, 1), time.Hour, callSlack, n/10, n/100))
	}
	return cs
}

// secretCell holds wrong secrets to half of what would get us banned: many calls
// may be under way when it closes.
func secretCell() cell {
	const half = wrongSecretsPerHour / 2
	return newCell(scopeSecret, half, time.Hour, callSlack, half*3/5, 0)
}
