package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// page is what an installer sees: one card, in Chinese or English.
type page struct {
	Lang     string
	Title    string
	Lines    []string
	Mark     string // ask, wait, good or bad
	Button   string // posts the page's own address; "" for none
	Again    string // a link to begin again; "" for none
	AgainURL string
	Poll     bool // asks <its address>/status until that is final
	// RequestID is shown with errors, for whoever asks the operator.
	RequestID string

	Style  template.CSS
	Script template.JS
}

//go:embed pages/page.html
var pageHTML string

//go:embed pages/page.css
var pageCSS string

//go:embed pages/page.js
var pageJS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// pagePolicy lets a page run its own style and script, known by their hashes,
// and nothing else. A form's target is named by each page: browsers hold it
// against the redirect that answers the form too.
var pagePolicy = "default-src 'none'; style-src " + sourceHash(pageCSS) + "; script-src " + sourceHash(pageJS) +
	"; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action "

func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// writePage renders p. formAction is where its form may lead; "" for no form.
func writePage(c *gin.Context, status int, p page, formAction string) error {
	p.Lang = languageOf(c.Request)
	p.Style, p.Script = template.CSS(pageCSS), template.JS(pageJS) //nolint:gosec // both are files of our own
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, p); err != nil {
		return err
	}
	if formAction == "" {
		formAction = "'none'"
	}
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", pagePolicy+formAction)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Language", p.Lang)
	h.Add("Vary", "Accept-Language")
	c.Data(status, "text/html; charset=utf-8", body.Bytes())
	return nil
}

// handlePage adapts a handler of pages: people get their errors as a page,
// programs as a problem.
func (s *Server) handlePage(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		err := h(c)
		if err == nil {
			return
		}
		if !strings.Contains(c.GetHeader("Accept"), "text/html") {
			s.fail(c, err)
			return
		}
		c.Abort()
		v := visitOf(c.Request.Context())
		p, retry := describe(c.Request, v, err)
		if v.status != 0 {
			return
		}
		setRetryAfter(c.Writer.Header(), retry)
		shown := page{Title: say(languageOf(c.Request), "That did not work", "未能完成"), Lines: []string{p.Detail}, Mark: "bad", RequestID: p.RequestID}
		if err := writePage(c, p.Status, shown, ""); err != nil {
			v.err = errors.Join(v.err, err)
			c.Status(http.StatusInternalServerError)
		}
	}
}
