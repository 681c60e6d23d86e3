package wecomtest

import (
	"slices"
	"time"

	"suitesign/wecom"
)

// State is everything the simulator knows and every credential it handed out.
type State struct {
	Now        time.Time             `json:"now"`
	Rotation   Rotation              `json:"rotation"`
	Suites     []SuiteState          `json:"suites"`
	Corps      []CorpState           `json:"corps"`
	Providers  []ProviderState       `json:"providers"`
	AuthCodes  []AuthCodeState       `json:"auth_codes"` // that may still be exchanged
	Deliveries []Delivery            `json:"deliveries"` // the youngest, the newest last
	Pushed     map[DeliveryState]int `json:"pushed"`     // how many there are of each state since the start
	Faults     []Fault               `json:"faults"`     // still to happen
	Violations []Violation           `json:"violations"` // limits that were exceeded
}

// SuiteState is a suite and what it was given.
type SuiteState struct {
	Suite
	SuiteTickets      []CredentialState `json:"suite_tickets"`       // that still live, the newest last
	SuiteAccessTokens []CredentialState `json:"suite_access_tokens"` // the newest last
	Verified          []PushDoor        `json:"verified"`            // callback URLs that passed their verification
	PushedAt          time.Time         `json:"pushed_at,omitzero"`  // the latest suite_ticket
	Corps             []AppState        `json:"corps"`
}

// ProviderState is a provider and its tokens.
type ProviderState struct {
	CorpID               wecom.CorpID      `json:"corp_id"`
	Secret               string            `json:"secret"`
	ProviderAccessTokens []CredentialState `json:"provider_access_tokens"`
}

// CorpState is a corp and its internal apps.
type CorpState struct {
	CorpID     wecom.CorpID `json:"corp_id"`
	OpenCorpID wecom.CorpID `json:"open_corp_id,omitempty"`
	Name       string       `json:"name"`
	Apps       []AppState   `json:"apps"`
}

// AppState is an authorization, or an internal app, and what it was given.
type AppState struct {
	CorpID         wecom.CorpID      `json:"corp_id"` // in the form that the suite sees
	SuiteID        wecom.SuiteID     `json:"suite_id,omitempty"`
	Agents         []Agent           `json:"agents"`
	Secret         string            `json:"secret,omitempty"` // the permanent_code, or the internal app's secret
	Door           Door              `json:"door,omitempty"`
	Installed      bool              `json:"installed"`
	Trouble        int               `json:"trouble,omitempty"` // the errcode that its calls are answered with
	AuthorizedAt   time.Time         `json:"authorized_at"`
	TrustedDomains []string          `json:"trusted_domains,omitempty"`
	TrustedIPs     []string          `json:"trusted_ips,omitempty"`
	AccessTokens   []CredentialState `json:"access_tokens"` // these three: the newest last
	JSAPITickets   []CredentialState `json:"jsapi_tickets"`
	AgentTickets   []CredentialState `json:"agent_tickets"`
}

