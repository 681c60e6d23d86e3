package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/tenant"
	"suitesign/wecom"
)

// What is pending and due among the events is a cancel_auth: one whose answer was
// cut short, one that left payloads behind, one that came late, or one that was
// in effect before and came again.
type reconsidered struct {
	cancelling
	attempts int
	again    bool // it was in effect before
}

// claimEvents leases up to limit events that are due. Those that wait for an
// exchange are not: they have no due time.
func (s *Store) claimEvents(ctx context.Context, limit int) ([]reconsidered, error) {
	const q = `
WITH due AS MATERIALIZED (
	SELECT id FROM callback_events
	WHERE state = 'pending' AND due_at <= now() AND (lease_until IS NULL OR lease_until <= now())
	ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE callback_events e SET lease_owner = gen_random_uuid(), lease_until = now() + $2::interval, attempts = e.attempts + 1
FROM due WHERE e.id = due.id
RETURNING e.id, e.suite_id, e.corp_id, CASE WHEN e.door = 'data' THEN e.receive_id ELSE '' END,
	COALESCE(e.event_time, date_trunc('second', e.received_at)), e.attempts, e.finished_at IS NOT NULL`
	rows, err := s.Pool.Query(ctx, q, limit, leaseFor)
	if err != nil {
		return nil, fmt.Errorf("claim events: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (reconsidered, error) {
		var r reconsidered
		err := row.Scan(&r.event, &r.suite, &r.corp, &r.sealedFor, &r.at, &r.attempts, &r.again)
		r.batches = batchesOfTheBackstage
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim events: %w", err)
	}
	return list, nil
}

// reconsider finishes a cancel_auth. One that is older than the consent in force,
// or was in effect before that, says nothing about it; but something happened, so
// the platform is asked, and what it says counts.
func (e *Exchanger) reconsider(ctx context.Context, r reconsidered) error {
	ctx, cancel := context.WithTimeout(ctx, attemptFor)
	defer cancel()
	stands, err := e.standing(ctx, r)
	if err == nil && stands != nil {
		err = e.verify(ctx, *stands, r.cancelling)
	}
	if err == nil {
		return nil
	}
	save, stop := context.WithTimeout(context.WithoutCancel(ctx), saveFor) // the lease is given back in any case
	defer stop()
	return fmt.Errorf("event %s: %w", r.event, errors.Join(err, e.postpone(save, r, err)))
}

// standing lets a cancel_auth take effect, or answers with the tenant that has to
// be asked about.
func (e *Exchanger) standing(ctx context.Context, r reconsidered) (*tenant.Tenant, error) {
	if !r.again {
		return e.Store.cancel(ctx, r.cancelling)
	}
	t, err := e.Store.Tenants.Find(ctx, r.suite, r.corp)
	if errors.Is(err, tenant.ErrNotFound) || err == nil && t.Status == tenant.Cancelled {
		return nil, e.Store.finish(ctx, r.event, eventDone, nil)
	} else if err != nil {
		return nil, fmt.Errorf("cancel again: %w", err)
	}
	return &t, nil
}

// verify asks the platform whether a consent stands.
func (e *Exchanger) verify(ctx context.Context, t tenant.Tenant, c cancelling) error {
	held, err := e.Store.Authorizations(ctx, []uuid.UUID{t.ID})
	if err != nil {
		return err
	}
	a, ok := held[t.ID]
	if !ok {
		return e.Store.finish(ctx, c.event, eventDone, nil)
	}
	_, err = withToken(ctx, e.Tokens, a.SuiteID, func(token wecom.SuiteAccessToken) (wecom.AuthInfo, error) {
		return e.WeCom.AuthInfo(ctx, token, a.CorpID, a.PermanentCode)
	})
	switch {
	case err == nil:
		return e.Store.finish(ctx, c.event, eventDone, nil)
	case wecom.Classify(err) != wecom.ClassUnauthorized:
		return err
	}
	// As of the consent that was asked about: a younger one, exchanged meanwhile, stands.
	c.at = t.AuthorizedAt
	ended, err := e.Store.Tenants.Cancel(ctx, t.ID, c.at)
	if err != nil {
		return err
	}
	if !ended {
		return e.Store.finish(ctx, c.event, eventDone, nil)
	}
	return e.Store.purge(ctx, t, c)
}

// postpone writes a failure down and sets the time of the next try.
func (e *Exchanger) postpone(ctx context.Context, r reconsidered, why error) error {
	wait := retryIn(r.attempts)
	switch {
	case errors.Is(why, context.Canceled):
		wait = time.Duration(0)
	case wecom.Classify(why) == wecom.ClassIP:
		if err := e.Tokens.BlockIP(ctx, r.suite, why); err != nil {
			return err
		}
	}
	const q = `
UPDATE callback_events SET due_at = now() + $2::interval, lease_owner = NULL, lease_until = NULL, last_errcode = $3, last_error = $4
WHERE id = $1 AND state = 'pending'`
	code, text := failure(why)
	if _, err := e.Store.Pool.Exec(ctx, q, r.event, wait, code, text); err != nil {
		return fmt.Errorf("postpone: %w", err)
	}
	return nil
}
