package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"suitesign/audit"
	"suitesign/secret"
	"suitesign/signing/explain/known"
	"suitesign/signing/pagereport"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/web/api"
	"suitesign/web/apikey"
	"suitesign/web/domaincheck"
	"suitesign/web/idempotency"
	"suitesign/web/imports"
	"suitesign/web/reference"
	"suitesign/web/webhook"
)

// API is what the admin API stands on.
type API struct {
	Gate        *apikey.Gate
	Suites      *suite.Store
	Tenants     *tenant.Store
	Credentials *ticket.Source
	Refresher   *ticket.Refresher
	Audit       *audit.Log           // who changed what
	Known       *known.Reader        // of pages that could not register
	Reports     *pagereport.Desk     // of those that said so themselves
	Domains     *domaincheck.Checker // looks at domains from outside
	Idempotency *idempotency.Store   // an Idempotency-Key means nothing unless set
	Webhooks    *webhook.Store
	Stats       Stats
	// WebhookTests sends tests, and nothing else.
	WebhookTests *webhook.Deliverer
	Imports      *imports.Store
	MaxImport    int64 // bytes of one file; 0: 64 MiB
	Demo         bool  // names under localhost may be trusted
}

// registerAdmin adds the admin API's routes to the admin listener. What is
// under /v1 passes middlewares first, and so do the router's own 404 and 405: the
// key comes before everything else, then its rate and what it may do, then the
// contract, then its Idempotency-Key, then what it is bound to.
func (s *Server) registerAdmin(r gin.IRouter) {
	r.GET("/openapi.yaml", func(c *gin.Context) { c.Data(http.StatusOK, "application/yaml", api.YAML) })
	serveReference(r)
	if s.API == nil {
		return
	}
	r.Use(s.authenticate, s.authorize, s.hold, s.validate, s.idempotent, s.confine)
	// Errors that the generated code finds itself are those of a request that
	// validate let through (a time that no calendar has): it fails the same way.
	strict := api.NewStrictHandlerWithOptions(&admin{API: s.API, server: s}, nil, api.StrictGinServerOptions{
		RequestErrorHandlerFunc:  func(c *gin.Context, err error) { s.fail(c, bindFault(c.Request, err)) },
		HandlerErrorFunc:         func(c *gin.Context, err error) { s.fail(c, inWords(c.Request, err)) },
		ResponseErrorHandlerFunc: s.fail,
	})
	api.RegisterHandlersWithOptions(r, strict, api.GinServerOptions{
		ErrorHandler: func(c *gin.Context, err error, _ int) { s.fail(c, bindFault(c.Request, err)) },
	})
}

// referencePage is made once, of the file in the binary. That it can be is held by its tests.
var referencePage = sync.OnceValue(func() http.Handler {
	doc, err := api.Load()
	if err != nil {
		panic(err)
	}
	page, err := reference.Handler(doc)
	if err != nil {
		panic(err)
	}
	return page
})

// serveReference serves the contract for people.
func serveReference(r gin.IRouter) {
	r.GET(reference.Path, gin.WrapH(referencePage()))
	r.GET(reference.StylePath, gin.WrapH(referencePage()))
}

// authenticate refuses what is under /v1 and brings no valid key, whether there is
// anything at the path or not.
func (s *Server) authenticate(c *gin.Context) {
	if path := c.Request.URL.Path; path != "/v1" && !strings.HasPrefix(path, "/v1/") {
		return
	}
	c.Header("Cache-Control", "no-store")
	holder, err := s.API.Gate.Admit(c.Request.Context(), bearer(c.Request))
	if err != nil {
		if errors.Is(err, apikey.ErrRefused) {
			c.Header("WWW-Authenticate", `Bearer realm="suitesign"`)
			err = errUnauthorized
		}
		s.fail(c, inWords(c.Request, err))
		return
	}
	visitOf(c.Request.Context()).key = holder.Name
	ctx := audit.With(c.Request.Context(), actorOf(c.Request.Context(), holder))
	c.Request = c.Request.WithContext(withHolder(ctx, holder))
	if err := s.countRequest(c, holder); err != nil {
		s.fail(c, err)
	}
}

// bearer is the key that a request brings; the zero String where it brings none, or several.
func bearer(r *http.Request) secret.String {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return secret.String{}
	}
	scheme, key, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return secret.String{}
	}
	return secret.New(strings.TrimSpace(key))
}

// admin answers the operations of the contract. The context that the generated
// code hands it is gin's, which is used again after the handler: each operation
// goes on with the request's own.
type admin struct {
	*API
	server *Server
}

var _ api.StrictServerInterface = (*admin)(nil)

// requestContext is the context of the request that ctx, gin's, belongs to.
func requestContext(ctx context.Context) context.Context {
	if c, ok := ctx.(*gin.Context); ok {
		return c.Request.Context()
	}
	return ctx
}

// publicURL is a URL on the public listener; false while nobody told how it is reached.
func (a *admin) publicURL(format string, args ...any) (string, bool) {
	if a.server.PublicURL == "" {
		return "", false
	}
	return strings.TrimRight(a.server.PublicURL, "/") + fmt.Sprintf(format, args...), true
}
