package web

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Limits bound what one address, or one API key, may ask for. A zero rate is no limit.
type Limits struct {
	SignPerSecond    float64 // requests of pages per IP
	SignBurst        int
	InstallPerMinute float64 // installations begun per IP: each costs a pre_auth_code
	ReportPerMinute  float64 // reports of pages per IP: each costs hashes and a query
	ForgedPerSecond  float64 // refused callbacks per suite and /24 or /64: each costs a hash
	ForgedBurst      int
	AdminPerSecond   float64 // requests to the admin API per key
	AdminBurst       int
}

// DefaultLimits suit a corp that shares one NAT.
func DefaultLimits() Limits {
	return Limits{SignPerSecond: 100, SignBurst: 500, InstallPerMinute: 10, ReportPerMinute: 60, ForgedPerSecond: 20, ForgedBurst: 200,
		AdminPerSecond: 200, AdminBurst: 1000}
}

// limiter is a token bucket per source, kept as GCRA: one time per source, the
// theoretical arrival time (tat) of its next conforming request. A source whose
// tat has passed is as good as unknown, so memory stays bounded by forgetting.
type limiter struct {
	interval  time.Duration // one token
	tolerance time.Duration // how far tat may run ahead: the burst
	source    func(netip.Addr) uint64
	seed      uint64 // which sources share a shard is not for callers to choose
	names     maphash.Seed
	epoch     time.Time
	shards    [32]limitShard
}

type limitShard struct {
	mu     sync.Mutex
	tats   map[uint64]time.Duration // since epoch
	pruned time.Duration
}

// maxSources bounds one shard: 32 shards of 4,096 sources are some 4 MiB.
const maxSources = 4096

// newLimiter makes a limiter; a rate of 0 makes none, and a nil limiter lets everything pass.
func newLimiter(perSecond float64, burst int, source func(netip.Addr) uint64) *limiter {
	if perSecond <= 0 {
		return nil
	}
	interval := max(time.Duration(float64(time.Second)/perSecond), 1)
	l := &limiter{
		interval:  interval,
		tolerance: interval * time.Duration(max(burst, 1)),
		source:    source,
		seed:      rand.Uint64() | 1, //nolint:gosec // spreads sources over shards, keeps no secret
		names:     maphash.MakeSeed(),
		epoch:     time.Now(),
	}
	for i := range l.shards {
		l.shards[i].tats = make(map[uint64]time.Duration)
	}
	return l
}

// take asks for one token; without one it tells how long until there is. A source
// has an account of its own for each name that is given.
func (l *limiter) take(ip netip.Addr, name ...string) (wait time.Duration, ok bool) {
	return l.ask(ip, l.cost(), name)
}

// spent reports whether a source has no token left, without taking one.
func (l *limiter) spent(ip netip.Addr, name ...string) (wait time.Duration, yes bool) {
	wait, ok := l.ask(ip, 0, name)
	return wait, !ok
}

func (l *limiter) cost() time.Duration {
	if l == nil {
		return 0
	}
	return l.interval
}

func (l *limiter) ask(ip netip.Addr, cost time.Duration, name []string) (wait time.Duration, ok bool) {
	if l == nil {
		return 0, true
	}
	s, key := l.account(ip, name)
	now := time.Since(l.epoch)
	s.mu.Lock()
	defer s.mu.Unlock()
	tat, known := s.tats[key]
	if tat < now {
		tat = now
	}
	if over := tat + l.interval - now - l.tolerance; over > 0 {
		return over, false
	}
	if cost == 0 {
		return 0, true
	}
	if !known && len(s.tats) >= maxSources {
		s.prune(now)
	}
	s.tats[key] = tat + cost
	return 0, true
}

// account is where a source's time is kept.
func (l *limiter) account(ip netip.Addr, name []string) (*limitShard, uint64) {
	key := l.source(ip)
	for _, n := range name {
		key ^= maphash.String(l.names, n)
	}
	return &l.shards[(key*l.seed)>>59], key
}

// prune forgets sources that are as good as unknown; while too many are not,
// any one: a caller with so many addresses has other ways around a limit per address.
func (s *limitShard) prune(now time.Duration) {
	if now-s.pruned >= time.Second || s.pruned == 0 {
		s.pruned = now
		for key, tat := range s.tats {
			if tat <= now {
				delete(s.tats, key)
			}
		}
	}
	for key := range s.tats {
		if len(s.tats) < maxSources {
			return
		}
		delete(s.tats, key)
	}
}

// perAddress tells an IPv4 address, or the /64 of an IPv6 one: a /64 is one customer.
func perAddress(ip netip.Addr) uint64 {
	if ip.Is4() {
		b := ip.As4()
		return uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := ip.As16()
	return binary.BigEndian.Uint64(b[:8])
}

// perNetwork tells the /24 of an IPv4 address, or the /64 of an IPv6 one.
func perNetwork(ip netip.Addr) uint64 {
	if ip.Is4() {
		return perAddress(ip) &^ 0xFF
	}
	return perAddress(ip)
}
