DROP TABLE page_reports;
ALTER TABLE refreshes DROP COLUMN refetch, DROP COLUMN refetch_after;
ALTER TABLE credentials DROP COLUMN previous_sealed, DROP COLUMN previous_refreshed_at, DROP COLUMN previous_expires_at;
