package apikey_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"suitesign/migrations/pgtest"
	"suitesign/secret"
	"suitesign/web/apikey"
)

const bootstrap = "0123456789abcdef0123456789abcdef"

func open(t *testing.T) *apikey.Gate {
	t.Helper()
	return &apikey.Gate{Store: &apikey.Store{Pool: pgtest.New(t)}, Bootstrap: secret.New(bootstrap)}
}

func create(t *testing.T, g *apikey.Gate, name string) (apikey.Key, secret.String) {
	t.Helper()
	key, value, err := g.Store.Create(t.Context(), apikey.Full(), apikey.New{Name: name, Grant: apikey.Full()})
	if err != nil {
		t.Fatal(err)
	}
	return key, value
}

func TestAKeyOpensTheGateUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	g, ctx := open(t), t.Context()
	key, value := create(t, g, "ci")

	got, err := g.Admit(ctx, value)
	want := apikey.Holder{ID: key.ID, Name: "ci", Grant: apikey.Full()}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Fatalf("Admit(new key) = %v (-want +got):\n%s", err, diff)
	}
	if err := g.Store.Revoke(ctx, key.ID, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Admit(ctx, value); !errors.Is(err, apikey.ErrRefused) {
		t.Errorf("Admit(revoked key) = %v, want ErrRefused", err)
	}
	first, err := g.Store.Get(ctx, key.ID)
	if err != nil || first.RevokedAt == nil {
		t.Fatalf("Get(revoked key) = %+v, %v; want the time it was revoked", first, err)
	}
	if err := g.Store.Revoke(ctx, key.ID, nil); err != nil {
		t.Errorf("Revoke again = %v, want nil", err)
	}
	if again, _ := g.Store.Get(ctx, key.ID); !again.RevokedAt.Equal(*first.RevokedAt) {
		t.Error("revoking again moved the time it was revoked")
	}
}

func TestOtherKeysAreRefused(t *testing.T) {
	t.Parallel()
	g := open(t)
	_, value := create(t, g, "ci")
	_, unknown := create(t, open(t), "of another database")
	for name, v := range map[string]string{
		"empty": "", "of another database": unknown.Reveal(), "cut": value.Reveal()[:40], "garbage": "let me in",
		"almost bootstrap": bootstrap[:31] + "0", "longer than bootstrap": bootstrap + "f",
	} {
		if _, err := g.Admit(t.Context(), secret.New(v)); !errors.Is(err, apikey.ErrRefused) {
			t.Errorf("Admit(%s) = %v, want ErrRefused", name, err)
		}
	}
}

