-- Room ticket: when a page last asked for a tenant's signature. Who has not been
-- asked for in refresh.idle_after has no place in the schedule until somebody asks:
-- due_at 'infinity' without a parked_reason.

-- Whoever is here already counts as used now; so does who is new.
ALTER TABLE refreshes ADD COLUMN used_at timestamptz NOT NULL DEFAULT now();
-- used_at stands in no index: to remember a use changes one row in its place.
CREATE INDEX refreshes_idle ON refreshes (suite_id) WHERE due_at = 'infinity' AND parked_reason = '';
