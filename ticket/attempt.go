package ticket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/wecom"
)

// attempt fetches what one leased tenant needs. It writes nothing of the
// tenant's; results are what it found out.
type attempt struct {
	r       *Refresher
	l       *lease
	results map[Kind]*result
	fetched int // access_tokens
}

// run fetches the access_token unless there is one, then the tickets.
func (a *attempt) run(ctx context.Context) {
	wantToken, tickets := a.l.plan()
	if !wantToken && len(tickets) == 0 {
		return
	}
	for _, k := range tickets {
		a.results[k] = &result{}
	}
	token, err := a.token(ctx, wantToken)
	if err != nil || len(tickets) == 0 {
		return
	}
	stale := a.tickets(ctx, token, tickets)
	if len(stale) == 0 {
		return
	}
	// WeCom may end a token early. The one that it refused is the one that was
	// called with, whatever is stored by now: that one is fetched anew, once.
	if !a.repeatable(ctx, len(stale), a.l.demanded || a.l.asked()) {
		return
	}
	if token, err = a.fetchToken(ctx); err != nil {
		return
	}
	a.tickets(ctx, token, stale)
}

// repeatable charges what an attempt does beyond its cycle.
func (a *attempt) repeatable(ctx context.Context, tickets int, first bool) bool {
	ok, err := a.r.store.spend(ctx, a.l.TenantID, a.l.Corp, tickets, 1, first)
	return err == nil && ok
}

// token is the one to call with: a new one if it is due. If that cannot be had,
// but for a reason that says nothing about this tenant, the old one while it lives.
func (a *attempt) token(ctx context.Context, fetch bool) (wecom.AccessToken, error) {
	if a.r.barred.barred(a.l) {
		a.results[AccessToken] = &result{err: errAddress}
		return wecom.AccessToken{}, errAddress
	}
	old, err := a.storedToken()
	if !fetch && err == nil {
		return old, nil
	}
	fresh, fetchErr := a.fetchToken(ctx)
	if fetchErr == nil {
		return fresh, nil
	}
	if err == nil && ctx.Err() == nil && a.goesOn(fetchErr) {
		return old, nil
	}
	return wecom.AccessToken{}, fetchErr
}

// goesOn reports whether an error of fetching a token leaves the old one good.
func (a *attempt) goesOn(err error) bool {
	if unreachable(err) {
		return false
	}
	park := remedyFor(AccessToken, a.l.SuiteKind, 1, err).park
	return park == "" || park == parkedSuiteTicket || park == parkedSuiteToken || errors.Is(err, suite.ErrSuiteBlocked)
}

func (a *attempt) storedToken() (wecom.AccessToken, error) {
	if !a.l.tokenLives() {
		return wecom.AccessToken{}, ErrNone
	}
	v, err := a.r.Ring.Open(a.l.credentials[AccessToken].Sealed, bound(a.l.TenantID, AccessToken))
	if err != nil {
		return wecom.AccessToken{}, fmt.Errorf("tenant %s: open access_token: %w", a.l.TenantID, err)
	}
	return wecom.AccessToken{String: v}, nil
}

// fetchToken fetches an access_token in the way of the suite's kind.
func (a *attempt) fetchToken(ctx context.Context) (wecom.AccessToken, error) {
	res := &result{}
	a.results[AccessToken] = res
	var g wecom.Grant[wecom.AccessToken]
	var err error
	switch auth := a.l.auth; {
	case auth.Blocked && a.l.Parked != parkedUnauthorized:
		err = errBlocked
	case auth.Kind == suite.ThirdParty:
		g, err = a.corpToken(ctx, res)
	default:
		g, err = a.appToken(ctx, res)
	}
	if err != nil {
		res.err = err
		a.barIfRefused(ctx, res)
		return wecom.AccessToken{}, err
	}
	a.fetched++
	a.keep(res, AccessToken, g.Value.String, g.ExpiresIn)
	return g.Value, nil // also where it cannot be kept: it is good for this attempt
}

// corpToken fetches by get_corp_token, once more if the suite_access_token is refused.
func (a *attempt) corpToken(ctx context.Context, res *result) (wecom.Grant[wecom.AccessToken], error) {
	call := func() (wecom.SuiteAccessToken, wecom.Grant[wecom.AccessToken], error) {
		token, err := a.r.Suites.Token(ctx, a.l.SuiteID)
		if err != nil {
			return token, wecom.Grant[wecom.AccessToken]{}, err
		}
		g, err := ask(ctx, a, AccessToken, res, func(ctx context.Context) (wecom.Grant[wecom.AccessToken], error) {
			return a.r.WeCom.CorpToken(ctx, token, a.l.auth.CorpID, a.l.auth.PermanentCode)
		})
		return token, g, err
	}
	token, g, err := call()
	if staleSuite(err) {
		if err := a.r.Suites.Invalidate(ctx, a.l.SuiteID, token); err != nil {
			return g, err
		}
		// Not this tenant's trouble, so the reserve is open to it.
		if a.repeatable(ctx, 0, true) {
			_, g, err = call()
		}
	}
	return g, err
}

