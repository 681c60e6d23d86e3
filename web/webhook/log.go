package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
)

// Delivery is one event for one webhook, and how far it got.
type Delivery struct {
	ID         uuid.UUID
	WebhookID  uuid.UUID
	EventID    uuid.UUID // the webhook-id that the receiver sees
	EventType  string
	SuiteID    string
	TenantID   *uuid.UUID
	Payload    string
	OccurredAt time.Time
	State      State
	Attempts   int
	NextAt     *time.Time // nil: it is not tried again by itself
	LastStatus *int
	LastError  string
	CreatedAt  time.Time
	FinishedAt *time.Time
}

// Attempt is one call of a delivery.
type Attempt struct {
	Number   int
	At       time.Time
	Latency  time.Duration
	Status   *int // nil: no answer
	Error    string
	Response string // how the answer began
}

// DeliveryFilter narrows a list; zero values do not.
type DeliveryFilter struct {
	State     State
	EventType string
}

// DeliveryCursor is the last delivery of a page; the zero value comes before the first.
type DeliveryCursor struct {
	CreatedAt time.Time
	ID        uuid.UUID
}

// What a test left behind, of a process that died with it, is never due.
const deliveryColumns = `id, webhook_id, event_id, event_type, suite_id, tenant_id, payload, occurred_at, state, attempts,
	CASE WHEN due_at < 'infinity' THEN due_at END, last_status, last_error, created_at, finished_at`

// Deliveries lists a webhook's deliveries, the newest first. ErrNotFound.
func (s *Store) Deliveries(ctx context.Context, id uuid.UUID, f DeliveryFilter, after DeliveryCursor, limit int) ([]Delivery, error) {
	if _, err := s.Get(ctx, id); err != nil {
		return nil, err
	}
	const q = `SELECT ` + deliveryColumns + ` FROM webhook_deliveries
WHERE webhook_id = $1 AND ($2 = '' OR state = $2) AND ($3 = '' OR event_type = $3)
	AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5))
ORDER BY created_at DESC, id DESC LIMIT $6`
	var before *time.Time
	if !after.CreatedAt.IsZero() {
		before = &after.CreatedAt
	}
	rows, err := s.Pool.Query(ctx, q, id, f.State, f.EventType, before, after.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("deliveries of webhook %s: %w", id, err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Delivery])
	if err != nil {
		return nil, fmt.Errorf("deliveries of webhook %s: %w", id, err)
	}
	return out, nil
}

// Delivery finds one. ErrDeliveryNotFound.
func (s *Store) Delivery(ctx context.Context, webhook, id uuid.UUID) (Delivery, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+deliveryColumns+` FROM webhook_deliveries WHERE id = $1 AND webhook_id = $2`, id, webhook)
	if err != nil {
		return Delivery{}, fmt.Errorf("delivery %s: %w", id, err)
	}
	out, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Delivery])
	if err != nil {
		return Delivery{}, fmt.Errorf("delivery %s: %w", id, notFound(err, ErrDeliveryNotFound))
	}
	return out, nil
}

// maxAttempts is how many attempts of one delivery are shown, the latest.
const maxAttempts = 100

// Attempts are those of a delivery, the first one first.
func (s *Store) Attempts(ctx context.Context, delivery uuid.UUID) ([]Attempt, error) {
	const q = `
SELECT number, at, latency_ms * interval '1 millisecond', status, error, response FROM (
	SELECT * FROM webhook_attempts WHERE delivery_id = $1 ORDER BY number DESC LIMIT $2
) latest ORDER BY number`
	rows, err := s.Pool.Query(ctx, q, delivery, maxAttempts)
	if err != nil {
		return nil, fmt.Errorf("attempts of delivery %s: %w", delivery, err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Attempt])
	if err != nil {
		return nil, fmt.Errorf("attempts of delivery %s: %w", delivery, err)
	}
	return out, nil
}

// Replay makes a delivery due now, whatever became of it, and begins the ladder
// anew. The receiver sees the same webhook-id. ErrNotFound, ErrDeliveryNotFound, ErrDisabled.
func (s *Store) Replay(ctx context.Context, webhook, id uuid.UUID) (Delivery, error) {
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		w, err := get(ctx, tx, webhook, " FOR KEY SHARE")
		if err != nil {
			return err
		}
		if !w.Enabled {
			return ErrDisabled
		}
		// Where it is being sent at this moment, that is the replay.
		const q = `
UPDATE webhook_deliveries SET state = 'pending', due_at = now(), step = 0, finished_at = NULL
WHERE id = $1 AND webhook_id = $2`
		tag, err := tx.Exec(ctx, q, id, webhook)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrDeliveryNotFound
		}
		return audit.Append(ctx, tx, audit.Entry{Action: audit.WebhookReplay, TargetID: webhook.String(), After: audit.Fields{"delivery_id": id}})
	})
	if err != nil {
		return Delivery{}, fmt.Errorf("replay delivery %s: %w", id, err)
	}
	return s.Delivery(ctx, webhook, id)
}

const (
	keep              = 14 * 24 * time.Hour // deliveries with their attempts
	housekeepingBatch = 2000
)

// housekeeping removes deliveries by age, in batches: those of a webhook that was
// never switched on again, too.
func (s *Store) housekeeping(ctx context.Context) (removed int64, err error) {
	const q = `
WITH old AS MATERIALIZED (
	SELECT id FROM webhook_deliveries WHERE created_at < now() - $1::interval ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM webhook_deliveries d USING old WHERE d.id = old.id`
	for {
		tag, err := s.Pool.Exec(ctx, q, keep, housekeepingBatch)
		if err != nil {
			return removed, fmt.Errorf("remove old deliveries: %w", err)
		}
		removed += tag.RowsAffected()
		if tag.RowsAffected() < housekeepingBatch {
			return removed, nil
		}
	}
}

func notFound(err, as error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return as
	}
	return err
}
