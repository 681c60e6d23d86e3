package ticket

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
)

// Force has all of a tenant's credentials fetched again, even while they live: it
// marks the tenant, puts it first, and returns; the next heartbeat of any replica
// does the work and then tells all of them. What it costs is charged here, from
// the reserve. So is one more call for our address, by which the authorization is read
// again: nothing else finds out that a change_auth was lost. ErrNoAuthorization, ErrBudgetSpent.
func (r *Refresher) Force(ctx context.Context, id uuid.UUID) error {
	r.setup()
	if _, _, err := r.store.enrol(ctx, oneTenant, id); err != nil {
		return err
	}
	const look = `
SELECT corp_id, forced, EXISTS (
	SELECT FROM credentials c WHERE c.tenant_id = r.tenant_id AND c.last_errcode = ANY($2) AND c.next_at > now())
FROM refreshes r WHERE tenant_id = $1`
	var corp string
	var forced, blocked bool
	err := r.Pool.QueryRow(ctx, look, id, []int32{codeFrequency, codeConcurrency}).Scan(&corp, &forced, &blocked)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("tenant %s: %w", id, ErrNoAuthorization)
	case err != nil:
		return fmt.Errorf("force tenant %s: %w", id, err)
	case forced:
		return nil // asked for already, and paid
	case blocked:
		return fmt.Errorf("tenant %s: %w: WeCom blocks its calls for a while", id, ErrBudgetSpent)
	}
	ok, err := r.store.spend(ctx, id, corp, ticketsPerCycle, 1, true)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("tenant %s: %w", id, ErrBudgetSpent)
	}
	err = pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) error { return force(ctx, tx, id) })
	if err != nil {
		return fmt.Errorf("force tenant %s: %w", id, err)
	}
	return r.Authorizations.Reread(ctx, id)
}

// force marks the tenant, and writes down who asked, unless somebody else has meanwhile.
func force(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	const q = `UPDATE refreshes SET forced = true, due_at = to_timestamp(0) WHERE tenant_id = $1 AND NOT forced RETURNING suite_id`
	e := audit.Entry{Action: audit.CredentialsRefresh, TargetID: id.String(), TenantID: id}
	err := tx.QueryRow(ctx, q, id).Scan(&e.SuiteID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return audit.Append(ctx, tx, e)
}
