package tenant

import "errors"

// What the package refuses, and what it cannot do.
var (
	// ErrInvalidURL: the text is not a page's URL in the shape of a browser's location.href.
	ErrInvalidURL = errors.New("invalid url")
	// ErrInvalidDomain: the text is not a domain that may be trusted.
	ErrInvalidDomain = errors.New("invalid domain")
	// ErrInvalidFile: the name or the content is not that of a verification file.
	ErrInvalidFile = errors.New("invalid verification file")
	// ErrInvalidCorpID: the text cannot be a corp's id.
	ErrInvalidCorpID = errors.New("invalid corp_id")
	// ErrNotFound: no such tenant, suite, alias, domain or file.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the corp_id already names a tenant of the suite.
	ErrConflict = errors.New("corp_id is taken")
	// ErrCancelled: WeCom has cancelled the authorization, and only WeCom can renew it.
	ErrCancelled = errors.New("authorization is cancelled")
	// ErrVersion: the row is not at the version that the caller has seen.
	ErrVersion = errors.New("version has changed")
)

// A ShapeError tells what is wrong with a text: in words for people, as a code
// for a translation. It unwraps to ErrInvalidURL, ErrInvalidDomain,
// ErrInvalidFile or ErrInvalidCorpID.
type ShapeError struct {
	Err    error  // the sentinel
	Code   string // "userinfo", "ip_address", …: stable
	Reason string // an English clause that names the fault and the remedy
}

// Error is the sentinel's text and the reason. It never repeats the refused text.
func (e *ShapeError) Error() string { return e.Err.Error() + ": " + e.Reason }

// Unwrap gives the sentinel.
func (e *ShapeError) Unwrap() error { return e.Err }

func badURL(code, reason string) *ShapeError {
	return &ShapeError{Err: ErrInvalidURL, Code: code, Reason: reason}
}

func badDomain(code, reason string) *ShapeError {
	return &ShapeError{Err: ErrInvalidDomain, Code: code, Reason: reason}
}
