package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
)

// Deliverer hands events on and sends what is due. Any number of them work on one
// database. Fields are not changed after the first call, and it must not be copied.
type Deliverer struct {
	Store       *Store
	Slots       int           // calls at a time; 0: 128
	PerEndpoint int           // of them for one webhook, over all replicas and about; 0: 8
	SendFor     time.Duration // one call; 0: 10 s
	LeaseFor    time.Duration // 0: 30 s
	Grace       time.Duration // for calls under way at the end of the process; 0: 3 s
	Observe     func(outcome string, d time.Duration)
	Log         *slog.Logger // slog.Default unless set

	once     sync.Once
	client   *http.Client
	flying   sync.WaitGroup
	ended    chan struct{} // holds one when a call has ended
	mu       sync.Mutex
	running  map[lane]int
	cleaned  time.Time
	inFlight context.Context //nolint:containedctx // of all calls: they outlast the beat that starts them
	cut      context.CancelFunc
}

// lane keeps what is slow or fails apart from what is not.
type lane bool

const (
	healthy  lane = false
	troubled lane = true
)

const (
	defaultSlots    = 128
	defaultPer      = 8
	defaultSend     = 10 * time.Second
	defaultLease    = 30 * time.Second
	defaultGrace    = 3 * time.Second
	roundFor        = 30 * time.Second // nothing more is claimed after that; the next beat goes on
	beat            = time.Second      // a round in which nothing ends for so long is over
	cleanEvery      = time.Minute
	handOnBatch     = 500
	handOnEvery     = 200 * time.Millisecond
	slowAfter       = 3 * time.Second
	troubledAtATime = 1
)

// Report is what one RunOnce did.
type Report struct {
	HandedOn int // deliveries made of events
	Started  int // calls
	Removed  int64
}

func (d *Deliverer) setup() {
	d.once.Do(func() {
		d.client = d.Store.Guard.Client(0)
		d.ended = make(chan struct{}, 1)
		d.running = map[lane]int{}
		d.inFlight, d.cut = context.WithCancel(context.Background()) //nolint:gosec // Wait cuts it
	})
}

// RunOnce hands on what is in the outbox and sends what is due, until nothing is
// or half a minute is over. It does not wait for calls that hang: those end by
// themselves, see Wait. A call that fails is in its row; the error is a broken
// database. When ctx ends nothing more is claimed.
func (d *Deliverer) RunOnce(ctx context.Context) (Report, error) {
	report, err := d.runOnce(ctx)
	if ctx.Err() != nil {
		return report, nil //nolint:nilerr // whoever ended it knows why
	}
	return report, err
}

func (d *Deliverer) runOnce(ctx context.Context) (Report, error) {
	d.setup()
	var report Report
	var handed time.Time
	for began := time.Now(); ctx.Err() == nil && time.Since(began) < roundFor; {
		n := 0
		if time.Since(handed) >= handOnEvery { // calls end far more often
			var err error
			n, err = d.Store.handOn(ctx)
			report.HandedOn += n
			if err != nil {
				return report, err
			}
			handed = time.Now()
		}
		started, err := d.claim(ctx)
		report.Started += started
		if err != nil {
			return report, err
		}
		if started == 0 && n == 0 && !d.wait(ctx) {
			break
		}
	}
	if ctx.Err() == nil && d.timeToClean() {
		var err error
		report.Removed, err = d.Store.housekeeping(ctx)
		return report, err
	}
	return report, nil
}

