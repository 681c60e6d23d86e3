package suite

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"suitesign/secret"
	"suitesign/wecom"
)

// ErrNotRetryable is returned for an event whose work is done, was never there,
// or cannot be done any more.
var ErrNotRetryable = errors.New("nothing to do again for this event")

// Retry makes the work that an event asked for due now. An auth_code can be
// exchanged for ten minutes only; after that the corp has to authorize again.
// ErrNotFound, ErrNotRetryable.
func (s *Store) Retry(ctx context.Context, id uuid.UUID) error {
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		var e retried
		const q = `
SELECT e.suite_id, e.info_type, e.corp_id, e.state, e.exchange_id, e.payload_sealed, c.tenant_id
FROM callback_events e LEFT JOIN tenant_corp_ids c ON c.suite_id = e.suite_id AND c.corp_id = e.corp_id WHERE e.id = $1`
		if err := tx.QueryRow(ctx, q, id).Scan(&e.suite, &e.infoType, &e.corp, &e.state, &e.exchange, &e.payload, &e.tenant); err != nil {
			return fromDriver(err)
		}
		e.id = id
		if err := s.retry(ctx, tx, e); err != nil {
			return err
		}
		return logRetry(ctx, tx, e)
	})
	if err != nil {
		return fmt.Errorf("event %s: %w", id, err)
	}
	return nil
}

type retried struct {
	id       uuid.UUID
	suite    wecom.SuiteID
	infoType string
	corp     wecom.CorpID
	state    EventState
	exchange *uuid.UUID
	payload  []byte
	tenant   *uuid.UUID // whom the corp_id names, if anybody
}

func (s *Store) retry(ctx context.Context, tx pgx.Tx, e retried) error {
	switch {
	case e.state == eventIgnored:
		return ErrNotRetryable
	case e.exchange != nil && e.state == eventPending:
		return oneRow(tx.Exec(ctx, `UPDATE exchanges SET due_at = now() WHERE id = $1 AND state IN ('pending', 'exchanged')`, e.exchange))
	case e.exchange != nil && e.state == eventFailed:
		return s.reopen(ctx, tx, e)
	case e.infoType == infoChangeAuth:
		const q = `
UPDATE authorizations a SET info_due_at = clock_timestamp(), info_attempts = 0
FROM tenant_corp_ids c WHERE c.suite_id = $1 AND c.corp_id = $2 AND a.tenant_id = c.tenant_id`
		return oneRow(tx.Exec(ctx, q, e.suite, e.corp))
	case e.infoType == infoCancelAuth:
		const q = `UPDATE callback_events SET state = 'pending', due_at = now() WHERE id = $1`
		return oneRow(tx.Exec(ctx, q, e.id))
	}
	return ErrNotRetryable
}

// reopen gives an exchange that came to nothing another try, with the code that
// the event brought.
func (s *Store) reopen(ctx context.Context, tx pgx.Tx, e retried) error {
	message, err := open(s.Ring, e.payload, boundRow("callback_events", "payload_sealed", e.id))
	if err != nil {
		return err
	}
	event, err := wecom.ParseEvent([]byte(message.Reveal()))
	if err != nil || event.AuthCode.IsZero() {
		return ErrNotRetryable
	}
	sealed, err := s.sealCode(*e.exchange, event.AuthCode)
	if err != nil {
		return err
	}
	const again = `
UPDATE exchanges SET state = 'pending', code_sealed = $2, due_at = now(), finished_at = NULL
WHERE id = $1 AND state IN ('failed', 'needs_reauthorization') AND corp_id = '' AND created_at > now() - $3::interval`
	if err := oneRow(tx.Exec(ctx, again, e.exchange, sealed, codeLives)); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE callback_events SET state = 'pending', finished_at = NULL WHERE id = $1`, e.id)
	return err
}

func (s *Store) sealCode(exchange uuid.UUID, code secret.String) ([]byte, error) {
	return seal(s.Ring, code, boundRow("exchanges", "code_sealed", exchange))
}

// oneRow turns the outcome of a statement that must change a row into an error if it did not.
func oneRow(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.RowsAffected() == 0 {
		return ErrNotRetryable
	}
	return err
}
