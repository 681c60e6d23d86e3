-- Room audit: who changed what. Written in the transaction of the change, never
-- altered. It names things and does not refer to them: an entry outlives its target.
CREATE TABLE audit_log (
    id          uuid        NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind  text        NOT NULL,
    -- actor is the API key's name, the operating system's user, or the kind's own name.
    actor       text        NOT NULL COLLATE "C",
    api_key_id  uuid,
    ip          text        NOT NULL DEFAULT '' COLLATE "C",
    request_id  text        NOT NULL DEFAULT '' COLLATE "C",
    action      text        NOT NULL COLLATE "C",
    target_kind text        NOT NULL COLLATE "C",
    target_id   text        NOT NULL COLLATE "C",
    suite_id    text        NOT NULL DEFAULT '' COLLATE "C",
    tenant_id   uuid,
    -- before and after hold the fields that differ; NULL: there is no such side.
    before      jsonb,
    after       jsonb,
    CONSTRAINT audit_log_pkey PRIMARY KEY (id),
    CONSTRAINT audit_log_actor_kind_is_known CHECK (actor_kind IN ('api_key', 'bootstrap', 'cli', 'wecom', 'system'))
);
CREATE INDEX audit_log_at ON audit_log (at DESC, id DESC);
CREATE INDEX audit_log_actor ON audit_log (actor, at DESC, id DESC);
CREATE INDEX audit_log_api_key ON audit_log (api_key_id, at DESC, id DESC) WHERE api_key_id IS NOT NULL;
CREATE INDEX audit_log_action ON audit_log (action, at DESC, id DESC);
CREATE INDEX audit_log_target ON audit_log (target_kind, target_id, at DESC, id DESC);
CREATE INDEX audit_log_target_id ON audit_log (target_id, at DESC, id DESC);
CREATE INDEX audit_log_suite ON audit_log (suite_id, at DESC, id DESC) WHERE suite_id <> '';
CREATE INDEX audit_log_tenant ON audit_log (tenant_id, at DESC, id DESC) WHERE tenant_id IS NOT NULL;

-- What is removed by age says up to when; nothing younger than 30 days goes.
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        -- No cutoff is no permission: the comparison is NULL then.
        IF OLD.at < NULLIF(current_setting('suitesign.audit_prune_before', true), '')::timestamptz
            AND OLD.at < now() - interval '30 days' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_rows_stay BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_stays BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
