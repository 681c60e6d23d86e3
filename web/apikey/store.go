package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/reach"
	"suitesign/secret"
)

var (
	// ErrNotFound is returned where no key has that id.
	ErrNotFound = errors.New("no such api key")
	// ErrExpired is returned for a time that would end a key in the past.
	ErrExpired = errors.New("expires in the past")
	// ErrInactive is returned for a change of a key that is revoked or expired.
	ErrInactive = errors.New("api key is revoked or expired")
	// ErrReplaced is returned for a key that was rotated before: its successor is the one to rotate.
	ErrReplaced = errors.New("api key was rotated already")
	// ErrVersion is returned where a key has changed since the version that the caller has seen.
	ErrVersion = errors.New("api key has changed meanwhile")
	// ErrScope is returned for a scope that there is none of.
	ErrScope = errors.New("no such scope")
)

// Key is what is known about a key; its value is not.
type Key struct {
	ID   uuid.UUID
	Name string
	Grant
	Prefix     string // how it begins
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil: never
	RevokedAt  *time.Time // nil: it is not
	LastUsedAt *time.Time // to within a minute; nil: never
	Replaces   *uuid.UUID // the key that it was made to replace; nil: none
	Version    int64
}

const keyColumns = `id, name, scopes, suite_ids, tenant_ids, prefix, created_at, expires_at, revoked_at, last_used_at, replaces, version`

func scanKey(row pgx.CollectableRow) (k Key, err error) {
	err = row.Scan(&k.ID, &k.Name, &k.Scopes, &k.SuiteIDs, &k.TenantIDs, &k.Prefix, &k.CreatedAt, &k.ExpiresAt,
		&k.RevokedAt, &k.LastUsedAt, &k.Replaces, &k.Version)
	return k, err
}

// Store keeps the keys.
type Store struct {
	Pool reach.DB // narrowed for requests that came with a bound key
}

// New is a key to be made.
type New struct {
	Name string
	Grant
	ExpiresAt *time.Time // nil: never
}

// Create makes a key in the name of somebody who has the grant by. Its value is in
// this answer and nowhere else. ErrScope, BeyondError, BindingError, ErrExpired.
func (s *Store) Create(ctx context.Context, by Grant, n New) (Key, secret.String, error) {
	var key Key
	var value secret.String
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) (err error) {
		if key, value, err = create(ctx, tx, by, n, nil); err != nil {
			return err
		}
		return key.log(ctx, tx, audit.APIKeyCreate, nil, key.audited())
	})
	if err != nil {
		return Key{}, secret.String{}, fmt.Errorf("create api key: %w", err)
	}
	return key, value, nil
}

func create(ctx context.Context, tx pgx.Tx, by Grant, n New, replaces *uuid.UUID) (Key, secret.String, error) {
	for _, scope := range n.Scopes {
		if !scope.Known() {
			return Key{}, secret.String{}, ErrScope
		}
	}
	if scope := by.missing(n.Grant); scope != "" {
		return Key{}, secret.String{}, &BeyondError{Scope: scope}
	}
	if replaces == nil || by.Bound() { // a successor is bound to what its predecessor was, gone or not
		if err := checkBindings(ctx, tx, by, n.Grant); err != nil {
			return Key{}, secret.String{}, err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Key{}, secret.String{}, err
	}
	value := generate()
	const stmt = `
INSERT INTO api_keys (id, name, prefix, hash, expires_at, scopes, suite_ids, tenant_ids, replaces)
SELECT $1, $2, $3, $4, $5::timestamptz, $6, $7, $8, $9
WHERE $5::timestamptz IS NULL OR $5::timestamptz > now()
RETURNING ` + keyColumns
	key, err := one(tx.Query(ctx, stmt, id, n.Name, prefixOf(value), hashOf(value), n.ExpiresAt,
		tidy(n.Scopes), orEmpty(n.SuiteIDs), orEmpty(n.TenantIDs), replaces))
	if errors.Is(err, ErrNotFound) {
		err = ErrExpired
	}
	return key, value, err
}

// one is the one row that was asked for. ErrNotFound.
func one(rows pgx.Rows, err error) (Key, error) {
	if err != nil {
		return Key{}, err
	}
	key, err := pgx.CollectExactlyOneRow(rows, scanKey)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return key, err
}

// Get finds a key. ErrNotFound.
func (s *Store) Get(ctx context.Context, id uuid.UUID) (Key, error) {
	key, err := one(s.Pool.Query(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id = $1`, id))
	if err != nil {
		return Key{}, fmt.Errorf("api key %s: %w", id, err)
	}
	return key, nil
}

// List answers with up to limit keys that were made before the one with the id
// before (uuid.Max: all of them), the newest first.
func (s *Store) List(ctx context.Context, before uuid.UUID, limit int) ([]Key, error) {
	return s.list(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
}

// Valid counts the keys that are neither revoked nor expired.
func (s *Store) Valid(ctx context.Context) (n int64, err error) {
	const q = `SELECT count(*) FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`
	if err := s.Pool.QueryRow(ctx, q).Scan(&n); err != nil {
		return 0, fmt.Errorf("count api keys: %w", err)
	}
	return n, nil
}

// ListUp is List the other way: keys that were made after the one with the id after (uuid.Nil: all of them), the oldest first.
func (s *Store) ListUp(ctx context.Context, after uuid.UUID, limit int) ([]Key, error) {
	return s.list(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
}

func (s *Store) list(ctx context.Context, q string, from uuid.UUID, limit int) ([]Key, error) {
	rows, err := s.Pool.Query(ctx, q, from, limit)
	if err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, scanKey)
	if err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	return keys, nil
}

// Revoke ends a key for good; one that is revoked already stays as it is. Whoever
// may write keys may end any: to take away is not to give. ifVersion, unless nil,
// is the version that the caller has seen. ErrNotFound, ErrVersion.
func (s *Store) Revoke(ctx context.Context, id uuid.UUID, ifVersion *int64) error {
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		key, err := one(tx.Query(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id = $1 FOR UPDATE`, id))
		switch {
		case err != nil:
			return err
		case ifVersion != nil && *ifVersion != key.Version:
			return ErrVersion
		case key.RevokedAt != nil:
			return nil
		}
		revoked, err := one(tx.Query(ctx, `UPDATE api_keys SET revoked_at = now(), version = version + 1 WHERE id = $1 RETURNING `+keyColumns, id))
		if err != nil {
			return err
		}
		return key.log(ctx, tx, audit.APIKeyRevoke, key.audited(), revoked.audited())
	})
	if err != nil {
		return fmt.Errorf("revoke api key %s: %w", id, err)
	}
	return nil
}

// find finds the holder of the key with this hash. ErrRefused.
func (s *Store) find(ctx context.Context, hash []byte) (Holder, error) {
	const q = `
SELECT id, name, scopes, suite_ids, tenant_ids FROM api_keys
WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`
	var h Holder
	err := s.Pool.QueryRow(ctx, q, hash).Scan(&h.ID, &h.Name, &h.Scopes, &h.SuiteIDs, &h.TenantIDs)
	if errors.Is(err, pgx.ErrNoRows) {
		return Holder{}, ErrRefused
	}
	if err != nil {
		return Holder{}, fmt.Errorf("look up api key: %w", err)
	}
	return h, nil
}
