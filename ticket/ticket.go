package ticket

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

// Kind names one of a tenant's credentials.
type Kind string

// The kinds. The first one fetches the other two.
const (
	AccessToken Kind = "access_token"
	JSAPITicket Kind = "jsapi_ticket" // signs for wx.config: the corp's identity
	AgentConfig Kind = "agent_config" // signs for wx.agentConfig: the app's identity
)

// Errors of the room.
var (
	// ErrNone is returned when a tenant has no live ticket.
	ErrNone = errors.New("no live ticket")
	// ErrBudgetSpent is returned when a refresh would ask for more than WeCom allows.
	ErrBudgetSpent = errors.New("refresh budget is spent")
	// ErrNoAuthorization is returned when a tenant has no authorization in force: there is nothing to refresh with.
	ErrNoAuthorization = errors.New("tenant has no authorization in force")
)

// SealedColumns are the columns of this room that hold sealed values.
var SealedColumns = []secret.Column{
	{Table: "credentials", Column: "value_sealed", Key: []string{"tenant_id", "kind"}},
	// After value_sealed: what moves from there while both are sealed anew is found here.
	{Table: "credentials", Column: "previous_sealed", Key: []string{"tenant_id", "kind"}, SealedAs: "value_sealed"},
}

// bound names the place where a credential is stored.
func bound(id uuid.UUID, k Kind) secret.Binding {
	return secret.Binding{Table: "credentials", Column: "value_sealed", Row: id.String() + "/" + string(k)}
}

// fingerprint tells values apart without keeping them.
func fingerprint(v secret.String) []byte {
	sum := sha256.Sum256([]byte(v.Reveal()))
	return sum[:]
}

// Platform is WeCom as far as this room needs it; *wecom.Client is one.
type Platform interface {
	CorpToken(ctx context.Context, t wecom.SuiteAccessToken, corp wecom.CorpID, permanentCode secret.String) (wecom.Grant[wecom.AccessToken], error)
	AppToken(ctx context.Context, corp wecom.CorpID, corpSecret secret.String) (wecom.Grant[wecom.AccessToken], error)
	JSAPITicket(ctx context.Context, t wecom.AccessToken) (wecom.Grant[wecom.JSAPITicket], error)
	AgentTicket(ctx context.Context, t wecom.AccessToken) (wecom.Grant[wecom.AgentTicket], error)
}

// SuiteTokens gives suite_access_tokens; *suite.Tokens does. Token fails with
// suite.ErrNoSuiteTicket, suite.ErrSuiteBlocked or suite.ErrSuiteUnavailable.
type SuiteTokens interface {
	Token(ctx context.Context, id wecom.SuiteID) (wecom.SuiteAccessToken, error)
	Invalidate(ctx context.Context, id wecom.SuiteID, failed wecom.SuiteAccessToken) error
	BlockIP(ctx context.Context, id wecom.SuiteID, why error) error
}

// Authorizations gives what a tenant's access_token is fetched with; *suite.Store
// does. Block and Unblock set and lift the breaker of one version of it; Reread has
// what it grants read again.
type Authorizations interface {
	Authorizations(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]suite.Authorization, error)
	Block(ctx context.Context, tenantID uuid.UUID, version int64) (bool, error)
	Unblock(ctx context.Context, tenantID uuid.UUID, version int64) error
	Reread(ctx context.Context, tenantID uuid.UUID) error
}

// Tenants keeps the health of tenants; *tenant.Store does.
type Tenants interface {
	SetHealth(ctx context.Context, changed []tenant.HealthChange) error
}

// Metrics is told what the room does. Funcs that are nil are not called; none is
// given an id, so that all of it may become labels.
type Metrics struct {
	Fetched func(kind Kind, outcome Outcome, class wecom.Class) // one credential; class is of a failure
	Tenant  func(outcome string, n int)                         // tenants, by what became of their attempt
	Late    func(by time.Duration)                              // how long after it was due a tenant was claimed
}

// Outcome is what became of fetching one credential.
type Outcome string

// The outcomes. Many repeated ones tell that WeCom keeps handing out a value while it lives.
const (
	Fetched  Outcome = "fetched"
	Repeated Outcome = "repeated"
	Failed   Outcome = "failed"
)
