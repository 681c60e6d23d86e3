// Package secrettest gives tests a keyring.
package secrettest

import (
	"testing"

	"suitesign/secret"
)

// New answers with a ring of one new key that is kept nowhere.
func New(t testing.TB) *secret.Keyring {
	t.Helper()
	k, err := secret.NewEphemeral()
	if err != nil {
		t.Fatalf("secrettest: %v", err)
	}
	return k
}
