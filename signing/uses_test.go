package signing_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/signing"
)

// told collects the uses that a directory tells.
type told struct {
	calls [][]uuid.UUID
	err   error
}

func (u *told) hear(_ context.Context, ids []uuid.UUID) error {
	u.calls = append(u.calls, slices.Clone(ids))
	return u.err
}

func (u *told) of(id uuid.UUID) (n int) {
	for _, c := range u.calls {
		for _, one := range c {
			if one == id {
				n++
			}
		}
	}
	return n
}

// signedFor is a world with two tenants that sign, and what is told of their uses.
func signedFor(t *testing.T) (w *world, u *told, a, b uuid.UUID) {
	t.Helper()
	w, u = newWorld(t), &told{}
	w.dir.Uses, w.dir.UseEvery = u.hear, time.Hour
	a, b = w.tenant("s1", "corp-a"), w.tenant("s1", "corp-b")
	for id, host := range map[uuid.UUID]string{a: "a.example.com", b: "b.example.com"} {
		w.trust(id, host)
		w.ticket(id, "jsapi_ticket", "ticket", 200*time.Hour, 199*time.Hour)
	}
	return w, u, a, b
}

func (w *world) beat() {
	w.t.Helper()
	if err := w.dir.RunOnce(w.t.Context()); err != nil {
		w.t.Errorf("RunOnce: %v", err)
	}
}

func (w *world) signs(corp string) {
	w.t.Helper()
	r := signing.Request{URL: "https://" + corp[len("corp-"):] + ".example.com/", SuiteID: "s1", CorpID: corp, Want: signing.Config}
	if _, err := w.signer.Sign(w.t.Context(), r); err != nil {
		w.t.Errorf("Sign: %v", err)
	}
}

// However much a tenant signs, its use is told once an hour, with those of others;
// whoever does not sign is not told of.
func TestUsesAreToldOnceAnHour(t *testing.T) {
	t.Parallel()
	w, u, a, b := signedFor(t)
	for range 3 {
		for range 100 {
			w.signs("corp-a")
		}
		w.beat()
	}
	if n := u.of(a); n != 1 || u.of(b) != 0 {
		t.Errorf("told of a %d times and of b %d times, want once and never", n, u.of(b))
	}
	w.clock.advance(61 * time.Minute)
	w.signs("corp-b")
	w.signs("corp-a")
	w.beat()
	if len(u.calls) != 2 || u.of(a) != 2 || u.of(b) != 1 {
		t.Errorf("told %v, want a again, together with b", u.calls)
	}
}

// A refused page uses nothing, and nobody is told where nobody listens.
func TestRefusalsAreNoUse(t *testing.T) {
	t.Parallel()
	w, u, _, _ := signedFor(t)
	r := signing.Request{URL: "https://other.example.net/", SuiteID: "s1", CorpID: "corp-a", Want: signing.Config}
	if _, err := w.signer.Sign(t.Context(), r); !errors.Is(err, signing.ErrUntrusted) {
		t.Fatalf("Sign: %v, want ErrUntrusted", err)
	}
	w.beat()
	w.dir.Uses = nil
	w.signs("corp-a")
	w.beat()
	if len(u.calls) != 0 {
		t.Errorf("told %v, want nothing", u.calls)
	}
}

// What cannot be told is told the next time.
func TestUsesOutlastAnOutage(t *testing.T) {
	t.Parallel()
	w, u, a, _ := signedFor(t)
	w.signs("corp-a")
	u.err = errors.New("the database is away")
	for range 3 {
		if err := w.dir.RunOnce(t.Context()); !errors.Is(err, u.err) {
			t.Errorf("RunOnce: %v, want %v", err, u.err)
		}
	}
	u.err, u.calls = nil, nil
	w.beat()
	w.beat()
	if n := u.of(a); n != 1 {
		t.Errorf("told %d times when the database was back, want once", n)
	}
}

// A tenant whose tickets have long ended and that nobody asks for is forgotten,
// not read again and again; one that is asked for is there.
func TestSpentEntriesAreForgotten(t *testing.T) {
	t.Parallel()
	w, _, a, _ := signedFor(t)
	w.ticket(a, "jsapi_ticket", "short", time.Hour, 50*time.Minute)
	w.signs("corp-a")
	w.signs("corp-b")
	w.clock.advance(62 * time.Minute)
	before := w.trace.queries.Load()
	w.beat()
	if n := w.trace.queries.Load() - before; n != 0 {
		t.Errorf("%d queries for a tenant that is spent, want none", n)
	}
	if n := w.dir.Stats().Tenants; n != 1 {
		t.Errorf("%d tenants are held, want the one that lives", n)
	}
	w.ticket(a, "jsapi_ticket", "new", 200*time.Hour, 199*time.Hour)
	w.signs("corp-a")
}
