package wecomtest

import (
	"fmt"
	"strings"
	"time"
)

// gate counts calls in a window. Who makes one too many is blocked for as long as
// the window is; calls while blocked do not prolong it.
type gate struct {
	n     int32
	start int64 // of the window, Unix nanoseconds
	until int64 // blocked until then
}

// hit counts a call. over is true for the call that exceeds the limit.
func (g *gate) hit(now time.Time, limit int, window time.Duration) (pass, over bool) {
	t := now.UnixNano()
	if t < g.until {
		return false, false
	}
	if g.n == 0 || t-g.start >= int64(window) {
		g.n, g.start = 0, t
	}
	g.n++
	if limit >= 0 && int(g.n) > limit {
		g.n, g.until = 0, t+int64(window)
		return false, true
	}
	return true, false
}

func (g *gate) blocked(now time.Time) bool { return now.UnixNano() < g.until }

// Violation is a published limit that somebody exceeded.
type Violation struct {
	At     time.Time     `json:"at"`
	API    string        `json:"api"`
	Scope  string        `json:"scope"` // corp, app, ip, secret or concurrent
	Key    string        `json:"key"`   // which corp, app or IP
	Limit  int           `json:"limit"`
	Window time.Duration `json:"window_ns"`
}

func (v Violation) String() string {
	return fmt.Sprintf("%s of %s: more than %d calls in %s (%s %s)", v.API, v.Key, v.Limit, v.Window, v.Scope, v.At.Format(time.RFC3339))
}

const maxViolations = 1000

func (s *Server) violated(c *call, scope, key string, limit int, window time.Duration) {
	v := Violation{At: c.at, API: c.api, Scope: scope, Key: key, Limit: limit, Window: window}
	s.cfg.Log.Warn("limit exceeded", "api", v.API, "scope", scope, "key", key, "limit", limit, "window", window.String())
	if len(s.violations) < maxViolations {
		s.violations = append(s.violations, v)
	}
	if s.cfg.OnViolation != nil {
		s.cfg.OnViolation(v)
	}
}

// limit counts a call and answers with 45009 where it is one too many.
func (s *Server) limit(c *call) *refusal {
	if s.cfg.Limits.Off {
		return nil
	}
	pass := s.limitIP(c)
	if c.corp != nil {
		pass = s.limitCorp(c) && pass
		if c.app != nil && (c.api == "get_jsapi_ticket" || c.api == "ticket/get") {
			pass = s.limitTicket(c) && pass
		}
	}
	if !pass {
		return refuse(45009)
	}
	return nil
}

func (s *Server) limitIP(c *call) bool {
	l := &s.cfg.Limits
	if g := s.wrong[c.ip]; g != nil && g.blocked(c.at) { // wrong secrets block the whole IP
		return false
	}
	perMinute, perHour := l.IPPerMinute, l.IPPerHour
	if c.suiteID != "" || strings.HasPrefix(c.path, "service/") { // a service provider's IP
		perMinute, perHour = l.ProviderIPPerMinute, l.ProviderIPPerHour
	}
	if s.rates[c.ip] == nil {
		s.rates[c.ip] = map[string]*[2]gate{}
	}
	pass := s.through(c, gatesOf(s.rates[c.ip], c.api), "ip", c.ip, perMinute, perHour)
	if c.query.Get("debug") == "1" {
		debug, over := gatesOf(s.rates[c.ip], "debug=1")[0].hit(c.at, l.DebugPerMinute, time.Minute)
		if over {
			s.violated(c, "ip", c.ip, l.DebugPerMinute, time.Minute)
		}
		pass = pass && debug
	}
	return pass
}

func (s *Server) limitCorp(c *call) bool {
	if c.corp.rates == nil {
		c.corp.rates = map[string]*[2]gate{}
	}
	return s.through(c, gatesOf(c.corp.rates, c.api), "corp", string(c.corp.CorpID), s.cfg.Limits.CorpPerMinute, s.cfg.Limits.CorpPerHour)
}

func (s *Server) limitTicket(c *call) bool {
	l, i := &s.cfg.Limits, 0
	if l.SeparateTickets && c.api == "ticket/get" {
		i = 1
	}
	corpPass, corpOver := c.corp.tickets[i].hit(c.at, l.TicketPerCorpHour, time.Hour)
	appPass, appOver := c.app.tickets[i].hit(c.at, l.TicketPerAppHour, time.Hour)
	if corpOver {
		s.violated(c, "corp", string(c.corp.CorpID), l.TicketPerCorpHour, time.Hour)
	}
	if appOver {
		s.violated(c, "app", c.app.String(), l.TicketPerAppHour, time.Hour)
	}
	return corpPass && appPass
}

func gatesOf(m map[string]*[2]gate, api string) *[2]gate {
	if m[api] == nil {
		m[api] = &[2]gate{}
	}
	return m[api]
}

func (s *Server) through(c *call, g *[2]gate, scope, key string, perMinute, perHour int) bool {
	minute, minuteOver := g[0].hit(c.at, perMinute, time.Minute)
	hour, hourOver := g[1].hit(c.at, perHour, time.Hour)
	if minuteOver {
		s.violated(c, scope, key, perMinute, time.Minute)
	}
	if hourOver {
		s.violated(c, scope, key, perHour, time.Hour)
	}
	return minute && hour
}

// countWrongSecret remembers an answer that told of a wrong secret: too many of
// them block the IP, and with it everybody who calls from there.
func (s *Server) countWrongSecret(c *call, r *refusal) {
	if s.cfg.Limits.Off {
		return
	}
	switch r.code {
	case 40001, 40080, 40091:
	default:
		return
	}
	if s.wrong[c.ip] == nil {
		s.wrong[c.ip] = &gate{}
	}
	if _, over := s.wrong[c.ip].hit(c.at, s.cfg.Limits.WrongSecretsPerHour, time.Hour); over {
		s.violated(c, "secret", c.ip, s.cfg.Limits.WrongSecretsPerHour, time.Hour)
	}
}

// enter counts a call among those that run at the same time; leave ends that.
func (s *Server) enter(c *call, refused **refusal) (leave func()) {
	limit := s.cfg.Limits.Concurrent
	if s.cfg.Limits.Off || limit < 0 || c.corp == nil {
		return func() {}
	}
	if c.corp.concurrent == nil {
		c.corp.concurrent = map[string]int{}
	}
	running := c.corp.concurrent
	running[c.api]++
	if *refused == nil && running[c.api] > limit {
		*refused = refuse(45033)
		s.violated(c, "concurrent", string(c.corp.CorpID), limit, 0)
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		running[c.api]--
	}
}
