package wecomtest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"suitesign/secret"
	"suitesign/wecom"
)

// What the controls refuse.
var (
	// ErrInvalid is wrapped by what is wrong with a control's input.
	ErrInvalid = errors.New("invalid")
	// ErrUnknown is returned for a suite, corp or app that nobody has made.
	ErrUnknown = errors.New("unknown")
	// ErrConflict is returned for what is impossible as things stand.
	ErrConflict = errors.New("conflict")
)

// PutSuite makes a suite, or changes one: authorizations and tokens stay. Texts and
// lists that are left out are made up, or kept; the switches are as given.
func (s *Server) PutSuite(in Suite) (Suite, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	su := s.suites[in.SuiteID]
	var before Suite
	if su != nil {
		before = su.Suite
	}
	fillSuite(&in, before)
	in.ProviderSecret = or(in.ProviderSecret, s.providerSecret(in.ProviderCorpID))
	if err := s.checkSuite(in, su); err != nil {
		return Suite{}, err
	}
	if su == nil {
		su = &suite{apps: map[wecom.CorpID]*app{}, verified: map[PushDoor]string{}}
		s.suites[in.SuiteID] = su
		s.suiteOrder = append(s.suiteOrder, su)
	}
	if before.Token != in.Token || before.EncodingAESKey != in.EncodingAESKey {
		clear(su.verified)
	}
	su.Suite = in
	p := s.providers[in.ProviderCorpID]
	if p == nil {
		p = &provider{corpID: in.ProviderCorpID}
		s.providers[in.ProviderCorpID] = p
	}
	p.secret = in.ProviderSecret
	for _, other := range s.suiteOrder { // a provider has one secret
		if other.ProviderCorpID == in.ProviderCorpID {
			other.ProviderSecret = p.secret
		}
	}
	su.vendor = p
	s.schedulePush(su, s.untilPush(su))
	s.changed()
	return su.Suite, nil
}

func fillSuite(in *Suite, before Suite) {
	if in.SuiteID == "" {
		in.SuiteID = wecom.SuiteID("ww" + strings.ToLower(letters(16)))
		if in.Kind == Customized {
			in.SuiteID = wecom.SuiteID("dk" + strings.ToLower(letters(16)))
		}
	}
	in.Kind = suiteKind(*in)
	in.Name = or(in.Name, or(before.Name, "Suite "+string(in.SuiteID)))
	in.Secret = or(in.Secret, or(before.Secret, letters(43)))
	in.Token = or(in.Token, or(before.Token, letters(24)))
	in.EncodingAESKey = or(in.EncodingAESKey, or(before.EncodingAESKey, newAESKey()))
	in.ProviderCorpID = or(in.ProviderCorpID, or(before.ProviderCorpID, "wwprovider00000001"))
	in.CallbackURL = or(in.CallbackURL, before.CallbackURL)
	in.CommandURL = or(in.CommandURL, before.CommandURL)
	in.DataURL = or(in.DataURL, before.DataURL)
	in.RedirectDomain = or(in.RedirectDomain, before.RedirectDomain)
	if in.TrustedDomains == nil {
		in.TrustedDomains = before.TrustedDomains
	}
	if in.AllowedIPs == nil {
		in.AllowedIPs = before.AllowedIPs
	}
}

func (s *Server) checkSuite(in Suite, known *suite) error {
	switch in.Kind {
	case ThirdParty, Customized:
	default:
		return fmt.Errorf("%w: kind %q: want %s or %s; an internal app belongs to a corp", ErrInvalid, in.Kind, ThirdParty, Customized)
	}
	if known != nil && known.Kind != in.Kind {
		return fmt.Errorf("%w: suite %s is %s and stays it", ErrConflict, in.SuiteID, known.Kind)
	}
	if strings.HasPrefix(string(in.SuiteID), "dk") != (in.Kind == Customized) {
		return fmt.Errorf("%w: suite_id %q: those of customized suites, and no others, start with dk", ErrInvalid, in.SuiteID)
	}
	if len(in.SuiteID) > 64 {
		return fmt.Errorf("%w: suite_id is longer than 64 bytes", ErrInvalid)
	}
	if _, err := wecom.ParseCallbackKey(secret.New(in.Token), secret.New(in.EncodingAESKey)); err != nil {
		return fmt.Errorf("%w: token, encoding_aes_key: %w", ErrInvalid, err)
	}
	for name, u := range map[string]string{"callback_url": in.CallbackURL, "command_url": in.CommandURL, "data_url": in.DataURL} {
		if p, err := url.Parse(u); u != "" && (err != nil || p.Host == "" || p.Scheme != "http" && p.Scheme != "https") {
			return fmt.Errorf("%w: %s %q: want an absolute http or https URL", ErrInvalid, name, u)
		}
	}
	return nil
}

