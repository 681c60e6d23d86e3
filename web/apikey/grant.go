package apikey

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"suitesign/reach"
	"suitesign/wecom"
)

// Scope is one thing that a key may do: "tenants:read", or "*".
type Scope string

// Everything is the scope that holds all others.
const Everything Scope = "*"

// What a scope lets do within its area. Who may write may read.
const (
	read  = "read"
	write = "write"
)

// tokens is the area whose reading hands out access_tokens, with which one can
// act for a corp at WeCom. Nothing is written there, and no scope but
// [Everything] implies it: who may refresh a credential may not see it.
const tokens = "tokens"

// areas are the parts of the API that scopes tell apart; x-scope of each
// operation in the contract names one of them.
var areas = []string{
	"suites", "tenants", "domains", "credentials", "events", "keys", "audit", "stats", "explain", "imports", "webhooks", tokens, "reports",
}

// Scopes lists every scope that there is.
func Scopes() []Scope {
	all := []Scope{Everything}
	for _, area := range areas {
		all = append(all, Scope(area+":"+read))
		if area != tokens {
			all = append(all, Scope(area+":"+write))
		}
	}
	return all
}

// Known tells whether there is such a scope.
func (s Scope) Known() bool { return slices.Contains(Scopes(), s) }

// Grant is what a key may do, and with what. Without suites and tenants it is
// bound to nothing and reaches everything.
type Grant struct {
	Scopes    []Scope
	SuiteIDs  []wecom.SuiteID // with all tenants that they have or will have
	TenantIDs []uuid.UUID
}

// Full is the grant of whoever needs none: the bootstrap key, the command line.
func Full() Grant { return Grant{Scopes: []Scope{Everything}} }

// Allows tells whether a grant's scopes hold this one.
func (g Grant) Allows(want Scope) bool {
	if slices.Contains(g.Scopes, Everything) || slices.Contains(g.Scopes, want) {
		return true
	}
	area, action, _ := strings.Cut(string(want), ":")
	return action == read && area != tokens && slices.Contains(g.Scopes, Scope(area+":"+write))
}

// Bound tells whether the key reaches certain suites and tenants only.
func (g Grant) Bound() bool { return len(g.SuiteIDs) > 0 || len(g.TenantIDs) > 0 }

// Bounds are what the key is bound to, as the database is told.
func (g Grant) Bounds() reach.Bounds {
	b := reach.Bounds{TenantIDs: g.TenantIDs}
	for _, id := range g.SuiteIDs {
		b.SuiteIDs = append(b.SuiteIDs, string(id))
	}
	return b
}

// Reaches tells whether a tenant of that suite is within what the key is bound to.
func (g Grant) Reaches(suite wecom.SuiteID, tenant uuid.UUID) bool {
	return !g.Bound() || slices.Contains(g.SuiteIDs, suite) || slices.Contains(g.TenantIDs, tenant)
}

// missing is the first scope that g lacks to give other away; "" where it lacks none.
func (g Grant) missing(other Grant) Scope {
	for _, s := range other.Scopes {
		if !g.Allows(s) {
			return s
		}
	}
	return ""
}

// BeyondError says that a key was to give away what it does not have.
type BeyondError struct {
	Scope Scope // which one it lacks
}

func (e *BeyondError) Error() string {
	return fmt.Sprintf("the key lacks the scope %s itself", e.Scope)
}

// BindingError says that a key cannot be bound to something: it is not there, or
// not there for who makes the key. Which of these it is stays inside.
type BindingError struct {
	Field string // of the admin API: suite_ids or tenant_ids
	Index int
}

func (e *BindingError) Error() string { return fmt.Sprintf("%s[%d] is not there", e.Field, e.Index) }

// tidy brings scopes into an order, each once; everything needs nothing beside it.
func tidy(scopes []Scope) []Scope {
	if slices.Contains(scopes, Everything) {
		return []Scope{Everything}
	}
	out := slices.Sorted(slices.Values(scopes))
	return slices.Compact(out)
}
