package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
)

// Errors that web raises itself. A [fault] around one says what exactly is wrong.
var (
	errInvalidRequest   = errors.New("invalid request")
	errNotFound         = errors.New("nothing here")
	errMethodNotAllowed = errors.New("method not allowed")
	errBodyTooLarge     = errors.New("body too large")
	errMediaType        = errors.New("media type not supported")
	errUnauthorized     = errors.New("no valid api key")
	errRateLimited      = errors.New("too many requests from this address")
	errClientGone       = errors.New("client went away")
	errPanic            = errors.New("panic")
)

// statusClientGone is what the log and the metrics show for a request whose
// client went away before the answer; nobody reads that answer.
const statusClientGone = 499

// row is one line of the error table: how an error looks outside.
type row struct {
	err    error
	status int
	code   string
	title  string
	en, zh string        // the detail: what to do
	retry  time.Duration // Retry-After, where the error itself names none
}

// internal is what every error looks like that is not in the table.
var internal = row{nil, http.StatusInternalServerError, "internal", "Internal error",
	"Something failed on our side. Try again, and name the request_id if it stays so.",
	"服务内部错误，请稍后重试；若持续出现，请提供 request_id。", 0}

// problems is the one error table: the first row whose error is in the chain
// decides. docs/api.md lists every code of it (TestEveryCodeIsDocumented).
var problems = slices.Concat(requestProblems)

// requestProblems are what can be wrong with any request.
var requestProblems = []row{
	{errInvalidRequest, http.StatusBadRequest, "invalid_request", "Invalid request",
		"A parameter or the body is not as documented.", "请求参数或请求体不符合接口文档。", 0},
	{errNotFound, http.StatusNotFound, "not_found", "Not found",
		"There is nothing at this path.", "该路径不存在。", 0},
	{errMethodNotAllowed, http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed",
		"This path does not know this method; the Allow header names those it knows.", "该路径不支持此方法，可用方法见 Allow 响应头。", 0},
	{errBodyTooLarge, http.StatusRequestEntityTooLarge, "body_too_large", "Body too large",
		"The body is larger than this endpoint reads.", "请求体超过该接口允许的大小。", 0},
	{errMediaType, http.StatusUnsupportedMediaType, "unsupported_media_type", "Media type not supported",
		"Send the body in the documented media type, without a Content-Encoding.", "请使用接口文档规定的媒体类型发送请求体，且不要使用 Content-Encoding。", 0},
	{errUnauthorized, http.StatusUnauthorized, "unauthorized", "API key needed",
		"Send a valid API key as 'Authorization: Bearer <api key>'.", "请以 Authorization: Bearer <api key> 携带有效的 API key。", 0},
	{errRateLimited, http.StatusTooManyRequests, "rate_limited", "Too many requests",
		"Too many requests; wait as long as Retry-After says.", "请求过于频繁，请按 Retry-After 等待后重试。", time.Second},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "timeout", "Took too long",
		"The answer took too long. Try again.", "处理超时，请稍后重试。", time.Second},
	{errClientGone, statusClientGone, "client_gone", "Client went away",
		"The request was ended by its client.", "客户端已断开。", 0},
}

// fault is an error of the table with what is particular to this request.
type fault struct {
	err     error // a sentinel of the table
	en, zh  string
	fields  []FieldError
	retry   time.Duration
	allowed string // the Allow header of a 405
}

func (f *fault) Error() string {
	if f.en == "" {
		return f.err.Error()
	}
	return f.err.Error() + ": " + f.en
}

func (f *fault) Unwrap() error { return f.err }

// invalid is a 400 invalid_request that names the parameter, or the JSON pointer, that is wrong.
func invalid(pointer, en, zh string) error {
	f := &fault{err: errInvalidRequest, en: en, zh: zh}
	if pointer != "" {
		f.fields = []FieldError{{Pointer: pointer}}
	}
	return f
}

// tooMany is a 429 with a Retry-After of its own.
func tooMany(wait time.Duration) error {
	return &fault{err: errRateLimited, retry: max(wait, time.Second)}
}

// handler is a handler that returns its error.
type handler func(*gin.Context) error

// handle adapts a handler to gin; its error goes through the error table.
func (s *Server) handle(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			s.fail(c, err)
		}
	}
}

// fail answers a gin request with the problem that err is.
func (s *Server) fail(c *gin.Context, err error) {
	c.Abort()
	refuse(c.Writer, c.Request, visitOf(c.Request.Context()), err)
}

// refuse answers with the problem that err is and leaves for the log line what
// is not for the caller. A handler that has already begun its answer keeps it.
func refuse(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	err = translate(r, err)
	line := rowOf(err)
	v.code = line.code
	if line.status >= http.StatusInternalServerError || line.status == statusClientGone {
		v.err = err
	}
	if v.status != 0 {
		return
	}
	p := Problem{Type: problemURN + line.code, Title: line.title, Status: line.status, Code: line.code, RequestID: v.id}
	language, retry := languageOf(r), line.retry
	p.Detail = line.en
	if language == chinese {
		p.Detail = line.zh
	}
	var f *fault
	if errors.As(err, &f) {
		if language == chinese && f.zh != "" {
			p.Detail = f.zh
		} else if f.en != "" {
			p.Detail = f.en
		}
		p.Errors = slices.Clone(f.fields)
		for i := range p.Errors {
			p.Errors[i].Detail = cmp.Or(p.Errors[i].Detail, p.Detail)
		}
		retry = max(retry, f.retry)
		if f.allowed != "" {
			w.Header().Set("Allow", f.allowed)
		}
	}
	writeProblem(w, p, language, retry)
}

// translate turns errors of the standard library into those of the table. A
// context that was not ended by the client is our own fault.
func translate(r *http.Request, err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return fmt.Errorf("%w: %w", errBodyTooLarge, err)
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return err
}

// rowOf finds the row of the error table that err is.
func rowOf(err error) row {
	for _, line := range problems {
		if errors.Is(err, line.err) {
			return line
		}
	}
	return internal
}
