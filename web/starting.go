package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"suitesign/signing"
)

// Starting is the handler of a listener until the service is wired: it tells its
// health, and everything else is asked to come again. Pages are told by the rules
// of the signing endpoints, so that they can read it.
func (s *Server) Starting(listener string) http.Handler {
	r := s.router()
	r.GET("/healthz", s.handle(s.healthz))
	r.GET("/readyz", s.handle(s.readyz))
	if listener == "admin" {
		r.GET("/metrics", gin.WrapH(s.Metrics.handler()))
	}
	r.NoRoute(s.handle(func(c *gin.Context) error {
		if strings.HasPrefix(c.Request.URL.Path, "/callback/") {
			return errNotStored // the answer that WeCom is promised where nothing can be stored
		}
		return errStarting
	}))
	d := s.door(listener, r)
	if listener == "public" {
		s.Signer = notYet{}
		s.answerSigning(d)
	}
	return d
}

// notYet is the Signer of a service that is starting.
type notYet struct{}

func (notYet) Sign(context.Context, signing.Request) (signing.Signed, error) {
	return signing.Signed{}, errStarting
}
