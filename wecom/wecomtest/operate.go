package wecomtest

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"suitesign/wecom"
)

// Install is a corp's administrator installing a suite.
type Install struct {
	SuiteID        wecom.SuiteID `json:"suite_id"`
	CorpID         wecom.CorpID  `json:"corp_id"`                   // a corp that is not known yet is made
	Door           Door          `json:"door,omitempty"`            // market unless set
	State          string        `json:"state,omitempty"`           // comes back in the redirect, or of a customised template's code
	RedirectURI    string        `json:"redirect_uri,omitempty"`    // site: where the administrator is sent back to
	Agents         []Agent       `json:"agents,omitempty"`          // absent: one, with a free agent_id; [] is an authorization without an app
	TrustedDomains []string      `json:"trusted_domains,omitempty"` // of this corp's app; absent: the suite's
	Async          bool          `json:"async,omitempty"`           // do not wait for the callback's first attempt
}

// InstallResult is what an installation, or a new secret, led to.
type InstallResult struct {
	SuiteID     wecom.SuiteID `json:"suite_id"`
	CorpID      wecom.CorpID  `json:"corp_id"` // in the form that the suite will see
	Agents      []Agent       `json:"agents"`
	AuthCode    string        `json:"auth_code"`
	ExpiresIn   int           `json:"expires_in"`
	RedirectURL string        `json:"redirect_url,omitempty"` // site, with a redirect_uri: where the browser goes
	Delivery    *Delivery     `json:"delivery,omitempty"`     // market: the create_auth push
}

// install makes the authorization and its auth_code.
func (s *Server) install(in Install) (*app, InstallResult, error) {
	su := s.suites[in.SuiteID]
	switch {
	case su == nil:
		return nil, InstallResult{}, fmt.Errorf("%w: no suite %q; POST /sim/suites makes one", ErrUnknown, in.SuiteID)
	case in.CorpID == "" || len(in.CorpID) > 64:
		return nil, InstallResult{}, fmt.Errorf("%w: corp_id must be 1 to 64 bytes", ErrInvalid)
	case !stateOK(in.State):
		return nil, InstallResult{}, fmt.Errorf("%w: state must be at most 128 letters and digits (errcode 84025)", ErrInvalid)
	}
	for _, g := range in.Agents {
		if g.AgentID <= 0 {
			return nil, InstallResult{}, fmt.Errorf("%w: agents: agent_id must be a number above 0", ErrInvalid)
		}
	}
	co := s.corp(in.CorpID)
	a := su.apps[co.CorpID]
	if a == nil {
		a = &app{suite: su, corp: co}
		su.apps[co.CorpID] = a
		co.apps = append(co.apps, a)
	}
	if !a.installed || in.Agents != nil {
		a.agents = s.agentsFor(a, in.Agents)
	}
	if !a.installed {
		a.secret = "" // the permanent_code of an earlier installation
	}
	a.door, a.installed, a.trouble, a.authorized = in.Door, true, 0, s.now()
	if in.TrustedDomains != nil {
		a.domains = in.TrustedDomains
	}
	code := s.newAuthCode(a, in.State)
	return a, InstallResult{SuiteID: su.SuiteID, CorpID: su.corpID(co), Agents: a.agents, AuthCode: code.value,
		ExpiresIn: seconds(s.cfg.Lifetimes.AuthCode), RedirectURL: withCode(in.RedirectURI, code.value, seconds(s.cfg.Lifetimes.AuthCode), in.State)}, nil
}

// agentsFor gives an authorization its app, or the apps asked for.
func (s *Server) agentsFor(a *app, asked []Agent) []Agent {
	if asked == nil {
		asked = []Agent{{}}
		if len(a.agents) > 0 { // as before it was uninstalled
			asked = a.agents
		}
	}
	agents := make([]Agent, 0, len(asked))
	for _, g := range asked {
		if g.AgentID == 0 {
			g.AgentID = a.corp.nextAgent
		}
		a.corp.nextAgent = max(a.corp.nextAgent, g.AgentID+1)
		g.Name = or(g.Name, a.suite.Name)
		agents = append(agents, g)
	}
	return agents
}

