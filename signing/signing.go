package signing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"suitesign/tenant"
	"suitesign/ticket"
)

// Why a page gets no signature, in the order in which Sign looks. A bad url is
// tenant.ErrInvalidURL, and a tenant without a live ticket ticket.ErrNone.
var (
	// ErrOriginMismatch: the Origin header is not the origin of url.
	ErrOriginMismatch = errors.New("origin is not that of url")
	// ErrTenantNotFound: no tenant has the suite_id or corp_id that is named.
	ErrTenantNotFound = errors.New("tenant not found")
	// ErrTenantAmbiguous: several tenants trust the page; it must say which.
	ErrTenantAmbiguous = errors.New("several tenants match")
	// ErrTenantInactive: the tenant is disabled or cancelled.
	ErrTenantInactive = errors.New("tenant is not active")
	// ErrUntrusted: the tenant does not trust the page's host, port or scheme.
	ErrUntrusted = errors.New("domain is not trusted")
	// ErrAgentNotFound: the tenant has no such agent.
	ErrAgentNotFound = errors.New("agent not found")
	// ErrAgentAmbiguous: the tenant has several agents; the page must say which.
	ErrAgentAmbiguous = errors.New("several agents match")
	// ErrRateLimited: the tenant's pages ask for more than TenantRate.
	ErrRateLimited = errors.New("tenant asks for too many signatures")
	// ErrStale: the database has been away for too long to sign from memory, or
	// memory does not hold the tenant.
	ErrStale = errors.New("database is away")
)

// Want says which signatures a page asks for.
type Want int

// What can be wanted.
const (
	Config Want = iota // from the corp's ticket
	Agent              // from the agent's ticket
	Both               // both; for a tenant without agents only the corp's
)

// A Request is what a page asks for.
type Request struct {
	URL     string  // the page's location.href
	Origin  *string // the Origin header; nil = none was sent
	SuiteID string  // "" = not named
	CorpID  string  // "" = not named; any form of the corp's id
	AgentID *int64  // nil = not named
	Want    Want
}

// Signed is what a page gets.
type Signed struct {
	CorpID  string     `json:"corpId"`  // the form that the page named, else the tenant's own
	AgentID *int64     `json:"agentId"` // nil = no agent
	SuiteID string     `json:"suiteId"`
	Config  *Signature `json:"config"`
	Agent   *Signature `json:"agent"`

	TenantID uuid.UUID `json:"-"`
}

// A Signer signs pages.
type Signer struct {
	Directory *Directory

	// Demand has a tenant without a live ticket refreshed, and waits for it a
	// moment; *ticket.Refresher's Demand does. nil: such a tenant gets ErrNone.
	Demand func(ctx context.Context, tenantID uuid.UUID) error

	Now        func() time.Time // time.Now unless set
	TenantRate int              // signatures a second for one tenant; 0 = no limit
}

// quiet is how long requests of a tenant that could not be refreshed are refused
// without another attempt; the refresher has longer pauses of its own.
const quiet = time.Second

// fresh is how old an entry may be that is not read again before a refresh is demanded.
const fresh = 200 * time.Millisecond

// Sign checks a request in the order of the errors above, and signs its page.
func (s *Signer) Sign(ctx context.Context, r Request) (Signed, error) {
	page, err := tenant.PageOf(r.URL)
	if err != nil {
		return Signed{}, err
	}
	if r.Origin != nil && *r.Origin != page.Origin {
		return Signed{}, ErrOriginMismatch
	}
	e, err := s.Directory.find(ctx, r.SuiteID, r.CorpID, page)
	if err != nil {
		return Signed{}, err
	}
	e, agent, err := s.admit(ctx, e, r, page)
	if err != nil {
		return Signed{}, err
	}
	now := s.now()
	if s.TenantRate > 0 && !e.pace.allow(s.Directory.since(now), s.TenantRate) {
		return Signed{}, ErrRateLimited
	}
	for tries := 0; !e.signs(r.Want, agent, now); tries++ {
		if tries == 2 { // the first may bring the agent, whose ticket is for the second to bring
			return Signed{}, noTicket(e.id, nil)
		}
		if e, err = s.revive(ctx, e, r.Want, agent, now); err != nil {
			return Signed{}, err
		}
		// What was read again may tell more than a ticket.
		if e, agent, err = s.admit(ctx, e, r, page); err != nil {
			return Signed{}, err
		}
		now = s.now()
	}
	if s.Directory.tooOld(now) {
		return Signed{}, ErrStale
	}
	s.Directory.use(e, now)
	return e.sign(r, agent, now, page.URL), nil
}