// appToken fetches by gettoken. Wrong secrets are counted over all tenants: some
// more of them and WeCom bans our address.
func (a *attempt) appToken(ctx context.Context, res *result) (wecom.Grant[wecom.AccessToken], error) {
	if a.l.SecretsClosed {
		return wecom.Grant[wecom.AccessToken]{}, errSecretsClosed
	}
	g, err := ask(ctx, a, AccessToken, res, func(ctx context.Context) (wecom.Grant[wecom.AccessToken], error) {
		return a.r.WeCom.AppToken(ctx, a.l.auth.CorpID, a.l.auth.PermanentCode)
	})
	if wecom.Classify(err) == wecom.ClassSecret {
		err = errors.Join(err, a.r.store.countWrongSecret(context.WithoutCancel(ctx)))
	}
	return g, err
}

// barIfRefused stops all calls for a suite that WeCom refuses our address for. An
// internal app has a list of its own.
func (a *attempt) barIfRefused(ctx context.Context, res *result) {
	if a.l.SuiteKind == suite.Internal || wecom.Classify(res.err) != wecom.ClassIP {
		return
	}
	a.r.barred.bar(a.l.SuiteID)
	if err := a.r.Suites.BlockIP(context.WithoutCancel(ctx), a.l.SuiteID, res.err); err != nil {
		res.err = errors.Join(res.err, err)
	}
}

// tickets fetches tickets, both at a time, and answers with those for which WeCom
// refused the access_token. One that finds WeCom down asks for one thing at a time.
func (a *attempt) tickets(ctx context.Context, token wecom.AccessToken, kinds []Kind) (again []Kind) {
	var running sync.WaitGroup
	for _, k := range kinds {
		res := &result{}
		a.results[k] = res
		fetch := func() { a.ticket(ctx, token, k, res) }
		if a.l.probe {
			if fetch(); unreachable(res.err) {
				break
			}
			continue
		}
		running.Go(fetch)
	}
	running.Wait()
	for _, k := range kinds {
		if stale(a.results[k].err) {
			again = append(again, k)
		}
	}
	return again
}

func (a *attempt) ticket(ctx context.Context, token wecom.AccessToken, k Kind, res *result) {
	var v secret.String
	var expiresIn time.Duration
	if k == JSAPITicket {
		g, err := ask(ctx, a, k, res, func(ctx context.Context) (wecom.Grant[wecom.JSAPITicket], error) {
			return a.r.WeCom.JSAPITicket(ctx, token)
		})
		v, expiresIn, res.err = g.Value.String, g.ExpiresIn, err
	} else {
		g, err := ask(ctx, a, k, res, func(ctx context.Context) (wecom.Grant[wecom.AgentTicket], error) {
			return a.r.WeCom.AgentTicket(ctx, token)
		})
		v, expiresIn, res.err = g.Value.String, g.ExpiresIn, err
	}
	if res.err == nil {
		a.keep(res, k, v, expiresIn)
	}
	a.barIfRefused(ctx, res)
}

// ask makes one call, within its time, and tells the weather by it.
func ask[T any](ctx context.Context, a *attempt, k Kind, res *result, call func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeout(ctx, or(a.r.CallFor, defaultCall))
	defer cancel()
	began := time.Now()
	res.asked = a.l.now()
	v, err := call(limited)
	switch {
	case ctx.Err() != nil && err != nil: // it was us
	case unreachable(err):
		a.r.weather.silent(a.l.TenantID, a.l.Failures == 0, began)
	case k == AccessToken && wecom.Classify(err) == wecom.ClassRate:
		// Tickets are limited for corps and apps, tokens for our address: if that is
		// blocked, it is for everybody, and for a minute.
		a.r.weather.silent(a.l.TenantID, a.l.Failures == 0, began)
		if a.r.weather.on() {
			if e := a.r.store.holdProbes(context.WithoutCancel(ctx), blockMinute); e != nil {
				a.r.log().ErrorContext(ctx, "block not stored", "error", e)
			}
		}
	default:
		a.r.weather.heard()
	}
	return v, err
}

// keep seals a value for its place.
func (a *attempt) keep(res *result, k Kind, v secret.String, expiresIn time.Duration) {
	sealed, err := a.r.Ring.Seal(v, bound(a.l.TenantID, k))
	if err != nil {
		res.err = fmt.Errorf("seal %s: %w", k, err)
		return
	}
	res.sealed, res.fingerprint, res.expiresIn = sealed, fingerprint(v), expiresIn
}

// cutShort reports whether the end of the process is why something failed.
func (a *attempt) cutShort() bool {
	nothing := true
	failed := slices.ContainsFunc(a.l.kinds(), func(k Kind) bool {
		res := a.results[k]
		if res != nil && res.sealed != nil {
			nothing = false
		}
		return res != nil && errors.Is(res.err, context.Canceled)
	})
	return failed && nothing
}
