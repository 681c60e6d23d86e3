package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"
)

// What the contract promises of every operation is done here, once, by what the
// file says of the operation, so that a handler knows nothing of it:
//
//   - a list (an operation with a parameter cursor) answers next_cursor bound to the
//     list, its filters and its sort, and a Link to the next page;
//   - an answer that declares an ETag gets the digest of its body in it, behind the version
//     that the handler named, if it did;
//   - a GET whose If-None-Match names that ETag is 304.
//
// A JSON answer is held back until its handler is done; anything else, an export
// for one, goes out as it is written.

// heldAnswer is the ResponseWriter that a handler of the admin API sees.
type heldAnswer struct {
	gin.ResponseWriter
	status int // 0 while nothing is written
	body   bytes.Buffer
	passed bool // this is no JSON: it goes straight on
}

// WriteHeader begins an answer. A second one replaces what is held.
func (h *heldAnswer) WriteHeader(status int) {
	if h.passed {
		return
	}
	h.status = status
	h.body.Reset()
	media, _, _ := mime.ParseMediaType(h.Header().Get("Content-Type"))
	if media != "" && media != "application/json" && media != problemType {
		h.passed = true
		h.ResponseWriter.WriteHeader(status)
		h.ResponseWriter.WriteHeaderNow()
	}
}

// WriteHeaderNow is gin's; a held answer is written later.
func (h *heldAnswer) WriteHeaderNow() {
	if h.status == 0 {
		h.WriteHeader(http.StatusOK)
	}
}

func (h *heldAnswer) Write(b []byte) (int, error) {
	h.WriteHeaderNow()
	if h.passed {
		return h.ResponseWriter.Write(b)
	}
	return h.body.Write(b)
}

// WriteString is gin's.
func (h *heldAnswer) WriteString(s string) (int, error) { return h.Write([]byte(s)) }

// Flush lets out what was written, where it is not held.
func (h *heldAnswer) Flush() {
	if h.passed {
		h.ResponseWriter.Flush()
	}
}

// Status, Size and Written are gin's.
func (h *heldAnswer) Status() int   { return h.status }
func (h *heldAnswer) Size() int     { return h.body.Len() }
func (h *heldAnswer) Written() bool { return h.status != 0 }

// Unwrap is for http.ResponseController.
func (h *heldAnswer) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// send writes what was held.
func (h *heldAnswer) send() {
	if h.passed || h.status == 0 {
		return
	}
	h.ResponseWriter.WriteHeader(h.status)
	if h.body.Len() == 0 {
		h.ResponseWriter.WriteHeaderNow()
		return
	}
	_, _ = h.ResponseWriter.Write(h.body.Bytes())
}

// hold runs the rest of the chain and completes its answer.
func (s *Server) hold(c *gin.Context) {
	route := adminContract()[c.Request.Method+" "+c.FullPath()]
	if route == nil || !strings.HasPrefix(route.Path, "/v1/") {
		return
	}
	held := &heldAnswer{ResponseWriter: c.Writer}
	c.Writer = held
	c.Next() // where it panics the door answers, for nothing was written
	if !held.passed && held.status/100 == 2 {
		complete(c.Request, route, held)
	}
	held.send()
}

func complete(r *http.Request, route *routers.Route, held *heldAnswer) {
	declared := route.Operation.Responses.Status(held.status)
	if declared == nil {
		return
	}
	if isList(route) {
		linkNext(r, held)
	}
	if declared.Value.Headers["ETag"] == nil {
		return
	}
	tag := withDigest(held.Header().Get("ETag"), held.body.Bytes())
	held.Header().Set("ETag", tag)
	if r.Method == http.MethodGet && names(r.Header.Values("If-None-Match"), tag) {
		held.status = http.StatusNotModified
		held.body.Reset()
		held.Header().Del("Content-Type")
		held.Header().Del("Content-Length")
	}
}

// fleeting are the fields that a look alone changes, or that follow from others and the time.
var fleeting = regexp.MustCompile(`"(age_seconds|last_used_at)":[^,}]*`)

// withDigest is the ETag of a version (none: "") whose answer this is.
func withDigest(version string, body []byte) string {
	sum := sha256.Sum256(fleeting.ReplaceAll(body, nil))
	digest := base64.RawURLEncoding.EncodeToString(sum[:9])
	if version = strings.Trim(version, `"`); version != "" {
		digest = version + "-" + digest
	}
	return `"` + digest + `"`
}

// names tells whether an If-None-Match names a tag, by the weak comparison (RFC 9110 13.1.2).
func names(headers []string, tag string) bool {
	for _, header := range headers {
		for one := range strings.SplitSeq(header, ",") {
			if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
				return true
			}
		}
	}
	return false
}

// isList tells a list: an operation with a parameter cursor.
func isList(route *routers.Route) bool {
	return route.Operation.Parameters.GetByInAndName("query", "cursor") != nil
}

// linkNext binds the page's next_cursor to the list and tells it as a Link, too.
func linkNext(r *http.Request, held *heldAnswer) {
	var page struct {
		NextCursor *string `json:"next_cursor"`
	}
	if json.Unmarshal(held.body.Bytes(), &page) != nil || page.NextCursor == nil {
		return
	}
	next := *page.NextCursor + binding(r)
	// A cursor is letters, digits, _ and -: what looks like the field within a text has its quotes escaped.
	bound := bytes.Replace(held.body.Bytes(), []byte(`"next_cursor":"`+*page.NextCursor+`"`), []byte(`"next_cursor":"`+next+`"`), 1)
	held.body = *bytes.NewBuffer(bound)
	query := r.URL.Query()
	query.Set("cursor", next)
	held.Header().Set("Link", "<"+r.URL.EscapedPath()+"?"+query.Encode()+`>; rel="next"`)
}

// binding is what a cursor of this list, with these filters and this sort, ends with.
func binding(r *http.Request) string {
	query := r.URL.Query()
	query.Del("cursor")
	query.Del("limit")
	sum := sha256.Sum256([]byte(r.URL.Path + "?" + query.Encode()))
	return base64.RawURLEncoding.EncodeToString(sum[:8])
}

// unbind takes the binding from a request's cursor. A cursor of another list, or
// of other filters or another sort, is refused.
func unbind(r *http.Request, route *routers.Route, query url.Values) error {
	cursor := query.Get("cursor")
	if !isList(route) || cursor == "" {
		return nil
	}
	inner, ok := strings.CutSuffix(cursor, binding(r))
	if !ok || inner == "" {
		return errCursor
	}
	query = r.URL.Query()
	query.Set("cursor", inner)
	r.URL.RawQuery = query.Encode()
	return nil
}
