package suite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"suitesign/wecom"
)

var (
	// ErrNoSuiteTicket is returned while there is no suite_ticket that could be
	// used: none came yet, or WeCom refused the newest one. The next push ends it.
	ErrNoSuiteTicket = errors.New("no usable suite_ticket; WeCom pushes one every ten minutes, and at once by the console's refresh button")
	// ErrSuiteBlocked is returned while WeCom refuses the suite itself: its secret,
	// until an admin stores one; our IP, until a probe succeeds.
	ErrSuiteBlocked = errors.New("WeCom refuses the suite: its secret is wrong, or our IP is not on the provider's list")
	// ErrSuiteUnavailable is returned when the suite_access_token could not be
	// fetched and will be tried again by itself.
	ErrSuiteUnavailable = errors.New("the suite_access_token could not be fetched yet")
)

const (
	rememberFor = 5 * time.Second        // how old the copy in memory may be
	lookAgain   = 100 * time.Millisecond // while another holder of the lease fetches
	probeIP     = 5 * time.Minute        // between two tries after 60020
	renewLead   = 10 * time.Minute       // a token is fetched again so long before its end, at most a third of its life
	refetchWait = time.Minute            // after success not again before this, at most a third of the token's life
)

// Tokens hands out suite_access_tokens. One row holds each, and one process
// fetches it, under that row's lease; memory is a copy of a few seconds.
type Tokens struct {
	Store *Store
	WeCom *wecom.Client
	Now   func() time.Time // time.Now unless set; ages the copies in memory

	mu     sync.Mutex
	copies map[wecom.SuiteID]tokenCopy
	flight singleflight.Group
}

type tokenCopy struct {
	token  wecom.SuiteAccessToken
	until  time.Time // its end
	readAt time.Time
}

// Token answers with the suite's token, fetching it if nobody has one that lives.
// ErrNotFound, ErrWrongKind, ErrNoSuiteTicket, ErrSuiteBlocked, ErrSuiteUnavailable.
// The platform's refusal is told in words only: it is the suite's, and must not
// be taken for a tenant's.
func (t *Tokens) Token(ctx context.Context, id wecom.SuiteID) (wecom.SuiteAccessToken, error) {
	if c, ok := t.copy(id); ok && t.now().Sub(c.readAt) < rememberFor {
		return c.token, nil
	}
	// What is fetched is for everybody who waits, so it does not end with the first of them.
	shared := context.WithoutCancel(ctx)
	done := t.flight.DoChan(string(id), func() (any, error) {
		ctx, cancel := context.WithTimeout(shared, attemptFor)
		defer cancel()
		return t.obtain(ctx, id)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return wecom.SuiteAccessToken{}, r.Err
		}
		return r.Val.(wecom.SuiteAccessToken), nil
	case <-ctx.Done():
		return wecom.SuiteAccessToken{}, fmt.Errorf("suite %s: token: %w", id, ctx.Err())
	}
}

// obtain reads the row, and fetches if nothing in it lives.
func (t *Tokens) obtain(ctx context.Context, id wecom.SuiteID) (wecom.SuiteAccessToken, error) {
	for {
		at := t.now() // before the query, so that the copy never outlives the row
		row, err := t.Store.readToken(ctx, id)
		if err != nil {
			if c, ok := t.copy(id); ok && !errors.Is(err, ErrNotFound) {
				return c.token, nil // the database is away; the token is not
			}
			return wecom.SuiteAccessToken{}, err
		}
		err = row.usable()
		switch {
		case errors.Is(err, errAddressRefused):
			t.forget(id)
			return wecom.SuiteAccessToken{}, tokenErr(id, err)
		case row.live():
			t.remember(id, row.token, at, row.left)
			return row.token, nil
		case err != nil:
			return wecom.SuiteAccessToken{}, tokenErr(id, err)
		}
		if !row.leased {
			token, ok, err := t.fetch(ctx, id, row)
			if ok {
				return token, err
			}
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return wecom.SuiteAccessToken{}, tokenErr(id, fmt.Errorf("%w: %w", ErrSuiteUnavailable, ctx.Err()))
		}
	}
}

