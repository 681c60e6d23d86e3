-- The schema in one piece, for reading. Made by: go test ./migrations -run SchemaFile -update

CREATE TABLE changes (
    id bigint NOT NULL,
    topic text NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE FUNCTION append_change(topic text, key text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    BEGIN ATOMIC
 WITH appended AS (
          INSERT INTO changes (topic, key)
           VALUES (append_change.topic, append_change.key)
           RETURNING changes.id,
             changes.topic,
             changes.key
         )
  SELECT pg_notify('suitesign_changes'::text, (json_build_object('id', a.id, 'topic', a.topic, 'key', a.key))::text) AS pg_notify
    FROM appended a;
END;

CREATE FUNCTION audit_log_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
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

CREATE TABLE outbox (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    suite_id text NOT NULL COLLATE pg_catalog."C",
    tenant_id uuid,
    data jsonb NOT NULL
);

CREATE TABLE outbox_wanted (
    type text NOT NULL COLLATE pg_catalog."C"
);

CREATE FUNCTION emit_event(type text, suite_id text, tenant_id uuid, data jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    BEGIN ATOMIC
 INSERT INTO outbox (type, suite_id, tenant_id, data)  SELECT emit_event.type,
             emit_event.suite_id,
             emit_event.tenant_id,
             jsonb_strip_nulls(emit_event.data) AS jsonb_strip_nulls
           WHERE (emit_event.type IN ( SELECT w.type
                    FROM outbox_wanted w));
END;

CREATE TABLE keysets (
    id smallint DEFAULT 1 NOT NULL,
    wrapped bytea NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    retired bytea[] DEFAULT '{}'::bytea[] NOT NULL,
    CONSTRAINT keysets_is_one CHECK ((id = 1))
);

CREATE FUNCTION is_sealed_with_retired_key(sealed bytea) RETURNS boolean
    LANGUAGE sql STRICT SECURITY DEFINER
    BEGIN ATOMIC
 SELECT (EXISTS ( SELECT
            FROM keysets k
           WHERE (SUBSTRING(is_sealed_with_retired_key.sealed FROM 2 FOR 4) = ANY (k.retired)))) AS "exists";
END;

CREATE FUNCTION reached_suite_ids() RETURNS text[]
    LANGUAGE sql STABLE
    RETURN (NULLIF(current_setting('suitesign.suite_ids'::text, true), ''::text))::text[];

CREATE FUNCTION reached_tenant_ids() RETURNS uuid[]
    LANGUAGE sql STABLE
    RETURN (NULLIF(current_setting('suitesign.tenant_ids'::text, true), ''::text))::uuid[];

CREATE FUNCTION reaches_all() RETURNS boolean
    LANGUAGE sql STABLE
    RETURN (CURRENT_USER <> 'suitesign_bound'::name);

CREATE FUNCTION refuse_retired_key() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
    RAISE EXCEPTION 'a value for % is sealed with a key that was retired: whoever sealed it has not read the keyset again yet', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_with_a_kept_key', TABLE = TG_TABLE_NAME;
END
$$;

CREATE TABLE agents (
    tenant_id uuid NOT NULL,
    agent_id bigint NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    auth_mode smallint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT agents_id_is_positive CHECK ((agent_id > 0))
);

CREATE TABLE api_keys (
    id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL COLLATE pg_catalog."C",
    hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    scopes text[] DEFAULT '{*}'::text[] NOT NULL,
    suite_ids text[] DEFAULT '{}'::text[] NOT NULL COLLATE pg_catalog."C",
    tenant_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    replaces uuid,
    version bigint DEFAULT 1 NOT NULL
);

CREATE TABLE audit_log (
    id uuid NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor_kind text NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    api_key_id uuid,
    ip text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    request_id text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    action text NOT NULL COLLATE pg_catalog."C",
    target_kind text NOT NULL COLLATE pg_catalog."C",
    target_id text NOT NULL COLLATE pg_catalog."C",
    suite_id text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    tenant_id uuid,
    before jsonb,
    after jsonb,
    CONSTRAINT audit_log_actor_kind_is_known CHECK ((actor_kind = ANY (ARRAY['api_key'::text, 'bootstrap'::text, 'cli'::text, 'wecom'::text, 'system'::text])))
);

CREATE TABLE authorizations (
    tenant_id uuid NOT NULL,
    suite_id text NOT NULL COLLATE pg_catalog."C",
    corp_id text NOT NULL COLLATE pg_catalog."C",
    permanent_code_sealed bytea NOT NULL,
    authorized_at timestamp with time zone NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    blocked_version bigint,
    info_due_at timestamp with time zone,
    info_attempts integer DEFAULT 0 NOT NULL,
    info_error text DEFAULT ''::text NOT NULL,
    lease_owner uuid,
    lease_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE budgets (
    scope text NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    tat timestamp with time zone NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.05');

CREATE TABLE callback_counts (
    suite_id text NOT NULL COLLATE pg_catalog."C",
    info_type text NOT NULL,
    day date NOT NULL,
    events bigint NOT NULL
);

CREATE TABLE callback_events (
    id uuid NOT NULL,
    suite_id text NOT NULL COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    door text NOT NULL,
    info_type text NOT NULL,
    corp_id text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    receive_id text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    event_time timestamp with time zone,
    payload_sealed bytea,
    state text NOT NULL,
    exchange_id uuid,
    deliveries integer DEFAULT 1 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    last_errcode integer,
    last_error text DEFAULT ''::text NOT NULL,
    due_at timestamp with time zone,
    lease_owner uuid,
    lease_until timestamp with time zone,
    received_at timestamp with time zone NOT NULL,
    last_received_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT callback_events_door_is_known CHECK ((door = ANY (ARRAY['command'::text, 'data'::text]))),
    CONSTRAINT callback_events_state_is_known CHECK ((state = ANY (ARRAY['pending'::text, 'done'::text, 'failed'::text, 'ignored'::text])))
);

ALTER TABLE changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE credentials (
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    value_sealed bytea,
    fingerprint bytea,
    generation bigint DEFAULT 0 NOT NULL,
    expires_at timestamp with time zone,
    refreshed_at timestamp with time zone,
    next_at timestamp with time zone NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    last_errcode integer,
    last_error text DEFAULT ''::text NOT NULL,
    last_error_at timestamp with time zone,
    previous_sealed bytea,
    previous_refreshed_at timestamp with time zone,
    previous_expires_at timestamp with time zone,
    CONSTRAINT credentials_kind_is_known CHECK ((kind = ANY (ARRAY['access_token'::text, 'jsapi_ticket'::text, 'agent_config'::text])))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.05');

CREATE TABLE exchanges (
    id uuid NOT NULL,
    suite_id text NOT NULL COLLATE pg_catalog."C",
    code_digest bytea NOT NULL,
    code_sealed bytea,
    door text NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    authorized_at timestamp with time zone NOT NULL,
    permanent_code_sealed bytea,
    corp_id text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    corp_name text DEFAULT ''::text NOT NULL,
    tenant_id uuid,
    attempts integer DEFAULT 0 NOT NULL,
    unknown_outcome boolean DEFAULT false NOT NULL,
    last_errcode integer,
    last_error text DEFAULT ''::text NOT NULL,
    due_at timestamp with time zone,
    lease_owner uuid,
    lease_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT exchanges_door_is_known CHECK ((door = ANY (ARRAY['market'::text, 'site'::text, 'reset'::text]))),
    CONSTRAINT exchanges_state_is_known CHECK ((state = ANY (ARRAY['pending'::text, 'exchanged'::text, 'done'::text, 'failed'::text, 'needs_reauthorization'::text])))
);

CREATE TABLE idempotency_keys (
    holder uuid NOT NULL,
    key_digest text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL,
    owner uuid NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    request_sealed bytea,
    answer_sealed bytea,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_keys_done_is_answered CHECK (((state = 'done'::text) = (answer_sealed IS NOT NULL))),
    CONSTRAINT idempotency_keys_state_is_known CHECK ((state = ANY (ARRAY['running'::text, 'done'::text])))
);

CREATE TABLE import_rows (
    import_id uuid NOT NULL,
    line integer NOT NULL,
    state text NOT NULL,
    suite_id text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    corp_id text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    tenant_id uuid,
    sealed bytea,
    faults jsonb,
    CONSTRAINT import_rows_state_is_known CHECK ((state = ANY (ARRAY['pending'::text, 'created'::text, 'updated'::text, 'unchanged'::text, 'skipped'::text, 'failed'::text, 'cancelled'::text])))
);

CREATE TABLE imports (
    id uuid NOT NULL,
    state text NOT NULL,
    format text NOT NULL,
    on_conflict text NOT NULL,
    sha256 bytea,
    created_by text DEFAULT ''::text NOT NULL,
    actor jsonb DEFAULT '{}'::jsonb NOT NULL,
    total integer DEFAULT 0 NOT NULL,
    created integer DEFAULT 0 NOT NULL,
    updated integer DEFAULT 0 NOT NULL,
    unchanged integer DEFAULT 0 NOT NULL,
    skipped integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    worked_to integer DEFAULT 0 NOT NULL,
    lease_owner uuid,
    lease_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    CONSTRAINT imports_format_is_known CHECK ((format = ANY (ARRAY['csv'::text, 'jsonl'::text]))),
    CONSTRAINT imports_on_conflict_is_known CHECK ((on_conflict = ANY (ARRAY['skip'::text, 'update'::text]))),
    CONSTRAINT imports_state_is_known CHECK ((state = ANY (ARRAY['receiving'::text, 'pending'::text, 'running'::text, 'done'::text, 'cancelled'::text])))
);

CREATE TABLE install_states (
    state_digest bytea NOT NULL,
    cookie_digest bytea NOT NULL,
    suite_id text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    exchange_id uuid
);

CREATE TABLE page_reports (
    id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    cause text NOT NULL,
    host text NOT NULL COLLATE pg_catalog."C",
    client text NOT NULL,
    action text NOT NULL,
    count bigint DEFAULT 1 NOT NULL,
    last_errcode integer,
    first_reported_at timestamp with time zone DEFAULT now() NOT NULL,
    last_reported_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE refreshes (
    tenant_id uuid NOT NULL,
    suite_id text NOT NULL COLLATE pg_catalog."C",
    corp_id text NOT NULL COLLATE pg_catalog."C",
    due_at timestamp with time zone NOT NULL,
    lease_owner uuid,
    lease_until timestamp with time zone,
    attempted_at timestamp with time zone,
    forced boolean DEFAULT false NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    parked_reason text DEFAULT ''::text NOT NULL,
    parked_version bigint,
    used_at timestamp with time zone DEFAULT now() NOT NULL,
    refetch text DEFAULT ''::text NOT NULL,
    refetch_after timestamp with time zone,
    refused_after timestamp with time zone,
    CONSTRAINT refreshes_refetch_is_a_kind CHECK ((refetch = ANY (ARRAY[''::text, 'jsapi_ticket'::text, 'agent_config'::text, 'access_token'::text])))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.05');

CREATE TABLE stats_minutes (
    minute timestamp with time zone NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    count bigint NOT NULL
);

CREATE TABLE stats_rollup (
    id smallint NOT NULL,
    next_at timestamp with time zone NOT NULL,
    CONSTRAINT stats_rollup_is_one CHECK ((id = 1))
);

CREATE TABLE stats_snapshots (
    suite_id text NOT NULL COLLATE pg_catalog."C",
    as_of timestamp with time zone NOT NULL,
    data jsonb NOT NULL
);

CREATE TABLE suite_domains (
    suite_id text NOT NULL COLLATE pg_catalog."C",
    host text NOT NULL COLLATE pg_catalog."C",
    port integer DEFAULT 0 NOT NULL,
    exact boolean DEFAULT false NOT NULL,
    allow_http boolean DEFAULT false NOT NULL,
    verification_name text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    verification_content text DEFAULT ''::text NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    check_begun_at timestamp with time zone,
    check_result jsonb,
    CONSTRAINT suite_domains_port_is_a_port CHECK (((port >= 0) AND (port <= 65535)))
);

CREATE TABLE suite_tickets (
    suite_id text NOT NULL COLLATE pg_catalog."C",
    ticket_sealed bytea NOT NULL,
    fingerprint bytea NOT NULL,
    generation bigint DEFAULT 1 NOT NULL,
    pushed_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    late_told_at timestamp with time zone
)
WITH (fillfactor='50');

CREATE TABLE suite_tokens (
    suite_id text NOT NULL COLLATE pg_catalog."C",
    token_sealed bytea,
    expires_at timestamp with time zone,
    refreshed_at timestamp with time zone,
    generation bigint DEFAULT 0 NOT NULL,
    lease_owner uuid,
    lease_until timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    renew_at timestamp with time zone,
    retry_at timestamp with time zone,
    blocked_version bigint,
    blocked_ticket bigint,
    blocked_until timestamp with time zone,
    invalidations integer DEFAULT 0 NOT NULL,
    invalidated_at timestamp with time zone,
    last_errcode integer,
    last_error text DEFAULT ''::text NOT NULL,
    last_error_at timestamp with time zone
)
WITH (fillfactor='50');

CREATE TABLE suites (
    suite_id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    name text NOT NULL,
    provider_corp_id text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    install_test_mode boolean DEFAULT false NOT NULL,
    suite_secret_sealed bytea,
    callback_token_sealed bytea,
    encoding_aes_key_sealed bytea,
    previous_callback_token_sealed bytea,
    previous_encoding_aes_key_sealed bytea,
    previous_until timestamp with time zone,
    secret_version bigint DEFAULT 1 NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT suites_id_is_sized CHECK (((octet_length(suite_id) >= 1) AND (octet_length(suite_id) <= 128))),
    CONSTRAINT suites_kind_is_known CHECK ((kind = ANY (ARRAY['third_party'::text, 'customized'::text, 'internal'::text]))),
    CONSTRAINT suites_with_callbacks_have_keys CHECK (((kind = 'internal'::text) OR ((suite_secret_sealed IS NOT NULL) AND (callback_token_sealed IS NOT NULL) AND (encoding_aes_key_sealed IS NOT NULL))))
);

CREATE TABLE tenant_corp_ids (
    suite_id text NOT NULL COLLATE pg_catalog."C",
    corp_id text NOT NULL COLLATE pg_catalog."C",
    tenant_id uuid NOT NULL,
    is_alias boolean NOT NULL
);

CREATE TABLE tenant_domains (
    tenant_id uuid NOT NULL,
    host text NOT NULL COLLATE pg_catalog."C",
    port integer DEFAULT 0 NOT NULL,
    exact boolean DEFAULT false NOT NULL,
    allow_http boolean DEFAULT false NOT NULL,
    verification_name text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    verification_content text DEFAULT ''::text NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    check_begun_at timestamp with time zone,
    check_result jsonb,
    CONSTRAINT tenant_domains_port_is_a_port CHECK (((port >= 0) AND (port <= 65535)))
);

CREATE TABLE tenants (
    id uuid NOT NULL,
    suite_id text NOT NULL COLLATE pg_catalog."C",
    corp_id text NOT NULL COLLATE pg_catalog."C",
    name text DEFAULT ''::text NOT NULL,
    authorized boolean DEFAULT true NOT NULL,
    disabled boolean DEFAULT false NOT NULL,
    status text GENERATED ALWAYS AS (
CASE
    WHEN (NOT authorized) THEN 'cancelled'::text
    WHEN disabled THEN 'disabled'::text
    ELSE 'active'::text
END) STORED NOT NULL,
    health text DEFAULT 'pending'::text NOT NULL,
    last_error text DEFAULT ''::text NOT NULL,
    last_errcode integer,
    last_error_at timestamp with time zone,
    authorized_at timestamp with time zone NOT NULL,
    cancelled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tenants_corp_id_is_sized CHECK (((octet_length(corp_id) >= 1) AND (octet_length(corp_id) <= 128))),
    CONSTRAINT tenants_health_is_known CHECK ((health = ANY (ARRAY['ok'::text, 'pending'::text, 'failing'::text, 'waiting_suite_ticket'::text, 'needs_reauthorization'::text])))
);

CREATE TABLE webhook_attempts (
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamp with time zone NOT NULL,
    latency_ms integer NOT NULL,
    status integer,
    error text DEFAULT ''::text NOT NULL,
    response text DEFAULT ''::text NOT NULL
);

CREATE TABLE webhook_deliveries (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    webhook_id uuid NOT NULL,
    event_id uuid NOT NULL,
    event_type text NOT NULL COLLATE pg_catalog."C",
    suite_id text NOT NULL COLLATE pg_catalog."C",
    tenant_id uuid,
    payload text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    step integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    lease_owner uuid,
    lease_until timestamp with time zone,
    last_status integer,
    last_error text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT webhook_deliveries_due_while_pending CHECK (((state = 'pending'::text) = (due_at IS NOT NULL))),
    CONSTRAINT webhook_deliveries_state_is_known CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text])))
)
WITH (fillfactor='80');

CREATE TABLE webhooks (
    id uuid NOT NULL,
    url text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    events text[] NOT NULL,
    suite_ids text[] DEFAULT '{}'::text[] NOT NULL COLLATE pg_catalog."C",
    tenant_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    disabled_reason text DEFAULT ''::text NOT NULL,
    secret_sealed bytea NOT NULL,
    previous_secret_sealed bytea,
    previous_until timestamp with time zone,
    failing_since timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    slow boolean DEFAULT false NOT NULL,
    last_success_at timestamp with time zone,
    last_failure_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhooks_disabled_for_a_reason CHECK ((enabled = (disabled_reason = ''::text))),
    CONSTRAINT webhooks_disabled_reason_is_known CHECK ((disabled_reason = ANY (ARRAY[''::text, 'admin'::text, 'failing'::text, 'gone'::text]))),
    CONSTRAINT webhooks_listen_to_something CHECK ((cardinality(events) > 0))
);

ALTER TABLE ONLY agents
    ADD CONSTRAINT agents_pkey PRIMARY KEY (tenant_id, agent_id);

ALTER TABLE ONLY api_keys
    ADD CONSTRAINT api_keys_hash_is_unique UNIQUE (hash);

ALTER TABLE ONLY api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY authorizations
    ADD CONSTRAINT authorizations_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY budgets
    ADD CONSTRAINT budgets_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY callback_counts
    ADD CONSTRAINT callback_counts_pkey PRIMARY KEY (suite_id, info_type, day);

ALTER TABLE ONLY callback_events
    ADD CONSTRAINT callback_events_known_again UNIQUE (suite_id, digest);

ALTER TABLE ONLY callback_events
    ADD CONSTRAINT callback_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY credentials
    ADD CONSTRAINT credentials_pkey PRIMARY KEY (tenant_id, kind);

ALTER TABLE ONLY exchanges
    ADD CONSTRAINT exchanges_one_per_code UNIQUE (suite_id, code_digest);

ALTER TABLE ONLY exchanges
    ADD CONSTRAINT exchanges_pkey PRIMARY KEY (id);

ALTER TABLE ONLY idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (holder, key_digest);

ALTER TABLE ONLY import_rows
    ADD CONSTRAINT import_rows_pkey PRIMARY KEY (import_id, line);

ALTER TABLE ONLY imports
    ADD CONSTRAINT imports_pkey PRIMARY KEY (id);

ALTER TABLE ONLY install_states
    ADD CONSTRAINT install_states_pkey PRIMARY KEY (state_digest);

ALTER TABLE ONLY keysets
    ADD CONSTRAINT keysets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY outbox_wanted
    ADD CONSTRAINT outbox_wanted_pkey PRIMARY KEY (type);

ALTER TABLE ONLY page_reports
    ADD CONSTRAINT page_reports_one_per_hour UNIQUE (tenant_id, hour, kind, cause, host, client, action);

ALTER TABLE ONLY page_reports
    ADD CONSTRAINT page_reports_pkey PRIMARY KEY (id);

ALTER TABLE ONLY refreshes
    ADD CONSTRAINT refreshes_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY stats_minutes
    ADD CONSTRAINT stats_minutes_pkey PRIMARY KEY (minute, name);

ALTER TABLE ONLY stats_rollup
    ADD CONSTRAINT stats_rollup_pkey PRIMARY KEY (id);

ALTER TABLE ONLY stats_snapshots
    ADD CONSTRAINT stats_snapshots_pkey PRIMARY KEY (suite_id);

ALTER TABLE ONLY suite_domains
    ADD CONSTRAINT suite_domains_pkey PRIMARY KEY (suite_id, host, port);

ALTER TABLE ONLY suite_tickets
    ADD CONSTRAINT suite_tickets_pkey PRIMARY KEY (suite_id);

ALTER TABLE ONLY suite_tokens
    ADD CONSTRAINT suite_tokens_pkey PRIMARY KEY (suite_id);

ALTER TABLE ONLY suites
    ADD CONSTRAINT suites_pkey PRIMARY KEY (suite_id);

ALTER TABLE ONLY tenant_corp_ids
    ADD CONSTRAINT tenant_corp_ids_pkey PRIMARY KEY (suite_id, corp_id);

ALTER TABLE ONLY tenant_domains
    ADD CONSTRAINT tenant_domains_pkey PRIMARY KEY (tenant_id, host, port);

ALTER TABLE ONLY tenants
    ADD CONSTRAINT tenants_one_per_suite_and_corp UNIQUE (suite_id, corp_id);

ALTER TABLE ONLY tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);

ALTER TABLE ONLY webhook_attempts
    ADD CONSTRAINT webhook_attempts_pkey PRIMARY KEY (delivery_id, number);

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);

CREATE INDEX audit_log_action ON audit_log USING btree (action, at DESC, id DESC);

CREATE INDEX audit_log_actor ON audit_log USING btree (actor, at DESC, id DESC);

CREATE INDEX audit_log_actor_kind ON audit_log USING btree (actor_kind, at DESC, id DESC);

CREATE INDEX audit_log_api_key ON audit_log USING btree (api_key_id, at DESC, id DESC) WHERE (api_key_id IS NOT NULL);

CREATE INDEX audit_log_at ON audit_log USING btree (at DESC, id DESC);

CREATE INDEX audit_log_suite ON audit_log USING btree (suite_id, at DESC, id DESC) WHERE (suite_id <> ''::text);

CREATE INDEX audit_log_target_id ON audit_log USING btree (target_id, at DESC, id DESC);

CREATE INDEX audit_log_target_kind ON audit_log USING btree (target_kind, at DESC, id DESC);

CREATE INDEX audit_log_tenant ON audit_log USING btree (tenant_id, at DESC, id DESC) WHERE (tenant_id IS NOT NULL);

CREATE INDEX authorizations_info_due ON authorizations USING btree (info_due_at) WHERE (info_due_at IS NOT NULL);

CREATE INDEX authorizations_updated_at ON authorizations USING btree (updated_at);

CREATE INDEX callback_events_by_corp ON callback_events USING btree (corp_id, received_at, id) WHERE (corp_id <> ''::text);

CREATE INDEX callback_events_by_suite ON callback_events USING btree (suite_id, received_at, id);

CREATE INDEX callback_events_cancels ON callback_events USING btree (suite_id, corp_id) WHERE (info_type = 'cancel_auth'::text);

CREATE INDEX callback_events_corp ON callback_events USING btree (suite_id, corp_id) WHERE ((corp_id <> ''::text) AND (payload_sealed IS NOT NULL));

CREATE INDEX callback_events_due ON callback_events USING btree (due_at) WHERE (state = 'pending'::text);

CREATE INDEX callback_events_exchange ON callback_events USING btree (exchange_id) WHERE (exchange_id IS NOT NULL);

CREATE INDEX callback_events_received ON callback_events USING btree (received_at, id);

CREATE INDEX changes_at ON changes USING btree (at);

CREATE INDEX exchanges_due ON exchanges USING btree (due_at) WHERE (state = ANY (ARRAY['pending'::text, 'exchanged'::text]));

CREATE INDEX idempotency_keys_expires ON idempotency_keys USING btree (expires_at);

CREATE INDEX import_rows_failed ON import_rows USING btree (import_id, line) WHERE (state = 'failed'::text);

CREATE INDEX imports_finished ON imports USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX imports_open ON imports USING btree (created_at) WHERE (state = ANY (ARRAY['receiving'::text, 'pending'::text, 'running'::text]));

CREATE INDEX install_states_expires ON install_states USING btree (expires_at);

CREATE INDEX outbox_at ON outbox USING btree (at);

CREATE INDEX page_reports_newest ON page_reports USING btree (first_reported_at DESC, id DESC);

CREATE INDEX refreshes_due ON refreshes USING btree (suite_id, due_at) WHERE ((failures = 0) AND (due_at < 'infinity'::timestamp with time zone));

CREATE INDEX refreshes_idle ON refreshes USING btree (suite_id) WHERE ((due_at = 'infinity'::timestamp with time zone) AND (parked_reason = ''::text));

CREATE INDEX refreshes_parked ON refreshes USING btree (suite_id, parked_reason) WHERE (parked_reason <> ''::text);

CREATE INDEX refreshes_retry ON refreshes USING btree (suite_id, due_at) WHERE ((failures > 0) AND (due_at < 'infinity'::timestamp with time zone));

CREATE INDEX suite_domains_host ON suite_domains USING btree (host);

CREATE INDEX tenant_corp_ids_corp_id ON tenant_corp_ids USING btree (corp_id);

CREATE INDEX tenant_corp_ids_tenant_id ON tenant_corp_ids USING btree (tenant_id);

CREATE INDEX tenant_domains_host ON tenant_domains USING btree (host);

CREATE INDEX tenants_by_health ON tenants USING btree (health, id);

CREATE INDEX tenants_by_name ON tenants USING btree (lower(name) COLLATE "C", id);

CREATE INDEX tenants_by_status ON tenants USING btree (status, id);

CREATE INDEX tenants_by_suite ON tenants USING btree (suite_id, id);

CREATE INDEX tenants_by_suite_and_name ON tenants USING btree (suite_id, lower(name) COLLATE "C", id);

CREATE INDEX tenants_by_suite_and_update ON tenants USING btree (suite_id, updated_at, id);

CREATE INDEX tenants_by_update ON tenants USING btree (updated_at, id);

CREATE INDEX tenants_corp_id ON tenants USING btree (corp_id, suite_id);

CREATE INDEX webhook_deliveries_created_at ON webhook_deliveries USING btree (created_at);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries USING btree (webhook_id, due_at) WHERE (state = 'pending'::text);

CREATE INDEX webhook_deliveries_leased ON webhook_deliveries USING btree (webhook_id) WHERE (lease_until IS NOT NULL);

CREATE INDEX webhook_deliveries_of ON webhook_deliveries USING btree (webhook_id, created_at DESC, id DESC);

CREATE TRIGGER audit_log_rows_stay BEFORE DELETE OR UPDATE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();

CREATE TRIGGER audit_log_stays BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();

CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF permanent_code_sealed ON authorizations FOR EACH ROW WHEN (is_sealed_with_retired_key(new.permanent_code_sealed)) EXECUTE FUNCTION refuse_retired_key();

CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF payload_sealed ON callback_events FOR EACH ROW WHEN (is_sealed_with_retired_key(new.payload_sealed)) EXECUTE FUNCTION refuse_retired_key();

CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF value_sealed ON credentials FOR EACH ROW WHEN (is_sealed_with_retired_key(new.value_sealed)) EXECUTE FUNCTION refuse_retired_key();

CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF code_sealed, permanent_code_sealed ON exchanges FOR EACH ROW WHEN ((is_sealed_with_retired_key(new.code_sealed) OR is_sealed_with_retired_key(new.permanent_code_sealed))) EXECUTE FUNCTION refuse_retired_key();

CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF request_sealed, answer_sealed ON idempotency_keys FOR EACH ROW WHEN ((is_sealed_with_retired_key(new.request_sealed) OR is_sealed_with_retired_key(new.answer_sealed))) EXECUTE FUNCTION refuse_retired_key();

CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF sealed ON import_rows FOR EACH ROW WHEN (is_sealed_with_retired_key(new.sealed)) EXECUTE FUNCTION refuse_retired_key();

CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF ticket_sealed ON suite_tickets FOR EACH ROW WHEN (is_sealed_with_retired_key(new.ticket_sealed)) EXECUTE FUNCTION refuse_retired_key();

CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF token_sealed ON suite_tokens FOR EACH ROW WHEN (is_sealed_with_retired_key(new.token_sealed)) EXECUTE FUNCTION refuse_retired_key();

CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF suite_secret_sealed, callback_token_sealed, encoding_aes_key_sealed, previous_callback_token_sealed, previous_encoding_aes_key_sealed ON suites FOR EACH ROW WHEN ((is_sealed_with_retired_key(new.suite_secret_sealed) OR is_sealed_with_retired_key(new.callback_token_sealed) OR is_sealed_with_retired_key(new.encoding_aes_key_sealed) OR is_sealed_with_retired_key(new.previous_callback_token_sealed) OR is_sealed_with_retired_key(new.previous_encoding_aes_key_sealed))) EXECUTE FUNCTION refuse_retired_key();

CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF secret_sealed, previous_secret_sealed ON webhooks FOR EACH ROW WHEN ((is_sealed_with_retired_key(new.secret_sealed) OR is_sealed_with_retired_key(new.previous_secret_sealed))) EXECUTE FUNCTION refuse_retired_key();

ALTER TABLE ONLY agents
    ADD CONSTRAINT agents_tenant FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE;

ALTER TABLE ONLY authorizations
    ADD CONSTRAINT authorizations_tenant FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE;

ALTER TABLE ONLY callback_counts
    ADD CONSTRAINT callback_counts_suite FOREIGN KEY (suite_id) REFERENCES suites(suite_id) ON DELETE CASCADE;

ALTER TABLE ONLY callback_events
    ADD CONSTRAINT callback_events_suite FOREIGN KEY (suite_id) REFERENCES suites(suite_id) ON DELETE CASCADE;

ALTER TABLE ONLY credentials
    ADD CONSTRAINT credentials_refresh FOREIGN KEY (tenant_id) REFERENCES refreshes(tenant_id) ON DELETE CASCADE;

ALTER TABLE ONLY exchanges
    ADD CONSTRAINT exchanges_suite FOREIGN KEY (suite_id) REFERENCES suites(suite_id) ON DELETE CASCADE;

ALTER TABLE ONLY import_rows
    ADD CONSTRAINT import_rows_import FOREIGN KEY (import_id) REFERENCES imports(id) ON DELETE CASCADE;

ALTER TABLE ONLY install_states
    ADD CONSTRAINT install_states_suite FOREIGN KEY (suite_id) REFERENCES suites(suite_id) ON DELETE CASCADE;

ALTER TABLE ONLY page_reports
    ADD CONSTRAINT page_reports_tenant FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE;

ALTER TABLE ONLY refreshes
    ADD CONSTRAINT refreshes_authorization FOREIGN KEY (tenant_id) REFERENCES authorizations(tenant_id) ON DELETE CASCADE;

ALTER TABLE ONLY suite_domains
    ADD CONSTRAINT suite_domains_suite FOREIGN KEY (suite_id) REFERENCES suites(suite_id) ON DELETE CASCADE;

ALTER TABLE ONLY suite_tickets
    ADD CONSTRAINT suite_tickets_suite FOREIGN KEY (suite_id) REFERENCES suites(suite_id) ON DELETE CASCADE;

ALTER TABLE ONLY suite_tokens
    ADD CONSTRAINT suite_tokens_suite FOREIGN KEY (suite_id) REFERENCES suites(suite_id) ON DELETE CASCADE;

ALTER TABLE ONLY tenant_corp_ids
    ADD CONSTRAINT tenant_corp_ids_tenant FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE;

ALTER TABLE ONLY tenant_domains
    ADD CONSTRAINT tenant_domains_tenant FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE;

ALTER TABLE ONLY tenants
    ADD CONSTRAINT tenants_suite FOREIGN KEY (suite_id) REFERENCES suites(suite_id) ON DELETE CASCADE;

ALTER TABLE ONLY webhook_attempts
    ADD CONSTRAINT webhook_attempts_delivery FOREIGN KEY (delivery_id) REFERENCES webhook_deliveries(id) ON DELETE CASCADE;

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook FOREIGN KEY (webhook_id) REFERENCES webhooks(id) ON DELETE CASCADE;

ALTER TABLE agents ENABLE ROW LEVEL SECURITY;

CREATE POLICY agents_bound ON agents USING ((reaches_all() OR (EXISTS ( SELECT
   FROM tenants t
  WHERE (t.id = agents.tenant_id)))));

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY api_keys_bound ON api_keys USING ((reaches_all() OR (((cardinality(suite_ids) + cardinality(tenant_ids)) > 0) AND (suite_ids <@ COALESCE(reached_suite_ids(), '{}'::text[])) AND (NOT (EXISTS ( SELECT
   FROM unnest(api_keys.tenant_ids) b(id)
  WHERE ((b.id <> ALL (COALESCE(reached_tenant_ids(), '{}'::uuid[]))) AND (NOT (EXISTS ( SELECT
           FROM tenants t
          WHERE (t.id = b.id)))))))))));

ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;

CREATE POLICY audit_log_bound ON audit_log USING ((reaches_all() OR (suite_id = ANY (reached_suite_ids())) OR (tenant_id = ANY (reached_tenant_ids()))));

CREATE POLICY audit_log_bound_keys ON audit_log FOR INSERT WITH CHECK ((target_kind = 'api_key'::text));

ALTER TABLE authorizations ENABLE ROW LEVEL SECURITY;

CREATE POLICY authorizations_bound ON authorizations USING ((reaches_all() OR (EXISTS ( SELECT
   FROM tenants t
  WHERE ((t.id = authorizations.tenant_id) AND (t.suite_id = authorizations.suite_id))))));

ALTER TABLE callback_counts ENABLE ROW LEVEL SECURITY;

CREATE POLICY callback_counts_bound ON callback_counts USING ((reaches_all() OR (suite_id = ANY (reached_suite_ids()))));

ALTER TABLE callback_events ENABLE ROW LEVEL SECURITY;

CREATE POLICY callback_events_bound ON callback_events USING ((reaches_all() OR (suite_id = ANY (reached_suite_ids())) OR ((suite_id, corp_id) IN ( SELECT c.suite_id,
    c.corp_id
   FROM tenant_corp_ids c
  WHERE (c.tenant_id = ANY (reached_tenant_ids()))))));

ALTER TABLE credentials ENABLE ROW LEVEL SECURITY;

CREATE POLICY credentials_bound ON credentials USING ((reaches_all() OR (EXISTS ( SELECT
   FROM tenants t
  WHERE (t.id = credentials.tenant_id)))));

ALTER TABLE exchanges ENABLE ROW LEVEL SECURITY;

CREATE POLICY exchanges_bound ON exchanges USING ((reaches_all() OR (suite_id = ANY (reached_suite_ids())) OR (EXISTS ( SELECT
   FROM tenants t
  WHERE ((t.id = exchanges.tenant_id) AND (t.suite_id = exchanges.suite_id))))));

ALTER TABLE import_rows ENABLE ROW LEVEL SECURITY;

CREATE POLICY import_rows_bound ON import_rows USING (reaches_all());

ALTER TABLE imports ENABLE ROW LEVEL SECURITY;

CREATE POLICY imports_bound ON imports USING (reaches_all());

ALTER TABLE install_states ENABLE ROW LEVEL SECURITY;

CREATE POLICY install_states_bound ON install_states USING ((reaches_all() OR (suite_id = ANY (reached_suite_ids()))));

ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;

CREATE POLICY outbox_bound ON outbox USING (reaches_all());

ALTER TABLE page_reports ENABLE ROW LEVEL SECURITY;

CREATE POLICY page_reports_bound ON page_reports USING ((reaches_all() OR ( SELECT true
   FROM tenants t
  WHERE (t.id = page_reports.tenant_id))));

ALTER TABLE refreshes ENABLE ROW LEVEL SECURITY;

CREATE POLICY refreshes_bound ON refreshes USING ((reaches_all() OR (EXISTS ( SELECT
   FROM tenants t
  WHERE ((t.id = refreshes.tenant_id) AND (t.suite_id = refreshes.suite_id))))));

ALTER TABLE stats_snapshots ENABLE ROW LEVEL SECURITY;

CREATE POLICY stats_snapshots_bound ON stats_snapshots USING (reaches_all());

ALTER TABLE suite_domains ENABLE ROW LEVEL SECURITY;

CREATE POLICY suite_domains_bound ON suite_domains USING ((reaches_all() OR (suite_id = ANY (reached_suite_ids()))));

CREATE POLICY suite_domains_bound_reads ON suite_domains FOR SELECT USING ((suite_id IN ( SELECT t.suite_id
   FROM tenants t
  WHERE (t.id = ANY (reached_tenant_ids())))));

ALTER TABLE suite_tickets ENABLE ROW LEVEL SECURITY;

CREATE POLICY suite_tickets_bound ON suite_tickets USING ((reaches_all() OR (suite_id = ANY (reached_suite_ids()))));

ALTER TABLE suite_tokens ENABLE ROW LEVEL SECURITY;

CREATE POLICY suite_tokens_bound ON suite_tokens USING ((reaches_all() OR (suite_id = ANY (reached_suite_ids()))));

ALTER TABLE suites ENABLE ROW LEVEL SECURITY;

CREATE POLICY suites_bound ON suites USING ((reaches_all() OR (suite_id = ANY (reached_suite_ids()))));

CREATE POLICY suites_bound_reads ON suites FOR SELECT USING ((suite_id IN ( SELECT t.suite_id
   FROM tenants t
  WHERE (t.id = ANY (reached_tenant_ids())))));

ALTER TABLE tenant_corp_ids ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant_corp_ids_bound ON tenant_corp_ids USING ((reaches_all() OR (EXISTS ( SELECT
   FROM tenants t
  WHERE ((t.id = tenant_corp_ids.tenant_id) AND (t.suite_id = tenant_corp_ids.suite_id))))));

ALTER TABLE tenant_domains ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant_domains_bound ON tenant_domains USING ((reaches_all() OR (EXISTS ( SELECT
   FROM tenants t
  WHERE (t.id = tenant_domains.tenant_id)))));

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenants_bound ON tenants USING ((reaches_all() OR (suite_id = ANY (reached_suite_ids())) OR (id = ANY (reached_tenant_ids()))));

ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;

CREATE POLICY webhook_deliveries_bound ON webhook_deliveries USING (reaches_all());

ALTER TABLE webhooks ENABLE ROW LEVEL SECURITY;

CREATE POLICY webhooks_bound ON webhooks USING (reaches_all());
