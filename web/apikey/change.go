package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/secret"
)

// Change is what can change of a key; nil leaves as it is. A grant never changes:
// who reads in a log what a key did must know what it was able to do.
type Change struct {
	Name      *string
	ExpiresAt **time.Time // to a time, or to never
	IfVersion *int64      // the version that the caller has seen
}

// Update renames a key or moves its end, in the name of somebody who has the grant
// by. ErrNotFound, ErrInactive, BeyondError, ErrVersion, ErrExpired.
func (s *Store) Update(ctx context.Context, by Grant, id uuid.UUID, c Change) (Key, error) {
	var out Key
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		key, err := lock(ctx, tx, by, id)
		if err != nil {
			return err
		}
		if c.IfVersion != nil && *c.IfVersion != key.Version {
			return ErrVersion
		}
		name, expires := key.Name, key.ExpiresAt
		if c.Name != nil {
			name = *c.Name
		}
		if c.ExpiresAt != nil {
			expires = *c.ExpiresAt
		}
		const q = `
UPDATE api_keys SET name = $2, expires_at = $3::timestamptz, version = version + 1
WHERE id = $1 AND ($3::timestamptz IS NULL OR $3::timestamptz > now())
RETURNING ` + keyColumns
		out, err = one(tx.Query(ctx, q, id, name, expires))
		if errors.Is(err, ErrNotFound) { // it is locked: only its end can be refused
			return ErrExpired
		}
		if err != nil {
			return err
		}
		return key.log(ctx, tx, audit.APIKeyUpdate, key.audited(), out.audited())
	})
	if err != nil {
		return Key{}, fmt.Errorf("update api key %s: %w", id, err)
	}
	return out, nil
}

// Rotation is how a key is replaced.
type Rotation struct {
	Overlap   time.Duration // how long the old key stays valid
	ExpiresAt **time.Time   // of the new one; nil: it lives as long as the old one was made to
}

// Rotate makes a key with the name and the grant of another, which ends after the
// overlap. ErrNotFound, ErrInactive, ErrReplaced, BeyondError, ErrExpired.
func (s *Store) Rotate(ctx context.Context, by Grant, id uuid.UUID, r Rotation) (Key, secret.String, error) {
	var made Key
	var value secret.String
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		old, err := lock(ctx, tx, by, id)
		if err != nil {
			return err
		}
		var replaced bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM api_keys WHERE replaces = $1)`, id).Scan(&replaced); err != nil {
			return err
		}
		if replaced { // its end is that of an overlap by now, and no measure for a new key
			return ErrReplaced
		}
		n := New{Name: old.Name, Grant: old.Grant}
		switch {
		case r.ExpiresAt != nil:
			n.ExpiresAt = *r.ExpiresAt
		case old.ExpiresAt != nil:
			const q = `SELECT now() + ($1::timestamptz - $2::timestamptz)`
			if err := tx.QueryRow(ctx, q, old.ExpiresAt, old.CreatedAt).Scan(&n.ExpiresAt); err != nil {
				return err
			}
		}
		if made, value, err = create(ctx, tx, by, n, &id); err != nil {
			return err
		}
		const end = `UPDATE api_keys SET expires_at = LEAST(expires_at, now() + $2::interval), version = version + 1 WHERE id = $1 RETURNING ` + keyColumns
		ended, err := one(tx.Query(ctx, end, id, r.Overlap))
		if err != nil {
			return err
		}
		after := ended.audited()
		after["replaced_by"] = made.ID
		return old.log(ctx, tx, audit.APIKeyRotate, old.audited(), after)
	})
	if err != nil {
		return Key{}, secret.String{}, fmt.Errorf("rotate api key %s: %w", id, err)
	}
	return made, value, nil
}

// lock holds a key that is valid, and that may do no more than by, until the
// transaction ends: whoever could rotate a stronger key would have its power.
func lock(ctx context.Context, tx pgx.Tx, by Grant, id uuid.UUID) (Key, error) {
	key, err := one(tx.Query(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id = $1 FOR UPDATE`, id))
	if err != nil {
		return Key{}, err
	}
	if scope := by.missing(key.Grant); scope != "" {
		return Key{}, &BeyondError{Scope: scope}
	}
	var over bool
	if err := tx.QueryRow(ctx, `SELECT COALESCE($1::timestamptz <= now(), false)`, key.ExpiresAt).Scan(&over); err != nil {
		return Key{}, err
	}
	if over || key.RevokedAt != nil {
		return Key{}, ErrInactive
	}
	return key, nil
}
