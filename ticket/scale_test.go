package ticket_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"suitesign/ticket"
)

// How many corps the simulation has, and how many addresses they are refreshed from.
var (
	scaleCorps     = flag.Int("scale.corps", 100_000, "corps of the simulation")
	scaleAddresses = flag.Int("scale.addresses", 3, "addresses of the simulation")
)

// What the limits of one address are made for here. With fewer corps they shrink
// along, so that a small simulation is as close to its limits as a large one.
const scaleFor = 5_000_000

// A day of millions of corps: the schedule and the cells of the budgets are the real
// ones, everything else is a second that passes. All are due at once, then two in
// five are asked for and refreshed for a day; in the middle of it WeCom is away for
// twenty minutes. No ticket may end before its successor is there, and no first
// request may be refused.
func TestScaleInVirtualTime(t *testing.T) {
	t.Parallel()
	corps := *scaleCorps
	limits := ticket.DefaultLimits()
	limits.IPMinute = max(limits.IPMinute*corps/scaleFor, 80)
	limits.IPHour = max(limits.IPHour*corps/scaleFor, 2400)
	w := newVirtual(limits, *scaleAddresses, corps*2/5)
	w.firsts = float64(corps-corps*2/5) / (7 * 24 * time.Hour).Seconds() // of who is idle, each once a week
	const day, away = 24 * 3600, 12 * 3600

	cold := w.run(0, func() bool { return w.served < len(w.expires) })
	start := w.now
	ordinary := w.run(0, func() bool { return w.now < away })
	outage := w.run(20*60, func() bool { return w.now < day })

	what := fmt.Sprintf("%d corps, %d of them active, %d addresses, half of what WeCom allows", corps, len(w.expires), *scaleAddresses)
	tell := func(line, measured, target string, met bool) {
		verdict := "missed"
		if met {
			verdict = "met"
		} else {
			t.Errorf("%s: %s, want %s", line, measured, target)
		}
		fmt.Printf("scale: %s | %s | %s | %s\n", line, measured, target, verdict)
	}
	lead := 30 * 60
	fmt.Printf("scale: %s: a cold start is over after | %s |  | \n", what, seconds(start))
	tell("the worst lateness in the hours after it", seconds(ordinary.late), "< 30 min, the lead of a refresh", ordinary.late < lead)
	tell("the worst lateness after WeCom was away for 20 minutes", seconds(outage.late), "< 30 min", outage.late < lead)
	tell("tickets that ended before their successors came", fmt.Sprint(cold.ended+ordinary.ended+outage.ended), "0", cold.ended+ordinary.ended+outage.ended == 0)
	tell("first requests that no budget was left for", fmt.Sprint(w.refused), "0", w.refused == 0)
	fmt.Printf("scale: corps that one address keeps fresh in the long run | %.0f |  | \n", w.perSecond()*w.cycle())
}

// A few corps more than one address has calls for: a refresh that comes late makes the
// cycle that much longer, so the lateness settles where as many are due as may be
// refreshed, far from the end of a ticket. A fifth more still live so.
//
//nolint:paralleltest // its lines are read from stdout, and are to stand together
func TestAnAddressBeyondItsRate(t *testing.T) {
	limits := ticket.DefaultLimits()
	limits.IPMinute = max(limits.IPMinute**scaleCorps/scaleFor, 80)
	limits.IPHour = max(limits.IPHour**scaleCorps/scaleFor, 2400)
	one := newVirtual(limits, 1, 0)
	carries := one.perSecond() * one.cycle()
	for _, tt := range []struct {
		more    float64
		settles int // seconds; about (more - 1) cycles
	}{{1.05, 6 * 60}, {1.2, 20 * 60}} {
		w := newVirtual(limits, 1, int(carries*tt.more))
		const day = 24 * 3600
		w.run(0, func() bool { return w.now < day })
		first := w.run(0, func() bool { return w.now < 2*day })
		second := w.run(0, func() bool { return w.now < 3*day })
		line := fmt.Sprintf("one address with %.0f %% of the corps that it has calls for: the worst lateness on the second day and on the third", 100*tt.more)
		met := second.late <= tt.settles && first.ended+second.ended == 0
		verdict := "met"
		if !met {
			verdict = "missed"
			t.Errorf("%s: %s and %s, %d tickets ended; want at most %s and none", line, seconds(first.late), seconds(second.late), first.ended+second.ended, seconds(tt.settles))
		}
		fmt.Printf("scale: %s | %s, %s; %d tickets ended | no ticket ends | %s\n", line, seconds(first.late), seconds(second.late), first.ended+second.ended, verdict)
	}
}

