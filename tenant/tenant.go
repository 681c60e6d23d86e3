package tenant

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"suitesign/audit"
	"suitesign/wecom"
)

// Status tells whether a tenant may sign.
type Status string

// The states of a tenant.
const (
	Active    Status = "active"    // from the exchange of its auth_code on, even before its first ticket
	Disabled  Status = "disabled"  // by an admin; survives a re-install
	Cancelled Status = "cancelled" // by WeCom
)

// Valid reports whether s is one of the states.
func (s Status) Valid() bool { return s == Active || s == Disabled || s == Cancelled }

// Health tells how the tenant's credentials fare. It is stored by whoever
// refreshes them, not computed.
type Health string

// The kinds of health.
const (
	OK                   Health = "ok"
	Pending              Health = "pending"
	Failing              Health = "failing"
	WaitingSuiteTicket   Health = "waiting_suite_ticket"
	NeedsReauthorization Health = "needs_reauthorization"
)

// Valid reports whether h is one of the kinds.
func (h Health) Valid() bool {
	return slices.Contains([]Health{OK, Pending, Failing, WaitingSuiteTicket, NeedsReauthorization}, h)
}

// A Tenant is one corp's authorization of one suite.
type Tenant struct {
	ID      uuid.UUID // version 7
	SuiteID wecom.SuiteID
	CorpID  wecom.CorpID
	Name    string
	Status  Status
	Health  Health

	// The last failure of a refresh; empty while health is ok.
	LastError    string
	LastErrcode  int       // WeCom's errcode; 0 = none
	LastErrorAt  time.Time // zero = none
	AuthorizedAt time.Time // in whole seconds, as the platform counts
	CancelledAt  time.Time // zero = not cancelled

	Version   int64 // counts what admins and WeCom change, not health
	CreatedAt time.Time
	UpdatedAt time.Time

	Agents  []Agent        // by number
	Aliases []wecom.CorpID // further forms of CorpID, in byte order
}

// An Agent is an app of the suite inside the corp.
type Agent struct {
	ID       wecom.AgentID
	Name     string
	AuthMode int // 0 authorized by an admin, 1 by members
}

// An Activation is what is known of a corp that has authorized a suite.
type Activation struct {
	SuiteID      wecom.SuiteID
	CorpID       wecom.CorpID
	Name         string    // empty: a name that is stored stays
	AuthorizedAt time.Time // by the platform's clock; cut to whole seconds

	// Action is what the audit log calls it; empty: the caller writes it there.
	Action audit.Action
}

// A HealthChange is the health of one tenant after an attempt to refresh it.
type HealthChange struct {
	TenantID uuid.UUID
	Health   Health
	Errcode  int    // WeCom's errcode; 0 = none
	Error    string // without secrets; empty with health ok
}

// A Filter selects tenants; empty fields select all.
type Filter struct {
	SuiteID wecom.SuiteID
	CorpID  wecom.CorpID // any form that names the tenant
	Status  Status
	Health  Health
	Query   string // prefix of the name, in any case, or of the corp_id
}

// CheckCorpID refuses what cannot be a corp's id: not 1 to 128 bytes of printable ASCII.
func CheckCorpID(id wecom.CorpID) error {
	ok := len(id) >= 1 && len(id) <= 128
	for i := range len(id) {
		ok = ok && id[i] > ' ' && id[i] < 0x7F
	}
	if !ok {
		return &ShapeError{Err: ErrInvalidCorpID, Code: "corp_id", Reason: "it must be 1 to 128 printable ASCII characters without spaces"}
	}
	return nil
}
