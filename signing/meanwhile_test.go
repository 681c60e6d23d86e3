package signing_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/secret/secrettest"
	"suitesign/signing"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
)

// What happens while a request waits for the database, or for another's.

// hold brings a tenant into memory, and nothing of what its suite trusts.
func (w *world) hold(suiteID, corpID string) {
	w.t.Helper()
	p, err := tenant.PageOf(page)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.dir.Whom(w.t.Context(), suiteID, corpID, p); err != nil {
		w.t.Fatal(err)
	}
}

// A page that went away while it shared a read that began too early for it waits for
// nothing more, and asks for nothing over and over.
func TestWhoWentAwayWaitsForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "example.com")
	w.tenant("s1", "ww") // without a ticket
	w.hold("s1", "ww")
	demanded, goOn := make(chan struct{}), make(chan struct{})
	w.demand = func(context.Context, uuid.UUID) error {
		demanded <- struct{}{}
		<-goOn
		return nil
	}
	r := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}
	first, left := make(chan error, 1), make(chan error, 1)
	go func() { _, err := w.sign(r); first <- err }()
	<-demanded
	held := w.trace.holdNext() // what it reads after the refresh
	goOn <- struct{}{}
	<-held.answered
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _, err := w.signer.Sign(ctx, r); left <- err }()
	<-demanded
	goOn <- struct{}{}
	time.Sleep(50 * time.Millisecond) // until it shares that read; where it does not yet, this shows less
	cancel()
	select {
	case err := <-left:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Sign = %v, want context.Canceled", err)
		}
	case <-time.After(30 * time.Second): // of patience: it takes no time at all
		t.Error("a page that went away is still served")
	}
	close(held.release)
	if err := <-first; !errors.Is(err, ticket.ErrNone) {
		t.Errorf("Sign = %v, want ErrNone for who stayed", err)
	}
}

// Who is known to be switched off is not signed for by a request that waited for
// something else meanwhile.
func TestSwitchedOffWhileARequestWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "example.com")
	id := w.tenant("s1", "ww")
	w.tickets(id, "config", "")
	w.hold("s1", "ww")
	held := w.trace.holdNext() // what the suite trusts
	result := make(chan error)
	go func() {
		_, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"})
		result <- err
	}()
	<-held.answered
	if _, err := w.store.SetDisabled(t.Context(), id, true, nil); err != nil {
		t.Fatal(err)
	}
	w.tell()
	close(held.release)
	if err := <-result; !errors.Is(err, signing.ErrTenantInactive) {
		t.Errorf("Sign = %v, want ErrTenantInactive: that was told before", err)
	}
}

// A suite that is removed takes its tenants along, those that are inactive, too.
func TestARemovedSuiteIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.tenant("s1", "ww")
	if _, err := w.store.SetDisabled(t.Context(), id, true, nil); err != nil {
		t.Fatal(err)
	}
	w.tell()
	r := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}
	if _, err := w.sign(r); !errors.Is(err, signing.ErrTenantInactive) {
		t.Fatalf("Sign = %v, want ErrTenantInactive", err)
	}
	suites := &suite.Store{Pool: w.pool, Ring: secrettest.New(t), Tenants: w.store}
	if err := suites.Delete(t.Context(), "s1", nil); err != nil {
		t.Fatal(err)
	}
	w.tell()
	if _, err := w.sign(r); !errors.Is(err, signing.ErrTenantNotFound) {
		t.Errorf("Sign = %v, want ErrTenantNotFound", err)
	}
}

// That the agent's ticket cannot be had says nothing of the corp's.
func TestEachTicketIsTriedForItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "example.com")
	id := w.tenant("s1", "ww", 1)
	w.demand = func(context.Context, uuid.UUID) error { return errors.New("the agent is refused") }
	agent := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww", Want: signing.Agent}
	config := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}
	if _, err := w.sign(agent); !errors.Is(err, ticket.ErrNone) {
		t.Fatalf("Sign = %v, want ErrNone", err)
	}
	w.ticket(id, "jsapi_ticket", "config", time.Hour, time.Hour) // another replica brought it
	w.clock.advance(300 * time.Millisecond)
	if _, err := w.sign(config); err != nil {
		t.Errorf("Sign = %v just after the agent's ticket could not be had", err)
	}
	before := w.trace.queries.Load()
	if _, err := w.sign(agent); !errors.Is(err, ticket.ErrNone) || w.trace.queries.Load() != before {
		t.Errorf("Sign = %v after %d queries, want to be refused from memory", err, w.trace.queries.Load()-before)
	}
}
