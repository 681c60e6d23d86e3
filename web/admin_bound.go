package web

import (
	"context"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"suitesign/reach"
	"suitesign/tenant"
	"suitesign/web/apikey"
	"suitesign/wecom"
)

// What an operation can be narrowed to, by the contract's x-bound.
const (
	toSuites  = "suites"
	toTenants = "tenants"
)

// narrows tells whether an operation can be narrowed to what a key is bound to. One
// that does not say so cannot: a new operation is closed to bound keys until
// somebody has made sure of it.
func narrows(op *openapi3.Operation, g apikey.Grant) bool {
	listed, _ := op.Extensions["x-bound"].([]any)
	return len(g.SuiteIDs) > 0 && slices.Contains(listed, any(toSuites)) ||
		len(g.TenantIDs) > 0 && slices.Contains(listed, any(toTenants))
}

// confine lets a request with a bound key go on with what the key is bound to, and
// with nothing else. What its path names is looked at here, before any handler; what
// a handler then asks of the database is held by row-level security (package reach),
// whatever the handler forgets. It is the last middleware: those before it do the
// service's own work.
func (s *Server) confine(c *gin.Context) {
	ctx := c.Request.Context()
	holder := holderOf(ctx)
	if !holder.Bound() {
		return
	}
	if err := s.within(ctx, holder.Grant, c); err != nil {
		s.fail(c, err)
		return
	}
	c.Request = c.Request.WithContext(reach.With(ctx, holder.Bounds()))
}

// within finds what a path names and tells whether the key reaches it. What it does
// not reach looks like what is not there.
func (s *Server) within(ctx context.Context, g apikey.Grant, c *gin.Context) error {
	if id := c.Param("suite_id"); id != "" && !slices.Contains(g.SuiteIDs, wecom.SuiteID(id)) {
		return errSuiteNotFound
	}
	text := c.Param("tenant_id")
	if text == "" {
		return nil
	}
	id, err := uuid.Parse(text)
	if err != nil { // the contract has looked at it
		return errTenantNotFound
	}
	found, err := s.API.Tenants.Get(ctx, id)
	if err != nil {
		return ofTenant(err, errTenantNotFound)
	}
	if !g.Reaches(found.SuiteID, found.ID) {
		return ofTenant(tenant.ErrNotFound, errTenantNotFound)
	}
	return nil
}
