package explain

import (
	"time"

	"suitesign/secret"
	"suitesign/tenant"
	"suitesign/wecom/jsapi"
)

// Kind is which of its two registrations a page made.
type Kind string

// The registrations.
const (
	Config Kind = "config" // getConfigSignature, wx.config: the corp's identity
	Agent  Kind = "agent"  // getAgentConfigSignature, wx.agentConfig: the app's
)

// A Question is what a developer tells. Only URL is needed; "" is what was not
// told. Ids are texts, for "undefined" is what a page makes of a missing one.
type Question struct {
	URL      string // the page's, as the developer says it
	EntryURL string // with which the page was opened, before its router changed the URL

	Kind      Kind
	Timestamp string // the triple that the page registered with
	NonceStr  string
	Signature string

	SuiteID string // the ids that the page used
	CorpID  string
	AgentID string

	Error     string // what the page saw, WeCom's words or ours
	Errcode   int
	UserAgent string

	API       string   // that was called
	JSAPIList []string // nil: not told
	Entry     string   // what getContext said
}

// A Lookup says whether the service knows whom a page means.
type Lookup string

// What a lookup can end in.
const (
	Found         Lookup = "found"
	NoSuite       Lookup = "no_suite"        // no suite has this suite_id
	NoTenant      Lookup = "no_tenant"       // the ids name no tenant
	SeveralFit    Lookup = "several_fit"     // the ids or the host lead to more than one
	NobodyTrusts  Lookup = "nobody_trusts"   // no id was named, and no tenant trusts the host
	NothingToFind Lookup = "nothing_to_find" // no id was named, and the URL has no host
)

// Known is what the service knows.
type Known struct {
	Now    time.Time
	Lookup Lookup
	App    *App     // whom the page means; nil unless Lookup is Found
	Others []App    // further ones that a page can be confused with
	Suites []string // every suite_id
	// ProviderCorpID is the service provider's own corp_id, "" if it is not known.
	ProviderCorpID string
}

// An App is one corp's authorization of one suite, with what its pages are signed with.
type App struct {
	tenant.Tenant
	Kind    jsapi.Kind             // of the suite
	Trusts  []tenant.TrustedDomain // its own and its suite's
	Tickets []Ticket
}

// TicketKind says what a value is good for.
type TicketKind string

// The kinds. An access_token signs nothing, and is signed with nevertheless.
const (
	ConfigTicket TicketKind = "config"
	AgentTicket  TicketKind = "agent"
	AccessToken  TicketKind = "access_token"
)

// A Ticket is one that the service holds or held.
type Ticket struct {
	Kind      TicketKind
	Value     secret.String
	Live      bool      // and in use: not the one before
	FetchedAt time.Time // when its value was first fetched
	ExpiresAt time.Time
}

// names reports whether the app's corp is known by an id, in any of its forms.
func (a *App) names(corpID string) bool {
	if string(a.CorpID) == corpID {
		return true
	}
	for _, alias := range a.Aliases {
		if string(alias) == corpID {
			return true
		}
	}
	return false
}

// sameCorp reports whether two apps are of one corp, by any form of its id.
func (a *App) sameCorp(b *App) bool {
	for _, alias := range b.Aliases {
		if a.names(string(alias)) {
			return true
		}
	}
	return a.names(string(b.CorpID))
}

// live is the app's live ticket of a kind; nil without one.
func (a *App) live(k TicketKind) *Ticket {
	for i := range a.Tickets {
		if t := &a.Tickets[i]; t.Kind == k && t.Live {
			return t
		}
	}
	return nil
}
