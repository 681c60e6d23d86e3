package webhook

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"suitesign/audit"
	"suitesign/secret"
)

// Errors of the room. A URL is refused with those of package netguard.
var (
	ErrNotFound         = errors.New("no such webhook")
	ErrDeliveryNotFound = errors.New("no such delivery")
	ErrVersion          = errors.New("the webhook has changed")
	ErrDisabled         = errors.New("the webhook is disabled")
	ErrUnknownTarget    = errors.New("the filter names what does not exist")
)

// UnknownError is ErrUnknownTarget with the place of what does not exist.
type UnknownError struct {
	Field string // suite_ids or tenant_ids
	Index int
}

// Error names the place.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("%v: %s[%d]", ErrUnknownTarget, e.Field, e.Index)
}

// Unwrap makes it ErrUnknownTarget.
func (e *UnknownError) Unwrap() error { return ErrUnknownTarget }

// Reason says why a webhook is disabled.
type Reason string

// The reasons.
const (
	ByAdmin Reason = "admin"
	Failing Reason = "failing" // for five days
	Gone    Reason = "gone"    // it answered 410
)

// TestType is the type of what [Deliverer.Test] sends.
const TestType audit.EventType = "webhook.test"

// Webhook is who listens to what.
type Webhook struct {
	ID             uuid.UUID
	URL            string
	Description    string
	Events         []audit.EventType
	SuiteIDs       []string    // empty: of every suite
	TenantIDs      []uuid.UUID // empty: of every tenant
	Enabled        bool
	DisabledReason Reason     // "" while enabled
	PreviousUntil  *time.Time // until when the secret before signs, too
	FailingSince   *time.Time // the first failure since the last success
	Failures       int        // since then
	LastSuccessAt  *time.Time
	LastFailureAt  *time.Time
	Version        int64
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// New is what a webhook is made of.
type New struct {
	URL         string
	Description string
	Events      []audit.EventType
	SuiteIDs    []string
	TenantIDs   []uuid.UUID
	Disabled    bool
}

// Patch changes what is not nil.
type Patch struct {
	URL         *string
	Description *string
	Events      *[]audit.EventType
	SuiteIDs    *[]string
	TenantIDs   *[]uuid.UUID
	Enabled     *bool
	IfVersion   *int64
}

// SealedColumns are the columns of this room that hold sealed values.
var SealedColumns = []secret.Column{
	{Table: "webhooks", Column: "secret_sealed", Key: []string{"id"}},
	{Table: "webhooks", Column: "previous_secret_sealed", Key: []string{"id"}},
}

func bound(column string, id uuid.UUID) secret.Binding {
	return secret.Binding{Table: "webhooks", Column: column, Row: id.String()}
}

// tidy sorts and leaves out what is said twice.
func tidy[T any](list []T, less func(a, b T) int) []T {
	out := slices.Clone(list)
	slices.SortFunc(out, less)
	out = slices.CompactFunc(out, func(a, b T) bool { return less(a, b) == 0 })
	if out == nil {
		out = []T{}
	}
	return out
}

// fields are what the audit log keeps. Of a URL only the origin: its path and
// query are often what lets a caller in.
func (w Webhook) fields() audit.Fields {
	origin := ""
	if u, err := url.Parse(w.URL); err == nil {
		origin = u.Scheme + "://" + u.Host
	}
	return audit.Fields{"url": origin, "description": w.Description, "events": w.Events, "suite_ids": w.SuiteIDs,
		"tenant_ids": w.TenantIDs, "enabled": w.Enabled, "disabled_reason": w.DisabledReason}
}
