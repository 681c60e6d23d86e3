package webhook

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
)

// State is where a delivery is.
type State string

// The states.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Failed    State = "failed" // it is not tried again, unless by a replay
)

// outcome is what saving an attempt led to.
type outcome struct {
	state    State
	begins   bool   // it is the webhook's first failure since it worked
	disabled Reason // and now it is disabled
}

// word is the outcome for a metric.
func (o outcome) word() string {
	switch {
	case o.disabled != "":
		return "disabled"
	case o.state == Pending:
		return "retry"
	}
	return string(o.state)
}

// save writes an attempt down, moves its delivery on and gives it back, unless its
// lease was lost: then somebody else is at it, and this attempt is not counted.
func (s *Store) save(ctx context.Context, c claimed, a attempt) (outcome, error) {
	var wait time.Duration
	o := outcome{state: Delivered}
	if !a.delivered() {
		var again bool
		wait, again = nextStep(c.Step, a.retryAfter, rand.Float64()) //nolint:gosec // a jitter is no secret
		if o.state = Pending; a.final || !again || a.status == http.StatusGone {
			o.state = Failed
		}
	}
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		saved, err := saveAttempt(ctx, tx, c, a, o.state, wait)
		if err != nil || !saved || c.Type == string(TestType) { // a test says nothing about how a webhook fares
			return err
		}
		if a.delivered() {
			return works(ctx, tx, c.WebhookID, a.took >= slowAfter)
		}
		o.begins, o.disabled, err = fails(ctx, tx, c.WebhookID, a.status == http.StatusGone)
		if err != nil || o.disabled == "" {
			return err
		}
		return disable(ctx, tx, c.WebhookID, o.disabled)
	})
	if err != nil {
		return outcome{}, fmt.Errorf("save attempt: %w", err)
	}
	return o, nil
}

func saveAttempt(ctx context.Context, tx pgx.Tx, c claimed, a attempt, state State, wait time.Duration) (bool, error) {
	const q = `
WITH saved AS (
	UPDATE webhook_deliveries SET state = $3::text, attempts = attempts + 1, step = step + 1,
		due_at = CASE WHEN $3::text = 'pending' THEN now() + $4::interval END,
		finished_at = CASE WHEN $3::text <> 'pending' THEN now() END,
		last_status = $5, last_error = $6, lease_owner = NULL, lease_until = NULL
	WHERE id = $1 AND lease_owner = $2
	RETURNING id, attempts
)
INSERT INTO webhook_attempts (delivery_id, number, at, latency_ms, status, error, response)
SELECT id, attempts, now() - $7::interval, $8, $5, $6, $9 FROM saved`
	var status *int
	if a.status != 0 {
		status = &a.status
	}
	tag, err := tx.Exec(ctx, q, c.ID, c.owner, state, wait, status, a.err, a.took, a.took.Milliseconds(), a.response)
	return tag.RowsAffected() > 0, err
}

// works notes that a webhook works: what failed before is over. Of a row that says
// so already, once a minute.
func works(ctx context.Context, tx pgx.Tx, id uuid.UUID, slow bool) error {
	const q = `
UPDATE webhooks SET failing_since = NULL, failures = 0, slow = $2, last_success_at = now()
WHERE id = $1 AND (failing_since IS NOT NULL OR slow <> $2 OR last_success_at IS NULL OR last_success_at < now() - interval '1 minute')`
	_, err := tx.Exec(ctx, q, id, slow)
	return err
}

// fails notes that a webhook failed, and says whether that is to be its end.
func fails(ctx context.Context, tx pgx.Tx, id uuid.UUID, gone bool) (begins bool, end Reason, err error) {
	const q = `
UPDATE webhooks SET failing_since = COALESCE(failing_since, now()), failures = failures + 1, last_failure_at = now()
WHERE id = $1
RETURNING failures = 1, enabled, failing_since <= now() - $2::interval AND failures >= $3`
	var enabled, failing bool
	err = tx.QueryRow(ctx, q, id, disableAfter, disableFailures).Scan(&begins, &enabled, &failing)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, "", nil // deleted meanwhile
	case err != nil || !enabled:
		return begins, "", err
	case gone:
		return begins, Gone, nil
	case failing:
		return begins, Failing, nil
	}
	return begins, "", nil
}

// disable ends a webhook in the name of the service.
func disable(ctx context.Context, tx pgx.Tx, id uuid.UUID, why Reason) error {
	was, err := get(ctx, tx, id, " FOR NO KEY UPDATE")
	if err != nil {
		return err
	}
	is := was
	is.Enabled, is.DisabledReason = false, why
	if _, err := update(ctx, tx, was, is); err != nil {
		return err
	}
	return audit.Want(ctx, tx, wanted)
}

// giveBack ends the lease of a delivery that nobody answered because the process stops.
func (s *Store) giveBack(ctx context.Context, c claimed) error {
	const q = `UPDATE webhook_deliveries SET lease_owner = NULL, lease_until = NULL WHERE id = $1 AND lease_owner = $2`
	if _, err := s.Pool.Exec(ctx, q, c.ID, c.owner); err != nil {
		return fmt.Errorf("give back a delivery: %w", err)
	}
	return nil
}
