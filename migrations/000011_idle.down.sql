DROP INDEX refreshes_idle;
ALTER TABLE refreshes DROP COLUMN used_at;
-- Who was idle is back in the schedule.
UPDATE refreshes SET due_at = now() WHERE due_at = 'infinity' AND parked_reason = '';
