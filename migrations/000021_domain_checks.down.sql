ALTER TABLE tenant_domains DROP COLUMN check_begun_at, DROP COLUMN check_result;
ALTER TABLE suite_domains DROP COLUMN check_begun_at, DROP COLUMN check_result;
