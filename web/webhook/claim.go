package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/secret"
)

// handOnSQL takes events out of the outbox and makes a delivery of each for every
// webhook that listens to it. The body is made here, once: every attempt sends
// the same bytes.
var handOnSQL = `WITH ` + audit.TakeSQL("$1") + `,
made AS (
	INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, suite_id, tenant_id, occurred_at, due_at, payload)
	SELECT w.id, t.id, t.type, t.suite_id, t.tenant_id, t.at, now(), ` + body("t.type", "t.at", "t.data") + `
	FROM taken t JOIN webhooks w ON w.enabled AND t.type = ANY (w.events)
		AND (w.suite_ids = '{}' OR t.suite_id = ANY (w.suite_ids))
		AND (w.tenant_ids = '{}' OR t.tenant_id = ANY (w.tenant_ids))
	RETURNING 1
)
SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM made)`

// body is the payload as Standard Webhooks recommends it: type, timestamp, data.
func body(kind, at, data string) string {
	return `jsonb_build_object('type', ` + kind + `, 'timestamp',
	to_char(` + at + ` AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'data', ` + data + `)::text`
}

// handOn empties the outbox, a batch at a time, and says how many deliveries that made.
func (s *Store) handOn(ctx context.Context) (deliveries int, err error) {
	for {
		var taken, made int
		if err := s.Pool.QueryRow(ctx, handOnSQL, handOnBatch).Scan(&taken, &made); err != nil {
			return deliveries, fmt.Errorf("hand events on: %w", err)
		}
		deliveries += made
		if taken < handOnBatch {
			return deliveries, nil
		}
	}
}

const claimedColumns = `d.id, d.webhook_id, d.event_id, d.event_type, d.payload, d.step, w.url, w.secret_sealed,
	CASE WHEN w.previous_until > now() THEN w.previous_secret_sealed END`

// claim leases up to limit deliveries that are due, for one webhook no more than
// so many at a time. What is leased already counts, by whomever; two who claim at
// the same moment do not see each other, so it is about so many.
func (s *Store) claim(ctx context.Context, l lane, per, limit int, lease time.Duration) ([]claimed, error) {
	const q = `
WITH busy AS (
	SELECT webhook_id, count(*) AS n FROM webhook_deliveries WHERE lease_until > now() GROUP BY webhook_id
),
due AS MATERIALIZED (
	SELECT d.id FROM webhooks w LEFT JOIN busy b ON b.webhook_id = w.id CROSS JOIN LATERAL (
		SELECT id FROM webhook_deliveries
		WHERE webhook_id = w.id AND state = 'pending' AND due_at <= now() AND (lease_until IS NULL OR lease_until <= now())
		ORDER BY due_at LIMIT GREATEST(0, $1::bigint - COALESCE(b.n, 0))
		FOR UPDATE SKIP LOCKED
	) d
	WHERE w.enabled AND (w.slow OR w.failing_since IS NOT NULL) = $2
	LIMIT $3
)
UPDATE webhook_deliveries d SET lease_owner = $4, lease_until = now() + $5::interval
FROM due, webhooks w WHERE d.id = due.id AND w.id = d.webhook_id
RETURNING ` + claimedColumns
	owner := uuid.New()
	rows, err := s.Pool.Query(ctx, q, per, bool(l), limit, owner, lease)
	if err != nil {
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (claimed, error) { return s.scanClaimed(row, owner) })
	if err != nil {
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	return list, nil
}

func (s *Store) scanClaimed(row pgx.CollectableRow, owner uuid.UUID) (claimed, error) {
	c := claimed{owner: owner}
	var sealed, previous []byte
	if err := row.Scan(&c.ID, &c.WebhookID, &c.EventID, &c.Type, &c.Payload, &c.Step, &c.URL, &sealed, &previous); err != nil {
		return c, err
	}
	var current, before secret.String
	current, c.fault = s.Ring.Open(sealed, bound("secret_sealed", c.WebhookID))
	c.secrets = []secret.String{current}
	if previous != nil && c.fault == nil {
		before, c.fault = s.Ring.Open(previous, bound("previous_secret_sealed", c.WebhookID))
		c.secrets = append(c.secrets, before)
	}
	return c, nil
}

// beginTest makes a delivery that nobody else will claim, under our lease.
func (s *Store) beginTest(ctx context.Context, id uuid.UUID, lease time.Duration) (claimed, error) {
	q := `
WITH w AS (SELECT id, url, secret_sealed, previous_until, previous_secret_sealed FROM webhooks WHERE id = $1),
d AS (
	INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, suite_id, occurred_at, due_at, lease_owner, lease_until, payload)
	SELECT w.id, gen_random_uuid(), $2::text, '', now(), 'infinity', $3, now() + $4::interval, ` +
		body("$2::text", "now()", "jsonb_build_object('webhook_id', w.id)") + `
	FROM w
	RETURNING id, webhook_id, event_id, event_type, payload, step
)
SELECT ` + claimedColumns + ` FROM d JOIN w ON w.id = d.webhook_id`
	owner := uuid.New()
	var c claimed
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, q, id, TestType, owner, lease)
		if err != nil {
			return err
		}
		c, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (claimed, error) { return s.scanClaimed(row, owner) })
		if err != nil {
			return notFound(err, ErrNotFound)
		}
		return audit.Append(ctx, tx, audit.Entry{Action: audit.WebhookTest, TargetID: id.String()})
	})
	return c, err
}
