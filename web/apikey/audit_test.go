package apikey_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"suitesign/audit/audittest"
	"suitesign/web/apikey"
)

// TestAKeysLifeIsAudited: never with a part of its value.
func TestAKeysLifeIsAudited(t *testing.T) {
	t.Parallel()
	s, ctx, full := open(t).Store, t.Context(), apikey.Full()
	var key apikey.Key
	var value string
	made := audittest.Written(t, s.Pool, func() {
		k, v, err := s.Create(ctx, full, apikey.New{Name: "ci", Grant: full})
		if err != nil {
			t.Fatal(err)
		}
		key, value = k, v.Reveal()
	})
	if want := fmt.Sprintf(`system api_key.create %s null {"name": "ci", "scopes": ["*"]`, key.ID); len(made) != 1 || !strings.HasPrefix(made[0], want) {
		t.Errorf("made: %q, want %s…", made, want)
	}
	name := "deploy"
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	until := &end
	update := func(c apikey.Change, fails error) func() {
		return func() {
			if _, err := s.Update(ctx, full, key.ID, c); !errors.Is(err, fails) {
				t.Fatalf("Update = %v, want %v", err, fails)
			}
		}
	}
	past := time.Now().Add(-time.Hour)
	ended, stale := &past, int64(99)
	audittest.Want(t, s.Pool, update(apikey.Change{Name: &name, ExpiresAt: &until}, nil),
		fmt.Sprintf(`system api_key.update %s {"name": "ci"} {"name": "deploy", "expires_at": "%s"}`, key.ID, end.Format(time.RFC3339)))
	audittest.Want(t, s.Pool, update(apikey.Change{Name: &name}, nil))
	audittest.Want(t, s.Pool, update(apikey.Change{ExpiresAt: &ended}, apikey.ErrExpired))
	audittest.Want(t, s.Pool, update(apikey.Change{Name: &name, IfVersion: &stale}, apikey.ErrVersion))

	var next apikey.Key
	rotated := audittest.Written(t, s.Pool, func() {
		k, v, err := s.Rotate(ctx, full, key.ID, apikey.Rotation{Overlap: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		next, value = k, value+" "+v.Reveal()
	})
	if len(rotated) != 1 || !strings.HasPrefix(rotated[0], "system api_key.rotate "+key.ID.String()) || !strings.Contains(rotated[0], `"replaced_by": "`+next.ID.String()+`"`) {
		t.Errorf("rotated: %q, want one entry that names %s", rotated, next.ID)
	}
	revoke := func() {
		if err := s.Revoke(ctx, next.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
	if revoked := audittest.Written(t, s.Pool, revoke); len(revoked) != 1 || !strings.HasPrefix(revoked[0], "system api_key.revoke "+next.ID.String()+` {} {"revoked_at": "`) {
		t.Errorf("revoked: %q, want one entry", revoked)
	}
	audittest.Want(t, s.Pool, revoke)

	var dump string
	if err := s.Pool.QueryRow(ctx, `SELECT string_agg(a::text, ' ') FROM audit_log a`).Scan(&dump); err != nil {
		t.Fatal(err)
	}
	for one := range strings.FieldsSeq(value) {
		if strings.Contains(dump, one[len("suitesign_"):]) {
			t.Error("the audit log holds a key")
		}
	}
}
