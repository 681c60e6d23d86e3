package web

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestLimiterLetsTheBurstPassAndThenTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(10, 5, perAddress)
		ip := netip.MustParseAddr("203.0.113.9")
		for i := range 5 {
			if _, ok := l.take(ip); !ok {
				t.Fatalf("request %d refused, want a burst of 5", i+1)
			}
		}
		wait, ok := l.take(ip)
		if ok || wait != 100*time.Millisecond {
			t.Fatalf("request 6 = %v, %v; want refused for 100ms", wait, ok)
		}
		if _, ok := l.take(netip.MustParseAddr("203.0.113.10")); !ok {
			t.Error("another address was refused")
		}
		time.Sleep(wait) // virtual time
		if _, ok := l.take(ip); !ok {
			t.Error("refused after the wait it named")
		}
		if _, ok := l.take(ip); ok {
			t.Error("two requests for one token")
		}
	})
}

func TestLimiterCountsSourcesNotAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		source func(netip.Addr) uint64
		a, b   string
		same   bool
	}{
		{"neighbours", perAddress, "203.0.113.9", "203.0.113.10", false},
		{"one /64", perAddress, "2001:db8::1", "2001:db8::ffff:2", true},
		{"two /64", perAddress, "2001:db8::1", "2001:db8:0:1::1", false},
		{"one /24", perNetwork, "203.0.113.9", "203.0.113.10", true},
		{"two /24", perNetwork, "203.0.113.9", "203.0.114.9", false},
		{"one /64 as network", perNetwork, "2001:db8::1", "2001:db8::2", true},
	} {
		l := newLimiter(1, 1, tt.source)
		l.take(netip.MustParseAddr(tt.a))
		if _, ok := l.take(netip.MustParseAddr(tt.b)); ok == tt.same {
			t.Errorf("%s: %s after %s passes = %v, want %v", tt.name, tt.b, tt.a, ok, !tt.same)
		}
	}
}

func TestLimiterOffIsNoLimit(t *testing.T) {
	t.Parallel()
	l := newLimiter(0, 0, perAddress)
	for range 10_000 {
		if _, ok := l.take(netip.Addr{}); !ok {
			t.Fatal("a limiter that is off refused")
		}
	}
	if _, yes := l.spent(netip.Addr{}); yes {
		t.Error("a limiter that is off is spent")
	}
}

func TestLimiterMemoryIsBounded(t *testing.T) {
	t.Parallel()
	l := newLimiter(1, 1, perAddress)
	for i := range uint32(400_000) {
		l.take(netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	for i := range l.shards {
		if n := len(l.shards[i].tats); n > maxSources {
			t.Errorf("shard %d holds %d sources, want at most %d", i, n, maxSources)
		}
	}
}

// Over any run of requests no more pass than the burst and what the time earned.
func TestLimiterNeverExceedsItsRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		burst := rapid.IntRange(1, 20).Draw(rt, "burst")
		gaps := rapid.SliceOfN(rapid.IntRange(0, 300), 1, 200).Draw(rt, "gaps")
		synctest.Test(t, func(*testing.T) {
			l := newLimiter(10, burst, perAddress)
			passed, elapsed := 0, time.Duration(0)
			for _, ms := range gaps {
				gap := time.Duration(ms) * time.Millisecond
				time.Sleep(gap) // virtual time
				elapsed += gap
				if _, ok := l.take(netip.Addr{}); ok {
					passed++
				}
			}
			if most := burst + int(elapsed/(100*time.Millisecond)); passed > most {
				rt.Errorf("%d passed in %s, want at most %d", passed, elapsed, most)
			}
		})
	})
}
