package suite

import (
	"errors"
	"time"

	"suitesign/secret"
	"suitesign/wecom"
)

// Kind says how a suite's corps are called for.
type Kind string

// The kinds of suites.
const (
	ThirdParty Kind = "third_party" // 第三方应用: corp tokens by get_corp_token
	Customized Kind = "customized"  // 代开发 template, dk…: the permanent_code is the app's secret
	Internal   Kind = "internal"    // 自建应用: no callbacks, an admin enters corp, agent and secret
)

// Errors of the room that more than one of its files raises.
var (
	// ErrNotFound is returned where no suite, event, exchange or authorization has that id.
	ErrNotFound = errors.New("no such suite, event or exchange")
	// ErrExists is returned for a suite_id, or an internal tenant, that is there already.
	ErrExists = errors.New("exists already")
	// ErrVersion is returned when a row is not the version that the caller expected.
	ErrVersion = errors.New("changed by somebody else")
	// ErrHasActiveTenants is returned when a suite is to be deleted that corps still use.
	ErrHasActiveTenants = errors.New("suite has active tenants")
	// ErrWrongKind is returned where a suite of another kind is needed.
	ErrWrongKind = errors.New("wrong kind of suite")
)

// Suite is a suite as admins see it. Its secrets are never read back.
type Suite struct {
	ID                wecom.SuiteID
	Kind              Kind
	Name              string
	ProviderCorpID    wecom.CorpID // receiveid of the console's URL verification; empty: any
	InstallTestMode   bool         // the install page asks for test installs (auth_type 1)
	SuiteSecretSet    bool
	CallbackTokenSet  bool
	EncodingAESKeySet bool
	PreviousUntil     *time.Time // until when the callback pair before the last change is accepted
	SecretVersion     int64      // goes up when suite_secret changes
	Version           int64
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// New is a suite to be created. An internal suite has only an id, a kind and a name.
type New struct {
	ID              wecom.SuiteID
	Kind            Kind
	Name            string
	SuiteSecret     secret.String
	CallbackToken   secret.String
	EncodingAESKey  secret.String
	ProviderCorpID  wecom.CorpID
	InstallTestMode bool
}

// Patch changes what is not nil. A suite never changes its kind.
type Patch struct {
	Name            *string
	SuiteSecret     *secret.String
	CallbackToken   *secret.String
	EncodingAESKey  *secret.String
	ProviderCorpID  *wecom.CorpID
	InstallTestMode *bool
	IfVersion       *int64 // ErrVersion unless the suite is at this version
}
