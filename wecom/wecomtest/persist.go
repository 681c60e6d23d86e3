package wecomtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"suitesign/wecom"
)

// saved is what the state file holds: the configuration and every credential, so
// that whoever met the simulator before finds it as it was. Faults, counts and
// deliveries are not kept.
type saved struct {
	Version   int             `json:"version"`
	SavedAt   time.Time       `json:"saved_at"`
	Suites    []SuiteState    `json:"suites"`
	Corps     []CorpState     `json:"corps"`
	Apps      []savedApp      `json:"authorizations"`
	Providers []ProviderState `json:"providers"`
	AuthCodes []AuthCodeState `json:"auth_codes"`
}

type savedApp struct {
	AppState
	PlainCorpID wecom.CorpID `json:"plain_corp_id"`
}

const stateVersion = 1

// changed remembers that the state has to be saved, soon and once for many
// changes. The caller holds the lock.
func (s *Server) changed() {
	if s.cfg.StateFile == "" || s.dirty || s.loading {
		return
	}
	s.dirty = true
	// A large state takes a while to write: it gets a small share of the time.
	t := time.AfterFunc(max(s.cfg.SaveAfter, 20*s.saveTook), func() {
		if !s.begin() {
			return
		}
		defer s.working.Done()
		if err := s.Save(); err != nil {
			s.cfg.Log.Error("state not saved", "error", err)
		}
	})
	s.stopSave = t.Stop
}

// Save writes the state file, if there is one: a new file that then takes the old
// one's place, so that no crash leaves half a state.
func (s *Server) Save() error {
	if s.cfg.StateFile == "" {
		return nil
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	s.dirty = false
	began := time.Now()
	out := s.snapshot()
	s.saveTook = time.Since(began)
	s.mu.Unlock()
	b, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	dir := filepath.Dir(s.cfg.StateFile)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	f, err := os.CreateTemp(dir, filepath.Base(s.cfg.StateFile)+".*.tmp") // only its owner may read it
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), s.cfg.StateFile)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("save: %w", err)
	}
	return nil
}

func (s *Server) snapshot() saved {
	out := saved{Version: stateVersion, SavedAt: s.now(), Apps: []savedApp{}}
	for _, su := range s.suiteOrder {
		st := s.suiteState(su, "")
		st.Corps = nil
		out.Suites = append(out.Suites, st)
	}
	for _, co := range s.corpOrder {
		out.Corps = append(out.Corps, s.corpState(co))
		for _, a := range co.apps {
			if !a.internal() {
				out.Apps = append(out.Apps, savedApp{s.appState(a), co.CorpID})
			}
		}
	}
	for _, p := range s.providers {
		out.Providers = append(out.Providers, ProviderState{CorpID: p.corpID, Secret: p.secret, ProviderAccessTokens: s.slotState(p.tokens)})
	}
	for _, code := range s.codeQueue {
		if !code.used && s.now().Before(code.expires) {
			out.AuthCodes = append(out.AuthCodes, AuthCodeState{Value: code.value, SuiteID: code.app.suite.SuiteID, CorpID: code.app.corp.CorpID,
				PermanentCode: code.permanentCode, State: code.state, ExpiresAt: code.expires})
		}
	}
	return out
}

// load goes on where a state file ended.
func (s *Server) load() error {
	b, err := os.ReadFile(s.cfg.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	var in saved
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("load %s: %w; move it away to start anew", s.cfg.StateFile, err)
	}
	if in.Version != stateVersion {
		return fmt.Errorf("load %s: it has version %d, this program knows %d; move it away to start anew", s.cfg.StateFile, in.Version, stateVersion)
	}
	s.mu.Lock()
	s.loading = true
	s.mu.Unlock()
	err = s.restore(in)
	s.mu.Lock()
	s.loading = false
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("load %s: %w", s.cfg.StateFile, err)
	}
	return nil
}