// providerSecret keeps one secret per provider.
func (s *Server) providerSecret(id wecom.CorpID) string {
	if p := s.providers[id]; p != nil && p.secret != "" {
		return p.secret
	}
	return letters(43)
}

// PutCorp makes a corp, or changes one: its authorizations stay, and apps are
// added to it or changed by agent_id.
func (s *Server) PutCorp(in Corp) (Corp, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.CorpID == "" {
		in.CorpID = wecom.CorpID("ww" + strings.ToLower(letters(16)))
	}
	if err := s.checkCorp(in); err != nil {
		return Corp{}, err
	}
	co := s.corp(in.CorpID)
	co.Name = or(in.Name, co.Name)
	if in.OpenCorpID != "" && in.OpenCorpID != co.OpenCorpID {
		delete(s.corps, co.OpenCorpID)
		co.OpenCorpID = in.OpenCorpID
		s.corps[in.OpenCorpID] = co
	}
	for _, a := range in.Apps {
		s.putApp(co, a)
	}
	s.changed()
	return co.public(), nil
}

func (s *Server) checkCorp(in Corp) error {
	for _, id := range []wecom.CorpID{in.CorpID, in.OpenCorpID} {
		if len(id) > 64 {
			return fmt.Errorf("%w: a corp's id is longer than 64 bytes", ErrInvalid)
		}
		if other := s.corps[id]; id != "" && other != nil && other.CorpID != in.CorpID {
			return fmt.Errorf("%w: %s is an id of corp %s already", ErrConflict, id, other.CorpID)
		}
	}
	if in.OpenCorpID == in.CorpID {
		return fmt.Errorf("%w: open_corp_id is the same as corp_id", ErrInvalid)
	}
	co := s.corps[in.CorpID]
	for i, a := range in.Apps {
		if a.AgentID <= 0 {
			return fmt.Errorf("%w: apps: agent_id must be a number above 0", ErrInvalid)
		}
		if slices.ContainsFunc(in.Apps[:i], func(b App) bool { return b.AgentID == a.AgentID }) {
			return fmt.Errorf("%w: apps: agent_id %d is there twice", ErrInvalid, a.AgentID)
		}
		if co != nil && slices.ContainsFunc(co.apps, func(b *app) bool { return !b.internal() && b.installed && b.hasAgent(a.AgentID) }) {
			return fmt.Errorf("%w: agent_id %d is a suite's in this corp", ErrConflict, a.AgentID)
		}
		if owner := s.secrets[a.Secret]; owner != nil && (owner.corp != co || !owner.internal() || !owner.hasAgent(a.AgentID)) {
			return fmt.Errorf("%w: apps: another app has the secret of agent_id %d", ErrConflict, a.AgentID)
		}
	}
	return nil
}

// corp finds a corp or makes it.
func (s *Server) corp(id wecom.CorpID) *corp {
	if co := s.corps[id]; co != nil {
		return co
	}
	co := &corp{Corp: Corp{CorpID: id, Name: "Corp " + string(id)}, nextAgent: 1000001}
	s.corps[id] = co
	s.corpOrder = append(s.corpOrder, co)
	return co
}

