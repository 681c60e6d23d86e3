package webhook

import (
	"net/http"
	"testing"
	"time"
)

func TestTheLadder(t *testing.T) {
	t.Parallel()
	var total time.Duration
	for step, want := range []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour} {
		got, again := nextStep(step, 0, 0)
		late, _ := nextStep(step, 0, 0.999)
		if got != want || !again || late <= want || late >= want+want/5+time.Second {
			t.Errorf("nextStep(%d) = %s to %s, %v; want %s and up to a fifth more", step, got, late, again, want)
		}
		total += got
	}
	if _, again := nextStep(7, time.Hour, 0); again {
		t.Error("there is an eighth wait, want the end")
	}
	if total < 24*time.Hour || total > 30*time.Hour {
		t.Errorf("the ladder takes %s, want about a day", total)
	}
}

func TestRetryAfterIsHonouredWithinBounds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		header string
		step   int
		want   time.Duration
	}{
		{"", 0, 5 * time.Second},
		{"1", 0, 5 * time.Second}, // the ladder is the least
		{"60", 0, time.Minute},
		{"60", 1, 5 * time.Minute},
		{"86400", 0, 6 * time.Hour}, // and six hours the most
		{"86400", 5, 10 * time.Hour},
		{"Sun, 01 Mar 2026 08:10:00 GMT", 0, 10 * time.Minute},
		{"Sun, 01 Mar 2026 07:00:00 GMT", 0, 5 * time.Second},
		{"-5", 0, 5 * time.Second},
		{"soon", 0, 5 * time.Second},
		{"99999999999999999999", 0, 5 * time.Second},
	} {
		h := http.Header{}
		h.Set("Retry-After", tt.header)
		if got, _ := nextStep(tt.step, askedFor(h, now), 0); got != tt.want {
			t.Errorf("after step %d with Retry-After %q: wait %s, want %s", tt.step, tt.header, got, tt.want)
		}
	}
}
