package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"suitesign/wecom"
)

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

// refuse answers with the problem that err is. A handler that has already begun
// its answer keeps it.
func refuse(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	p, retry := describe(r, v, err)
	if v.status != 0 {
		return
	}
	var f *fault
	if errors.As(err, &f) && f.allowed != "" {
		w.Header().Set("Allow", f.allowed)
	}
	writeProblem(w, p, languageOf(r), retry)
}

// describe finds how err looks outside, in the caller's language, and leaves for
// the log line what is not for the caller.
func describe(r *http.Request, v *visit, err error) (p Problem, retry time.Duration) {
	line := rowOf(r, err)
	v.code = line.code
	if line.status >= http.StatusInternalServerError || line.status == statusClientGone {
		v.err = err
	}
	language := languageOf(r)
	p = Problem{
		Type: problemURN + line.code, Title: line.title, Status: line.status, Code: line.code,
		Detail: say(language, line.en, line.zh), RequestID: v.id,
	}
	if en, zh, ok := shapeDetail(err); ok {
		p.Detail = say(language, en, zh)
	}
	var refused *wecom.Error
	if errors.As(err, &refused) {
		p.WeCom = &WeComProblem{ErrCode: refused.Code, Hint: refused.Hint}
	}
	var f *fault
	if !errors.As(err, &f) {
		return p, line.retry
	}
	p.Detail = cmp.Or(say(language, f.en, f.zh), p.Detail)
	p.Errors = slices.Clone(f.fields)
	for i := range p.Errors {
		p.Errors[i].Detail = cmp.Or(p.Errors[i].Detail, p.Detail)
	}
	return p, cmp.Or(f.retry, line.retry)
}
