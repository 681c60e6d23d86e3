package suite_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

func (h *house) token(r *replica) wecom.SuiteAccessToken {
	h.t.Helper()
	v, err := r.tokens.Token(h.t.Context(), suiteID)
	must(h.t, err)
	return v
}

// later makes a replica's copies in memory too old to be believed.
func later(r *replica) {
	at := time.Now().Add(10 * time.Second)
	r.tokens.Now = func() time.Time { return at }
}

func TestOneTokenForAllReplicas(t *testing.T) {
	t.Parallel()
	for _, rotation := range []wecomtest.Rotation{wecomtest.Sticky, wecomtest.StickyConstant, wecomtest.Rotating} {
		t.Run(string(rotation), func(t *testing.T) {
			t.Parallel()
			h := ready(t, wecomtest.WithRotation(rotation, 0))
			h.sim.Fault(wecomtest.Fault{API: apiSuiteToken, Kind: wecomtest.Latency, Value: 150})
			replicas := []*replica{h.replica, h.another(), h.another()}
			got := make([]wecom.SuiteAccessToken, 60)
			var all sync.WaitGroup
			for i := range got {
				all.Go(func() {
					v, err := replicas[i%len(replicas)].tokens.Token(context.Background(), suiteID)
					if err != nil {
						t.Errorf("Token = %v", err)
					}
					got[i] = v
				})
			}
			all.Wait()
			for _, v := range got {
				if !v.Equal(got[0].String) || v.IsZero() {
					t.Fatal("the replicas hold different tokens")
				}
			}
			h.wantCalls(apiSuiteToken, 1)
		})
	}
}

// However many find their token refused, and wherever: one fetches another.
func TestInvalidateCountsOncePerToken(t *testing.T) {
	t.Parallel()
	h := ready(t)
	replicas := []*replica{h.replica, h.another()}
	stale := h.token(replicas[0])
	if h.token(replicas[1]); h.calls(apiSuiteToken) != 1 {
		t.Fatalf("calls = %d, want 1", h.calls(apiSuiteToken))
	}
	h.sim.Revoke(suiteID, "", wecomtest.SuiteAccessToken)
	var all sync.WaitGroup
	for i := range 50 {
		r := replicas[i%2]
		all.Go(func() {
			must(t, r.tokens.Invalidate(context.Background(), suiteID, stale))
			v, err := r.tokens.Token(context.Background(), suiteID)
			if err != nil || v.Equal(stale.String) {
				t.Errorf("Token = the stale one or %v", err)
			}
		})
	}
	all.Wait()
	h.wantCalls(apiSuiteToken, 2)
	// Who comes late with the old one does not end the new one.
	fresh := h.token(h.replica)
	must(t, replicas[1].tokens.Invalidate(t.Context(), suiteID, stale))
	later(replicas[1])
	if got := h.token(replicas[1]); !got.Equal(fresh.String) {
		t.Error("the fresh token was ended by a late word about the old one")
	}
	h.wantCalls(apiSuiteToken, 2)
}

// A platform that refuses every fresh token must not be asked for one each time.
func TestRefusedAgainAndAgain(t *testing.T) {
	t.Parallel()
	h := ready(t, wecomtest.WithRotation(wecomtest.Rotating, 0))
	for range 20 {
		v, err := h.tokens.Token(t.Context(), suiteID)
		if err != nil {
			wantErr(t, err, suite.ErrSuiteUnavailable)
			break
		}
		must(t, h.tokens.Invalidate(t.Context(), suiteID, v))
	}
	h.wantCalls(apiSuiteToken, 2)
	h.due()
	h.token(h.replica)
	h.wantCalls(apiSuiteToken, 3)
}

