package ticket

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Refetching says what became of a wish to have a ticket fetched again.
type Refetching string

// What becomes of it.
const (
	RefetchAsked    Refetching = "asked"     // the next heartbeat does it
	RefetchUnderWay Refetching = "under_way" // somebody asked for it a moment ago
	RefetchTooSoon  Refetching = "too_soon"  // it was done lately, or cannot be done now
)

// Refetch has one kind of a tenant's tickets fetched again, and nothing else,
// because pages report that WeCom refuses it although it lives. Anybody can report,
// so it is bounded where all replicas see it: at once the first time, then once in
// 10 minutes for a tenant, and not for an hour after WeCom gave the same value
// again. What it costs is charged here, and not from the reserve. A tenant that is
// parked or in trouble already is left to its schedule.
//
// Like Force it marks the tenant and returns; the next heartbeat of any replica
// does the work and tells all of them.
func (r *Refresher) Refetch(ctx context.Context, id uuid.UUID, k Kind) (Refetching, error) {
	r.setup()
	// The pause is taken first, so that of many reports one is charged.
	const take = `
UPDATE refreshes r SET refetch_after = now() + $3::interval
FROM credentials c
WHERE r.tenant_id = $1 AND c.tenant_id = r.tenant_id AND c.kind = $2 AND c.failures = 0 AND c.expires_at > now()
	AND NOT r.forced AND r.refetch = '' AND r.parked_reason = ''
	AND (r.refetch_after IS NULL OR r.refetch_after <= now())
RETURNING r.corp_id`
	var corp string
	err := r.Pool.QueryRow(ctx, take, id, k, refetchApart).Scan(&corp)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return r.refetching(ctx, id, k)
	case err != nil:
		return "", fmt.Errorf("refetch %s of tenant %s: %w", k, id, err)
	}
	ok, err := r.store.spend(ctx, id, corp, 1, 0, false)
	if err != nil {
		return "", err
	}
	if !ok {
		return RefetchTooSoon, nil
	}
	const mark = `UPDATE refreshes SET refetch = $2, due_at = to_timestamp(0) WHERE tenant_id = $1 AND refetch = ''`
	if _, err := r.Pool.Exec(ctx, mark, id, k); err != nil {
		return "", fmt.Errorf("refetch %s of tenant %s: %w", k, id, err)
	}
	return RefetchAsked, nil
}

// refetching says why a kind is not to be fetched again: that has been asked for
// within as long as it takes, or it is too soon.
func (r *Refresher) refetching(ctx context.Context, id uuid.UUID, k Kind) (Refetching, error) {
	const q = `
SELECT forced OR refetch = $2 OR refetch_after - now() BETWEEN $3::interval - $4::interval AND $3
FROM refreshes WHERE tenant_id = $1`
	var underWay *bool // NULL where nobody ever asked
	err := r.Pool.QueryRow(ctx, q, id, k, refetchApart, defaultLease).Scan(&underWay)
	switch {
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return "", fmt.Errorf("refetch %s of tenant %s: %w", k, id, err)
	case value(underWay):
		return RefetchUnderWay, nil
	}
	return RefetchTooSoon, nil
}
