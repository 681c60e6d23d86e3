-- What an API key that is bound to suites or tenants sees and writes, whatever a
-- query forgets. Its requests take the role suitesign_bound and say in two settings
-- what it is bound to (package reach). For every other role nothing changes: the
-- policies let it pass, and the owner of the tables does not even ask them.
--
-- Every table with a suite_id or tenant_id needs a policy (a test holds that). One
-- that bound requests have no business with gets this one, and no grant:
--   ALTER TABLE t ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY t_bound ON t USING (reaches_all());
-- What the role may do at all is granted in migrations/bound.go.
CREATE FUNCTION reaches_all() RETURNS boolean LANGUAGE sql STABLE
    RETURN current_user <> 'suitesign_bound';
-- A setting that was never made, and one that is empty again, is NULL and reaches nothing.
CREATE FUNCTION reached_suite_ids() RETURNS text[] LANGUAGE sql STABLE
    RETURN NULLIF(current_setting('suitesign.suite_ids', true), '')::text[];
CREATE FUNCTION reached_tenant_ids() RETURNS uuid[] LANGUAGE sql STABLE
    RETURN NULLIF(current_setting('suitesign.tenant_ids', true), '')::uuid[];

-- A suite reaches its tenants.
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants_bound ON tenants
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids()) OR id = ANY (reached_tenant_ids()));

-- What belongs to a tenant. A query of a policy is under the policies itself: it finds the tenants that are reached.
ALTER TABLE agents ENABLE ROW LEVEL SECURITY;
CREATE POLICY agents_bound ON agents
    USING (reaches_all() OR EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id));
ALTER TABLE tenant_domains ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_domains_bound ON tenant_domains
    USING (reaches_all() OR EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id));
ALTER TABLE credentials ENABLE ROW LEVEL SECURITY;
CREATE POLICY credentials_bound ON credentials
    USING (reaches_all() OR EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id));

-- Those that name the suite as well must name the right one, or a tenant could be known under a foreign suite.
ALTER TABLE tenant_corp_ids ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_corp_ids_bound ON tenant_corp_ids
    USING (reaches_all() OR EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id AND t.suite_id = tenant_corp_ids.suite_id));
ALTER TABLE authorizations ENABLE ROW LEVEL SECURITY;
CREATE POLICY authorizations_bound ON authorizations
    USING (reaches_all() OR EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id AND t.suite_id = authorizations.suite_id));
ALTER TABLE refreshes ENABLE ROW LEVEL SECURITY;
CREATE POLICY refreshes_bound ON refreshes
    USING (reaches_all() OR EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id AND t.suite_id = refreshes.suite_id));

-- A suite, and what of it concerns each of its tenants: that one is read by a tenant's key, too, and never written.
ALTER TABLE suites ENABLE ROW LEVEL SECURITY;
CREATE POLICY suites_bound ON suites
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids()));
CREATE POLICY suites_bound_reads ON suites FOR SELECT
    USING (EXISTS (SELECT FROM tenants t WHERE t.suite_id = suites.suite_id));
ALTER TABLE suite_domains ENABLE ROW LEVEL SECURITY;
CREATE POLICY suite_domains_bound ON suite_domains
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids()));
CREATE POLICY suite_domains_bound_reads ON suite_domains FOR SELECT
    USING (EXISTS (SELECT FROM tenants t WHERE t.suite_id = suite_domains.suite_id));
ALTER TABLE suite_tickets ENABLE ROW LEVEL SECURITY;
CREATE POLICY suite_tickets_bound ON suite_tickets
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids()));
ALTER TABLE suite_tokens ENABLE ROW LEVEL SECURITY;
CREATE POLICY suite_tokens_bound ON suite_tokens
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids()));
ALTER TABLE callback_counts ENABLE ROW LEVEL SECURITY;
CREATE POLICY callback_counts_bound ON callback_counts
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids()));
ALTER TABLE install_states ENABLE ROW LEVEL SECURITY;
CREATE POLICY install_states_bound ON install_states
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids()));

-- A callback belongs to the tenant whose corp it names, in any form of its id.
ALTER TABLE callback_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY callback_events_bound ON callback_events
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids())
        OR (suite_id, corp_id) IN (SELECT c.suite_id, c.corp_id FROM tenant_corp_ids c));
ALTER TABLE exchanges ENABLE ROW LEVEL SECURITY;
CREATE POLICY exchanges_bound ON exchanges
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids())
        OR EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id AND t.suite_id = exchanges.suite_id));

-- A bound key sees keys that reach no further than itself, and makes no other.
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY api_keys_bound ON api_keys
    USING (reaches_all() OR (cardinality(suite_ids) + cardinality(tenant_ids) > 0
        AND suite_ids <@ COALESCE(reached_suite_ids(), '{}')
        AND NOT EXISTS (SELECT FROM unnest(tenant_ids) AS b (id)
            WHERE b.id <> ALL (COALESCE(reached_tenant_ids(), '{}')) AND NOT EXISTS (SELECT FROM tenants t WHERE t.id = b.id))));

-- What was changed is written down in the change's own transaction, about what is
-- reached, or about a key, which belongs to no tenant.
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_log_bound ON audit_log
    USING (reaches_all() OR suite_id = ANY (reached_suite_ids()) OR tenant_id = ANY (reached_tenant_ids()));
CREATE POLICY audit_log_bound_keys ON audit_log FOR INSERT WITH CHECK (target_kind = 'api_key');

-- Room changes: whoever changes something tells the replicas. It is done with the owner's
-- rights, so that the role needs none on what others told.
CREATE FUNCTION append_change(topic text, key text) RETURNS void LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC
    WITH appended AS (
        INSERT INTO changes (topic, key) VALUES ($1, $2) RETURNING changes.id, changes.topic, changes.key
    )
    SELECT pg_notify('suitesign_changes', json_build_object('id', a.id, 'topic', a.topic, 'key', a.key)::text) FROM appended a;
END;

-- What pages reported of a tenant.
ALTER TABLE page_reports ENABLE ROW LEVEL SECURITY;
CREATE POLICY page_reports_bound ON page_reports
    USING (reaches_all() OR EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id));
