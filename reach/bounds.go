package reach

import (
	"context"

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
