package wecom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"suitesign/secret"
)

var (
	// ErrUnreachable is wrapped by every error of a call that got no answer of the
	// platform: network, TLS, timeout, a status other than 200.
	ErrUnreachable = errors.New("platform unreachable")

	// ErrMalformed is wrapped when an answer came that is not one: no JSON object,
	// a key twice, a value that is missing or out of range.
	ErrMalformed = errors.New("malformed answer of the platform")

	// ErrOutcomeUnknown is wrapped when the request may have reached the platform
	// and its effect is not known. Without it a failed call had no effect: the
	// request never left, or the platform refused it.
	ErrOutcomeUnknown = errors.New("outcome unknown")

	// ErrRequest is wrapped when a call was not made because it could not succeed:
	// an empty credential, an unusable base URL.
	ErrRequest = errors.New("request not possible")
)

// Error is the platform's refusal: an errcode other than 0.
type Error struct {
	API  string // one of the API constants
	Code int    // errcode
	Msg  string // errmsg without hint, address and link; cleaned and shortened
	Hint string // the number that the platform's support asks for
}

// Error tells API, errcode, errmsg and hint.
func (e *Error) Error() string {
	s := fmt.Sprintf("wecom %s: errcode %d", e.API, e.Code)
	if e.Msg != "" {
		s += ": " + e.Msg
	}
	if e.Hint != "" {
		s += " (hint " + e.Hint + ")"
	}
	return s
}

// CallError is a call without a usable answer. It holds words of our own only:
// net/http's errors carry the URL, and the URL carries the token.
type CallError struct {
	API    string // one of the API constants
	Reason string // for the log: what went wrong
	Status int    // the HTTP status, 0 when there was none
	Sent   bool   // false: the request surely had no effect

	kind error // ErrUnreachable, ErrMalformed or ErrRequest
	ctx  error // the caller's context error, when that ended the call
}

// Error tells API, kind and reason.
func (e *CallError) Error() string {
	s := fmt.Sprintf("wecom %s: %s: %s", e.API, e.kind, e.Reason)
	if e.Sent {
		s += " (" + ErrOutcomeUnknown.Error() + ")"
	}
	return s
}

// Unwrap is the kind, ErrOutcomeUnknown if the request was sent, and the caller's
// context error if there is one.
func (e *CallError) Unwrap() []error {
	errs := []error{e.kind}
	if e.Sent {
		errs = append(errs, ErrOutcomeUnknown)
	}
	if e.ctx != nil {
		errs = append(errs, e.ctx)
	}
	return errs
}

// callerGone is ctx's error in a form that prints nothing but itself.
func callerGone(ctx context.Context) error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return context.Canceled
	default:
		return context.DeadlineExceeded
	}
}

const maxMsg = 200 // characters of an errmsg that are kept

var (
	msgHint  = regexp.MustCompile(`,?\s*hint:\s*\[(\d{1,32})[^\]]*\]`)
	msgIP    = regexp.MustCompile(`,?\s*from ip:\s*[^,\s]*`)
	msgMore  = regexp.MustCompile(`,?\s*more info at\s.*$`)
	msgToken = regexp.MustCompile(`[A-Za-z0-9_\-%+/=]{40,}`)
)

// newError makes an Error of errcode and errmsg. The usual errmsg is
// "<text>, hint: [<digits>], from ip: <our egress address>, more info at <link>".
// The address is nobody's business, and whatever the platform echoes must not
// carry a secret of this call.
func newError(api string, code int, errmsg string, secrets []secret.String) *Error {
	msg := strings.ToValidUTF8(errmsg, "?")
	msg = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, msg)
	for _, s := range secrets { // before anything is cut, so that no half of one stays
		for _, form := range spellings(s.Reveal()) {
			msg = strings.ReplaceAll(msg, form, s.String())
		}
	}
	hint := ""
	if m := msgHint.FindStringSubmatch(msg); m != nil {
		hint = m[1]
	}
	for _, re := range []*regexp.Regexp{msgHint, msgIP, msgMore} {
		msg = re.ReplaceAllString(msg, "")
	}
	msg = strings.TrimSpace(msgToken.ReplaceAllString(msg, "[…]"))
	if r := []rune(msg); len(r) > maxMsg {
		msg = string(r[:maxMsg]) + "…"
	}
	return &Error{API: api, Code: code, Msg: msg, Hint: hint}
}

// spellings are the forms in which a value of the request can come back.
func spellings(s string) []string {
	inJSON, _ := json.Marshal(s) // never fails for a string
	return []string{s, url.QueryEscape(s), url.PathEscape(s), string(inJSON[1 : len(inJSON)-1])}
}
