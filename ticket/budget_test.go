package ticket_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"suitesign/migrations/pgtest"
	"suitesign/ticket"
)

// No window of any position sees more than the limit, however replicas ask and
// however late their calls arrive.
func TestCellKeepsItsLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 60).Draw(t, "limit")
		window := time.Duration(rapid.IntRange(1, 120).Draw(t, "window")) * time.Second
		slack := time.Duration(rapid.IntRange(1, 20).Draw(t, "slack")) * time.Second
		c := ticket.NewCell(limit, window, slack, rapid.IntRange(0, limit).Draw(t, "burst"), rapid.IntRange(0, limit).Draw(t, "reserve"))
		var arrivals []time.Time
		var tat time.Time
		now := epoch
		for range rapid.IntRange(1, 80).Draw(t, "asks") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(window)/4).Draw(t, "pause")))
			var allowed int
			tat, allowed = c.Take(tat, now, rapid.IntRange(1, 2*limit).Draw(t, "n"), rapid.Bool().Draw(t, "first"))
			for range allowed {
				arrivals = append(arrivals, now.Add(time.Duration(rapid.Int64Range(0, int64(slack)-1).Draw(t, "late"))))
			}
		}
		for _, from := range arrivals {
			n := 0
			for _, at := range arrivals {
				if !at.Before(from) && !at.After(from.Add(window)) {
					n++
				}
			}
			if n > limit {
				t.Fatalf("%d calls in %s, want at most %d", n, window, limit)
			}
		}
	})
}

func TestPublishedLimits(t *testing.T) {
	t.Parallel()
	cells := ticket.Cells(ticket.DefaultLimits())
	for _, tt := range []struct {
		scope                string
		burst, regular, hour int // at once; for the schedule; in an hour that began with a full cell
	}{
		{"app", 40, 20, 100},
		{"corp", 160, 80, 400},
		{"ip_minute", 500, 375, 20_000 * 60},
		{"ip_hour", 60_000, 54_000, 600_000},
	} {
		c, ok := cells[tt.scope]
		if !ok {
			t.Errorf("no cell %s", tt.scope)
			continue
		}
		if got := c.Burst(true); got != tt.burst {
			t.Errorf("%s: burst = %d, want %d", tt.scope, got, tt.burst)
		}
		if got := c.Burst(false); got != tt.regular {
			t.Errorf("%s: burst of the schedule = %d, want %d", tt.scope, got, tt.regular)
		}
		if got := c.Burst(true) + int(time.Hour/c.Step()); got > tt.hour || got < tt.hour*7/10 {
			t.Errorf("%s: %d an hour, want close to %d and not above", tt.scope, got, tt.hour)
		}
	}
	if off := ticket.Cells(ticket.Limits{}); len(off) != 0 {
		t.Errorf("%d cells without limits", len(off))
	}
	for _, bad := range []ticket.Limits{{App: 1}, {Corp: 1}, {App: -5}, {IPMinute: -1}, {IPHour: -1}, {Share: 1.5}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	for _, good := range []ticket.Limits{{}, ticket.DefaultLimits(), {App: 2, Corp: 2}} {
		if err := good.Validate(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}

// The database allows what the pure cell allows, over many that ask at once.
func TestSpendOverReplicas(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	limits := ticket.Limits{App: 100, Corp: 400}
	id := uuid.New()
	burst := ticket.Cells(limits)["app"].Burst(true)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 10 {
				ok, err := ticket.Spend(t.Context(), pool, limits, id, "wwcorp", 2, 1, true)
				if err != nil {
					t.Errorf("Spend: %v", err)
				}
				if ok {
					allowed.Add(2)
				}
			}
		})
	}
	wg.Wait()
	// A step is over half a minute: the test is not, but on a very slow machine one may pass.
	if n := int(allowed.Load()); n < burst || n > burst+2 {
		t.Errorf("%d calls allowed at once, want %d", n, burst)
	}
	// What one cell refused was not taken from the other: the corp has the rest of its 160.
	for i := range 4 {
		ok, err := ticket.Spend(t.Context(), pool, limits, uuid.New(), "wwcorp", burst, 1, true)
		if want := i < 3; err != nil || ok != want {
			t.Errorf("tenant %d of the corp: %v, %v; want %v", i+2, ok, err, want)
		}
	}
}

// A token that another room fetches is charged to the address, and not beyond its share.
func TestChargeToken(t *testing.T) {
	t.Parallel()
	r := &ticket.Refresher{Pool: pgtest.New(t), Limits: ticket.Limits{IPMinute: 60, IPHour: 1 << 20}}
	most := ticket.Cells(r.Limits)["ip_minute"].Burst(false)
	allowed := 0
	for range most + 5 {
		ok, err := r.ChargeToken(t.Context(), uuid.New())
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			allowed++
		}
	}
	// A call is a second: on a slow machine some pass.
	if allowed < most || allowed == most+5 {
		t.Errorf("%d calls allowed of %d, want %d", allowed, most+5, most)
	}
}