func (s *Server) newAuthCode(a *app, state string) *authCode {
	now := s.now()
	code := &authCode{value: opaque(64), app: a, permanentCode: opaque(32), state: state, expires: now.Add(s.cfg.Lifetimes.AuthCode)}
	for len(s.codeQueue) > 0 && now.Sub(s.codeQueue[0].expires) > keepCodes {
		delete(s.authCodes, s.codeQueue[0].value)
		s.codeQueue = s.codeQueue[1:]
	}
	s.keepCode(code)
	s.changed()
	return code
}

// keepCodes is how long an auth_code is remembered after its end: only so that a
// late call with it is counted under the right corp.
const keepCodes = time.Hour

func (s *Server) keepCode(code *authCode) {
	s.authCodes[code.value] = code
	s.codeQueue = append(s.codeQueue, code)
}

func withCode(redirectURI, code string, expires int, state string) string {
	u, err := url.Parse(redirectURI)
	if redirectURI == "" || err != nil {
		return ""
	}
	q := url.Values{"auth_code": {code}, "expires_in": {strconv.Itoa(expires)}, "state": {state}}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += q.Encode()
	return u.String()
}

// stateOK is the rule for state: letters and digits, at most 128 (errcode 84025).
func stateOK(state string) bool {
	for _, c := range []byte(state) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(state) <= 128
}

// Install lets a corp install a suite. By the market door, and by that of a
// customised template's code, create_auth is pushed; by the provider's own site
// it is not: the auth_code travels in the redirect.
func (s *Server) Install(ctx context.Context, in Install) (InstallResult, error) {
	in.Door = or(in.Door, Market)
	if in.Door != Market && in.Door != Site {
		return InstallResult{}, fmt.Errorf("%w: door %q: want %s or %s", ErrInvalid, in.Door, Market, Site)
	}
	s.mu.Lock()
	a, out, err := s.install(in)
	at := s.now()
	s.mu.Unlock()
	if err != nil || in.Door == Site {
		return out, err
	}
	more := []element{{"AuthCode", out.AuthCode}}
	if in.State != "" {
		more = append(more, element{"State", in.State})
	}
	out.Delivery = s.tell(ctx, a.suite, "create_auth", "", at, in.Async, more...)
	return out, nil
}

// tell pushes a suite's event to the command URL.
func (s *Server) tell(ctx context.Context, su *suite, infoType string, corpID wecom.CorpID, at time.Time, async bool, more ...element) *Delivery {
	if corpID != "" {
		more = append([]element{{"AuthCorpId", string(corpID)}}, more...)
	}
	send := func(ctx context.Context) Delivery {
		return s.push(ctx, su, Command, corpID, infoType, suiteMessage(su.SuiteID, infoType, at, more...))
	}
	if async {
		s.background(func() { send(context.WithoutCancel(ctx)) })
		return nil
	}
	d := send(ctx)
	return &d
}

// background runs f beside the caller; Close waits for it.
func (s *Server) background(f func()) {
	if s.begin() {
		go func() {
			defer s.working.Done()
			f()
		}()
	}
}

// Target names an authorization and what to do about telling the provider.
type Target struct {
	SuiteID wecom.SuiteID `json:"suite_id"`
	CorpID  wecom.CorpID  `json:"corp_id"`
	Silent  bool          `json:"silent,omitempty"` // push nothing: as if the callback got lost
	Async   bool          `json:"async,omitempty"`  // do not wait for the callback's first attempt
}

// Uninstall is the corp removing the app: its tokens and its permanent_code are
// dead at once, and cancel_auth is pushed.
func (s *Server) Uninstall(ctx context.Context, t Target) (*Delivery, error) {
	s.mu.Lock()
	a, err := s.authorization(t.SuiteID, t.CorpID)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	a.installed = false
	a.tokens.kill()
	a.jsapi.kill()
	a.agent.kill()
	if a.suite.Kind == Customized {
		delete(s.secrets, a.secret)
	}
	s.changed()
	at := s.now()
	s.mu.Unlock()
	if t.Silent {
		return nil, nil
	}
	return s.tell(ctx, a.suite, "cancel_auth", a.suite.corpID(a.corp), at, t.Async), nil
}

