package web

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"suitesign/signing"
	"suitesign/tenant"
)

// Signer makes signatures; *signing.Signer does.
type Signer interface {
	// Sign refuses in the order of docs/api.md.
	Sign(ctx context.Context, r signing.Request) (signing.Signed, error)
}

// Values of headers that signatures carry; shared like those of the door.
var (
	valueJSON       = []string{"application/json"}
	valueNoStore    = []string{"no-store"}
	valueVaryOrigin = []string{"Origin"}
	valueExposed    = []string{"Retry-After, X-Request-Id"}
)

// signMethods are the methods of the signing endpoints.
const signMethods = "GET, HEAD, OPTIONS"

// signEndpoint is one of the three signing endpoints. The door answers them
// without the router: they are nearly all of the traffic.
type signEndpoint struct {
	server   *Server
	want     signing.Want
	counters *signatureCounters
}

func (s *Server) sign(want signing.Want, kind string) func(*visit, *http.Request) error {
	return signEndpoint{s, want, s.Metrics.signatureCounters(kind)}.answer
}

// answer answers one request. Whatever it answers, a page whose Origin is that
// of its url may read it.
func (e signEndpoint) answer(v *visit, r *http.Request) error {
	h := v.Header()
	h["Cache-Control"] = valueNoStore
	h["Vary"] = valueVaryOrigin
	q, err := e.try(v, r)
	if err != nil {
		allowOrigin(h, r, q.url)
		e.counters.refused(rowOf(r, err).code)
	}
	return err
}

// try is answer up to its first error: rate, parameters, and then what signing
// refuses.
func (e signEndpoint) try(v *visit, r *http.Request) (signQuery, error) {
	q, wrong := parseSignQuery(r.URL.RawQuery, e.want != signing.Config)
	if wait, ok := e.server.pages.take(v.ip); !ok {
		return q, tooMany(wait)
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		return q, e.preflight(v, r, q, wrong)
	default:
		return q, &fault{err: errMethodNotAllowed, allowed: signMethods}
	}
	if wrong != nil {
		return q, wrong
	}
	origin := originOf(r)
	signed, err := e.server.Signer.Sign(r.Context(), signing.Request{
		URL: q.url, Origin: origin, SuiteID: q.suiteID, CorpID: q.corpID, AgentID: q.agentID, Want: e.want,
	})
	if err != nil {
		return q, err
	}
	h := v.Header()
	if origin != nil { // Sign refuses one that is not the page's
		h["Access-Control-Allow-Origin"] = r.Header["Origin"]
		h["Access-Control-Expose-Headers"] = valueExposed
	}
	h["Content-Type"] = valueJSON
	body := v.space[:0]
	switch e.want {
	case signing.Config:
		body = appendSignature(body, signed.Config)
	case signing.Agent:
		body = appendSignature(body, signed.Agent)
	default:
		body = appendSigned(body, &signed)
	}
	e.counters.ok.Inc()
	_, _ = v.Write(append(body, '\n'))
	return q, nil
}

// preflight answers OPTIONS by the same rule: a matching Origin may ask. It may
// ask even with wrong parameters, for a page can read the error of its GET but
// not that of a preflight.
func (e signEndpoint) preflight(v *visit, r *http.Request, q signQuery, wrong error) error {
	h := v.Header()
	if origin := originOf(r); origin != nil && !allowOrigin(h, r, q.url) {
		if wrong != nil {
			return wrong
		}
		if _, err := tenant.PageOf(q.url); err != nil {
			return err
		}
		return signing.ErrOriginMismatch
	}
	h.Set("Allow", signMethods)
	h.Set("Access-Control-Allow-Methods", signMethods)
	h.Set("Access-Control-Allow-Headers", "Accept-Language, Cache-Control, Content-Type, Pragma, X-Requested-With")
	h.Set("Access-Control-Max-Age", "600")
	v.WriteHeader(http.StatusNoContent)
	return nil
}

// originOf is the request's Origin; nil where there is none, as in a same-origin GET.
func originOf(r *http.Request) *string {
	values := r.Header["Origin"]
	switch len(values) {
	case 0:
		return nil
	case 1:
		return &values[0]
	}
	joined := strings.Join(values, ", ") // matches no page
	return &joined
}

// allowOrigin lets the page read the answer if its Origin is that of the url.
func allowOrigin(h http.Header, r *http.Request, url string) bool {
	origin := originOf(r)
	if origin == nil {
		return false
	}
	page, err := tenant.PageOf(url)
	if err != nil || page.Origin != *origin {
		return false
	}
	h["Access-Control-Allow-Origin"] = []string{*origin}
	h["Access-Control-Expose-Headers"] = valueExposed
	return true
}

// appendSigned writes what one ww.register needs.
func appendSigned(b []byte, s *signing.Signed) []byte {
	b = append(b, `{"corpId":`...)
	b = appendText(b, s.CorpID)
	b = append(b, `,"agentId":`...)
	if s.AgentID == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, *s.AgentID, 10)
	}
	b = append(b, `,"suiteId":`...)
	b = appendText(b, s.SuiteID)
	b = append(b, `,"config":`...)
	b = appendSignature(b, s.Config)
	b = append(b, `,"agent":`...)
	b = appendSignature(b, s.Agent)
	return append(b, '}')
}

// appendSignature writes a signature. Its parts are digits, letters and hex:
// nothing in them needs an escape.
func appendSignature(b []byte, s *signing.Signature) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"timestamp":"`...)
	b = append(b, s.Timestamp...)
	b = append(b, `","nonceStr":"`...)
	b = append(b, s.NonceStr...)
	b = append(b, `","signature":"`...)
	b = append(b, s.Signature...)
	return append(b, `"}`...)
}

// appendText writes an id, which is plain text but for what a caller may have sent.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
