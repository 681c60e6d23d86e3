package ticket_test

import (
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/audit"
	"suitesign/audit/audittest"
	"suitesign/ticket"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

func (h *house) token(id uuid.UUID) (ticket.Token, error) {
	return (&ticket.Source{Pool: h.pool, Ring: h.ring}).Token(h.t.Context(), id)
}

// wantToken checks that the token that is handed out is the platform's live one.
func (h *house) wantToken(of wecom.SuiteID, corp wecom.CorpID, id uuid.UUID) ticket.Token {
	h.t.Helper()
	got, err := h.token(id)
	must(h.t, err)
	if want := wecomtest.Live(h.sim.Authorization(of, corp).AccessTokens); got.Value.Reveal() != want || want == "" {
		h.t.Errorf("%s: the access_token is not the platform's live one", corp)
	}
	if sum := sha256.Sum256([]byte(got.Value.Reveal())); string(got.Fingerprint) != string(sum[:]) {
		h.t.Error("the fingerprint is not the SHA-256 of the token")
	}
	return got
}

func (h *house) refuse(r *ticket.Refresher, id uuid.UUID, t ticket.Token, want ticket.Refusal) {
	h.t.Helper()
	got, err := r.Refused(h.t.Context(), id, t.Fingerprint)
	if err != nil || got != want {
		h.t.Errorf("Refused = %s, %v; want %s", got, err, want)
	}
}

func TestTokenIsHandedOutAndWrittenDown(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwtoken")
	if _, err := h.token(id); !errors.Is(err, ticket.ErrNone) {
		t.Errorf("Token before the first refresh = %v, want ErrNone", err)
	}
	r := h.replica()
	h.run(r)
	audittest.Want(t, h.pool, func() { h.wantToken(suiteID, "wwtoken", id) },
		"system "+string(audit.AccessTokenRead)+" "+id.String()+" null null")
	h.pass(2 * time.Hour)
	audittest.Want(t, h.pool, func() {
		if _, err := h.token(id); !errors.Is(err, ticket.ErrNone) {
			t.Errorf("Token past its end = %v, want ErrNone", err)
		}
	})
}

// Where none lives whoever asks makes one attempt, over all replicas; also where
// the tickets live on.
func TestDemandToken(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwdemand")
	replicas := []*ticket.Refresher{h.replica(), h.replica()}
	ask := func() {
		t.Helper()
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if err := replicas[i%2].DemandToken(t.Context(), id); err != nil {
					t.Errorf("DemandToken: %v", err)
				}
			})
		}
		all.Wait()
		h.wantToken(suiteID, "wwdemand", id)
	}
	ask()
	h.wantCalls("wwdemand", calls{1, 1, 1})
	h.pass(10 * time.Second)
	h.sim.Revoke(suiteID, "wwdemand", wecomtest.AccessToken)
	h.exec(`UPDATE credentials SET expires_at = now() WHERE kind = 'access_token'`)
	h.sim.ForgetCalls()
	ask()
	h.wantCalls("wwdemand", calls{1, 0, 0})
	ask()
	h.wantCalls("wwdemand", calls{1, 0, 0})
}

// A token that WeCom refuses is not handed out again, and is fetched anew once, however many say so.
func TestARefusedTokenIsReplaced(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id, other := h.install(suiteID, "wwrefused"), h.install(suiteID, "wwother")
	r := h.replica()
	h.run(r)
	stale, before := h.wantToken(suiteID, "wwrefused", id), h.tickets(id)
	h.sim.Revoke(suiteID, "wwrefused", wecomtest.AccessToken)
	h.sim.ForgetCalls()

	audittest.Want(t, h.pool, func() {
		h.refuse(r, id, stale, ticket.RefusalFetching)
		h.refuse(h.replica(), id, stale, ticket.RefusalFetching)
	}, "system "+string(audit.AccessTokenRefuse)+" "+id.String()+" null null")
	if _, err := h.token(id); !errors.Is(err, ticket.ErrNone) {
		t.Errorf("Token while another one is fetched = %v, want ErrNone", err)
	}
	h.run(r, h.replica())
	fresh := h.wantToken(suiteID, "wwrefused", id)
	h.refuse(r, id, stale, ticket.RefusalReplaced) // somebody was slow to tell
	h.run(r)
	h.wantCalls("", calls{1, 0, 0})
	h.wantToken(suiteID, "wwother", other)
	if got := h.tickets(id); len(got) != 2 || got[ticket.JSAPITicket] != before[ticket.JSAPITicket] {
		t.Error("the tickets did not outlive the token")
	}

	// In a loop it costs nothing: the token stays, and is handed out.
	for range 3 {
		h.pass(3 * time.Minute)
		h.refuse(r, id, fresh, ticket.RefusalTooSoon)
	}
	h.wantToken(suiteID, "wwrefused", id)
	h.run(r)
	h.wantCalls("wwrefused", calls{1, 0, 0})
	h.refetch(r, id, ticket.JSAPITicket, ticket.RefetchAsked) // and pages have a pause of their own
}

// Who needs one at once need not wait for the heartbeat.
func TestARefusedTokenIsReplacedOnDemand(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwnow")
	r := h.replica()
	h.run(r)
	h.pass(time.Minute)
	stale := h.wantToken(suiteID, "wwnow", id)
	h.sim.Revoke(suiteID, "wwnow", wecomtest.AccessToken)
	h.sim.ForgetCalls()
	h.refuse(r, id, stale, ticket.RefusalFetching)
	must(t, r.DemandToken(t.Context(), id))
	h.wantToken(suiteID, "wwnow", id)
	h.wantCalls("wwnow", calls{1, 0, 0})
}

func TestRefusedIsBounded(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwbudget")
	limits := ticket.DefaultLimits()
	r := h.replica(func(r *ticket.Refresher) { r.Limits = limits })
	if _, err := r.Refused(t.Context(), uuid.New(), []byte("x")); !errors.Is(err, ticket.ErrNoAuthorization) {
		t.Errorf("Refused of a tenant that is not here = %v, want ErrNoAuthorization", err)
	}
	h.run(r)
	token := h.wantToken(suiteID, "wwbudget", id)
	h.exec(`UPDATE budgets SET tat = now() + interval '2 hours' WHERE scope LIKE 'ip%'`)
	if _, err := r.Refused(t.Context(), id, token.Fingerprint); !errors.Is(err, ticket.ErrBudgetSpent) {
		t.Errorf("Refused with the budget spent = %v, want ErrBudgetSpent", err)
	}
	h.wantToken(suiteID, "wwbudget", id) // better an old one than none
}
