package ticket

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

// Token is a tenant's access_token, for the back ends of whoever runs this.
type Token struct {
	Value       secret.String
	Fingerprint []byte // its SHA-256: what it is called when it is refused
	ExpiresAt   time.Time
}

// Token hands out a tenant's access_token and writes down that it did: what cannot
// be written is not handed out. One that is about to end, or that was refused and is
// being fetched anew, counts as none. ErrNone.
func (s *Source) Token(ctx context.Context, id uuid.UUID) (Token, error) {
	var t Token
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		const q = `
SELECT c.value_sealed, c.fingerprint, c.expires_at, r.suite_id
FROM credentials c JOIN refreshes r USING (tenant_id)
WHERE c.tenant_id = $1 AND c.kind = $2 AND c.value_sealed IS NOT NULL AND c.expires_at > now() + $3::interval AND r.refetch <> c.kind`
		var sealed []byte
		var suite string
		err := tx.QueryRow(ctx, q, id, AccessToken, tokenMargin).Scan(&sealed, &t.Fingerprint, &t.ExpiresAt, &suite)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNone
		}
		if err != nil {
			return err
		}
		if t.Value, err = s.Ring.Open(sealed, bound(id, AccessToken)); err != nil {
			return fmt.Errorf("%w that opens: %w", ErrNone, err)
		}
		return audit.Append(ctx, tx, audit.Entry{Action: audit.AccessTokenRead, TargetID: id.String(), SuiteID: suite, TenantID: id})
	})
	if err != nil {
		return Token{}, fmt.Errorf("access_token of tenant %s: %w", id, err)
	}
	return t, nil
}

// Refusal says what became of a token that WeCom refused to somebody.
type Refusal string

// What becomes of it.
const (
	RefusalFetching Refusal = "fetching" // it is handed out no more; another one is fetched
	RefusalReplaced Refusal = "replaced" // it was not the one in force any more
	RefusalTooSoon  Refusal = "too_soon" // one was fetched lately for the same reason: it stays for now
)

// Refused takes the word of a back end that WeCom refuses the access_token of this
// fingerprint. Only where that is the one in force it is fetched anew, and nobody
// gets it meanwhile. A back end may be wrong, or in a loop: after a refusal none counts
// for 10 minutes for that tenant, and for an hour where WeCom gave the same token
// again. The call is charged here. The tickets stay: they have lives of their own.
// ErrNoAuthorization, ErrBudgetSpent.
func (r *Refresher) Refused(ctx context.Context, id uuid.UUID, fingerprint []byte) (Refusal, error) {
	r.setup()
	out, err := r.refused(ctx, id, fingerprint)
	if err != nil {
		return "", fmt.Errorf("refused access_token of tenant %s: %w", id, err)
	}
	return out, nil
}

func (r *Refresher) refused(ctx context.Context, id uuid.UUID, fingerprint []byte) (out Refusal, err error) {
	var corp string
	err = pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) error {
		const look = `
SELECT r.corp_id, r.suite_id, r.refetch = 'access_token' OR r.forced, r.refused_after > now(), c.fingerprint IS NOT DISTINCT FROM $2
FROM refreshes r LEFT JOIN credentials c ON c.tenant_id = r.tenant_id AND c.kind = 'access_token'
WHERE r.tenant_id = $1 FOR UPDATE OF r`
		var suite string
		var fetching, inForce bool
		var paused *bool // NULL where none was ever refused
		err := tx.QueryRow(ctx, look, id, fingerprint).Scan(&corp, &suite, &fetching, &paused, &inForce)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNoAuthorization
		case err != nil:
			return err
		case !inForce:
			out = RefusalReplaced
			return nil
		case fetching:
			out = RefusalFetching
			return nil
		case value(paused):
			out = RefusalTooSoon
			return nil
		}
		out = ""
		// The pause is taken first, so that of many back ends one is charged.
		if _, err := tx.Exec(ctx, `UPDATE refreshes SET refused_after = now() + $2::interval WHERE tenant_id = $1`, id, refetchApart); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Action: audit.AccessTokenRefuse, TargetID: id.String(), SuiteID: suite, TenantID: id})
	})
	if err != nil || out != "" {
		return out, err
	}
	ok, err := r.store.spend(ctx, id, corp, 0, 1, true)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", ErrBudgetSpent
	}
	const mark = `UPDATE refreshes SET refetch = 'access_token', due_at = to_timestamp(0) WHERE tenant_id = $1`
	if _, err := r.Pool.Exec(ctx, mark, id); err != nil {
		return "", err
	}
	return RefusalFetching, nil
}
