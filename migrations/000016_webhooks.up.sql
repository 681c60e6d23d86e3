-- Room audit: events on their way to who listens. A row is gone as soon as it is
-- handed to the webhooks that want it, so the table is short.
CREATE TABLE outbox (
    id        uuid        NOT NULL DEFAULT gen_random_uuid(),
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    type      text        NOT NULL COLLATE "C",
    suite_id  text        NOT NULL COLLATE "C",
    -- tenant_id is NULL for what concerns a suite as a whole.
    tenant_id uuid,
    data      jsonb       NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY (id)
);
CREATE INDEX outbox_at ON outbox (at);

-- Room audit: the types that somebody listens to. Others are not written at all.
CREATE TABLE outbox_wanted (
    type text NOT NULL COLLATE "C",
    CONSTRAINT outbox_wanted_pkey PRIMARY KEY (type)
);

-- Room suite: until when the lateness of a suite_ticket was told. One that is
-- received later than that may be late anew.
ALTER TABLE suite_tickets ADD COLUMN late_told_at timestamptz;

-- Room web/webhook: who listens.
CREATE TABLE webhooks (
    id                     uuid        NOT NULL,
    url                    text        NOT NULL,
    description            text        NOT NULL DEFAULT '',
    events                 text[]      NOT NULL,
    -- suite_ids and tenant_ids narrow what is sent; empty: everything.
    suite_ids              text[]      NOT NULL DEFAULT '{}' COLLATE "C",
    tenant_ids             uuid[]      NOT NULL DEFAULT '{}',
    enabled                boolean     NOT NULL DEFAULT true,
    disabled_reason        text        NOT NULL DEFAULT '',
    secret_sealed          bytea       NOT NULL,
    previous_secret_sealed bytea,
    previous_until         timestamptz,
    -- failing_since is the first failure since the last success, failures how many there were.
    failing_since          timestamptz,
    failures               integer     NOT NULL DEFAULT 0,
    -- slow: its last answer took seconds. Such a one, and one that fails, has fewer calls at a time.
    slow                   boolean     NOT NULL DEFAULT false,
    last_success_at        timestamptz,
    last_failure_at        timestamptz,
    version                bigint      NOT NULL DEFAULT 1,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhooks_pkey PRIMARY KEY (id),
    CONSTRAINT webhooks_disabled_reason_is_known CHECK (disabled_reason IN ('', 'admin', 'failing', 'gone')),
    CONSTRAINT webhooks_disabled_for_a_reason CHECK (enabled = (disabled_reason = '')),
    CONSTRAINT webhooks_listen_to_something CHECK (cardinality(events) > 0)
);

-- Room web/webhook: one event for one webhook. The payload is the body that is
-- sent, the same bytes at every attempt.
CREATE TABLE webhook_deliveries (
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    webhook_id  uuid        NOT NULL,
    event_id    uuid        NOT NULL,
    event_type  text        NOT NULL COLLATE "C",
    suite_id    text        NOT NULL COLLATE "C",
    tenant_id   uuid,
    payload     text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    state       text        NOT NULL DEFAULT 'pending',
    attempts    integer     NOT NULL DEFAULT 0,
    -- step is how far up the ladder the next wait is; a replay begins at its foot.
    step        integer     NOT NULL DEFAULT 0,
    due_at      timestamptz,
    lease_owner uuid,
    lease_until timestamptz,
    last_status integer,
    last_error  text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_deliveries_webhook FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_state_is_known CHECK (state IN ('pending', 'delivered', 'failed')),
    CONSTRAINT webhook_deliveries_due_while_pending CHECK ((state = 'pending') = (due_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (webhook_id) WHERE lease_until IS NOT NULL;
CREATE INDEX webhook_deliveries_of ON webhook_deliveries (webhook_id, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_created_at ON webhook_deliveries (created_at);

-- Room web/webhook: one attempt of a delivery.
CREATE TABLE webhook_attempts (
    delivery_id uuid        NOT NULL,
    number      integer     NOT NULL,
    at          timestamptz NOT NULL,
    latency_ms  integer     NOT NULL,
    -- status is NULL where there was no answer.
    status      integer,
    error       text        NOT NULL DEFAULT '',
    response    text        NOT NULL DEFAULT '',
    CONSTRAINT webhook_attempts_pkey PRIMARY KEY (delivery_id, number),
    CONSTRAINT webhook_attempts_delivery FOREIGN KEY (delivery_id) REFERENCES webhook_deliveries (id) ON DELETE CASCADE
);

-- Whoever changes something tells who listens. It is done with the owner's rights, so
-- that a bound key's role needs none on what others are told.
CREATE FUNCTION emit_event(type text, suite_id text, tenant_id uuid, data jsonb) RETURNS void LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC
    INSERT INTO outbox (type, suite_id, tenant_id, data)
    SELECT $1, $2, $3, jsonb_strip_nulls($4) WHERE $1 IN (SELECT w.type FROM outbox_wanted w);
END;

-- Bound keys have no business with webhooks, which are told of many tenants.
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY outbox_bound ON outbox USING (reaches_all());
ALTER TABLE webhooks ENABLE ROW LEVEL SECURITY;
CREATE POLICY webhooks_bound ON webhooks USING (reaches_all());
ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;
CREATE POLICY webhook_deliveries_bound ON webhook_deliveries USING (reaches_all());