func TestBreakers(t *testing.T) {
	t.Parallel()
	push := func(h *house) { h.pushTicket(suiteID) }
	newSecret := func(h *house) {
		v := secret.New(h.sim.State().Suites[0].Secret)
		_, err := h.store.Update(h.t.Context(), suiteID, suite.Patch{SuiteSecret: &v})
		must(h.t, err)
	}
	probe := func(h *house) { h.exec(`UPDATE suite_tokens SET blocked_until = now()`) }
	wait := func(h *house) { h.exec(`UPDATE suite_tokens SET retry_at = now()`) }
	for _, tt := range []struct {
		code int
		want error
		warn suite.Warning
		no   []func(*house) // these do not help
		yes  func(*house)   // this does
	}{
		{40085, suite.ErrNoSuiteTicket, suite.WarnTicketRefused, []func(*house){wait, newSecret}, push},
		{41023, suite.ErrNoSuiteTicket, suite.WarnTicketRefused, nil, push}, // at once, however soon
		{40001, suite.ErrSuiteBlocked, suite.WarnSecretRefused, []func(*house){wait, push}, newSecret},
		{40080, suite.ErrSuiteBlocked, suite.WarnSecretRefused, []func(*house){push}, newSecret},
		{40083, suite.ErrSuiteBlocked, suite.WarnSecretRefused, []func(*house){wait, push}, newSecret},
		{41022, suite.ErrSuiteBlocked, suite.WarnSecretRefused, []func(*house){wait, push}, newSecret},
		{60020, suite.ErrSuiteBlocked, suite.WarnIPRefused, []func(*house){wait, push}, probe},
		{60020, suite.ErrSuiteBlocked, suite.WarnIPRefused, nil, newSecret},
		{-1, suite.ErrSuiteUnavailable, suite.WarnTokenFailing, []func(*house){push}, wait},
		{45009, suite.ErrSuiteUnavailable, suite.WarnTokenFailing, []func(*house){push}, wait},
		{99999, suite.ErrSuiteUnavailable, suite.WarnTokenFailing, []func(*house){push}, wait},
	} {
		t.Run(fmt.Sprint(tt.code), func(t *testing.T) {
			t.Parallel()
			h := ready(t)
			other := h.another()
			h.sim.Fault(wecomtest.Fault{API: apiSuiteToken, Kind: wecomtest.Errcode, Value: tt.code})
			refused := func() {
				t.Helper()
				for _, r := range []*replica{h.replica, other} {
					_, err := r.tokens.Token(t.Context(), suiteID)
					wantErr(t, err, tt.want)
					if wecom.Classify(err) != wecom.ClassUnknown {
						t.Errorf("error %v carries the platform's refusal: it would be taken for a tenant's", err)
					}
				}
			}
			refused()
			for _, try := range tt.no {
				try(h)
				refused()
			}
			h.wantCalls(apiSuiteToken, 1)
			st, err := h.store.Statuses(t.Context(), suiteID)
			must(t, err)
			if diff := cmp.Diff([]suite.Warning{tt.warn}, st[0].Warnings); diff != "" || or(st[0].LastErrcode, 0) != tt.code || st[0].LastError == "" {
				t.Errorf("status = %+v, want warning %s", st[0], tt.warn)
			}
			tt.yes(h)
			h.token(h.replica)
			h.token(other)
			h.wantCalls(apiSuiteToken, 2)
			st, err = h.store.Statuses(t.Context(), suiteID)
			must(t, err)
			if len(st[0].Warnings) != 0 || st[0].LastError != "" || st[0].TokenExpiresAt == nil {
				t.Errorf("status = %+v, want nothing wrong", st[0])
			}
		})
	}
}

// Our address is refused on another call: the suite's live token is not used either.
func TestBlockIP(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.token(h.replica)
	must(t, h.tokens.BlockIP(t.Context(), suiteID, &wecom.Error{API: "x", Code: 60020}))
	_, err := h.tokens.Token(t.Context(), suiteID)
	wantErr(t, err, suite.ErrSuiteBlocked)
	h.exec(`UPDATE suite_tokens SET blocked_until = now()`)
	h.token(h.replica)
	h.wantCalls(apiSuiteToken, 1)
}

func TestNoTokenWithoutASuiteTicket(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.addSuite(suiteID)
	_, err := h.tokens.Token(t.Context(), suiteID)
	wantErr(t, err, suite.ErrNoSuiteTicket)
	_, err = h.tokens.Token(t.Context(), "wwnobody")
	wantErr(t, err, suite.ErrNotFound)
	_, err = h.store.Create(t.Context(), suite.New{ID: "own", Kind: suite.Internal, Name: "Own apps"})
	must(t, err)
	_, err = h.tokens.Token(t.Context(), "own")
	wantErr(t, err, suite.ErrWrongKind)
	h.wantCalls(apiSuiteToken, 0)
}

// A suite_ticket that is older than the platform says it lives is tried once.
func TestAnOldTicketIsTriedOnce(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.exec(`UPDATE suite_tickets SET pushed_at = now() - interval '3 hours', received_at = now() - interval '3 hours'`)
	st, err := h.store.Statuses(t.Context())
	must(t, err)
	if diff := cmp.Diff([]suite.Warning{suite.WarnTicketExpired}, st[0].Warnings); diff != "" || st[0].TicketAge < 3*time.Hour {
		t.Errorf("status = %+v, want an expired suite_ticket", st[0])
	}
	h.sim.Fault(wecomtest.Fault{API: apiSuiteToken, Kind: wecomtest.Errcode, Value: 40085})
	for range 5 {
		_, err := h.tokens.Token(t.Context(), suiteID)
		wantErr(t, err, suite.ErrNoSuiteTicket)
		h.due()
	}
	h.wantCalls(apiSuiteToken, 1)
	// The same ticket, delivered again, is not another one.
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("suite_ticket", h.now(), "SuiteTicket", h.sim.SuiteTicket(suiteID))))
	_, err = h.tokens.Token(t.Context(), suiteID)
	wantErr(t, err, suite.ErrNoSuiteTicket)
	h.wantCalls(apiSuiteToken, 1)
}