func (s *Server) putApp(co *corp, in App) {
	var a *app
	for _, b := range co.apps {
		if b.internal() && b.hasAgent(in.AgentID) {
			a = b
		}
	}
	if a == nil {
		a = &app{corp: co, agents: []Agent{{AgentID: in.AgentID}}, installed: true, authorized: s.now()}
		co.apps = append(co.apps, a)
		co.nextAgent = max(co.nextAgent, in.AgentID+1)
	}
	a.agents[0].Name = or(in.Name, or(a.agents[0].Name, fmt.Sprintf("App %d", in.AgentID)))
	if secret := or(in.Secret, or(a.secret, letters(43))); secret != a.secret {
		delete(s.secrets, a.secret)
		a.secret = secret
		s.secrets[secret] = a
		a.tokens.kill() // a new secret ends the tokens that came from the old one
	}
	if in.TrustedDomains != nil {
		a.domains = in.TrustedDomains
	}
	if in.TrustedIPs != nil {
		a.ips = in.TrustedIPs
	}
}

// public is a corp as its configuration shows it.
func (c *corp) public() Corp {
	out := c.Corp
	for _, a := range c.apps {
		if a.internal() {
			out.Apps = append(out.Apps, App{AgentID: a.agents[0].AgentID, Name: a.agents[0].Name, Secret: a.secret, TrustedDomains: a.domains, TrustedIPs: a.ips})
		}
	}
	return out
}

// authorization finds what one corp gave one suite.
func (s *Server) authorization(suiteID wecom.SuiteID, corpID wecom.CorpID) (*app, error) {
	su, co := s.suites[suiteID], s.corps[corpID]
	switch {
	case su == nil:
		return nil, fmt.Errorf("%w: no suite %q; POST /sim/suites makes one", ErrUnknown, suiteID)
	case co == nil:
		return nil, fmt.Errorf("%w: no corp %q", ErrUnknown, corpID)
	}
	a := su.apps[co.CorpID]
	if a == nil || !a.installed {
		return nil, fmt.Errorf("%w: corp %s has not installed suite %s", ErrUnknown, corpID, suiteID)
	}
	return a, nil
}

// findApp finds an authorization, or without a suite the internal app of an agent.
func (s *Server) findApp(suiteID wecom.SuiteID, corpID wecom.CorpID, agentID wecom.AgentID) (*app, error) {
	if suiteID != "" {
		return s.authorization(suiteID, corpID)
	}
	co := s.corps[corpID]
	if co == nil {
		return nil, fmt.Errorf("%w: no corp %q", ErrUnknown, corpID)
	}
	for _, a := range co.apps {
		if a.internal() && a.hasAgent(agentID) {
			return a, nil
		}
	}
	return nil, fmt.Errorf("%w: corp %s has no internal app with agent_id %d; name a suite_id for a suite's", ErrUnknown, corpID, agentID)
}

func (a *app) String() string {
	if a.internal() {
		return fmt.Sprintf("%s/%s", a.corp.CorpID, a.agents[0].AgentID)
	}
	return fmt.Sprintf("%s/%s", a.suite.SuiteID, a.corp.CorpID)
}

// ---- suite_ticket ----

// knowsTicket accepts every suite_ticket that was pushed and still lives.
func (su *suite) knowsTicket(value string, now time.Time) bool {
	return slices.ContainsFunc(su.tickets, func(t issuedTicket) bool { return t.value == value && now.Before(t.expires) })
}

// newTicket makes the next suite_ticket; each push carries a new one.
func (s *Server) newTicket(su *suite) issuedTicket {
	now := s.now()
	t := issuedTicket{value: opaque(48), issued: now, expires: now.Add(s.cfg.Lifetimes.SuiteTicket)}
	su.tickets = append(slices.DeleteFunc(su.tickets, func(t issuedTicket) bool { return !now.Before(t.expires) }), t)
	su.pushedAt = now
	s.changed()
	return t
}

// untilPush is how long it is to a suite's next push.
func (s *Server) untilPush(su *suite) time.Duration {
	if su.pushedAt.IsZero() {
		return s.cfg.PushInterval
	}
	return max(0, su.pushedAt.Add(s.cfg.PushInterval).Sub(s.now()))
}

func (su *suite) stop() {
	if su.stopPush != nil {
		su.stopPush()
		su.stopPush = nil
	}
}

// schedulePush makes the next suite_ticket be pushed in a while.
func (s *Server) schedulePush(su *suite, in time.Duration) {
	su.stop()
	if su.url(Command, "") == "" {
		return
	}
	su.stopPush = s.later(in, func() {
		s.pushTicket(s.closing, su)
	})
}
