package reach

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Bounds are what a key is bound to: suites, with all their tenants, and single tenants.
type Bounds struct {
	SuiteIDs  []string
	TenantIDs []uuid.UUID
}

type boundsKey struct{}

// With binds all that is done with the context. Bounds that name nothing reach nothing.
func With(ctx context.Context, b Bounds) context.Context {
	return context.WithValue(ctx, boundsKey{}, &b)
}

// Lift goes on with the service's own rights. Whoever calls it has made sure that
// what follows is about a thing within the bounds.
func Lift(ctx context.Context) context.Context {
	if _, bound := Of(ctx); !bound {
		return ctx
	}
	return context.WithValue(ctx, boundsKey{}, (*Bounds)(nil))
}

// Of tells what a context is bound to; false where it is bound to nothing and reaches everything.
func Of(ctx context.Context) (Bounds, bool) {
	b, _ := ctx.Value(boundsKey{}).(*Bounds)
	if b == nil {
		return Bounds{}, false
	}
	return *b, true
}

// OneSuite is the suite that a context is bound to, if that is all: a list narrowed
// to it in so many words is read in order from the suite's index.
func OneSuite(ctx context.Context) (id string, one bool) {
	b, _ := Of(ctx)
	if len(b.SuiteIDs) != 1 || len(b.TenantIDs) > 0 {
		return "", false
	}
	return b.SuiteIDs[0], true
}

// Parts are contexts that together reach what the context does, none of them bound to
// suites and tenants both: for lists that no index answers for both at once.
func Parts(ctx context.Context) []context.Context {
	b, _ := Of(ctx)
	if len(b.SuiteIDs) == 0 || len(b.TenantIDs) == 0 {
		return []context.Context{ctx}
	}
	return []context.Context{With(ctx, Bounds{SuiteIDs: b.SuiteIDs}), With(ctx, Bounds{TenantIDs: b.TenantIDs})}
}

// Condition says in SQL which rows of a list the context reaches: true where it is
// bound to nothing. The policies hold without it, but row by row: they also let the service
// pass, so that no index answers them, and a list would read on and on until it has
// found what a key may see among all that is there.
//
// ofSuite and ofTenant are the conditions on a row, with %s where an array of suite
// ids, or of tenants' ids, stands; arg adds such an argument to the query and tells
// its place.
func Condition(ctx context.Context, ofSuite, ofTenant string, arg func(ids any) string) string {
	b, bound := Of(ctx)
	if !bound {
		return "true"
	}
	var either []string
	if len(b.SuiteIDs) > 0 {
		either = append(either, fmt.Sprintf(ofSuite, arg(b.SuiteIDs)))
	}
	if len(b.TenantIDs) > 0 {
		either = append(either, fmt.Sprintf(ofTenant, arg(b.TenantIDs)))
	}
	if len(either) == 0 {
		return "false"
	}
	return "(" + strings.Join(either, " OR ") + ")"
}