// CredentialState is one credential that was handed out.
type CredentialState struct {
	Value     string    `json:"value"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Revoked   bool      `json:"revoked,omitempty"`
	Live      bool      `json:"live"`
}

// AuthCodeState is an auth_code that waits for its exchange.
type AuthCodeState struct {
	Value         string        `json:"value"`
	SuiteID       wecom.SuiteID `json:"suite_id"`
	CorpID        wecom.CorpID  `json:"corp_id"`
	PermanentCode string        `json:"permanent_code"` // what the exchange will answer with
	State         string        `json:"state,omitempty"`
	ExpiresAt     time.Time     `json:"expires_at"`
}

// State tells what is known; an empty suiteID or corpID is any.
func (s *Server) State(suiteID wecom.SuiteID, corpID wecom.CorpID) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := State{Now: s.now(), Rotation: s.cfg.Rotation, Suites: []SuiteState{}, Corps: []CorpState{}, Providers: []ProviderState{},
		AuthCodes: []AuthCodeState{}, Deliveries: []Delivery{}, Pushed: map[DeliveryState]int{}, Faults: s.listFaults(),
		Violations: append([]Violation{}, s.violations...)}
	for _, su := range s.suiteOrder {
		if suiteID == "" || su.SuiteID == suiteID {
			out.Suites = append(out.Suites, s.suiteState(su, corpID))
		}
	}
	for _, co := range s.corpsOf(corpID) {
		out.Corps = append(out.Corps, s.corpState(co))
	}
	for _, p := range s.providers {
		out.Providers = append(out.Providers, ProviderState{CorpID: p.corpID, Secret: p.secret, ProviderAccessTokens: s.slotState(p.tokens)})
	}
	for _, code := range s.codeQueue {
		if !code.used && out.Now.Before(code.expires) && (suiteID == "" || code.app.suite.SuiteID == suiteID) && (corpID == "" || code.app.corp.is(corpID)) {
			out.AuthCodes = append(out.AuthCodes, AuthCodeState{Value: code.value, SuiteID: code.app.suite.SuiteID, CorpID: code.app.suite.corpID(code.app.corp),
				PermanentCode: code.permanentCode, State: code.state, ExpiresAt: code.expires})
		}
	}
	for state, n := range s.pushes.counts {
		out.Pushed[state] = n
	}
	for _, d := range s.pushes.list {
		if (suiteID == "" || d.SuiteID == suiteID) && (corpID == "" || d.CorpID == "" || d.CorpID == corpID) {
			out.Deliveries = append(out.Deliveries, d.clone())
		}
	}
	return out
}

func (c *corp) is(id wecom.CorpID) bool { return c.CorpID == id || c.OpenCorpID == id && id != "" }

func (s *Server) corpsOf(id wecom.CorpID) []*corp {
	if id == "" {
		return s.corpOrder
	}
	if co := s.corps[id]; co != nil {
		return []*corp{co}
	}
	return nil
}

func (s *Server) suiteState(su *suite, corpID wecom.CorpID) SuiteState {
	now := s.now()
	out := SuiteState{Suite: su.Suite, SuiteTickets: []CredentialState{}, SuiteAccessTokens: s.slotState(su.tokens), Verified: []PushDoor{}, PushedAt: su.pushedAt, Corps: []AppState{}}
	for _, t := range su.tickets {
		if now.Before(t.expires) {
			out.SuiteTickets = append(out.SuiteTickets, CredentialState{Value: t.value, IssuedAt: t.issued, ExpiresAt: t.expires, Live: true})
		}
	}
	for door := range su.verified {
		out.Verified = append(out.Verified, door)
	}
	slices.Sort(out.Verified)
	for _, co := range s.corpsOf(corpID) {
		if a := su.apps[co.CorpID]; a != nil {
			out.Corps = append(out.Corps, s.appState(a))
		}
	}
	return out
}

func (s *Server) corpState(co *corp) CorpState {
	out := CorpState{CorpID: co.CorpID, OpenCorpID: co.OpenCorpID, Name: co.Name, Apps: []AppState{}}
	for _, a := range co.apps {
		if a.internal() {
			out.Apps = append(out.Apps, s.appState(a))
		}
	}
	return out
}

func (s *Server) appState(a *app) AppState {
	out := AppState{CorpID: a.corp.CorpID, SuiteID: a.suiteID(), Agents: append([]Agent{}, a.agents...), Secret: a.secret, Door: a.door, Installed: a.installed,
		Trouble: a.trouble, AuthorizedAt: a.authorized, TrustedDomains: a.domains, TrustedIPs: a.ips,
		AccessTokens: s.slotState(a.tokens), JSAPITickets: s.slotState(a.jsapi), AgentTickets: s.slotState(a.agent)}
	if a.suite != nil {
		out.CorpID = a.suite.corpID(a.corp)
	}
	return out
}

func (s *Server) slotState(sl slot) []CredentialState {
	now := s.now()
	out := make([]CredentialState, 0, len(sl))
	for _, c := range sl {
		out = append(out, CredentialState{Value: c.value, IssuedAt: c.issued, ExpiresAt: c.expires, Revoked: c.revoked, Live: c.live(now)})
	}
	return out
}

func (s *Server) listFaults() []Fault {
	out := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		out = append(out, f.Fault)
	}
	return out
}

// Authorization finds what a corp gave a suite, cancelled or not; the corp may be
// named by either form of its id.
func (st State) Authorization(suiteID wecom.SuiteID, corpID wecom.CorpID) (AppState, bool) {
	ids := []wecom.CorpID{corpID}
	for _, co := range st.Corps {
		if co.CorpID == corpID || co.OpenCorpID == corpID {
			ids = append(ids, co.CorpID, co.OpenCorpID)
		}
	}
	for _, su := range st.Suites {
		for _, a := range su.Corps {
			if su.SuiteID == suiteID && slices.Contains(ids, a.CorpID) {
				return a, true
			}
		}
	}
	return AppState{}, false
}

// Live is the newest credential of a list that still works, or "".
func Live(list []CredentialState) string {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Live {
			return list[i].Value
		}
	}
	return ""
}
