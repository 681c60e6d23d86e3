package web

import (
	"context"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"

	"suitesign/web/apikey"
)

type holderKey struct{}

// withHolder says whose key a request came with.
func withHolder(ctx context.Context, h apikey.Holder) context.Context {
	return context.WithValue(ctx, holderKey{}, h)
}

// holderOf tells whose key a request came with. Nobody's may do nothing.
func holderOf(ctx context.Context) apikey.Holder {
	h, _ := ctx.Value(holderKey{}).(apikey.Holder)
	return h
}

// authorize refuses what the key's scopes do not hold, and what cannot be narrowed
// to what the key is bound to. It comes before the contract:
// who may not call an operation learns nothing about its parameters.
func (s *Server) authorize(c *gin.Context) {
	route := adminContract()[c.Request.Method+" "+c.FullPath()]
	if route == nil || route.Operation.Security != nil { // no route at all, or one that needs no key
		return
	}
	holder := holderOf(c.Request.Context())
	switch needed := scopeOf(route.Operation); {
	case !holder.Allows(needed):
		s.fail(c, beyondScope(needed))
	case holder.Bound() && !narrows(route.Operation, holder.Grant):
		s.fail(c, errKeyBound)
	}
}

// scopeOf is the scope that an operation needs. One that names none needs all:
// forgetting it opens nothing.
func scopeOf(op *openapi3.Operation) apikey.Scope {
	if name, ok := op.Extensions["x-scope"].(string); ok && apikey.Scope(name).Known() {
		return apikey.Scope(name)
	}
	return apikey.Everything
}

// beyondScope is a 403 that names the scope that is missing.
func beyondScope(s apikey.Scope) error {
	return &fault{err: errScope,
		en: fmt.Sprintf("The API key lacks the scope %s. Use one that has it, or have one made by an admin.", s),
		zh: fmt.Sprintf("该 API key 缺少权限 %s，请使用具备该权限的 key，或由管理员创建。", s)}
}
