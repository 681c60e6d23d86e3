package web

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
)

// VerificationFiles finds ownership files; *tenant.Store does.
type VerificationFiles interface {
	// VerificationFile knows a file by the Host header of a request and its name; tenant.ErrNotFound without one.
	VerificationFile(ctx context.Context, host, name string) (content string, err error)
}

const typePlain = "text/plain; charset=utf-8"

// verificationFile answers with the ownership file that an admin stored for
// this host, so that a domain that points here can be proved to WeCom.
func (s *Server) verificationFile(c *gin.Context) error {
	if err := s.limitPage(c); err != nil {
		return err
	}
	content, err := s.VerificationFiles.VerificationFile(c.Request.Context(), c.Request.Host, "WW_verify_"+c.Param("code"))
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store") // WeCom remembers a failed check for minutes; nobody else should
	c.Data(http.StatusOK, typePlain, []byte(content))
	return nil
}

// limitPage charges a request to its address; signatures are charged to the same account.
func (s *Server) limitPage(c *gin.Context) error {
	if wait, ok := s.pages.take(visitOf(c.Request.Context()).ip); !ok {
		return tooMany(wait)
	}
	return nil
}
