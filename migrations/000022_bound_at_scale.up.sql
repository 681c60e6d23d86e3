-- What row_security says, said so that a bound key's request costs what it asks for
-- and not what is stored. Each of these policies began from all tenants that are
-- reached; to find one tenant in a million that way, all are read.
-- A callback of a suite that is reached is its own already; what is left are the
-- corps of single tenants.
ALTER POLICY callback_events_bound ON callback_events
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids())
        OR (suite_id, corp_id) IN (SELECT c.suite_id, c.corp_id FROM tenant_corp_ids c WHERE c.tenant_id = ANY (reached_tenant_ids())));
ALTER POLICY suites_bound_reads ON suites
    USING (suite_id IN (SELECT t.suite_id FROM tenants t WHERE t.id = ANY (reached_tenant_ids())));
ALTER POLICY suite_domains_bound_reads ON suite_domains
    USING (suite_id IN (SELECT t.suite_id FROM tenants t WHERE t.id = ANY (reached_tenant_ids())));
-- Not EXISTS, which the planner may answer with a hash of all tenants that are reached.
ALTER POLICY page_reports_bound ON page_reports
    USING (reaches_all() OR (SELECT true FROM tenants t WHERE t.id = tenant_id));
