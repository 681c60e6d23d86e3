package suite

import (
	"context"

	"github.com/jackc/pgx/v5"

	"suitesign/secret"
	"suitesign/wecom"
)

// Update changes what p names. A changed callback pair leaves the pair before
// it accepted for a while, since the console switches at once and pushes are
// still on their way (or the other way round). A suite_secret, even the same
// one entered again, closes the breaker: the admin asks for another try.
// ErrNotFound, ErrInvalid, ErrVersion.
func (s *Store) Update(ctx context.Context, id wecom.SuiteID, p Patch) (Suite, error) {
	return s.write(ctx, id, func(tx pgx.Tx) (Suite, error) {
		u, err := lockForUpdate(ctx, tx, id)
		if err != nil {
			return Suite{}, err
		}
		if p.IfVersion != nil && *p.IfVersion != u.Version {
			return Suite{}, ErrVersion
		}
		if err := p.validate(u.Kind); err != nil {
			return Suite{}, err
		}
		return s.update(ctx, tx, u, p)
	})
}

// updating is what a change of a suite has to know of the row before.
type updating struct {
	Suite
	token, key []byte // the callback pair, sealed
}

func lockForUpdate(ctx context.Context, tx pgx.Tx, id wecom.SuiteID) (updating, error) {
	var u updating
	rows, err := tx.Query(ctx, `SELECT `+suiteColumns+` FROM suites WHERE suite_id = $1 FOR NO KEY UPDATE`, id)
	if err != nil {
		return u, err
	}
	if u.Suite, err = pgx.CollectExactlyOneRow(rows, scanSuite); err != nil {
		return u, err
	}
	const pair = `SELECT callback_token_sealed, encoding_aes_key_sealed FROM suites WHERE suite_id = $1`
	err = tx.QueryRow(ctx, pair, id).Scan(&u.token, &u.key)
	return u, err
}

// validate reports everything that is wrong with a patch of a suite of this kind.
func (p Patch) validate(kind Kind) error {
	var f Invalid
	if p.Name != nil {
		checkName(&f, *p.Name)
	}
	if kind == Internal {
		New{
			SuiteSecret: value(p.SuiteSecret), CallbackToken: value(p.CallbackToken), EncodingAESKey: value(p.EncodingAESKey),
			ProviderCorpID: value(p.ProviderCorpID), InstallTestMode: value(p.InstallTestMode),
		}.checkInternal(&f)
		return f.err()
	}
	checkSecrets(&f, or(p.SuiteSecret, someToken), or(p.CallbackToken, someToken), or(p.EncodingAESKey, someKey))
	checkProvider(&f, value(p.ProviderCorpID))
	return f.err()
}

// update writes a valid patch over a locked row.
func (s *Store) update(ctx context.Context, tx pgx.Tx, u updating, p Patch) (Suite, error) {
	var newSecret []byte
	if p.SuiteSecret != nil {
		var err error
		if newSecret, err = seal(s.Ring, *p.SuiteSecret, bound("suites", "suite_secret_sealed", u.ID)); err != nil {
			return Suite{}, err
		}
	}
	pair, err := s.rotate(u, p)
	if err != nil {
		return Suite{}, err
	}
	grace := s.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	const q = `
UPDATE suites SET
	name = COALESCE($2, name),
	provider_corp_id = COALESCE($3, provider_corp_id),
	install_test_mode = COALESCE($4, install_test_mode),
	suite_secret_sealed = COALESCE($5, suite_secret_sealed),
	secret_version = secret_version + ($5::bytea IS NOT NULL)::int,
	callback_token_sealed = CASE WHEN $6 THEN $7 ELSE callback_token_sealed END,
	encoding_aes_key_sealed = CASE WHEN $6 THEN $8 ELSE encoding_aes_key_sealed END,
	previous_callback_token_sealed = CASE WHEN $6 THEN $9 ELSE previous_callback_token_sealed END,
	previous_encoding_aes_key_sealed = CASE WHEN $6 THEN $10 ELSE previous_encoding_aes_key_sealed END,
	previous_until = CASE WHEN $6 THEN CASE WHEN $9::bytea IS NOT NULL THEN now() + $11::interval END ELSE previous_until END,
	version = version + 1,
	updated_at = now()
WHERE suite_id = $1
RETURNING ` + suiteColumns
	rows, err := tx.Query(ctx, q, u.ID, p.Name, p.ProviderCorpID, p.InstallTestMode, newSecret,
		pair.changed, pair.token, pair.key, pair.previousToken, pair.previousKey, grace)
	if err != nil {
		return Suite{}, err
	}
	out, err := pgx.CollectExactlyOneRow(rows, scanSuite)
	if err != nil {
		return out, err
	}
	if err := logUpdate(ctx, tx, u.Suite, out, newSecret != nil, pair); err != nil || newSecret == nil {
		return out, err
	}
	// The new secret is tried at once, not when an old failure's wait is over.
	_, err = tx.Exec(ctx, `UPDATE suite_tokens SET retry_at = NULL, failures = 0, blocked_until = NULL WHERE suite_id = $1`, u.ID)
	return out, err
}

// rotation is the callback pair after a change, and the one before it.
type rotation struct {
	changed, tokenChanged, keyChanged      bool
	token, key, previousToken, previousKey []byte
}

// rotate works out the pair. A stored value that does not open can still be
// replaced; there is then no previous pair to accept.
func (s *Store) rotate(u updating, p Patch) (rotation, error) {
	if p.CallbackToken == nil && p.EncodingAESKey == nil {
		return rotation{}, nil
	}
	oldToken, err1 := open(s.Ring, u.token, bound("suites", "callback_token_sealed", u.ID))
	oldKey, err2 := open(s.Ring, u.key, bound("suites", "encoding_aes_key_sealed", u.ID))
	opens := err1 == nil && err2 == nil
	if err1 != nil && p.CallbackToken == nil {
		return rotation{}, err1
	}
	if err2 != nil && p.EncodingAESKey == nil {
		return rotation{}, err2
	}
	token, key := or(p.CallbackToken, oldToken), or(p.EncodingAESKey, oldKey)
	if opens && token.Equal(oldToken) && key.Equal(oldKey) {
		return rotation{}, nil
	}
	r := rotation{changed: true,
		tokenChanged: p.CallbackToken != nil && (err1 != nil || !token.Equal(oldToken)),
		keyChanged:   p.EncodingAESKey != nil && (err2 != nil || !key.Equal(oldKey))}
	type part struct {
		to     *[]byte
		v      secret.String
		column string
	}
	parts := []part{{&r.token, token, "callback_token_sealed"}, {&r.key, key, "encoding_aes_key_sealed"}}
	if opens {
		parts = append(parts, part{&r.previousToken, oldToken, "previous_callback_token_sealed"},
			part{&r.previousKey, oldKey, "previous_encoding_aes_key_sealed"})
	}
	for _, v := range parts {
		var err error
		if *v.to, err = seal(s.Ring, v.v, bound("suites", v.column, u.ID)); err != nil {
			return rotation{}, err
		}
	}
	return r, nil
}

func value[T any](p *T) T {
	var zero T
	return or(p, zero)
}

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
