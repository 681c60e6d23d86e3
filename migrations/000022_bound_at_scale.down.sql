ALTER POLICY page_reports_bound ON page_reports
    USING (reaches_all() OR EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id));
ALTER POLICY suite_domains_bound_reads ON suite_domains
    USING (EXISTS (SELECT FROM tenants t WHERE t.suite_id = suite_domains.suite_id));
ALTER POLICY suites_bound_reads ON suites
    USING (EXISTS (SELECT FROM tenants t WHERE t.suite_id = suites.suite_id));
ALTER POLICY callback_events_bound ON callback_events
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids())
        OR (suite_id, corp_id) IN (SELECT c.suite_id, c.corp_id FROM tenant_corp_ids c));
