package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/secret"
	"suitesign/wecom"
)

// errAddressRefused is the part of ErrSuiteBlocked that also stops the use of a token that lives.
var errAddressRefused = fmt.Errorf("%w (60020)", ErrSuiteBlocked)

// tokenRow is all that decides about a suite's token, at one moment of the database's clock.
type tokenRow struct {
	kind             Kind
	secret           secret.String
	secretVersion    int64
	ticket           wecom.SuiteTicket
	ticketGeneration int64 // 0: none came yet
	token            wecom.SuiteAccessToken
	generation       int64
	left             time.Duration // of the token's life
	waiting          bool          // not to be fetched yet
	leased           bool
	failures         int
	blockedVersion   *int64
	blockedTicket    *int64
	blockedIP        bool
	lastError        string
}

func (r tokenRow) live() bool { return !r.token.IsZero() && r.left > 0 }

// usable says why nothing can be fetched now, if so.
func (r tokenRow) usable() error {
	switch {
	case r.kind == Internal:
		return fmt.Errorf("%w: an internal one has no suite_access_token", ErrWrongKind)
	case r.blockedIP:
		return errAddressRefused
	case r.blockedVersion != nil && *r.blockedVersion == r.secretVersion:
		return fmt.Errorf("%w: %s", ErrSuiteBlocked, r.lastError)
	case r.ticketGeneration == 0, r.blockedTicket != nil && *r.blockedTicket == r.ticketGeneration:
		return ErrNoSuiteTicket
	case r.waiting:
		return fmt.Errorf("%w: %s", ErrSuiteUnavailable, r.lastError)
	}
	return nil
}

// readToken reads the row. A suite_ticket is tried however old it is: WeCom says
// thirty minutes, and refuses it once if that is so. ErrNotFound.
func (s *Store) readToken(ctx context.Context, id wecom.SuiteID) (tokenRow, error) {
	const q = `
SELECT s.kind, s.suite_secret_sealed, s.secret_version, t.ticket_sealed, COALESCE(t.generation, 0),
	k.token_sealed, COALESCE(k.generation, 0), COALESCE(k.expires_at - now(), interval '0'),
	COALESCE(k.retry_at > now(), false), COALESCE(k.lease_until > now(), false), COALESCE(k.failures, 0),
	k.blocked_version, k.blocked_ticket, COALESCE(k.blocked_until > now(), false), COALESCE(k.last_error, '')
FROM suites s LEFT JOIN suite_tickets t USING (suite_id) LEFT JOIN suite_tokens k USING (suite_id)
WHERE s.suite_id = $1`
	var r tokenRow
	var suiteSecret, ticket, token []byte
	err := s.Pool.QueryRow(ctx, q, id).Scan(&r.kind, &suiteSecret, &r.secretVersion, &ticket, &r.ticketGeneration,
		&token, &r.generation, &r.left, &r.waiting, &r.leased, &r.failures,
		&r.blockedVersion, &r.blockedTicket, &r.blockedIP, &r.lastError)
	if err != nil {
		return tokenRow{}, fmt.Errorf("suite %s: token: %w", id, fromDriver(err))
	}
	var err1, err2, err3 error
	r.secret, err1 = open(s.Ring, suiteSecret, bound("suites", "suite_secret_sealed", id))
	r.ticket.String, err2 = open(s.Ring, ticket, bound("suite_tickets", "ticket_sealed", id))
	r.token.String, err3 = open(s.Ring, token, bound("suite_tokens", "token_sealed", id))
	if err3 != nil {
		r.token, r.left = wecom.SuiteAccessToken{}, 0 // a token that does not open is fetched anew
	}
	if err := errors.Join(err1, err2); err != nil {
		return tokenRow{}, fmt.Errorf("suite %s: token: %w", id, err)
	}
	return r, nil
}

// lease names a claim: new with each, so that it is never taken for a later one.
type lease = uuid.UUID

// errLeaseLost: the lease ended before the work did, and somebody else took over.
var errLeaseLost = errors.New("the lease was lost")

// claimToken leases the row, if nothing of what was read has changed.
func (s *Store) claimToken(ctx context.Context, id wecom.SuiteID, r tokenRow) (lease, bool, error) {
	const q = `
INSERT INTO suite_tokens AS k (suite_id, lease_owner, lease_until) VALUES ($1, $2, now() + $3::interval)
ON CONFLICT (suite_id) DO UPDATE SET lease_owner = EXCLUDED.lease_owner, lease_until = EXCLUDED.lease_until
WHERE k.generation = $4 AND (k.lease_until IS NULL OR k.lease_until <= now()) AND (k.retry_at IS NULL OR k.retry_at <= now())
	AND k.blocked_version IS NOT DISTINCT FROM $5 AND k.blocked_ticket IS NOT DISTINCT FROM $6
	AND (k.blocked_until IS NULL OR k.blocked_until <= now())`
	l := uuid.New()
	tag, err := s.Pool.Exec(ctx, q, id, l, leaseFor, r.generation, r.blockedVersion, r.blockedTicket)
	if err != nil {
		return lease{}, false, fmt.Errorf("suite %s: claim token: %w", id, fromDriver(err))
	}
	return l, tag.RowsAffected() == 1, nil
}

