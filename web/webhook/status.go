package webhook

import (
	"context"
	"fmt"
	"time"
)

// Status is how all webhooks fare together.
type Status struct {
	Enabled  int
	Failing  int // of the enabled ones
	Disabled int // by an admin
	Ended    int // by the service: they failed for five days, or are gone
	Behind   time.Duration
}

// Status tells how webhooks fare. Behind is how long the oldest delivery has been due.
func (s *Store) Status(ctx context.Context) (Status, error) {
	const q = `
SELECT count(*) FILTER (WHERE enabled), count(*) FILTER (WHERE enabled AND failing_since IS NOT NULL),
	count(*) FILTER (WHERE disabled_reason = 'admin'), count(*) FILTER (WHERE disabled_reason IN ('failing', 'gone')),
	COALESCE(GREATEST(now() - min(first.due_at), interval '0'), interval '0')
FROM webhooks w LEFT JOIN LATERAL (
	SELECT due_at FROM webhook_deliveries d WHERE w.enabled AND d.webhook_id = w.id AND d.state = 'pending' ORDER BY due_at LIMIT 1
) first ON true`
	var out Status
	if err := s.Pool.QueryRow(ctx, q).Scan(&out.Enabled, &out.Failing, &out.Disabled, &out.Ended, &out.Behind); err != nil {
		return Status{}, fmt.Errorf("status of webhooks: %w", err)
	}
	return out, nil
}

// Undelivered counts the events that wait: to be handed on, and to be delivered.
func (s *Store) Undelivered(ctx context.Context) (n int64, err error) {
	const q = `SELECT (SELECT count(*) FROM webhook_deliveries WHERE state = 'pending') + (SELECT count(*) FROM outbox)`
	if err := s.Pool.QueryRow(ctx, q).Scan(&n); err != nil {
		return 0, fmt.Errorf("count undelivered events: %w", err)
	}
	return n, nil
}