// admit asks whether the tenant signs for the page, and with which agent: 0 is none. It
// answers with the tenant as it was when that was asked.
func (s *Signer) admit(ctx context.Context, e *entry, r Request, page tenant.Page) (_ *entry, agent int64, err error) {
	for {
		if !e.active {
			return nil, 0, ErrTenantInactive
		}
		if tenant.Covers(e.domains, page) {
			break
		}
		waits := e.suite.domains.Load() == nil
		shared, err := s.Directory.suiteDomains(ctx, e.suite)
		if err != nil {
			return nil, 0, err
		}
		if waits && e.gone.Load() { // meanwhile; perhaps it was switched off
			if e, err = s.Directory.reload(ctx, e.id, e.read); err != nil {
				return nil, 0, err
			}
			continue
		}
		if !tenant.Covers(shared, page) {
			return nil, 0, ErrUntrusted
		}
		break
	}
	if r.Want == Config {
		return e, 0, nil
	}
	agent, err = e.agent(r.AgentID, r.Want)
	return e, agent, err
}

// agent picks the agent that a page means.
func (e *entry) agent(named *int64, want Want) (int64, error) {
	switch {
	case e.agentsDue: // whichever it is, it cannot sign yet
		return 0, nil
	case named != nil:
		for _, id := range e.agents {
			if id == *named {
				return id, nil
			}
		}
		return 0, ErrAgentNotFound
	case len(e.agents) == 1:
		return e.agents[0], nil
	case len(e.agents) > 1:
		return 0, ErrAgentAmbiguous
	case want == Both:
		return 0, nil
	}
	return 0, ErrAgentNotFound
}

// missing are the tickets that are wanted and do not live.
type missing struct{ config, agent bool }

// lacks tells them. A tenant that has just been installed and whose agents are not
// known yet has no agent's ticket: it must not pass for one without agents.
func (e *entry) lacks(want Want, agent int64, now time.Time) missing {
	return missing{
		config: want != Agent && !e.configTicket.lives(now),
		agent:  want != Config && (e.agentsDue || agent != 0 && !e.agentTicket.lives(now)),
	}
}

// signs reports whether every ticket that is wanted lives.
func (e *entry) signs(want Want, agent int64, now time.Time) bool {
	return e.lacks(want, agent, now) == (missing{})
}

// sign makes what was asked for; admit and signs have said that it may.
func (e *entry) sign(r Request, agent int64, now time.Time, page string) Signed {
	out := &struct { // one allocation
		config, agent Signature
		agentID       int64
	}{agentID: agent}
	signed := Signed{CorpID: r.CorpID, SuiteID: e.suite.id, TenantID: e.id}
	if r.CorpID == "" {
		signed.CorpID = e.corpID
	}
	if r.Want != Agent {
		out.config = newSignature(e.configTicket.value, now, page)
		signed.Config = &out.config
	}
	if agent != 0 {
		out.agent = newSignature(e.agentTicket.value, now, page)
		signed.Agent, signed.AgentID = &out.agent, &out.agentID
	}
	return signed
}

// revive brings a live ticket for an active tenant that has none in memory: the
// database may have one by now, else one is fetched.
func (s *Signer) revive(ctx context.Context, e *entry, want Want, agent int64, now time.Time) (*entry, error) {
	d := s.Directory
	if e.quiet(e.lacks(want, agent, now), d.since(now)) {
		return nil, noTicket(e.id, nil)
	}
	if now.Sub(e.readAt) >= fresh {
		var err error
		if e, err = d.reload(ctx, e.id, e.read); err != nil || e.signs(want, agent, s.now()) {
			return e, err
		}
	}
	if s.Demand == nil {
		return nil, noTicket(e.id, nil)
	}
	id := e.id
	demandErr := s.Demand(ctx, id)
	// Read again whatever it answered: another replica may have had the lease.
	e, err := d.reload(ctx, id, d.reads.Load())
	if err != nil {
		return nil, err
	}
	if lacks := e.lacks(want, agent, s.now()); lacks != (missing{}) {
		e.beQuiet(lacks, d.since(s.now())+quiet)
		return nil, noTicket(id, demandErr)
	}
	return e, nil
}

func noTicket(id uuid.UUID, cause error) error {
	if cause != nil {
		// The cause is told, not wrapped: to the page it is ErrNone and nothing else.
		return fmt.Errorf("tenant %s: %w: %s", id, ticket.ErrNone, cause.Error())
	}
	return fmt.Errorf("tenant %s: %w", id, ticket.ErrNone)
}

func (s *Signer) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
