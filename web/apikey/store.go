package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/secret"
)

// ErrNotFound is returned where no key has that id.
var ErrNotFound = errors.New("no such api key")

// ErrExpired is returned for a new key that would be expired from the start.
var ErrExpired = errors.New("expires in the past")

// Key is what is known about a key; its value is not.
type Key struct {
	ID         uuid.UUID
	Name       string
	Prefix     string // how it begins
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil: never
	RevokedAt  *time.Time // nil: it is not
	LastUsedAt *time.Time // to within a minute; nil: never
}

const keyColumns = `id, name, prefix, created_at, expires_at, revoked_at, last_used_at`

// Store keeps the keys.
type Store struct {
	Pool *pgxpool.Pool
}

// Create makes a key. Its value is in this answer and nowhere else. ErrExpired.
func (s *Store) Create(ctx context.Context, name string, expiresAt *time.Time) (Key, secret.String, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Key{}, secret.String{}, fmt.Errorf("create api key: %w", err)
	}
	value := generate()
	const q = `
INSERT INTO api_keys (id, name, prefix, hash, expires_at)
SELECT $1, $2, $3, $4, $5::timestamptz
WHERE $5::timestamptz IS NULL OR $5::timestamptz > now()
RETURNING ` + keyColumns
	rows, err := s.Pool.Query(ctx, q, id, name, prefixOf(value), hashOf(value), expiresAt)
	if err != nil {
		return Key{}, secret.String{}, fmt.Errorf("create api key: %w", err)
	}
	key, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Key])
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrExpired
	}
	if err != nil {
		return Key{}, secret.String{}, fmt.Errorf("create api key: %w", err)
	}
	return key, value, nil
}

// Get finds a key. ErrNotFound.
func (s *Store) Get(ctx context.Context, id uuid.UUID) (Key, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id = $1`, id)
	if err != nil {
		return Key{}, fmt.Errorf("api key %s: %w", id, err)
	}
	key, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Key])
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Key{}, fmt.Errorf("api key %s: %w", id, err)
	}
	return key, nil
}

// List answers with up to limit keys that were made before the one with the id
// before (uuid.Max: all of them), the newest first.
func (s *Store) List(ctx context.Context, before uuid.UUID, limit int) ([]Key, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Key])
	if err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	return keys, nil
}

// Revoke ends a key for good; one that is revoked already stays as it is. ErrNotFound.
func (s *Store) Revoke(ctx context.Context, id uuid.UUID) error {
	tag, err := s.Pool.Exec(ctx, `UPDATE api_keys SET revoked_at = COALESCE(revoked_at, now()) WHERE id = $1`, id)
	if err != nil {
		return fmt.Errorf("revoke api key %s: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("revoke api key %s: %w", id, ErrNotFound)
	}
	return nil
}

// use finds the holder of the key with this hash and notes, at most once a
// minute, that it was used. ErrRefused.
func (s *Store) use(ctx context.Context, hash []byte) (Holder, error) {
	const q = `
WITH valid AS (
	SELECT id, name, last_used_at FROM api_keys
	WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
), noted AS (
	UPDATE api_keys SET last_used_at = now() FROM valid
	WHERE api_keys.id = valid.id AND (valid.last_used_at IS NULL OR valid.last_used_at < now() - interval '1 minute')
)
SELECT id, name FROM valid`
	var h Holder
	err := s.Pool.QueryRow(ctx, q, hash).Scan(&h.ID, &h.Name)
	if errors.Is(err, pgx.ErrNoRows) {
		return Holder{}, ErrRefused
	}
	if err != nil {
		return Holder{}, fmt.Errorf("look up api key: %w", err)
	}
	return h, nil
}
