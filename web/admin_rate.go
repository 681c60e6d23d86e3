package web

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"

	"suitesign/web/apikey"
)

// countRequest holds a key to its rate and tells what is left of it, in the fields
// of draft-ietf-httpapi-ratelimit-headers. The bootstrap key counts as one.
func (s *Server) countRequest(c *gin.Context, holder apikey.Holder) error {
	if s.keys == nil {
		return nil
	}
	wait, ok := s.keys.take(netip.IPv4Unspecified(), holder.ID.String())
	left, full := s.keys.left(netip.IPv4Unspecified(), holder.ID.String())
	quota := int(s.keys.tolerance / s.keys.interval)
	c.Header("RateLimit-Policy", fmt.Sprintf(`"key";q=%d;w=%d`, quota, seconds(s.keys.tolerance)))
	c.Header("RateLimit", fmt.Sprintf(`"key";r=%d;t=%d`, left, seconds(full)))
	if !ok {
		return tooMany(wait)
	}
	return nil
}

// seconds are whole ones, rounded up, and at least one.
func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// left tells how many tokens a source has, and how long until it has all of them again.
func (l *limiter) left(ip netip.Addr, name ...string) (tokens int, full time.Duration) {
	s, key := l.account(ip, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	full = max(0, s.tats[key]-time.Since(l.epoch))
	return max(0, int((l.tolerance-full)/l.interval)), full
}
