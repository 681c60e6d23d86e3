-- Room tenant: what was found when a domain was last looked at from outside, and
-- when somebody last began to: it calls others, so not more often than so.
ALTER TABLE tenant_domains
    ADD COLUMN check_begun_at timestamptz,
    ADD COLUMN check_result   jsonb;
ALTER TABLE suite_domains
    ADD COLUMN check_begun_at timestamptz,
    ADD COLUMN check_result   jsonb;
