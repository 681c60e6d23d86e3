package apikey

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"suitesign/secret"
)

// ErrRefused is returned for a key that is unknown, revoked or expired. Which
// of these it is stays inside.
var ErrRefused = errors.New("api key refused")

// MinBootstrap is how many characters a bootstrap key has at least.
const MinBootstrap = 32

// ErrBootstrap is returned for a bootstrap key that is too easily guessed.
var ErrBootstrap = fmt.Errorf("the bootstrap api key needs %d characters or more", MinBootstrap)

// CheckBootstrap tells whether v may be a bootstrap key; no key at all may.
func CheckBootstrap(v secret.String) error {
	if !v.IsZero() && len(v.Reveal()) < MinBootstrap {
		return ErrBootstrap
	}
	return nil
}

// Gate lets in whoever holds a valid key.
type Gate struct {
	Store     *Store        // the keys that were made
	Bootstrap secret.String // valid while set; one that CheckBootstrap refuses opens nothing

	used uses
}

// Holder is who a request comes from.
type Holder struct {
	ID   uuid.UUID // the key's; zero for the bootstrap key
	Name string    // the key's; "bootstrap" for the bootstrap key
	Grant
}

// Admit answers with the holder of a key, or ErrRefused.
func (g *Gate) Admit(ctx context.Context, key secret.String) (Holder, error) {
	if g.isBootstrap(key) {
		return Holder{Name: "bootstrap", Grant: Full()}, nil
	}
	if !WellFormed(key) {
		return Holder{}, ErrRefused
	}
	holder, err := g.Store.find(ctx, hashOf(key))
	if err == nil {
		g.used.note(holder.ID)
	}
	return holder, err
}

// isBootstrap compares hashes, so that the time it takes tells nothing about
// the key, not even its length.
func (g *Gate) isBootstrap(key secret.String) bool {
	if g.Bootstrap.IsZero() || CheckBootstrap(g.Bootstrap) != nil {
		return false
	}
	return subtle.ConstantTimeCompare(hashOf(g.Bootstrap), hashOf(key)) == 1
}