// Change is the corp changing what it authorized.
type Change struct {
	Target
	Agents         []Agent  `json:"agents,omitempty"`          // from now on; absent: as they are
	TrustedDomains []string `json:"trusted_domains,omitempty"` // from now on; absent: as they are
	CorpName       string   `json:"corp_name,omitempty"`
	State          string   `json:"state,omitempty"`
}

// Change alters an authorization and pushes change_auth.
func (s *Server) Change(ctx context.Context, c Change) (*Delivery, error) {
	s.mu.Lock()
	a, err := s.authorization(c.SuiteID, c.CorpID)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	if c.Agents != nil {
		a.agents = s.agentsFor(a, c.Agents)
	}
	if c.TrustedDomains != nil {
		a.domains = c.TrustedDomains
	}
	a.corp.Name = or(c.CorpName, a.corp.Name)
	s.changed()
	at := s.now()
	s.mu.Unlock()
	if c.Silent {
		return nil, nil
	}
	var more []element
	if c.State != "" {
		more = append(more, element{"State", c.State})
	}
	return s.tell(ctx, a.suite, "change_auth", a.suite.corpID(a.corp), at, c.Async, more...), nil
}

// ResetPermanentCode is the corp's administrator resetting the secret of a
// customised app: the old one is dead at once, and reset_permanent_code carries
// an auth_code for the new one.
func (s *Server) ResetPermanentCode(ctx context.Context, t Target) (InstallResult, error) {
	s.mu.Lock()
	a, err := s.authorization(t.SuiteID, t.CorpID)
	if err == nil && a.suite.Kind != Customized {
		err = fmt.Errorf("%w: only the secret of a customised app can be reset, and suite %s is %s", ErrConflict, t.SuiteID, a.suite.Kind)
	}
	if err != nil {
		s.mu.Unlock()
		return InstallResult{}, err
	}
	delete(s.secrets, a.secret)
	a.secret = ""
	a.tokens.kill()
	code := s.newAuthCode(a, "")
	out := InstallResult{SuiteID: t.SuiteID, CorpID: a.suite.corpID(a.corp), Agents: a.agents, AuthCode: code.value, ExpiresIn: seconds(s.cfg.Lifetimes.AuthCode)}
	at := s.now()
	s.mu.Unlock()
	if !t.Silent {
		out.Delivery = s.tell(ctx, a.suite, "reset_permanent_code", "", at, t.Async, element{"AuthCode", code.value})
	}
	return out, nil
}

// PushSuiteTicket makes a new suite_ticket and pushes it now, as the button in the
// provider's console does. The next one follows after the push interval.
func (s *Server) PushSuiteTicket(ctx context.Context, id wecom.SuiteID) (Delivery, error) {
	s.mu.Lock()
	su := s.suites[id]
	s.mu.Unlock()
	if su == nil {
		return Delivery{}, fmt.Errorf("%w: no suite %q; POST /sim/suites makes one", ErrUnknown, id)
	}
	return s.pushTicket(ctx, su), nil
}

func (s *Server) pushTicket(ctx context.Context, su *suite) Delivery {
	s.mu.Lock()
	t := s.newTicket(su)
	s.schedulePush(su, s.cfg.PushInterval)
	s.mu.Unlock()
	return s.push(ctx, su, Command, "", "suite_ticket", suiteMessage(su.SuiteID, "suite_ticket", t.issued, element{"SuiteTicket", t.value}))
}

// SuiteTicket answers with a suite_ticket that works, as if it had just been
// pushed. A new one is made where none lives.
func (s *Server) SuiteTicket(id wecom.SuiteID) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	su := s.suites[id]
	if su == nil {
		return "", fmt.Errorf("%w: no suite %q", ErrUnknown, id)
	}
	if n := len(su.tickets); n > 0 && s.now().Before(su.tickets[n-1].expires) {
		return su.tickets[n-1].value, nil
	}
	return s.newTicket(su).value, nil
}
