package ticket

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Report is what one RunOnce did, in tenants.
type Report struct {
	Woken    int // parked ones whose reason was gone
	Enrolled int // new in the schedule
	Claimed  int
	PutOff   int // due, but over their budget
	OK       int
	Failed   int
	Parked   int
	Lost     int  // the lease ended before they were saved, or they could not be
	Down     bool // WeCom answered nobody
}

// RunOnce refreshes what is due and reports what it did. It comes back when
// nothing is due and nothing under way any more; until then it looks around once a
// second, so that a tenant which takes long holds up nobody. Only a broken database
// is an error. When ctx ends nothing is claimed any more, and what is under way gets
// a few seconds.
func (r *Refresher) RunOnce(ctx context.Context) (Report, error) {
	r.setup()
	t := &turn{r: r, ended: make(chan struct{}, 1)}
	inFlight, stop := withGrace(ctx)
	defer stop()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for look := true; ctx.Err() == nil; {
		if look {
			t.look(ctx)
			look = false
		}
		more, err := t.claim(ctx, inFlight)
		if err != nil {
			t.fault(err)
			break
		}
		if more {
			continue
		}
		if t.over() {
			break
		}
		select {
		case <-t.ended:
		case <-tick.C:
			look = true
		case <-ctx.Done():
		}
	}
	t.underWay.Wait()
	if ctx.Err() != nil {
		return t.report, nil // whoever ended it knows why
	}
	return t.report, errors.Join(t.faults...)
}

// withGrace is ctx with some time more, for what must not be torn off.
func withGrace(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		late := time.AfterFunc(grace, cancel)
		context.AfterFunc(longer, func() { late.Stop() })
	})
	return longer, func() { stop(); cancel() }
}

// turn is one RunOnce.
type turn struct {
	r        *Refresher
	underWay sync.WaitGroup
	ended    chan struct{} // holds one when something under way has ended

	mu      sync.Mutex
	running int  // attempts
	looking bool // for who is to be enrolled
	report  Report
	faults  []error

	freshDone, failedDone bool // all that was due a moment ago is claimed, of either lane
	looked                int  // how often that was forgotten again
}

// over reports whether nothing is due and nothing under way, or something is broken.
func (t *turn) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running == 0 && !t.looking && t.freshDone && t.failedDone || len(t.faults) > 0
}

func (t *turn) fault(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = append(t.faults, err)
}

// look brings the schedule up to date, beside the claims: with a hundred thousand
// new tenants it takes a while. Then there may be more to claim.
func (t *turn) look(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	if t.looking {
		return
	}
	t.looking = true
	t.underWay.Go(func() {
		woken, enrolled, err := t.r.enrol(ctx)
		err = errors.Join(err, t.r.progress(ctx))
		t.mu.Lock()
		t.looking = false
		t.report.Woken, t.report.Enrolled = t.report.Woken+int(woken), t.report.Enrolled+int(enrolled)
		if woken+enrolled > 0 {
			t.forget()
		}
		if err != nil {
			t.faults = append(t.faults, err)
		}
		t.mu.Unlock()
		t.wake()
	})
}

// forget says that there may be something due again. A claim that began before
// cannot say the opposite.
func (t *turn) forget() { t.freshDone, t.failedDone, t.looked = false, false, t.looked+1 }

func (t *turn) wake() {
	select {
	case t.ended <- struct{}{}:
	default:
	}
}

// lanes is how many tenants to claim: for which there is room, of lanes that are not done.
func (t *turn) lanes() (fresh, failed, atAll, looked int) {
	fresh, failed, atAll = t.r.gate.room()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.freshDone {
		fresh = 0
	}
	if t.failedDone {
		failed = 0
	}
	return min(fresh, maxClaim), min(failed, maxClaim), min(atAll, maxClaim), t.looked
}

// done notes that lanes brought less than they could: they are empty until
// somebody looks again. It reports whether one is left.
func (t *turn) done(fresh, failed bool, looked int) (more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if looked == t.looked {
		t.freshDone, t.failedDone = t.freshDone || fresh, t.failedDone || failed
	}
	return !t.freshDone || !t.failedDone
}