func TestAnExpiredKeyIsRefused(t *testing.T) {
	t.Parallel()
	g, ctx := open(t), t.Context()
	past := time.Now().Add(-time.Hour)
	if _, _, err := g.Store.Create(ctx, apikey.Full(), apikey.New{Name: "late", Grant: apikey.Full(), ExpiresAt: &past}); !errors.Is(err, apikey.ErrExpired) {
		t.Errorf("Create(expires an hour ago) = %v, want ErrExpired", err)
	}
	future := time.Now().Add(time.Hour)
	key, value, err := g.Store.Create(ctx, apikey.Full(), apikey.New{Name: "short", Grant: apikey.Full(), ExpiresAt: &future})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Admit(ctx, value); err != nil {
		t.Fatalf("Admit(key that lives an hour) = %v", err)
	}
	if _, err := g.Store.Pool.Exec(ctx, `UPDATE api_keys SET expires_at = now() WHERE id = $1`, key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Admit(ctx, value); !errors.Is(err, apikey.ErrRefused) {
		t.Errorf("Admit(expired key) = %v, want ErrRefused", err)
	}
}

func TestBootstrapKey(t *testing.T) {
	t.Parallel()
	g := open(t)
	if got, err := g.Admit(t.Context(), secret.New(bootstrap)); err != nil || !cmp.Equal(got, apikey.Holder{Name: "bootstrap", Grant: apikey.Full()}) {
		t.Errorf("Admit(bootstrap key) = %v, %v", got, err)
	}
	for _, tt := range []struct {
		configured string
		ok         bool
	}{
		{"", true},
		{strings.Repeat("x", 31), false},
		{strings.Repeat("x", 32), true},
	} {
		err := apikey.CheckBootstrap(secret.New(tt.configured))
		if (err == nil) != tt.ok {
			t.Errorf("CheckBootstrap(%d characters) = %v, want ok %v", len(tt.configured), err, tt.ok)
		}
		opens := apikey.Gate{Store: g.Store, Bootstrap: secret.New(tt.configured)}
		_, err = opens.Admit(t.Context(), secret.New(tt.configured))
		if want := tt.ok && tt.configured != ""; (err == nil) != want {
			t.Errorf("Admit(bootstrap key of %d characters) = %v, want ok %v", len(tt.configured), err, want)
		}
	}
}

// A request costs no write: the beat writes for all of them.
func TestLastUsedIsWrittenByTheBeat(t *testing.T) {
	t.Parallel()
	g, ctx := open(t), t.Context()
	key, value := create(t, g, "ci")
	idle, _ := create(t, g, "idle")
	lastUsed := func(key apikey.Key) *time.Time {
		t.Helper()
		got, err := g.Store.Get(ctx, key.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got.LastUsedAt
	}
	beat := func() {
		t.Helper()
		if err := g.RunOnce(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if _, err := g.Admit(ctx, value); err != nil {
			t.Fatal(err)
		}
	}
	if got := lastUsed(key); got != nil {
		t.Errorf("before the beat: last used %v, want nothing written", got)
	}
	beat()
	first := lastUsed(key)
	if first == nil || lastUsed(idle) != nil {
		t.Fatalf("after the beat: last used %v and, of a key that nobody used, %v", first, lastUsed(idle))
	}
	beat()
	if again := lastUsed(key); !again.Equal(*first) {
		t.Errorf("a beat without a use moved it from %v to %v", first, again)
	}

	// What could not be written is written the next time.
	if _, err := g.Admit(ctx, value); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := g.RunOnce(gone); err == nil {
		t.Fatal("RunOnce(database away) = nil")
	}
	beat()
	if later := lastUsed(key); !later.After(*first) {
		t.Errorf("last used %v, want later than %v", later, first)
	}
}

// Only the hash is stored: whoever reads the table, or a backup of it, has no key.
func TestTheValueIsNotStored(t *testing.T) {
	t.Parallel()
	g := open(t)
	key, value := create(t, g, "ci")
	var row string
	if err := g.Store.Pool.QueryRow(t.Context(), `SELECT api_keys::text FROM api_keys WHERE id = $1`, key.ID).Scan(&row); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(row, value.Reveal()[len(key.Prefix):]) {
		t.Error("the row holds the key")
	}
	if !strings.HasPrefix(value.Reveal(), key.Prefix) {
		t.Errorf("the key does not begin with its prefix %q", key.Prefix)
	}
}

func TestListIsNewestFirstAndPages(t *testing.T) {
	t.Parallel()
	g, ctx := open(t), t.Context()
	for _, name := range []string{"one", "two", "three"} {
		create(t, g, name)
	}
	names := func(keys []apikey.Key) []string {
		var out []string
		for _, k := range keys {
			out = append(out, k.Name)
		}
		return out
	}
	page, err := g.Store.List(ctx, uuid.Max, 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"three", "two"}, names(page)); diff != "" {
		t.Errorf("first page (-want +got):\n%s", diff)
	}
	page, err = g.Store.List(ctx, page[1].ID, 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one"}, names(page)); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
}

func TestNoSuchKey(t *testing.T) {
	t.Parallel()
	g := open(t)
	id := uuid.Must(uuid.NewV7())
	if _, err := g.Store.Get(t.Context(), id); !errors.Is(err, apikey.ErrNotFound) {
		t.Errorf("Get(no such key) = %v, want ErrNotFound", err)
	}
	if err := g.Store.Revoke(t.Context(), id, nil); !errors.Is(err, apikey.ErrNotFound) {
		t.Errorf("Revoke(no such key) = %v, want ErrNotFound", err)
	}
}

// A database that is away is not the same as a key that is wrong.
func TestABrokenDatabaseIsNotARefusal(t *testing.T) {
	t.Parallel()
	g := open(t)
	_, value := create(t, g, "ci")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Admit(ctx, value); err == nil || errors.Is(err, apikey.ErrRefused) {
		t.Errorf("Admit(database away) = %v, want another error than ErrRefused", err)
	}
}
