package wecomtest

import (
	"slices"
	"strings"
	"sync"
	"time"

	"suitesign/wecom"
)

// SuiteKind is what a suite is to the platform.
type SuiteKind string

// The kinds of suites. An internal app has no suite: it is an [App] of a [Corp].
const (
	ThirdParty SuiteKind = "third_party" // its corp token comes from get_corp_token
	Customized SuiteKind = "customized"  // its permanent_code is the corpsecret of gettoken
)

// Suite is a suite as its provider configures it in the console. What is left
// empty is made up: AddSuite answers with the whole of it.
type Suite struct {
	SuiteID          wecom.SuiteID `json:"suite_id"`
	Kind             SuiteKind     `json:"kind,omitempty"` // customized if the id starts with dk, else third_party
	Name             string        `json:"name,omitempty"`
	Secret           string        `json:"secret,omitempty"`
	Token            string        `json:"token,omitempty"`
	EncodingAESKey   string        `json:"encoding_aes_key,omitempty"`
	CallbackURL      string        `json:"callback_url,omitempty"` // base of both: /command and /data are appended; empty: nothing is pushed
	CommandURL       string        `json:"command_url,omitempty"`  // instead of the base
	DataURL          string        `json:"data_url,omitempty"`     // instead of the base; $CORPID$ in it becomes the corp's id
	ProviderCorpID   wecom.CorpID  `json:"provider_corp_id,omitempty"`
	ProviderSecret   string        `json:"provider_secret,omitempty"`
	RedirectDomain   string        `json:"redirect_domain,omitempty"`   // where an install may return to; empty: anywhere
	TrustedDomains   []string      `json:"trusted_domains,omitempty"`   // where the app's pages may live; absent: not checked
	ExactDomains     bool          `json:"exact_domains,omitempty"`     // a trusted domain does not cover its sub-domains
	Unpublished      bool          `json:"unpublished,omitempty"`       // installs only with auth_type 1
	AllowedIPs       []string      `json:"allowed_ips,omitempty"`       // the provider's IP list; a trailing .* is any last part; absent: any IP
	Personal         bool          `json:"personal,omitempty"`          // the provider is a person: receiveid is empty
	PlainCorpIDs     bool          `json:"plain_corp_ids,omitempty"`    // knows corps by corp_id even where they have an open_corp_id
	SkipVerification bool          `json:"skip_verification,omitempty"` // push without the GET that verifies the URL
}

// Corp is a corp. Only its id is needed.
type Corp struct {
	CorpID     wecom.CorpID `json:"corp_id"`
	OpenCorpID wecom.CorpID `json:"open_corp_id,omitempty"` // the encrypted form that suites know it by
	Name       string       `json:"name,omitempty"`
	Apps       []App        `json:"apps,omitempty"`
}

// App is an internal app (自建应用) of a corp.
type App struct {
	AgentID        wecom.AgentID `json:"agent_id"`
	Name           string        `json:"name,omitempty"`
	Secret         string        `json:"secret,omitempty"`          // made up if empty
	TrustedDomains []string      `json:"trusted_domains,omitempty"` // absent: not checked
	TrustedIPs     []string      `json:"trusted_ips,omitempty"`     // absent: any IP
}

// Agent is the app that an authorization put into the corp.
type Agent struct {
	AgentID wecom.AgentID `json:"agent_id"`
	Name    string        `json:"name,omitempty"`
}

// Door is the way by which a corp installs a suite.
type Door string

// The doors.
const (
	Market Door = "market" // the app market, or a customised template's code: create_auth is pushed
	Site   Door = "site"   // the provider's own page: the auth_code travels in the redirect only
)

// credential is a token or ticket that was handed out.
type credential struct {
	value   string
	kind    Kind
	app     *app      // whose access_token or ticket it is
	suite   *suite    // whose suite_access_token it is
	vendor  *provider // whose provider_access_token it is
	issued  time.Time
	expires time.Time
	revoked bool
}

func (c *credential) live(now time.Time) bool { return !c.revoked && now.Before(c.expires) }

// slot holds the credentials of one kind and owner: all that may still be asked
// about, the newest last. A credential nobody fetches is never made.
type slot []*credential

func (s slot) newest() *credential {
	if len(s) == 0 {
		return nil
	}
	return s[len(s)-1]
}

// keepDead is how many dead credentials a slot remembers, to tell expired from unknown.
const keepDead = 3

type provider struct {
	corpID wecom.CorpID
	secret string
	tokens slot
}

type issuedTicket struct {
	value   string
	issued  time.Time
	expires time.Time
}

type suite struct {
	Suite
	vendor   *provider
	tickets  []issuedTicket // suite_tickets, the newest last
	tokens   slot
	apps     map[wecom.CorpID]*app // by the corp's corp_id
	verified map[PushDoor]string   // door -> the URL that answered the verification
	verifies sync.Mutex            // one verification at a time; never taken while the state is locked
	stopPush func() bool
	pushedAt time.Time
}

// corpID is the form of a corp's id that this suite knows.
func (s *suite) corpID(c *corp) wecom.CorpID {
	if c.OpenCorpID != "" && !s.PlainCorpIDs {
		return c.OpenCorpID
	}
	return c.CorpID
}

type corp struct {
	Corp       // without its Apps: they live in apps
	nextAgent  wecom.AgentID
	apps       []*app // internal apps and authorizations, cancelled ones too
	rates      map[string]*[2]gate
	tickets    [2]gate // per kind of ticket, or the first for both
	concurrent map[string]int
}

// app is what has an access_token: an internal app, or the authorization of one
// suite by one corp.
type app struct {
	suite      *suite // nil: internal
	corp       *corp
	agents     []Agent
	secret     string // the internal app's secret, or the permanent_code
	domains    []string
	ips        []string // internal: from where it may be called
	door       Door
	installed  bool
	trouble    int // the errcode that calls are answered with: 50003 disabled, …
	authorized time.Time
	tokens     slot
	jsapi      slot
	agent      slot
	tickets    [2]gate
}

func (a *app) internal() bool { return a.suite == nil }

// trusted answers with the domains that the app's pages may live on, and whether
// any were named.
func (a *app) trusted() (domains []string, named bool) {
	if a.domains != nil {
		return a.domains, true
	}
	if a.suite != nil && a.suite.TrustedDomains != nil {
		return a.suite.TrustedDomains, true
	}
	return nil, false
}

func (a *app) exactDomains() bool { return a.suite != nil && a.suite.ExactDomains }

func (a *app) hasAgent(id wecom.AgentID) bool {
	return slices.ContainsFunc(a.agents, func(g Agent) bool { return g.AgentID == id })
}

func (a *app) suiteID() wecom.SuiteID {
	if a.suite == nil {
		return ""
	}
	return a.suite.SuiteID
}

// slotOf is where the app's credentials of a kind are.
func (a *app) slotOf(k Kind) *slot {
	switch k {
	case JSAPITicket:
		return &a.jsapi
	case AgentTicket:
		return &a.agent
	default:
		return &a.tokens
	}
}

type authCode struct {
	value         string
	app           *app
	permanentCode string // what the exchange will answer with
	state         string
	expires       time.Time
	used          bool
}

type preAuthCode struct {
	value    string
	suite    *suite
	authType int
	expires  time.Time
	used     bool
}

func suiteKind(s Suite) SuiteKind {
	if s.Kind != "" {
		return s.Kind
	}
	if strings.HasPrefix(string(s.SuiteID), "dk") {
		return Customized
	}
	return ThirdParty
}
