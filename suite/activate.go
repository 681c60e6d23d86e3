package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/tenant"
	"suitesign/wecom"
)

// activate makes the tenant of a permanent_code that is stored. Every step can be
// done again: after a crash the whole of it is.
func (e *Exchanger) activate(ctx context.Context, x claimed) error {
	s := e.Store
	ctx = audit.AsWeCom(ctx)
	at, err := s.consentedAt(ctx, x)
	if err != nil {
		return err
	}
	t, err := s.Tenants.Activate(ctx, tenant.Activation{
		SuiteID: x.SuiteID, CorpID: x.CorpID, Name: x.corpName, AuthorizedAt: at, Action: audit.TenantAuthorize,
	})
	if errors.Is(err, tenant.ErrCancelled) {
		return errConsentGone
	} else if err != nil {
		return err
	}
	// The tenant is committed, so a cancel_auth that comes from now on finds it.
	// One that came before is looked for here.
	c, ok, err := s.cancelledSince(ctx, x, t, at)
	if err != nil {
		return err
	}
	if ok {
		if _, err := s.cancel(ctx, c); err != nil {
			return err
		}
		return errConsentGone
	}
	if err := s.settle(ctx, x, t, at); err != nil {
		return err
	}
	e.pullNow(ctx, t.ID)
	return nil
}

// consentedAt is when the corp consented, by the platform's clock. The redirect
// tells no time, so it counts by ours, and not before a cancel_auth that was here
// already when it came: that one ended the consent before.
func (s *Store) consentedAt(ctx context.Context, x claimed) (time.Time, error) {
	if x.Door != SiteDoor {
		return x.AuthorizedAt, nil
	}
	const q = `
SELECT GREATEST($3::timestamptz, max(COALESCE(event_time, date_trunc('second', received_at)))) FROM callback_events
WHERE suite_id = $1 AND info_type = 'cancel_auth' AND state <> 'ignored' AND received_at < $4
	AND corp_id IN (SELECT $2 UNION SELECT f.corp_id FROM tenant_corp_ids k JOIN tenant_corp_ids f USING (tenant_id)
		WHERE k.suite_id = $1 AND k.corp_id = $2)`
	var at time.Time
	if err := s.Pool.QueryRow(ctx, q, x.SuiteID, x.CorpID, x.AuthorizedAt, x.CreatedAt).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("when the corp consented: %w", err)
	}
	return at, nil
}

// cancelledSince finds a cancel_auth that is younger than a consent; of two in
// the same second the one that came later is.
func (s *Store) cancelledSince(ctx context.Context, x claimed, t tenant.Tenant, at time.Time) (cancelling, bool, error) {
	const q = `
SELECT id, corp_id, at FROM (
	SELECT id, corp_id, received_at, COALESCE(event_time, date_trunc('second', received_at)) AS at FROM callback_events
	WHERE suite_id = $1 AND info_type = 'cancel_auth' AND state <> 'ignored' AND corp_id = ANY($2)
) c
WHERE at > $3 OR at = $3 AND received_at > $4
ORDER BY at DESC LIMIT 1`
	c := cancelling{suite: x.SuiteID, batches: batchesBeforeAnswer}
	err := s.Pool.QueryRow(ctx, q, x.SuiteID, formsOf(t), at, x.CreatedAt).Scan(&c.event, &c.corp, &c.at)
	if errors.Is(err, pgx.ErrNoRows) {
		return cancelling{}, false, nil
	} else if err != nil {
		return cancelling{}, false, fmt.Errorf("look for cancel_auth: %w", err)
	}
	return c, true, nil
}

