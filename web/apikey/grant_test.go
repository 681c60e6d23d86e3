package apikey_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/secret"
	"suitesign/web/apikey"
)

func grant(scopes ...apikey.Scope) apikey.Grant { return apikey.Grant{Scopes: scopes} }

func TestWhatAScopeHolds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		has, wants apikey.Scope
		ok         bool
	}{
		{"*", "tenants:write", true},
		{"*", "tokens:read", true},
		{"*", "*", true},
		{"tenants:read", "tenants:read", true},
		{"tenants:write", "tenants:read", true},
		{"tenants:read", "tenants:write", false},
		{"tenants:write", "suites:read", false},
		{"credentials:write", "tokens:read", false}, // who may refresh may not see
		{"tokens:read", "credentials:read", false},
		{"tenants:write", "*", false},
	} {
		if got := grant(tt.has).Allows(tt.wants); got != tt.ok {
			t.Errorf("%s allows %s = %v, want %v", tt.has, tt.wants, got, tt.ok)
		}
	}
	for _, s := range apikey.Scopes() {
		if grant().Allows(s) {
			t.Errorf("a key without scopes allows %s", s)
		}
		if s != "*" && s != "tokens:read" && grant("tokens:read").Allows(s) {
			t.Errorf("tokens:read allows %s", s)
		}
		if s != "tokens:read" && s != "*" && grant(s).Allows("tokens:read") {
			t.Errorf("%s allows tokens:read, which only itself and * do", s)
		}
	}
	if slices.Contains(apikey.Scopes(), "tokens:write") {
		t.Error("there is a scope tokens:write, and it would not imply tokens:read")
	}
}

func TestNobodyGivesAwayMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	g, ctx := open(t), t.Context()
	by := grant("keys:write", "tenants:write")
	made, _, err := g.Store.Create(ctx, by, apikey.New{Name: "narrow", Grant: grant("tenants:read", "keys:read", "tenants:read")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]apikey.Scope{"keys:read", "tenants:read"}, made.Scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	full, _ := create(t, g, "full")
	for _, tt := range []struct {
		what    string
		do      func() error
		missing apikey.Scope
	}{
		{"make a key with *", func() error {
			_, _, err := g.Store.Create(ctx, by, apikey.New{Name: "wide", Grant: apikey.Full()})
			return err
		}, "*"},
		{"make a key with tokens:read", func() error {
			_, _, err := g.Store.Create(ctx, by, apikey.New{Name: "wide", Grant: grant("tenants:read", "tokens:read")})
			return err
		}, "tokens:read"},
		{"rotate a wider key", func() error { _, _, err := g.Store.Rotate(ctx, by, full.ID, apikey.Rotation{}); return err }, "*"},
		{"prolong a wider key", func() error {
			var never *time.Time
			_, err := g.Store.Update(ctx, by, full.ID, apikey.Change{ExpiresAt: &never})
			return err
		}, "*"},
	} {
		var beyond *apikey.BeyondError
		if err := tt.do(); !errors.As(err, &beyond) || beyond.Scope != tt.missing {
			t.Errorf("%s: %v, want a BeyondError about %s", tt.what, err, tt.missing)
		}
	}
	if now, _ := g.Store.Get(ctx, full.ID); now.Version != full.Version {
		t.Error("the wider key was changed all the same")
	}
	if _, _, err := g.Store.Create(ctx, apikey.Full(), apikey.New{Name: "odd", Grant: grant("tenants:own")}); !errors.Is(err, apikey.ErrScope) {
		t.Errorf("Create(a scope that there is none of) = %v, want ErrScope", err)
	}
}