// The holder of the lease died: another one takes over when the lease ends.
func TestADeadHolderIsReplaced(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.exec(`INSERT INTO suite_tokens (suite_id, lease_owner, lease_until) VALUES ($1, gen_random_uuid(), now() + interval '1 hour')`, suiteID)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := h.tokens.Token(ctx, suiteID)
	wantErr(t, err, context.DeadlineExceeded)
	h.wantCalls(apiSuiteToken, 0)
	h.exec(`UPDATE suite_tokens SET lease_until = now()`)
	h.token(h.another())
	h.wantCalls(apiSuiteToken, 1)
}

// A zombie's answer comes after its lease ended and another one's was stored.
func TestALateAnswerChangesNothing(t *testing.T) {
	t.Parallel()
	h := ready(t, wecomtest.WithRotation(wecomtest.Rotating, time.Hour))
	other := h.another()
	answer := h.hold(t, apiSuiteToken)
	late := make(chan wecom.SuiteAccessToken, 1)
	go func() {
		v, _ := h.tokens.Token(context.Background(), suiteID)
		late <- v
	}()
	answer.comes()
	h.exec(`UPDATE suite_tokens SET lease_until = now()`)
	stored := h.token(other)
	answer.letGo()
	if got := <-late; !got.Equal(stored.String) {
		t.Error("the zombie goes on with a token that is not the stored one")
	}
	later(other)
	if got := h.token(other); !got.Equal(stored.String) {
		t.Error("the late answer was stored over the newer token")
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rotation wecomtest.Rotation
		calls    int // after it was due once
	}{{wecomtest.Rotating, 2}, {wecomtest.Sticky, 2}, {wecomtest.StickyConstant, 2}} {
		t.Run(string(tt.rotation), func(t *testing.T) {
			t.Parallel()
			h := ready(t, wecomtest.WithRotation(tt.rotation, time.Hour))
			h.install(suiteID, acme)
			other := h.another()
			old := h.token(h.replica)
			h.work()
			h.wantCalls(apiSuiteToken, 1)
			h.exec(`UPDATE suite_tokens SET renew_at = now(), retry_at = NULL, expires_at = now() + interval '9 minutes'`)
			for _, r := range []*replica{h.replica, other, h.replica} {
				_, err := r.worker.RunOnce(t.Context())
				must(t, err)
			}
			h.wantCalls(apiSuiteToken, tt.calls)
			later(other)
			if same := h.token(other).Equal(old.String); same != (tt.rotation != wecomtest.Rotating) {
				t.Errorf("the same token = %v", same)
			}
			// A repeated value keeps its end, even where its full lifetime is printed again.
			left := value[time.Duration](h, `SELECT expires_at - now() FROM suite_tokens`)
			if short := left < 10*time.Minute; short != (tt.rotation != wecomtest.Rotating) {
				t.Errorf("the token lives for %s", left)
			}
		})
	}
}

func TestIdleSuitesAreNotRenewed(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.token(h.replica)
	h.exec(`UPDATE suite_tokens SET renew_at = now(), retry_at = NULL`)
	h.work()
	h.wantCalls(apiSuiteToken, 1)
}

func TestShortLivesDoNotLoop(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.sim.Fault(wecomtest.Fault{API: apiSuiteToken, Kind: wecomtest.ExpiresIn, Value: 1, Times: -1})
	h.token(h.replica)
	h.exec(`UPDATE suite_tokens SET expires_at = now(), retry_at = now() + interval '10 seconds'`)
	later(h.replica)
	_, err := h.tokens.Token(t.Context(), suiteID)
	wantErr(t, err, suite.ErrSuiteUnavailable)
	h.wantCalls(apiSuiteToken, 1)
}

func TestWithoutTheDatabaseTheCopyServes(t *testing.T) {
	t.Parallel()
	h := ready(t)
	r := h.another()
	want := h.token(r)
	r.pool.Close()
	later(r)
	if got := h.token(r); !got.Equal(want.String) {
		t.Error("another token")
	}
	end := time.Now().Add(3 * time.Hour)
	r.tokens.Now = func() time.Time { return end }
	if _, err := r.tokens.Token(t.Context(), suiteID); err == nil {
		t.Error("a token after its end")
	}
}

// The first of the waiters leaves; the others get their token.
func TestAWaiterThatLeavesTakesNobodyWithIt(t *testing.T) {
	t.Parallel()
	h := ready(t)
	answer := h.hold(t, apiSuiteToken)
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := h.tokens.Token(ctx, suiteID)
		first <- err
	}()
	answer.comes()
	second := make(chan error, 1)
	go func() {
		_, err := h.tokens.Token(context.Background(), suiteID)
		second <- err
	}()
	leave()
	wantErr(t, <-first, context.Canceled)
	answer.letGo()
	must(t, <-second)
	h.wantCalls(apiSuiteToken, 1)
}

func TestSealedTokenThatDoesNotOpenIsFetchedAnew(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.token(h.replica)
	h.exec(`UPDATE suite_tokens SET token_sealed = '\x00', retry_at = NULL`)
	h.token(h.another())
	h.wantCalls(apiSuiteToken, 2)
}
