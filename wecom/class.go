package wecom

import "errors"

// Class is what kind of trouble an error is, and so what to do about it.
type Class int

// The classes, and what a caller does.
const (
	ClassUnknown         Class = iota // none of the below: tell the operator, back off
	ClassStaleToken                   // access_token stale or of the wrong kind: refetch it once, try once more
	ClassStaleSuiteToken              // suite or provider token stale: refetch it once, try once more
	ClassSecret                       // the stored secret is refused: never again until it was changed
	ClassSuiteTicket                  // wait for the next push
	ClassTicket                       // the ticket is refused: refetch it once
	ClassAuthCode                     // auth_code, pre_auth_code or state: begin the installation again
	ClassConfig                       // wrong ids or a wrong request: tell the operator, no retry
	ClassUnauthorized                 // the corp's authorization is gone: stop, probe slowly
	ClassAppState                     // the app is off in the corp: probe slowly
	ClassPermission                   // not allowed: no retry
	ClassIP                           // our address is not on the list: tell the operator
	ClassRate                         // back off for as long as the exceeded window is
	ClassTransient                    // busy or unreachable: retry with backoff
	ClassDomain                       // a trusted domain: tell the operator
)

var classNames = [...]string{
	"unknown", "stale_token", "stale_suite_token", "secret", "suite_ticket", "ticket", "auth_code", "config",
	"unauthorized", "app_state", "permission", "ip", "rate", "transient", "domain",
}

// String is a short word, fit for a metric's label.
func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		return classNames[ClassUnknown]
	}
	return classNames[c]
}

// classes follows the platform's list of errcodes
// (developer.work.weixin.qq.com/document/path/90313).
var classes = map[int]Class{
	40014: ClassStaleToken,
	42001: ClassStaleToken,

	40082: ClassStaleSuiteToken, // the live text says suite or provider token
	42009: ClassStaleSuiteToken,

	// A loop with a refused secret gets the egress address banned for an hour, for
	// every tenant behind it (path/90312), so these are never tried again by themselves.
	40001: ClassSecret, // but see Error.Class
	40080: ClassSecret, // suite_secret
	40083: ClassSecret, // suite_id: it stands in the same row
	40091: ClassSecret, // the secret of another corp

	40085: ClassSuiteTicket,
	41023: ClassSuiteTicket,

	42012: ClassTicket, // of another kind, app or corp; surfaces in the page
	40093: ClassTicket, // signature; surfaces in the page

	40058: ClassAuthCode, // an auth_code of the wrong length
	40077: ClassAuthCode, // pre_auth_code
	40078: ClassAuthCode, // auth_code unknown, expired or used
	42007: ClassAuthCode, // pre_auth_code expired
	84025: ClassAuthCode, // state

	40013:  ClassConfig, // corpid
	40056:  ClassConfig, // agentid
	40086:  ClassConfig,
	41002:  ClassConfig, // no corpid: typically no JSON arrived
	41021:  ClassConfig,
	41022:  ClassConfig,
	41024:  ClassConfig,
	41025:  ClassConfig,
	47001:  ClassConfig, // no JSON
	48003:  ClassConfig, // suite_id is not the token's
	91040:  ClassConfig, // a ticket type where none belongs
	710000: ClassConfig, // open_corpid
	842002: ClassConfig, // the template is not online
	842003: ClassConfig, // no template

	40084:   ClassUnauthorized, // permanent_code
	48004:   ClassUnauthorized,
	301007:  ClassUnauthorized, // the corp was dissolved or blocked
	2000002: ClassUnauthorized,

	48006: ClassAppState, // idle for long
	50003: ClassAppState, // disabled
	60031: ClassAppState,
	85009: ClassAppState, // the app's page lacks a callback or a domain

	40133:  ClassPermission, // 40133–40135: member authorization is restricted
	40134:  ClassPermission,
	40135:  ClassPermission,
	48001:  ClassPermission,
	48002:  ClassPermission, // get_corp_token for a customised app, too
	60011:  ClassPermission,
	60021:  ClassPermission,
	60030:  ClassPermission,
	301002: ClassPermission, // the token is not for this agentid
	842006: ClassPermission, // the template is authorized already

	60020: ClassIP,

	45009: ClassRate, // per minute or per hour
	45033: ClassRate, // concurrent calls of one corp

	-1:   ClassTransient, // busy
	6000: ClassTransient, // version conflict

	50001: ClassDomain, // OAuth redirect
	80001: ClassDomain,
	85004: ClassDomain, // changed more than 20 times this month
	85005: ClassDomain, // ownership not verified
	85008: ClassDomain, // no ICP record
	85111: ClassDomain, // belongs to a provider
}

// Class says what kind of refusal it is. 40001 is "a wrong secret" where a secret
// was sent; a call that carried only a token means that token.
func (e *Error) Class() Class {
	if e.Code == 40001 {
		switch carries[e.API] {
		case "access_token":
			return ClassStaleToken
		case "suite_access_token", "provider_access_token":
			return ClassStaleSuiteToken
		}
	}
	if e.Code/1000 == 701 { // 701xxx: interface licences (path/95716)
		return ClassPermission
	}
	return classes[e.Code]
}

// Classify answers with the class of any error of a [Client].
func Classify(err error) Class {
	var refused *Error
	switch {
	case errors.As(err, &refused):
		return refused.Class()
	case errors.Is(err, ErrRequest):
		return ClassConfig
	case errors.Is(err, ErrUnreachable), errors.Is(err, ErrMalformed):
		return ClassTransient
	default:
		return ClassUnknown
	}
}