func TestRotationOverlaps(t *testing.T) {
	t.Parallel()
	g, ctx := open(t), t.Context()
	old, oldValue, err := g.Store.Create(ctx, apikey.Full(), apikey.New{Name: "ci", Grant: grant("tenants:read")})
	if err != nil {
		t.Fatal(err)
	}
	made, value, err := g.Store.Rotate(ctx, apikey.Full(), old.ID, apikey.Rotation{Overlap: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if made.ID == old.ID || made.Name != "ci" || !slices.Equal(made.Scopes, old.Scopes) || made.Replaces == nil || *made.Replaces != old.ID || made.ExpiresAt != nil {
		t.Errorf("Rotate = %+v, want a key like the old one that replaces it", made)
	}
	for what, v := range map[string]secret.String{"the old": oldValue, "the new": value} {
		if _, err := g.Admit(ctx, v); err != nil {
			t.Errorf("Admit(%s key) during the overlap = %v", what, err)
		}
	}
	ends, _ := g.Store.Get(ctx, old.ID)
	if ends.ExpiresAt == nil || time.Until(*ends.ExpiresAt) > time.Hour || time.Until(*ends.ExpiresAt) < 30*time.Minute {
		t.Errorf("the old key ends %v, want in an hour", ends.ExpiresAt)
	}
	if _, _, err := g.Store.Rotate(ctx, apikey.Full(), old.ID, apikey.Rotation{}); !errors.Is(err, apikey.ErrReplaced) {
		t.Errorf("Rotate again = %v, want ErrReplaced", err)
	}

	// Without an overlap the old key ends with the answer.
	next, _, err := g.Store.Rotate(ctx, apikey.Full(), made.ID, apikey.Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Admit(ctx, value); !errors.Is(err, apikey.ErrRefused) {
		t.Errorf("Admit(key rotated without overlap) = %v, want ErrRefused", err)
	}
	if _, _, err := g.Store.Rotate(ctx, apikey.Full(), made.ID, apikey.Rotation{}); !errors.Is(err, apikey.ErrInactive) {
		t.Errorf("Rotate(an ended key) = %v, want ErrInactive", err)
	}
	if err := g.Store.Revoke(ctx, next.ID, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Store.Rotate(ctx, apikey.Full(), next.ID, apikey.Rotation{}); !errors.Is(err, apikey.ErrInactive) {
		t.Errorf("Rotate(a revoked key) = %v, want ErrInactive", err)
	}
}

// A key that was made for a day is replaced by one that lives a day, and never outlives its own end for the overlap.
func TestRotationKeepsTheLifetime(t *testing.T) {
	t.Parallel()
	g, ctx := open(t), t.Context()
	day := time.Now().Add(24 * time.Hour)
	old, _, err := g.Store.Create(ctx, apikey.Full(), apikey.New{Name: "ci", Grant: apikey.Full(), ExpiresAt: &day})
	if err != nil {
		t.Fatal(err)
	}
	// It was made 23 hours ago.
	if _, err := g.Store.Pool.Exec(ctx, `UPDATE api_keys SET created_at = created_at - interval '23 h', expires_at = expires_at - interval '23 h'`); err != nil {
		t.Fatal(err)
	}
	made, _, err := g.Store.Rotate(ctx, apikey.Full(), old.ID, apikey.Rotation{Overlap: 7 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if lives := time.Until(*made.ExpiresAt); lives < 23*time.Hour || lives > 25*time.Hour {
		t.Errorf("the new key lives %v, want a day", lives)
	}
	if ends, _ := g.Store.Get(ctx, old.ID); time.Until(*ends.ExpiresAt) > time.Hour {
		t.Errorf("the overlap prolonged the old key to %v", ends.ExpiresAt)
	}
}

func TestUpdateOfAKey(t *testing.T) {
	t.Parallel()
	g, ctx := open(t), t.Context()
	key, _ := create(t, g, "ci")
	name, day := "deploy", time.Now().Add(24*time.Hour)
	at := &day
	changed, err := g.Store.Update(ctx, apikey.Full(), key.ID, apikey.Change{Name: &name, ExpiresAt: &at, IfVersion: &key.Version})
	if err != nil || changed.Name != name || changed.ExpiresAt == nil || changed.Version != key.Version+1 {
		t.Fatalf("Update = %+v, %v", changed, err)
	}
	if _, err := g.Store.Update(ctx, apikey.Full(), key.ID, apikey.Change{Name: &name, IfVersion: &key.Version}); !errors.Is(err, apikey.ErrVersion) {
		t.Errorf("Update(an old version) = %v, want ErrVersion", err)
	}
	past := time.Now().Add(-time.Minute)
	at = &past
	if _, err := g.Store.Update(ctx, apikey.Full(), key.ID, apikey.Change{ExpiresAt: &at}); !errors.Is(err, apikey.ErrExpired) {
		t.Errorf("Update(to an end in the past) = %v, want ErrExpired", err)
	}
	at = nil
	if changed, err = g.Store.Update(ctx, apikey.Full(), key.ID, apikey.Change{ExpiresAt: &at}); err != nil || changed.ExpiresAt != nil || changed.Name != name {
		t.Errorf("Update(no end) = %+v, %v", changed, err)
	}
	if err := g.Store.Revoke(ctx, key.ID, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Store.Update(ctx, apikey.Full(), key.ID, apikey.Change{Name: &name}); !errors.Is(err, apikey.ErrInactive) {
		t.Errorf("Update(a revoked key) = %v, want ErrInactive", err)
	}
}

// A key from before there were scopes may do everything.
func TestOldKeysMayDoEverything(t *testing.T) {
	t.Parallel()
	g, ctx := open(t), t.Context()
	key, _ := create(t, g, "ci")
	if _, err := g.Store.Pool.Exec(ctx, `UPDATE api_keys SET scopes = DEFAULT, suite_ids = DEFAULT, tenant_ids = DEFAULT`); err != nil {
		t.Fatal(err)
	}
	got, err := g.Store.Get(ctx, key.ID)
	if err != nil || !slices.Equal(got.Scopes, apikey.Full().Scopes) || got.Bound() {
		t.Errorf("an old key = %+v, %v; want everything", got, err)
	}
}