func (s *Server) restore(in saved) error {
	for _, p := range in.Providers {
		s.providers[p.CorpID] = &provider{corpID: p.CorpID, secret: p.Secret}
	}
	for _, st := range in.Suites {
		if _, err := s.PutSuite(st.Suite); err != nil {
			return err
		}
	}
	for _, st := range in.Corps {
		if err := s.restoreCorp(st); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range in.Providers {
		vendor := s.providers[p.CorpID]
		s.restoreSlot(&vendor.tokens, credential{kind: ProviderAccessToken, vendor: vendor}, p.ProviderAccessTokens)
	}
	for _, st := range in.Suites {
		s.restoreSuite(s.suites[st.SuiteID], st)
	}
	for _, st := range in.Apps {
		if err := s.restoreApp(st); err != nil {
			return err
		}
	}
	for _, c := range in.AuthCodes {
		su, co := s.suites[c.SuiteID], s.corps[c.CorpID]
		if su == nil || co == nil || su.apps[co.CorpID] == nil {
			return fmt.Errorf("%w: auth_code of %s and %s, which are not there", ErrInvalid, c.SuiteID, c.CorpID)
		}
		s.keepCode(&authCode{value: c.Value, app: su.apps[co.CorpID], permanentCode: c.PermanentCode, state: c.State, expires: c.ExpiresAt})
	}
	return nil
}

func (s *Server) restoreSuite(su *suite, st SuiteState) {
	s.restoreSlot(&su.tokens, credential{kind: SuiteAccessToken, suite: su}, st.SuiteAccessTokens)
	for _, t := range st.SuiteTickets {
		su.tickets = append(su.tickets, issuedTicket{t.Value, t.IssuedAt, t.ExpiresAt})
	}
	for _, door := range st.Verified {
		su.verified[door] = su.url(door, "")
	}
	su.pushedAt = st.PushedAt
	s.schedulePush(su, s.untilPush(su))
}

func (s *Server) restoreCorp(st CorpState) error {
	c := Corp{CorpID: st.CorpID, OpenCorpID: st.OpenCorpID, Name: st.Name}
	for _, a := range st.Apps {
		if len(a.Agents) != 1 {
			return fmt.Errorf("%w: an internal app of corp %s has %d agents", ErrInvalid, st.CorpID, len(a.Agents))
		}
		c.Apps = append(c.Apps, App{AgentID: a.Agents[0].AgentID, Name: a.Agents[0].Name, Secret: a.Secret, TrustedDomains: a.TrustedDomains, TrustedIPs: a.TrustedIPs})
	}
	if _, err := s.PutCorp(c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range s.corps[st.CorpID].apps {
		s.restoreSlots(a, st.Apps[i])
	}
	return nil
}

func (s *Server) restoreApp(st savedApp) error {
	su, co := s.suites[st.SuiteID], s.corps[st.PlainCorpID]
	if su == nil || co == nil {
		return fmt.Errorf("%w: authorization of %s and %s, which are not there", ErrInvalid, st.SuiteID, st.PlainCorpID)
	}
	a := &app{suite: su, corp: co, agents: st.Agents, secret: st.Secret, domains: st.TrustedDomains, door: st.Door, installed: st.Installed}
	su.apps[co.CorpID] = a
	co.apps = append(co.apps, a)
	if su.Kind == Customized && a.secret != "" && a.installed {
		s.secrets[a.secret] = a
	}
	s.restoreSlots(a, st.AppState)
	return nil
}

func (s *Server) restoreSlots(a *app, st AppState) {
	a.trouble, a.authorized = st.Trouble, st.AuthorizedAt
	for _, g := range a.agents {
		a.corp.nextAgent = max(a.corp.nextAgent, g.AgentID+1)
	}
	s.restoreSlot(&a.tokens, credential{kind: AccessToken, app: a}, st.AccessTokens)
	s.restoreSlot(&a.jsapi, credential{kind: JSAPITicket, app: a}, st.JSAPITickets)
	s.restoreSlot(&a.agent, credential{kind: AgentTicket, app: a}, st.AgentTickets)
}

func (s *Server) restoreSlot(sl *slot, like credential, list []CredentialState) {
	*sl = slices.Grow(*sl, len(list))
	for _, st := range list {
		c := like
		c.value, c.issued, c.expires, c.revoked = st.Value, st.IssuedAt, st.ExpiresAt, st.Revoked
		s.creds[c.value] = &c
		*sl = append(*sl, &c)
	}
}