// wait waits for a call to end, which makes room for another one; false where none
// is under way, or none ends soon.
func (d *Deliverer) wait(ctx context.Context) bool {
	d.mu.Lock()
	idle := d.running[healthy]+d.running[troubled] == 0
	d.mu.Unlock()
	if idle {
		return false
	}
	timer := time.NewTimer(beat)
	defer timer.Stop()
	select {
	case <-d.ended:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
}

// claim leases what there is room for, in both lanes, and starts on it.
func (d *Deliverer) claim(ctx context.Context) (started int, err error) {
	for _, l := range []lane{healthy, troubled} {
		room, per := d.room(l)
		if room <= 0 {
			continue
		}
		list, err := d.Store.claim(ctx, l, per, room, nonZero(d.LeaseFor, defaultLease))
		if err != nil {
			return started, err
		}
		for _, c := range list {
			d.start(l, c)
		}
		started += len(list)
	}
	return started, nil
}

// room is how many calls may begin in a lane, and how many of them at one webhook.
func (d *Deliverer) room(l lane) (atAll, per int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	slots := nonZero(d.Slots, defaultSlots)
	free := slots - d.running[healthy] - d.running[troubled]
	if l == troubled {
		return min(free, max(1, slots/2)-d.running[troubled]), troubledAtATime
	}
	return free, nonZero(d.PerEndpoint, defaultPer)
}

func (d *Deliverer) start(l lane, c claimed) {
	d.mu.Lock()
	d.running[l]++
	d.mu.Unlock()
	d.flying.Go(func() {
		defer func() {
			d.mu.Lock()
			d.running[l]--
			d.mu.Unlock()
			select {
			case d.ended <- struct{}{}:
			default:
			}
		}()
		d.deliver(d.inFlight, c)
	})
}

// deliver makes one attempt and saves what became of it. A panic is that one's
// failure: its lease ends by itself.
func (d *Deliverer) deliver(ctx context.Context, c claimed) {
	defer func() {
		if p := recover(); p != nil {
			d.log().ErrorContext(ctx, "panic in a delivery", "delivery_id", c.ID, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		}
	}()
	a := d.attempt(ctx, c)
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveFor) // what was sent is noted in any case
	defer cancel()
	if ctx.Err() != nil && a.status == 0 {
		if err := d.Store.giveBack(save, c); err != nil { // the process stops: nobody answered, and nobody is to blame
			d.log().ErrorContext(ctx, "delivery not given back", "delivery_id", c.ID, "error", err)
		}
		return
	}
	out, err := d.Store.save(save, c, a)
	if err != nil {
		d.log().ErrorContext(ctx, "attempt not stored; it is made again", "delivery_id", c.ID, "webhook_id", c.WebhookID, "error", err)
		return
	}
	if d.Observe != nil {
		d.Observe(out.word(), a.took)
	}
	switch {
	case out.disabled != "":
		d.log().WarnContext(ctx, "webhook disabled", "webhook_id", c.WebhookID, "reason", string(out.disabled), "status", a.status, "error", a.err)
	case out.begins:
		d.log().WarnContext(ctx, "webhook fails", "webhook_id", c.WebhookID, "status", a.status, "error", a.err)
	}
}

// Test sends a webhook an event of type webhook.test at once, enabled or not, and
// answers with the delivery as it was recorded. It is tried once. ErrNotFound.
func (d *Deliverer) Test(ctx context.Context, id uuid.UUID) (Delivery, error) {
	d.setup()
	c, err := d.Store.beginTest(ctx, id, nonZero(d.LeaseFor, defaultLease))
	if err != nil {
		return Delivery{}, fmt.Errorf("test webhook %s: %w", id, err)
	}
	a := d.attempt(ctx, c)
	a.final = true
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveFor)
	defer cancel()
	if _, err := d.Store.save(save, c, a); err != nil {
		return Delivery{}, fmt.Errorf("test webhook %s: %w", id, err)
	}
	return d.Store.Delivery(ctx, id, c.ID)
}

// Wait returns when no call is under way. It is for the end of the process: what
// takes longer than Grace is cut short and made again by whoever comes next.
func (d *Deliverer) Wait() {
	d.setup()
	late := time.AfterFunc(nonZero(d.Grace, defaultGrace), d.cut)
	defer late.Stop()
	d.flying.Wait()
	d.client.CloseIdleConnections()
}

func (d *Deliverer) timeToClean() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.cleaned.IsZero() && time.Since(d.cleaned) < cleanEvery {
		return false
	}
	d.cleaned = time.Now()
	return true
}

func (d *Deliverer) log() *slog.Logger {
	if d.Log != nil {
		return d.Log
	}
	return slog.Default()
}

func nonZero[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// claimed is a delivery under our lease, with all that sending it takes.
type claimed struct {
	ID        uuid.UUID
	WebhookID uuid.UUID
	EventID   uuid.UUID
	Type      string
	Payload   string
	Step      int
	URL       string
	owner     uuid.UUID
	secrets   []secret.String
	fault     error // its secret cannot be opened
}