// fetch claims the row and asks the platform. It reports false where somebody else was faster.
func (t *Tokens) fetch(ctx context.Context, id wecom.SuiteID, row tokenRow) (wecom.SuiteAccessToken, bool, error) {
	lease, ok, err := t.Store.claimToken(ctx, id, row)
	if err != nil || !ok {
		return wecom.SuiteAccessToken{}, err != nil, err
	}
	at := t.now()
	grant, err := t.WeCom.SuiteToken(ctx, id, row.secret, row.ticket)
	took := t.now().Sub(at)
	// What was brought is written down also when nobody waits any more.
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveFor)
	defer cancel()
	if err != nil {
		return wecom.SuiteAccessToken{}, true, tokenErr(id, t.refused(save, id, row, lease, err))
	}
	left, err := t.Store.saveToken(save, id, row, lease, grant, took)
	if errors.Is(err, errLeaseLost) {
		return wecom.SuiteAccessToken{}, false, nil
	} else if err != nil {
		return wecom.SuiteAccessToken{}, true, err
	}
	t.remember(id, grant.Value, at, left)
	return grant.Value, true, nil
}

// refused opens the breaker that the platform's answer asks for, or sets the time
// of the next try.
func (t *Tokens) refused(ctx context.Context, id wecom.SuiteID, row tokenRow, l lease, err error) error {
	f := tokenFailure{wait: retryIn(row.failures + 1)}
	out := ErrSuiteUnavailable
	switch wecom.Classify(err) {
	case wecom.ClassSuiteTicket: // the next push ends it, and at once
		f.blockedTicket, f.wait, out = &row.ticketGeneration, 0, ErrNoSuiteTicket
	case wecom.ClassSecret, wecom.ClassConfig:
		// Never again until the row changes: a loop of wrong secrets has the IP
		// banned for every tenant (developer.work.weixin.qq.com/document/path/90312).
		f.blockedVersion, f.wait, out = &row.secretVersion, 0, ErrSuiteBlocked
	case wecom.ClassIP:
		f.blockedFor, out = probeIP, errAddressRefused
	case wecom.ClassRate:
		f.wait = retryIn(max(row.failures+1, 4)) // the shortest block is a minute
	default: // tried again by itself
	}
	if saveErr := t.Store.failToken(ctx, id, l, f, err); saveErr != nil {
		return errors.Join(out, saveErr)
	}
	return fmt.Errorf("%w: %s", out, err.Error()) // not wrapped: see Token
}

// Invalidate says that a token was refused (40082, 42009). It counts only if that
// token is still the one in the row: what was fetched meanwhile stays. A fresh
// token that is refused again and again is fetched ever more slowly.
func (t *Tokens) Invalidate(ctx context.Context, id wecom.SuiteID, failed wecom.SuiteAccessToken) error {
	t.mu.Lock()
	if c, ok := t.copies[id]; ok && c.token.Equal(failed.String) {
		delete(t.copies, id)
	}
	t.mu.Unlock()
	row, err := t.Store.readToken(ctx, id)
	if err != nil {
		return err
	}
	if !row.live() || !row.token.Equal(failed.String) {
		return nil
	}
	return t.Store.expireToken(ctx, id, row.generation)
}

// BlockIP says that WeCom refused our address (60020) on any call for the suite:
// all of them stop, but for a probe now and then.
func (t *Tokens) BlockIP(ctx context.Context, id wecom.SuiteID, why error) error {
	t.forget(id)
	return t.Store.blockIP(ctx, id, why)
}

// renew fetches a token that is close to its end, unless somebody does already.
func (t *Tokens) renew(ctx context.Context, id wecom.SuiteID) error {
	row, err := t.Store.readToken(ctx, id)
	if err != nil || row.leased || row.usable() != nil {
		return err
	}
	_, _, err = t.fetch(ctx, id, row)
	return err
}

func tokenErr(id wecom.SuiteID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("suite %s: %w", id, err)
}

// copy is the token in memory, if it lives.
func (t *Tokens) copy(id wecom.SuiteID) (tokenCopy, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.copies[id]
	return c, ok && t.now().Before(c.until)
}

func (t *Tokens) remember(id wecom.SuiteID, token wecom.SuiteAccessToken, readAt time.Time, left time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.copies == nil {
		t.copies = make(map[wecom.SuiteID]tokenCopy)
	}
	t.copies[id] = tokenCopy{token: token, until: readAt.Add(left), readAt: readAt}
}

func (t *Tokens) forget(id wecom.SuiteID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.copies, id)
}

func (t *Tokens) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}