// claim leases as many tenants as there is room for and starts on them. more: it
// is worth claiming again at once.
func (t *turn) claim(ctx, inFlight context.Context) (more bool, err error) {
	fresh, failed, atAll, looked := t.lanes()
	if fresh+failed == 0 {
		return false, nil
	}
	probe := t.r.weather.on()
	if probe {
		if ok, err := t.probe(ctx); !ok || err != nil {
			t.done(true, true, looked)
			return false, err
		}
		fresh, failed, atAll = 1, 0, 1 // one that was fine: the others may have trouble of their own
	}
	began := time.Now() // the lease is counted from before the claim was sent
	leases, putOff, err := t.r.store.claimDue(ctx, fresh, failed, atAll)
	if err == nil && probe && len(leases) == 0 {
		leases, putOff, err = t.r.store.claimDue(ctx, 0, 1, 1)
	}
	if err != nil {
		return false, err
	}
	if err := t.r.authorize(ctx, leases); err != nil {
		return false, errors.Join(err, t.r.store.giveBack(context.WithoutCancel(ctx), leases))
	}
	t.late(leases)
	again := 0 // of those that failed before
	for _, l := range leases {
		l.probe = probe
		if l.Failures > 0 {
			again++
		}
		t.start(inFlight, l, began)
	}
	first := len(leases) - again
	t.mu.Lock()
	t.report.PutOff += putOff
	t.report.Claimed += len(leases)
	t.mu.Unlock()
	return t.done(probe || first+putOff < fresh, probe || again < min(failed, atAll-first-putOff), looked), nil
}

// late tells how much later than due tenants are claimed. What was asked for
// was put before everything else and has no such time.
func (t *turn) late(leases []*lease) {
	if t.r.Metrics.Late == nil {
		return
	}
	for _, l := range leases {
		if !l.asked() {
			t.r.Metrics.Late(l.Now.Sub(l.DueAt))
		}
	}
}

// probe says whether to find out if WeCom is still down: one attempt instead of
// many, if it is this replica's turn.
func (t *turn) probe(ctx context.Context) (bool, error) {
	t.mu.Lock()
	t.report.Down = true
	t.mu.Unlock()
	return t.r.store.mayProbe(ctx)
}

// start begins an attempt.
func (t *turn) start(ctx context.Context, l *lease, began time.Time) {
	leave := t.r.gate.enter(l.Failures > 0)
	t.mu.Lock()
	t.running++
	t.mu.Unlock()
	t.underWay.Go(func() {
		became, err := t.r.attempt(ctx, l, began)
		leave()
		t.mu.Lock()
		t.running--
		t.count(became)
		if err != nil {
			t.faults = append(t.faults, err)
		}
		t.mu.Unlock()
		t.wake()
	})
}

func (t *turn) count(became string) {
	switch became {
	case "ok":
		t.report.OK++
	case "failed":
		t.report.Failed++
	case "parked":
		t.report.Parked++
	case "lost":
		t.report.Lost++
	}
}

// attempt does the work for one lease within its time. A panic is one tenant's
// trouble: its lease ends, and somebody tries again.
func (r *Refresher) attempt(ctx context.Context, l *lease, began time.Time) (became string, err error) {
	lasts := or(r.LeaseFor, defaultLease)
	ctx, cancel := context.WithDeadline(ctx, began.Add(lasts-lasts/attemptShare))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			r.log().ErrorContext(ctx, "panic in a refresh", "tenant_id", l.TenantID, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			became, err = "lost", nil
		}
		if r.Metrics.Tenant != nil {
			r.Metrics.Tenant(became, 1)
		}
	}()
	return r.work(ctx, l)
}

// gate bounds how many attempts run. One that takes long makes room for another
// after a second, up to a bound of its own: time-outs of many tenants must not
// delay the rest. Tenants that failed before have a quarter of the places.
type gate struct {
	mu                  sync.Mutex
	slots               int
	fresh, failed, slow int
}

const slowSlots = 8 // for each slot, so many slow attempts

func newGate(slots int) *gate { return &gate{slots: slots} }

// room is how many tenants may be claimed: whose last attempt went well, whose did
// not, and at all. None until there is room for a batch that is worth a round trip.
func (g *gate) room() (fresh, failed, atAll int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	quarter := max(1, g.slots/4)
	free := min(g.slots-g.fresh-g.failed, g.slots*slowSlots-g.slow)
	if free < quarter {
		return 0, 0, 0
	}
	failed = max(0, min(free, quarter-g.failed))
	if fresh = free - failed; fresh == 0 {
		fresh = free
	}
	return fresh, failed, free
}

// enter takes a place until the returned func is called.
func (g *gate) enter(failedBefore bool) (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	lane := &g.fresh
	if failedBefore {
		lane = &g.failed
	}
	*lane++
	move := func(to *int) func() {
		return func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if lane == nil {
				return
			}
			*lane--
			if lane = to; lane != nil {
				*lane++
			}
		}
	}
	aging := time.AfterFunc(slowAfter, move(&g.slow))
	return func() {
		aging.Stop()
		move(nil)()
	}
}
