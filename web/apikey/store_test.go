package apikey_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	key, value, err := g.Store.Create(t.Context(), name, nil)
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
	if want := (apikey.Holder{ID: key.ID, Name: "ci"}); err != nil || got != want {
		t.Fatalf("Admit(new key) = %v, %v; want %v", got, err, want)
	}
	if err := g.Store.Revoke(ctx, key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Admit(ctx, value); !errors.Is(err, apikey.ErrRefused) {
		t.Errorf("Admit(revoked key) = %v, want ErrRefused", err)
	}
	first, err := g.Store.Get(ctx, key.ID)
	if err != nil || first.RevokedAt == nil {
		t.Fatalf("Get(revoked key) = %+v, %v; want the time it was revoked", first, err)
	}
	if err := g.Store.Revoke(ctx, key.ID); err != nil {
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
	if _, _, err := g.Store.Create(ctx, "late", &past); !errors.Is(err, apikey.ErrExpired) {
		t.Errorf("Create(expires an hour ago) = %v, want ErrExpired", err)
	}
	future := time.Now().Add(time.Hour)
	key, value, err := g.Store.Create(ctx, "short", &future)
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
	if got, err := g.Admit(t.Context(), secret.New(bootstrap)); err != nil || got != (apikey.Holder{Name: "bootstrap"}) {
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

func TestLastUsedIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	g, ctx := open(t), t.Context()
	key, value := create(t, g, "ci")
	used := func() time.Time {
		t.Helper()
		if _, err := g.Admit(ctx, value); err != nil {
			t.Fatal(err)
		}
		got, err := g.Store.Get(ctx, key.ID)
		if err != nil || got.LastUsedAt == nil {
			t.Fatalf("Get(used key) = %+v, %v; want the time it was used", got, err)
		}
		return *got.LastUsedAt
	}
	first := used()
	if again := used(); !again.Equal(first) {
		t.Errorf("used twice within a minute: last used %v, then %v", first, again)
	}
	if _, err := g.Store.Pool.Exec(ctx, `UPDATE api_keys SET last_used_at = now() - interval '61 seconds' WHERE id = $1`, key.ID); err != nil {
		t.Fatal(err)
	}
	if later := used(); later.Before(first) {
		t.Errorf("used after more than a minute: last used %v, want %v or later", later, first)
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
	if err := g.Store.Revoke(t.Context(), id); !errors.Is(err, apikey.ErrNotFound) {
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
