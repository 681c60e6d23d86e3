package secret_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"suitesign/audit/audittest"
	"suitesign/migrations/pgtest"
	"suitesign/secret"
)

// TestTheKeyringsLifeIsAudited: made once however many start, rotated, sealed anew.
func TestTheKeyringsLifeIsAudited(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	var k *secret.Keyring
	made := audittest.Written(t, pool, func() { k = load(t, pool); load(t, pool) })
	first := k.Info().Primary
	want := []string{fmt.Sprintf(`system keyring.create keyring null {"keys": ["%08[1]x"], "version": 1, "active_key": "%08[1]x"}`, first)}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	makeVaults(t, pool)
	fill(t, pool, k, 2)
	rotated := audittest.Written(t, pool, func() { rotate(t, pool) })
	now := load(t, pool).Info().Primary
	want = []string{fmt.Sprintf(`system keyring.rotate keyring {"keys": ["%08[1]x"], "version": 1, "active_key": "%08[1]x"} `+
		`{"keys": ["%08[1]x", "%08[2]x"], "version": 2, "active_key": "%08[2]x"}`, first, now)}
	if diff := cmp.Diff(want, rotated); diff != "" {
		t.Errorf("rotated (-want +got):\n%s", diff)
	}
	anew := func() {
		if _, err := secret.Reencrypt(t.Context(), pool, k, vaults, 100); err != nil {
			t.Fatal(err)
		}
	}
	audittest.Want(t, pool, anew, `system keyring.reencrypt keyring null {"values": 6}`)
	audittest.Want(t, pool, anew)
	audittest.Want(t, pool, func() {
		if _, err := secret.Rotate(t.Context(), pool, master(t, 2)); err == nil {
			t.Error("Rotate with a wrong master key = nil, want an error")
		}
	})
}
