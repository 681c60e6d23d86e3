package suite

import (
	"errors"
	"strings"

	"suitesign/wecom"
)

const maxError = 500 // bytes of an error that are kept

// tellable are the errors of this room whose text admins may read.
var tellable = []error{ErrNoSuiteTicket, ErrSuiteBlocked, ErrSuiteUnavailable, errCodeSpent, errCodeExpired, errConsentGone}

// failure is an error as rows keep it, for admins to read: what the platform
// said, or one of ours. What a driver says stays in the log.
func failure(err error) (code *int, text string) {
	if err == nil {
		return nil, ""
	}
	text = "internal error; the log tells more"
	for _, e := range tellable {
		if errors.Is(err, e) {
			text = e.Error()
			break
		}
	}
	var refused *wecom.Error
	var call *wecom.CallError
	switch {
	case errors.As(err, &refused):
		code, text = &refused.Code, refused.Error()
	case errors.As(err, &call):
		text = call.Error()
	}
	return code, cut(text)
}

// cut makes text fit for a row: short, whole characters, no NUL.
func cut(text string) string {
	if len(text) > maxError {
		text = text[:maxError]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}
