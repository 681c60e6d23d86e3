package web

import (
	"context"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"
)

// VerificationFiles finds ownership files; *tenant.Store does.
type VerificationFiles interface {
	VerificationFile(ctx context.Context, host, name string) (content string, err error)
}

const typePlain = "text/plain; charset=utf-8"

var verificationName = regexp.MustCompile(`^WW_verify_[A-Za-z0-9]{8,32}\.txt$`)

// verificationFile answers with the ownership file that an admin stored for
// this host, so that a domain that points here can be proved to WeCom.
func (s *Server) verificationFile(c *gin.Context) error {
	name := "WW_verify_" + c.Param("code")
	if !verificationName.MatchString(name) {
		return errNotFound
	}
	if err := s.limitPage(c); err != nil {
		return err
	}
	content, err := s.VerificationFiles.VerificationFile(c.Request.Context(), hostname(c.Request.Host), name)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store") // WeCom remembers a failed check for minutes; nobody else should
	c.Data(http.StatusOK, typePlain, []byte(content))
	return nil
}

// hostname is a Host header without its port, in lower case and without a trailing dot.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// limitPage charges a request to its address; signatures are charged to the same account.
func (s *Server) limitPage(c *gin.Context) error {
	if wait, ok := s.pages.take(visitOf(c.Request.Context()).ip); !ok {
		return tooMany(wait)
	}
	return nil
}