func seconds(n int) string { return (time.Duration(n) * time.Second).String() }

// virtual is a world in which time is a number. Tenants that are due in the same
// second stand in a list; a ring of seconds holds the lists.
type virtual struct {
	now     int
	minute  ticket.Cell
	hour    ticket.Cell
	tats    [][2]time.Time // of each address
	firsts  float64        // first requests a second
	due     []int32        // second modulo its length -> the first tenant of the list
	next    []int32        // tenant -> the next one of its list
	front   int            // the first second that may have a list
	expires []int32        // tenant -> when its tickets end; 0: it has none
	jitter  *rand.Rand
	owed    float64 // first requests that have not come yet
	served  int
	refused int
}

// horizon is longer than any tenant is put off.
const horizon = 4 * 3600

func newVirtual(l ticket.Limits, addresses, tenants int) *virtual {
	cells := ticket.Cells(l)
	w := &virtual{minute: cells["ip_minute"], hour: cells["ip_hour"], tats: make([][2]time.Time, addresses),
		due: make([]int32, horizon), next: make([]int32, tenants), expires: make([]int32, tenants), jitter: rand.New(rand.NewPCG(1, 2))}
	for i := range w.due {
		w.due[i] = -1
	}
	for i := range tenants {
		w.push(0, int32(i))
	}
	return w
}

func (w *virtual) push(second int, tenant int32) {
	at := &w.due[second%horizon]
	w.next[tenant], *at = *at, tenant
}

// pop takes the tenant that has been due for longest.
func (w *virtual) pop() (tenant int32, dueAt int, ok bool) {
	for ; w.front <= w.now; w.front++ {
		if at := &w.due[w.front%horizon]; *at >= 0 {
			tenant, *at = *at, w.next[*at]
			return tenant, w.front, true
		}
	}
	return 0, 0, false
}

// waiting is whether somebody is due.
func (w *virtual) waiting() bool {
	for ; w.front <= w.now; w.front++ {
		if w.due[w.front%horizon] >= 0 {
			return true
		}
	}
	return false
}

// stretch is what a stretch of time was like.
type stretch struct{ late, ended int }

// run lets time pass, at first without an answer from WeCom.
func (w *virtual) run(away int, on func() bool) (s stretch) {
	back := w.now + away
	for on() {
		if w.now >= back {
			w.beat(&s)
		}
		w.now++
	}
	return s
}

// beat is a heartbeat of a replica at each address.
func (w *virtual) beat(s *stretch) {
	w.owed += w.firsts
	for i := range w.tats {
		a := &w.tats[(w.now+i)%len(w.tats)]
		for ; w.owed >= 1; w.owed-- {
			if w.take(a, 1, true) == 0 {
				w.refused++
			}
		}
		if !w.waiting() {
			continue
		}
		// As many as the cells allow; what is not needed is not charged.
		const claim = 128
		for again := true; again; {
			n := w.take(a, claim, false)
			again = n == claim
			for range n {
				tenant, dueAt, ok := w.pop()
				if !ok {
					again = false
					break // charged and not used: the database would not have
				}
				w.serve(tenant, dueAt, s)
			}
		}
	}
}

// take charges both cells of an address with what both allow.
func (w *virtual) take(a *[2]time.Time, n int, first bool) int {
	now := epoch.Add(time.Duration(w.now) * time.Second)
	_, n = w.minute.Take(a[0], now, n, first)
	a[1], n = w.hour.Take(a[1], now, n, first)
	a[0], n = w.minute.Take(a[0], now, n, first)
	return n
}

func (w *virtual) serve(tenant int32, dueAt int, s *stretch) {
	if old := w.expires[tenant]; old > 0 {
		s.late = max(s.late, w.now-dueAt)
		if int(old) <= w.now {
			s.ended++
		}
	} else {
		w.served++
	}
	now := epoch.Add(time.Duration(w.now) * time.Second)
	expires := now.Add(2 * time.Hour)
	w.expires[tenant] = int32(w.now + 2*3600)
	w.push(int(ticket.NextAfterSuccess(now, expires, w.jitter.Float64()).Sub(epoch)/time.Second), tenant)
}

// perSecond is how many an address may refresh in the long run, and cycle how many
// seconds pass between two refreshes of one tenant, on the average.
func (w *virtual) perSecond() float64 { return 1 / max(w.minute.Step(), w.hour.Step()).Seconds() }

func (w *virtual) cycle() float64 {
	now := epoch
	return ticket.NextAfterSuccess(now, now.Add(2*time.Hour), 0.5).Sub(now).Seconds()
}
