package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Starting is the handler of a listener until the service is wired: it tells its
// health, and everything else is asked to come again.
func (s *Server) Starting(listener string) http.Handler {
	r := s.router()
	r.GET("/healthz", s.handle(s.healthz))
	r.GET("/readyz", s.handle(s.readyz))
	if listener == "admin" {
		r.GET("/metrics", gin.WrapH(s.Metrics.handler()))
	}
	r.NoRoute(s.handle(func(c *gin.Context) error {
		c.Header("Retry-After", "1")
		return errStarting
	}))
	return s.door(listener, r)
}
