package suite

import (
	"context"
	"fmt"
)

// Removed is what housekeeping removed.
type Removed struct {
	Events    int64 // counted on in callback_counts
	Exchanges int64
	States    int64 // of install pages
}

// housekeepingBatch bounds one statement of the housekeeping.
const housekeepingBatch = 2000

// housekeeping removes what is too old, in batches: callbacks, which live on in
// callback_counts, exchanges that have ended, and states of install pages. What is
// still to be done is never too old. Several at once share the work.
func (s *Store) housekeeping(ctx context.Context) (Removed, error) {
	const events = `
WITH old AS MATERIALIZED (
	SELECT id FROM callback_events
	WHERE received_at < now() - interval '24 hours' AND state <> 'pending'
		AND (info_type <> ALL($1) OR received_at < now() - interval '35 days')
	ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED
),
gone AS (
	DELETE FROM callback_events e USING old WHERE e.id = old.id
	RETURNING e.suite_id, e.info_type, (e.received_at AT TIME ZONE 'UTC')::date AS day
),
counted AS (
	INSERT INTO callback_counts AS c (suite_id, info_type, day, events)
	SELECT suite_id, info_type, day, count(*) FROM gone GROUP BY suite_id, info_type, day ORDER BY suite_id, info_type, day
	ON CONFLICT (suite_id, info_type, day) DO UPDATE SET events = c.events + EXCLUDED.events
)
SELECT FROM gone`
	const exchanges = `
WITH old AS MATERIALIZED (
	SELECT id FROM exchanges WHERE finished_at < now() - interval '35 days' LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM exchanges x USING old WHERE x.id = old.id`
	const states = `
WITH old AS MATERIALIZED (
	SELECT state_digest FROM install_states WHERE expires_at < now() - interval '1 day' LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM install_states i USING old WHERE i.state_digest = old.state_digest`
	var out Removed
	for _, job := range []struct {
		n    *int64
		q    string
		args []any
	}{
		{&out.Events, events, []any{authorizationEvents, housekeepingBatch}},
		{&out.Exchanges, exchanges, []any{housekeepingBatch}},
		{&out.States, states, []any{housekeepingBatch}},
	} {
		for {
			tag, err := s.Pool.Exec(ctx, job.q, job.args...)
			if err != nil {
				return out, fmt.Errorf("housekeeping: %w", err)
			}
			*job.n += tag.RowsAffected()
			if tag.RowsAffected() < housekeepingBatch {
				break
			}
		}
	}
	return out, nil
}
