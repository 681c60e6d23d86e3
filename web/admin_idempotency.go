package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"

	"suitesign/web/idempotency"
)

// idempotencyHeader names a request; RFC draft-ietf-httpapi-idempotency-key-header.
const idempotencyHeader = "Idempotency-Key"

// answeredHeaders are those of an answer that its repetition has, too.
var answeredHeaders = []string{"Content-Type", "Content-Language", "ETag", "Location", "Retry-After", "Vary"}

// idempotent does a request with an Idempotency-Key once. It stands behind the
// contract: what that refuses did nothing, and is not remembered.
func (s *Server) idempotent(c *gin.Context) {
	route := adminContract()[c.Request.Method+" "+c.FullPath()]
	held, ok := c.Writer.(*heldAnswer)
	key := c.Request.Header.Get(idempotencyHeader)
	if route == nil || !ok || c.Request.Method != http.MethodPost || key == "" || s.API.Idempotency == nil {
		return
	}
	if len(c.Request.Header.Values(idempotencyHeader)) > 1 {
		s.fail(c, invalid(idempotencyHeader, "Idempotency-Key occurs more than once.", "Idempotency-Key 重复出现。"))
		return
	}
	body, err := digestOf(c.Request, route)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx := c.Request.Context()
	turn, earlier, err := s.API.Idempotency.Begin(ctx, holderOf(ctx).ID, key, body.known())
	if err != nil {
		s.fail(c, err)
		return
	}
	if turn == nil {
		s.repeat(c, earlier, body)
		return
	}
	finished := false
	defer func() {
		if finished {
			return
		}
		if err := turn.Forget(ctx); err != nil { // a panic, which goes on
			s.logger().ErrorContext(ctx, "an idempotency key stays taken for a while", "error", err)
		}
	}()
	c.Next()
	finished = true
	if worthKeeping(held) && body.readAll() == nil { // what the handler left of a stream is part of the request
		err = turn.Done(ctx, body.sum(), answerOf(route, held))
	} else {
		err = turn.Forget(ctx)
	}
	if err != nil {
		s.logger().ErrorContext(ctx, "an answer could not be kept for its Idempotency-Key", "error", err)
	}
}

func (s *Server) logger() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

// repeat answers what the first request with this key was answered.
func (s *Server) repeat(c *gin.Context, earlier *idempotency.Earlier, body *digest) {
	if err := body.readAll(); err != nil {
		s.fail(c, err)
		return
	}
	answer, err := earlier.Answer(body.sum())
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Abort()
	for name, value := range answer.Header {
		c.Header(name, value)
	}
	c.Header("Idempotency-Replayed", "true")
	c.Writer.WriteHeader(answer.Status)
	_, _ = c.Writer.Write(answer.Body)
}

// worthKeeping tells an answer that would be the same tomorrow from one of the moment.
func worthKeeping(held *heldAnswer) bool {
	return !held.passed && held.status != 0 && held.status < http.StatusInternalServerError && held.status != http.StatusTooManyRequests &&
		held.status != http.StatusRequestTimeout && held.status != statusClientGone
}

// answerOf is what is kept of an answer: all but what it shows once.
func answerOf(route *routers.Route, held *heldAnswer) idempotency.Answer {
	a := idempotency.Answer{Status: held.status, Header: map[string]string{}, Body: held.body.Bytes()}
	for _, name := range answeredHeaders {
		if value := held.Header().Get(name); value != "" {
			a.Header[name] = value
		}
	}
	declared := route.Operation.Responses.Status(held.status)
	if declared == nil || declared.Value.Content["application/json"] == nil {
		return a
	}
	schema := declared.Value.Content["application/json"].Schema
	var value any
	dec := json.NewDecoder(bytes.NewReader(a.Body))
	dec.UseNumber()
	if !showsSecret(schema) || dec.Decode(&value) != nil {
		return a
	}
	withoutSecrets(schema, value)
	a.Body, _ = json.Marshal(value) // it was JSON
	return a
}

// shownOnce marks, in the contract, a field whose value no second answer has.
const shownOnce = "x-shown-once"

func isShownOnce(s *openapi3.SchemaRef) bool { return s.Value.Extensions[shownOnce] == true }

func showsSecret(s *openapi3.SchemaRef) bool {
	if s == nil || s.Value == nil {
		return false
	}
	for _, property := range s.Value.Properties {
		if isShownOnce(property) || showsSecret(property) {
			return true
		}
	}
	return showsSecret(s.Value.Items)
}

// withoutSecrets takes what is shown once out of a value and says so in its place.
func withoutSecrets(s *openapi3.SchemaRef, value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			withoutSecrets(s.Value.Items, item)
		}
	case map[string]any:
		for name, property := range s.Value.Properties {
			if inner, ok := v[name]; ok && isShownOnce(property) {
				delete(v, name)
				v["secret_shown"] = true
			} else if ok {
				withoutSecrets(property, inner)
			}
		}
	}
}

// digest is over all that makes a request what it is.
type digest struct {
	hash    hash.Hash
	request *http.Request
	streams bool // the body is read by the handler
}

// digestOf reads a body that the contract has read already, and else puts itself
// between the body and who reads it.
func digestOf(r *http.Request, route *routers.Route) (*digest, error) {
	d := &digest{hash: sha256.New(), request: r}
	for _, part := range []string{r.Method, r.URL.Path, r.URL.Query().Encode(), r.Header.Get("Content-Type")} {
		_, _ = io.WriteString(d.hash, part+"\x00")
	}
	if d.streams = isStream(route); d.streams {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, d.hash), r.Body}
		return d, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, _ = d.hash.Write(body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return d, nil
}

// isStream tells an operation whose body is not only JSON, and is therefore not read before its handler does.
func isStream(route *routers.Route) bool {
	known := route.Operation.RequestBody
	if known == nil {
		return false
	}
	for media := range known.Value.Content {
		if !slices.Contains([]string{"application/json", "application/merge-patch+json"}, strings.ToLower(media)) {
			return true
		}
	}
	return false
}

// known is the digest if it is known before the handler runs.
func (d *digest) known() []byte {
	if d.streams {
		return nil
	}
	return d.sum()
}

// readAll reads what nobody else will.
func (d *digest) readAll() error {
	if !d.streams {
		return nil
	}
	_, err := io.Copy(io.Discard, d.request.Body)
	return err
}

func (d *digest) sum() []byte { return d.hash.Sum(nil) }
