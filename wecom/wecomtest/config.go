package wecomtest

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Config is how a simulator behaves. The zero Config is the platform as published.
type Config struct {
	Lifetimes    Lifetimes
	Rotation     Rotation                  // what a repeated fetch answers with; Sticky unless set
	RotationOf   map[Kind]Rotation         // exceptions from Rotation by kind of credential
	Grace        time.Duration             // Rotating: how long a replaced credential still works
	Limits       Limits                    // the published rates unless set
	PushInterval time.Duration             // between suite_ticket pushes; 10 minutes unless set
	AnswerWithin time.Duration             // a callback is given up after this long; 5 s unless set
	Clock        Clock                     // real time unless set
	StateFile    string                    // where the state is kept over restarts; nowhere unless set
	SaveAfter    time.Duration             // how long changes are gathered before a save; 1 s unless set
	Log          *slog.Logger              // nothing is logged unless set
	OnViolation  func(violation Violation) // told of every limit that is exceeded
}

// Lifetimes of what the simulator hands out, in whole seconds. Zero means the
// platform's.
type Lifetimes struct {
	AccessToken         time.Duration `json:"access_token"`          // 7200 s
	SuiteAccessToken    time.Duration `json:"suite_access_token"`    // 7200 s
	ProviderAccessToken time.Duration `json:"provider_access_token"` // 7200 s
	JSAPITicket         time.Duration `json:"jsapi_ticket"`          // 7200 s
	AgentTicket         time.Duration `json:"agent_config"`          // 7200 s
	SuiteTicket         time.Duration `json:"suite_ticket"`          // 30 min
	AuthCode            time.Duration `json:"auth_code"`             // 10 min
	PreAuthCode         time.Duration `json:"pre_auth_code"`         // 1200 s
}

// Rotation says what a fetch answers with while the previous credential lives.
// The platform's own choice is documented for some credentials only, so that a
// client has to be right with all three.
type Rotation string

// The rotations.
const (
	Sticky         Rotation = "sticky"          // the same value, with what is left of its lifetime
	StickyConstant Rotation = "sticky_constant" // the same value, with the full lifetime printed again
	Rotating       Rotation = "rotating"        // a new value; the old one works for Config.Grace
)

// Kind is a kind of credential.
type Kind string

// The kinds of credentials, in the platform's words.
const (
	SuiteAccessToken    Kind = "suite_access_token"
	ProviderAccessToken Kind = "provider_access_token"
	AccessToken         Kind = "access_token"
	JSAPITicket         Kind = "jsapi_ticket" // for ww.register's getConfigSignature
	AgentTicket         Kind = "agent_config" // for getAgentConfigSignature
)

// Limits are the published rates (developer.work.weixin.qq.com/document/path/90454
// and the notes of errcode 45009). Zero means the published number, a negative
// number no limit. A client that exceeds one is blocked for as long as the
// window it exceeded.
type Limits struct {
	Off                 bool // no limit at all
	TicketPerCorpHour   int  // both JS tickets: 400 an hour and corp
	TicketPerAppHour    int  // both JS tickets: 100 an hour and app
	SeparateTickets     bool // count the two kinds of ticket apart: whether they share a counter is not published
	CorpPerMinute       int  // any one API and corp: 10,000
	CorpPerHour         int  // any one API and corp: 150,000
	IPPerMinute         int  // any one API and IP: 20,000
	IPPerHour           int  // any one API and IP: 600,000
	ProviderIPPerMinute int  // any one API and IP of a service provider: 40,000
	ProviderIPPerHour   int  // any one API and IP of a service provider: 1,200,000
	WrongSecretsPerHour int  // wrong secrets from one IP, then all of it is blocked: 2,000
	DebugPerMinute      int  // calls with debug=1 from one IP: 5
	Concurrent          int  // calls at the same time, any one API and corp; no number is published: no limit
}

func (c *Config) fill() error {
	l := &c.Lifetimes
	for _, d := range []struct {
		name string
		v    *time.Duration
		or   time.Duration
	}{
		{"access_token", &l.AccessToken, 7200 * time.Second},
		{"suite_access_token", &l.SuiteAccessToken, 7200 * time.Second},
		{"provider_access_token", &l.ProviderAccessToken, 7200 * time.Second},
		{"jsapi_ticket", &l.JSAPITicket, 7200 * time.Second},
		{"agent_config", &l.AgentTicket, 7200 * time.Second},
		{"suite_ticket", &l.SuiteTicket, 30 * time.Minute},
		{"auth_code", &l.AuthCode, 10 * time.Minute},
		{"pre_auth_code", &l.PreAuthCode, 1200 * time.Second},
	} {
		if *d.v == 0 {
			*d.v = d.or
		}
		if *d.v < time.Second || *d.v%time.Second != 0 {
			return fmt.Errorf("lifetime of %s: %s is not a whole number of seconds from 1 on", d.name, *d.v)
		}
	}
	for _, r := range append([]Rotation{c.Rotation}, values(c.RotationOf)...) {
		switch r {
		case "", Sticky, StickyConstant, Rotating:
		default:
			return fmt.Errorf("rotation %q: want %s, %s or %s", r, Sticky, StickyConstant, Rotating)
		}
	}
	if c.Rotation == "" {
		c.Rotation = Sticky
	}
	if c.Grace < 0 || c.PushInterval < 0 || c.AnswerWithin < 0 || c.SaveAfter < 0 {
		return errors.New("a duration is negative")
	}
	c.PushInterval = or(c.PushInterval, 10*time.Minute)
	c.AnswerWithin = or(c.AnswerWithin, 5*time.Second)
	c.SaveAfter = or(c.SaveAfter, time.Second)
	c.Limits.fill()
	if c.Clock == nil {
		c.Clock = realClock{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return nil
}

func (l *Limits) fill() {
	l.TicketPerCorpHour = or(l.TicketPerCorpHour, 400)
	l.TicketPerAppHour = or(l.TicketPerAppHour, 100)
	l.CorpPerMinute = or(l.CorpPerMinute, 10_000)
	l.CorpPerHour = or(l.CorpPerHour, 150_000)
	l.IPPerMinute = or(l.IPPerMinute, 20_000)
	l.IPPerHour = or(l.IPPerHour, 600_000)
	l.ProviderIPPerMinute = or(l.ProviderIPPerMinute, 40_000)
	l.ProviderIPPerHour = or(l.ProviderIPPerHour, 1_200_000)
	l.WrongSecretsPerHour = or(l.WrongSecretsPerHour, 2_000)
	l.DebugPerMinute = or(l.DebugPerMinute, 5)
	l.Concurrent = or(l.Concurrent, -1)
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func values[K comparable, V any](m map[K]V) []V {
	vs := make([]V, 0, len(m))
	for _, v := range m {
		vs = append(vs, v)
	}
	return vs
}

func (c *Config) lifetime(k Kind) time.Duration {
	switch k {
	case SuiteAccessToken:
		return c.Lifetimes.SuiteAccessToken
	case ProviderAccessToken:
		return c.Lifetimes.ProviderAccessToken
	case JSAPITicket:
		return c.Lifetimes.JSAPITicket
	case AgentTicket:
		return c.Lifetimes.AgentTicket
	default:
		return c.Lifetimes.AccessToken
	}
}

func (c *Config) rotation(k Kind) Rotation { return or(c.RotationOf[k], c.Rotation) }
