-- Rooms tenant and suite: the orders of the admin API's lists, each from an index, for every
-- filter that the order is allowed with (web/api/openapi.yaml names the pairs).
CREATE INDEX tenants_by_suite ON tenants (suite_id, id);
CREATE INDEX tenants_by_status ON tenants (status, id);
CREATE INDEX tenants_by_health ON tenants (health, id);
CREATE INDEX tenants_by_name ON tenants ((lower(name) COLLATE "C"), id);
CREATE INDEX tenants_by_suite_and_name ON tenants (suite_id, (lower(name) COLLATE "C"), id);
CREATE INDEX tenants_by_suite_and_update ON tenants (suite_id, updated_at, id);
CREATE INDEX tenants_by_update ON tenants (updated_at, id);
DROP INDEX tenants_updated_at; -- tenants_by_update does its work
CREATE INDEX callback_events_by_suite ON callback_events (suite_id, received_at, id);
CREATE INDEX callback_events_by_corp ON callback_events (corp_id, received_at, id) WHERE corp_id <> '';
