package ticket_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"suitesign/ticket"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestNextAfterSuccess(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		lifetime, earliest, latest time.Duration // of the next fetch, from now
	}{
		{2 * time.Hour, 80 * time.Minute, 90 * time.Minute},
		{90 * time.Minute, 50 * time.Minute, 60 * time.Minute},
		{time.Hour, 30 * time.Minute, 40 * time.Minute},
		{24 * time.Hour, 23*time.Hour + 20*time.Minute, 23*time.Hour + 30*time.Minute},
		{10 * time.Minute, 5 * time.Minute, 6*time.Minute + 40*time.Second},
		{time.Minute, 30 * time.Second, 40 * time.Second},
		{30 * time.Second, 15 * time.Second, 20 * time.Second},
		{10 * time.Second, 5 * time.Second, 6667 * time.Millisecond},
	} {
		for _, j := range []struct {
			jitter float64
			want   time.Duration
		}{{0, tt.latest}, {1, tt.earliest}} {
			got := ticket.NextAfterSuccess(epoch, epoch.Add(tt.lifetime), j.jitter).Sub(epoch)
			if d := got - j.want; d < -time.Millisecond || d > time.Millisecond {
				t.Errorf("lifetime %s, jitter %v: next in %s, want %s", tt.lifetime, j.jitter, got, j.want)
			}
		}
	}
}

func TestNextAfterRepeat(t *testing.T) {
	t.Parallel()
	const lifetime = 2 * time.Hour
	for _, tt := range []struct {
		name             string
		left, lifetime   time.Duration
		jitter           float64
		wantBeforeExpiry time.Duration
	}{
		{"first repeat: just before the end", 30 * time.Minute, lifetime, 0, time.Minute},
		{"and spread", 30 * time.Minute, lifetime, 1, 90 * time.Second},
		{"second repeat: right behind the end", 75 * time.Second, lifetime, 0, -time.Second},
		{"close to the end: no sooner than a minute", 20 * time.Second, lifetime, 0, -40 * time.Second},
		{"short life", 20 * time.Second, time.Minute, 1, -time.Second},
		{"short life, first repeat", 40 * time.Second, 90 * time.Second, 0, -time.Second},
		{"longer life, first repeat", 100 * time.Second, 150 * time.Second, 0, 50 * time.Second},
		{"life unknown", time.Hour, 0, 0, time.Minute},
	} {
		expires := epoch.Add(tt.left)
		got := expires.Sub(ticket.NextAfterRepeat(epoch, expires, tt.lifetime, tt.jitter))
		if got != tt.wantBeforeExpiry {
			t.Errorf("%s: next %s before the end, want %s", tt.name, got, tt.wantBeforeExpiry)
		}
	}
}

func TestNextAfterFailure(t *testing.T) {
	t.Parallel()
	want := []time.Duration{
		5 * time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute,
	}
	for failures, w := range want {
		for _, jitter := range []float64{0, 0.5, 1} {
			got := ticket.NextAfterFailure(epoch, failures, jitter).Sub(epoch)
			if exact := w - w/10 + time.Duration(jitter*float64(w/5)); got != exact {
				t.Errorf("%d failures, jitter %v: %s, want %s", failures, jitter, got, exact)
			}
		}
	}
}

// Whatever WeCom says about lifetimes, nothing loops hot and nothing is fetched after its end.
func TestScheduleProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lifetime := time.Duration(rapid.Int64Range(1, 24*3600).Draw(t, "lifetime")) * time.Second
		jitter := rapid.Float64Range(0, 0.999).Draw(t, "jitter")
		atLeast := min(time.Minute, lifetime/3)

		wait := ticket.NextAfterSuccess(epoch, epoch.Add(lifetime), jitter).Sub(epoch)
		if wait < atLeast || wait < lifetime/2-time.Nanosecond || wait >= lifetime {
			t.Fatalf("success: lifetime %s: next in %s", lifetime, wait)
		}
		if lead := lifetime - wait; lead > 40*time.Minute {
			t.Fatalf("success: lifetime %s: %s before its end", lifetime, lead)
		}

		left := time.Duration(rapid.Int64Range(1, int64(lifetime)).Draw(t, "left"))
		wait = ticket.NextAfterRepeat(epoch, epoch.Add(left), lifetime, jitter).Sub(epoch)
		if wait < atLeast {
			t.Fatalf("repeat: lifetime %s, %s left: next in %s", lifetime, left, wait)
		}
		if late := wait - left; late > max(time.Second, atLeast) {
			t.Fatalf("repeat: lifetime %s, %s left: next %s after the end", lifetime, left, late)
		}
	})
}

// What expires together is not fetched together: the fullest minute of the
// following cycle has at most twice the mean.
func TestJitterSpreads(t *testing.T) {
	t.Parallel()
	const n = 10_000
	minutes := map[int]int{}
	for i := range n {
		next := ticket.NextAfterSuccess(epoch, epoch.Add(2*time.Hour), float64(i)/n)
		minutes[int(next.Sub(epoch)/time.Minute)]++
	}
	for m, got := range minutes {
		if mean := n / 10; got > 2*mean {
			t.Errorf("minute %d has %d fetches, want at most %d", m, got, 2*mean)
		}
	}
}