// saveToken stores a token and gives the lease back. Where the platform repeats a
// token that still lives, the older end stands: some calls print the full
// lifetime every time. It answers with how long the token is good.
func (s *Store) saveToken(ctx context.Context, id wecom.SuiteID, r tokenRow, l lease, g wecom.Grant[wecom.SuiteAccessToken], took time.Duration) (time.Duration, error) {
	sealed, err := seal(s.Ring, g.Value.String, bound("suite_tokens", "token_sealed", id))
	if err != nil {
		return 0, err
	}
	life := max(g.ExpiresIn-took, 0) // it began before the answer came
	repeated := r.live() && r.token.Equal(g.Value.String)
	const q = `
UPDATE suite_tokens SET
	token_sealed = $3,
	expires_at = CASE WHEN $4 THEN LEAST(expires_at, now() + $5::interval) ELSE now() + $5::interval END,
	renew_at = CASE WHEN $4 THEN GREATEST(expires_at, now() + $7::interval) ELSE now() + $5::interval - $6::interval END,
	retry_at = now() + $7::interval,
	refreshed_at = now(), generation = generation + 1, failures = 0,
	blocked_version = NULL, blocked_ticket = NULL, blocked_until = NULL,
	last_errcode = NULL, last_error = '', last_error_at = NULL,
	lease_owner = NULL, lease_until = NULL
WHERE suite_id = $1 AND lease_owner = $2
RETURNING expires_at - now()`
	var left time.Duration
	err = s.Pool.QueryRow(ctx, q, id, l, sealed, repeated, life, min(renewLead, life/3), min(refetchWait, life/3)).Scan(&left)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, errLeaseLost
	} else if err != nil {
		return 0, fmt.Errorf("suite %s: save token: %w", id, err)
	}
	return left, nil
}

// tokenFailure is what a failed fetch leaves in the row.
type tokenFailure struct {
	wait           time.Duration
	blockedVersion *int64
	blockedTicket  *int64
	blockedFor     time.Duration
}

func (s *Store) failToken(ctx context.Context, id wecom.SuiteID, l lease, f tokenFailure, why error) error {
	const q = `
UPDATE suite_tokens SET failures = failures + 1, retry_at = now() + $3::interval,
	blocked_version = COALESCE($4, blocked_version),
	blocked_ticket = COALESCE($5, blocked_ticket),
	blocked_until = CASE WHEN $6::interval > interval '0' THEN now() + $6::interval ELSE blocked_until END,
	last_errcode = $7, last_error = $8, last_error_at = now(),
	lease_owner = NULL, lease_until = NULL
WHERE suite_id = $1 AND lease_owner = $2`
	code, text := failure(why)
	if _, err := s.Pool.Exec(ctx, q, id, l, f.wait, f.blockedVersion, f.blockedTicket, f.blockedFor, code, text); err != nil {
		return fmt.Errorf("suite %s: token: %w", id, err)
	}
	return nil
}

// expireToken ends a token of this generation, once. The first refusal in a while
// costs no wait, the following ones do.
func (s *Store) expireToken(ctx context.Context, id wecom.SuiteID, generation int64) error {
	const q = `
UPDATE suite_tokens SET expires_at = NULL, renew_at = NULL, invalidated_at = now(), generation = generation + 1,
	invalidations = CASE WHEN invalidated_at > now() - interval '10 minutes' THEN invalidations + 1 ELSE 1 END,
	retry_at = CASE WHEN invalidated_at > now() - interval '10 minutes'
		THEN now() + make_interval(secs => ($3::float8[])[LEAST(invalidations, cardinality($3::float8[]))]) END
WHERE suite_id = $1 AND generation = $2`
	waits := make([]float64, len(retryAfter))
	for i, d := range retryAfter {
		waits[i] = d.Seconds()
	}
	if _, err := s.Pool.Exec(ctx, q, id, generation, waits); err != nil {
		return fmt.Errorf("suite %s: expire token: %w", id, err)
	}
	return nil
}

func (s *Store) blockIP(ctx context.Context, id wecom.SuiteID, why error) error {
	const q = `
INSERT INTO suite_tokens AS k (suite_id, blocked_until, last_errcode, last_error, last_error_at)
VALUES ($1, now() + $2::interval, $3, $4, now())
ON CONFLICT (suite_id) DO UPDATE SET blocked_until = EXCLUDED.blocked_until,
	last_errcode = EXCLUDED.last_errcode, last_error = EXCLUDED.last_error, last_error_at = now()
WHERE k.blocked_until IS NULL OR k.blocked_until <= now()`
	code, text := failure(why)
	if _, err := s.Pool.Exec(ctx, q, id, probeIP, code, text); err != nil {
		return fmt.Errorf("suite %s: block: %w", id, fromDriver(err))
	}
	return nil
}

// tokensToRenew names the suites whose token is close to its end and needed.
func (s *Store) tokensToRenew(ctx context.Context) ([]wecom.SuiteID, error) {
	const q = `
SELECT k.suite_id FROM suite_tokens k
WHERE k.renew_at <= now() AND k.expires_at > now()
	AND (k.retry_at IS NULL OR k.retry_at <= now()) AND (k.lease_until IS NULL OR k.lease_until <= now())
	AND (SELECT true FROM tenants t WHERE t.suite_id = k.suite_id AND t.status = 'active' ORDER BY t.suite_id, t.corp_id LIMIT 1)`
	rows, err := s.Pool.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("suite tokens: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[wecom.SuiteID])
	if err != nil {
		return nil, fmt.Errorf("suite tokens: %w", err)
	}
	return ids, nil
}
