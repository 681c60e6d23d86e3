package wecom

import (
	"time"

	"suitesign/secret"
)

// The platform's credentials. They are types of their own so that one cannot be
// handed to a call that wants another: a suite token on a ticket call is 40014
// (developer.work.weixin.qq.com/document/path/90593).
type (
	// SuiteTicket is pushed every ten minutes and lives for thirty (path/90628).
	SuiteTicket struct{ secret.String }
	// SuiteAccessToken opens the authorization calls of a suite (path/90600).
	SuiteAccessToken struct{ secret.String }
	// ProviderAccessToken opens the provider's own calls (path/96237).
	ProviderAccessToken struct{ secret.String }
	// PreAuthCode starts one installation (path/90601).
	PreAuthCode struct{ secret.String }
	// AccessToken opens everything that belongs to one corp and app (path/90605, path/91039).
	AccessToken struct{ secret.String }
	// JSAPITicket signs for wx.config: the corp's identity (path/90506).
	JSAPITicket struct{ secret.String }
	// AgentTicket signs for wx.agentConfig: the app's identity (path/90506).
	AgentTicket struct{ secret.String }
)

// MaxLifetime is the longest that a grant is believed to live, whatever the platform says.
const MaxLifetime = 24 * time.Hour

// Grant is a credential and for how long it is good, counted from the answer.
// ExpiresIn is above zero and at most MaxLifetime. A repeated fetch may return the
// same value with the same ExpiresIn: the older expiry stands then.
type Grant[T any] struct {
	Value     T
	ExpiresIn time.Duration
}