// settle puts the authorization in force and ends the exchange, both or neither.
// The tenant's row is held meanwhile: a cancel_auth waits, and then finds the
// authorization to delete. A consent that is older than the one in force, whose
// exchange took long, changes nothing.
func (s *Store) settle(ctx context.Context, x claimed, t tenant.Tenant, at time.Time) error {
	code, err := open(s.Ring, x.permanent, boundRow("exchanges", "permanent_code_sealed", x.ID))
	if err != nil {
		return err
	}
	sealed, err := seal(s.Ring, code, boundRow("authorizations", "permanent_code_sealed", t.ID))
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		const end = `
UPDATE exchanges SET state = 'done', tenant_id = $3, permanent_code_sealed = NULL, finished_at = now(), due_at = NULL,
	lease_owner = NULL, lease_until = NULL, last_errcode = NULL, last_error = ''
WHERE id = $1 AND lease_owner = $2 AND state = 'exchanged'`
		tag, err := tx.Exec(ctx, end, x.ID, x.lease, t.ID)
		if err != nil {
			return fmt.Errorf("end exchange: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return errLeaseLost
		}
		replaced, err := authorize(ctx, tx, t.ID, x.CorpID, sealed, at)
		if err != nil {
			return err
		}
		if replaced {
			action := audit.TenantAuthorize
			if x.Door == ResetDoor {
				action = audit.TenantResetCode
			}
			if err := logCode(ctx, tx, action, t.ID, x.SuiteID); err != nil {
				return err
			}
		}
		const done = `
UPDATE callback_events SET state = 'done', corp_id = $2, finished_at = now(), last_errcode = NULL, last_error = ''
WHERE exchange_id = $1`
		if _, err := tx.Exec(ctx, done, x.ID, x.CorpID); err != nil {
			return fmt.Errorf("end the exchange's events: %w", err)
		}
		return nil
	})
}

// authorize stores a code for a tenant that WeCom authorizes at this moment, or
// answers errConsentGone. It reports whether the code took the place of another one.
func authorize(ctx context.Context, tx pgx.Tx, id uuid.UUID, corp wecom.CorpID, code []byte, at time.Time) (replaced bool, err error) {
	var authorized bool
	err = tx.QueryRow(ctx, `SELECT authorized FROM tenants WHERE id = $1 FOR SHARE`, id).Scan(&authorized)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !authorized {
		return false, errConsentGone
	} else if err != nil {
		return false, fmt.Errorf("authorize: %w", err)
	}
	const q = `
INSERT INTO authorizations AS a (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at, info_due_at)
SELECT id, suite_id, $2, $3, $4, clock_timestamp() FROM tenants WHERE id = $1
ON CONFLICT (tenant_id) DO UPDATE SET corp_id = EXCLUDED.corp_id, permanent_code_sealed = EXCLUDED.permanent_code_sealed,
	authorized_at = EXCLUDED.authorized_at, version = a.version + 1, blocked_version = NULL,
	info_due_at = clock_timestamp(), info_attempts = 0, info_error = '', updated_at = now()
WHERE a.authorized_at <= EXCLUDED.authorized_at
RETURNING a.version > 1`
	err = tx.QueryRow(ctx, q, id, corp, code, at).Scan(&replaced)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) { // no row: a younger consent is in force
		return false, fmt.Errorf("authorize: %w", err)
	}
	return replaced, nil
}

// attemptEnd is how an attempt of an exchange ended that made no tenant.
type attemptEnd struct {
	state   ExchangeState
	wait    time.Duration // until the next one, unless the state is final
	unknown bool          // whether the code may be spent
	forget  bool          // the corp is gone, and what it left goes too
	why     error
}

// endAttempt writes it down, and with a final state ends the events that the exchange belongs to.
func (s *Store) endAttempt(ctx context.Context, x claimed, a attemptEnd) error {
	code, text := failure(a.why)
	const q = `
WITH ended AS (
	UPDATE exchanges SET state = $3, unknown_outcome = $4, last_errcode = $5, last_error = $6,
		due_at = CASE WHEN $7 THEN NULL ELSE now() + $8::interval END,
		finished_at = CASE WHEN $7 THEN now() END,
		code_sealed = CASE WHEN $7 THEN NULL ELSE code_sealed END,
		permanent_code_sealed = CASE WHEN $7 THEN NULL ELSE permanent_code_sealed END,
		corp_name = CASE WHEN $10 THEN '' ELSE corp_name END,
		lease_owner = NULL, lease_until = NULL
	WHERE id = $1 AND lease_owner = $2 AND state = $9
	RETURNING id, corp_id
)
UPDATE callback_events e SET state = 'failed', finished_at = now(), last_errcode = $5, last_error = $6,
	corp_id = CASE WHEN ended.corp_id = '' THEN e.corp_id ELSE ended.corp_id END,
	payload_sealed = CASE WHEN $10 THEN NULL ELSE payload_sealed END
FROM ended WHERE e.exchange_id = ended.id AND $7`
	if _, err := s.Pool.Exec(ctx, q, x.ID, x.lease, a.state, a.unknown, code, text, a.state.Final(), a.wait, x.State, a.forget); err != nil {
		return fmt.Errorf("write down the failure: %w", err)
	}
	return nil
}
