package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

var (
	// errDead: WeCom repeats a value whose end, as first told, has passed.
	errDead = errors.New("WeCom repeats a value that has expired")
	// errShort: kept, but nothing to build a schedule on.
	errShort = errors.New("WeCom grants it for a few seconds only")
	// errBlocked: this version of the authorization was refused before; no call is made.
	errBlocked = errors.New("WeCom refused this authorization before; a new one is needed")
	// errAddress: WeCom refuses our address for the suite; nothing is called for it.
	errAddress = errors.New("WeCom refuses our address for the suite (60020): it is not on the provider's list")
	// errSecretsClosed: the hour has seen so many wrong secrets that another could have our address banned.
	errSecretsClosed = errors.New("too many wrong secrets this hour over all tenants; waiting")
)

// remedy is what to do about a failure.
type remedy struct {
	// park: nothing more for this tenant. Empty: retry, and look only after the credential that failed.
	park   reason
	probe  time.Duration // when to look again nevertheless; 0: see ladder
	ladder bool          // retry after 5 s, 15 s, …; false and probe 0: never by itself
	block  bool          // the authorization is refused in this version
	stop   bool          // tickets stop, too, although an access_token may live
	health tenant.Health
}

// remedies by class, of what WeCom answers. What is not listed is retried.
var remedies = map[wecom.Class]remedy{
	wecom.ClassUnauthorized: {park: parkedUnauthorized, probe: probeGone, block: true, health: tenant.NeedsReauthorization},
	wecom.ClassIP:           {park: parkedRefused, probe: probeIP, health: tenant.Failing},
	wecom.ClassAppState:     {park: parkedRefused, probe: probeRefused, health: tenant.Failing},
	wecom.ClassPermission:   {park: parkedRefused, probe: probeRefused, health: tenant.Failing},
	wecom.ClassConfig:       {park: parkedRefused, probe: probeRefused, health: tenant.Failing},
	wecom.ClassDomain:       {park: parkedRefused, probe: probeRefused, health: tenant.Failing},
	wecom.ClassAuthCode:     {park: parkedRefused, probe: probeRefused, health: tenant.Failing},
	wecom.ClassSecret:       {park: parkedRefused, probe: probeRefused, health: tenant.Failing}, // but see tokenRemedy
}

// remedyFor says what to do about an error of fetching a credential of kind k,
// which has now failed so many times in a row.
func remedyFor(k Kind, of suite.Kind, failures int, err error) remedy {
	r := tokenRemedy(k, of, failures, err)
	if k != AccessToken && !r.block && r.park != parkedSuite {
		// The other ticket may still be had, so the tenant goes on.
		r.park = ""
		r.ladder = r.probe == 0
	}
	return r
}

func tokenRemedy(k Kind, of suite.Kind, failures int, err error) remedy {
	switch {
	case errors.Is(err, suite.ErrNoSuiteTicket):
		return remedy{park: parkedSuiteTicket, health: tenant.WaitingSuiteTicket}
	case errors.Is(err, suite.ErrSuiteBlocked):
		return remedy{park: parkedSuite, health: tenant.Failing}
	case errors.Is(err, suite.ErrSuiteUnavailable):
		return remedy{park: parkedSuiteToken, ladder: true, health: tenant.Failing}
	case errors.Is(err, errBlocked) && of == suite.ThirdParty:
		return remedy{park: parkedUnauthorized, probe: probeGone, health: tenant.NeedsReauthorization}
	case errors.Is(err, errBlocked): // a code that WeCom may have refused as a secret
		return remedy{park: parkedSecret, health: tenant.NeedsReauthorization}
	case errors.Is(err, errSecretsClosed):
		return remedy{probe: blockMinute, health: tenant.Failing}
	}
	switch class := wecom.Classify(err); {
	case class == wecom.ClassSecret && k == AccessToken && of != suite.ThirdParty:
		return remedy{park: parkedSecret, block: true, health: tenant.NeedsReauthorization}
	case errors.Is(err, errAddress), class == wecom.ClassIP && of != suite.Internal:
		return remedy{park: parkedSuite, stop: true, health: tenant.Failing} // suite.Tokens keeps the breaker
	case class == wecom.ClassRate:
		return remedy{probe: blockFor(k, failures, err), health: tenant.Failing}
	default:
		if r, ok := remedies[class]; ok {
			return r
		}
		return remedy{ladder: true, health: tenant.Failing}
	}
}

// blockFor is how long WeCom blocks after a limit was exceeded: as long as that
// limit's window. Tickets have limits per hour only; for tokens it is a limit per
// minute, unless the minute did not help.
func blockFor(k Kind, failures int, err error) time.Duration {
	var refused *wecom.Error
	if errors.As(err, &refused) && refused.Code == codeConcurrency {
		return blockMinute
	}
	if k != AccessToken || failures > 1 {
		return blockHour
	}
	return blockMinute
}

const (
	codeFrequency   = 45009
	codeConcurrency = 45033
)

// next is when to look after what failed again; zero: never by itself.
func (r remedy) next(now time.Time, failures int, jitter float64) time.Time {
	switch {
	case r.ladder:
		return NextAfterFailure(now, failures, jitter)
	case r.probe > 0:
		return nextProbe(now, r.probe, jitter)
	default:
		return time.Time{}
	}
}

// stale reports whether WeCom refused the access_token itself: fetch it anew, once.
func stale(err error) bool { return wecom.Classify(err) == wecom.ClassStaleToken }

// staleSuite is the same for the suite_access_token on a call for a corp's token;
// 40014 there is a suite token that is not taken for one.
func staleSuite(err error) bool {
	c := wecom.Classify(err)
	return c == wecom.ClassStaleSuiteToken || c == wecom.ClassStaleToken
}

// unreachable reports whether WeCom gave no answer at all: not a word about this tenant.
func unreachable(err error) bool {
	return errors.Is(err, wecom.ErrUnreachable) && !errors.Is(err, context.Canceled)
}

// healsByTrying reports whether requests may try again what failed with this
// errcode. What is probed slowly must not be probed by every page that loads.
func healsByTrying(k Kind, errcode *int32) bool {
	if errcode == nil {
		return true
	}
	r := remedyFor(k, suite.ThirdParty, 1, &wecom.Error{Code: int(*errcode)})
	return r.ladder
}

// tell is an error as it is stored and shown: without what differs from one time
// to the next, and without what is nobody's business.
func tell(err error) (errcode *int32, text string) {
	var refused *wecom.Error
	var call *wecom.CallError
	switch {
	case errors.As(err, &refused):
		code := int32(refused.Code) //nolint:gosec // errcodes have six digits
		text = fmt.Sprintf("errcode %d", refused.Code)
		if refused.Msg != "" {
			text += ": " + refused.Msg
		}
		return &code, text
	case errors.As(err, &call):
		return nil, call.Reason
	}
	for _, known := range []error{
		suite.ErrNoSuiteTicket, suite.ErrSuiteBlocked, suite.ErrSuiteUnavailable,
		errDead, errShort, errBlocked, errAddress, errSecretsClosed,
	} {
		if errors.Is(err, known) {
			return nil, known.Error()
		}
	}
	return nil, "internal error; the log tells more"
}
