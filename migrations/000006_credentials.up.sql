-- Room ticket: the schedule and the lease of every tenant, and its credentials.

-- One row per tenant: the lease belongs to the tenant, not to the ticket.
-- due_at is the earliest next_at of its credentials, 'infinity' while parked,
-- 1970 when an admin asked for a refresh and it goes first.
CREATE TABLE refreshes (
    tenant_id      uuid        NOT NULL,
    suite_id       text        NOT NULL COLLATE "C",
    corp_id        text        NOT NULL COLLATE "C",
    due_at         timestamptz NOT NULL,
    -- lease_owner is new with every claim, so it names the lease and not only its holder.
    lease_owner    uuid,
    lease_until    timestamptz,
    -- attempted_at: the last claim. Requests for an expired tenant start no attempt within 5 s of it.
    attempted_at   timestamptz,
    -- forced: an admin asked for all kinds to be fetched again, even while they live.
    forced         boolean     NOT NULL DEFAULT false,
    -- failures: attempts in a row that failed. Tenants with some wait in a lane of their own.
    failures       integer     NOT NULL DEFAULT 0,
    -- parked_reason: why nothing is tried by itself; '' when that is not so.
    -- parked_version: the authorization's or the suite's secret's, whose change ends it.
    parked_reason  text        NOT NULL DEFAULT '',
    parked_version bigint,
    CONSTRAINT refreshes_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT refreshes_authorization FOREIGN KEY (tenant_id) REFERENCES authorizations ON DELETE CASCADE
) WITH (fillfactor = 70);
-- By suite, so that one with very many due tenants does not delay another's few.
CREATE INDEX refreshes_due ON refreshes (suite_id, due_at) WHERE failures = 0 AND due_at < 'infinity';
CREATE INDEX refreshes_retry ON refreshes (suite_id, due_at) WHERE failures > 0 AND due_at < 'infinity';
CREATE INDEX refreshes_parked ON refreshes (suite_id, parked_reason) WHERE parked_reason <> '';

CREATE TABLE credentials (
    tenant_id     uuid        NOT NULL,
    kind          text        NOT NULL,
    value_sealed  bytea,
    -- fingerprint tells whether a fetched value is the stored one without opening it.
    fingerprint   bytea,
    -- generation goes up with every new value.
    generation    bigint      NOT NULL DEFAULT 0,
    expires_at    timestamptz,
    refreshed_at  timestamptz,
    next_at       timestamptz NOT NULL,
    failures      integer     NOT NULL DEFAULT 0,
    last_errcode  integer,
    last_error    text        NOT NULL DEFAULT '',
    last_error_at timestamptz,
    CONSTRAINT credentials_pkey PRIMARY KEY (tenant_id, kind),
    CONSTRAINT credentials_refresh FOREIGN KEY (tenant_id) REFERENCES refreshes ON DELETE CASCADE,
    CONSTRAINT credentials_kind_is_known CHECK (kind IN ('access_token', 'jsapi_ticket', 'agent_config'))
) WITH (fillfactor = 70);

-- GCRA cells: tat is the theoretical arrival time of the next conforming call.
-- A cell whose tat has passed is full and as good as none.
CREATE TABLE budgets (
    scope text        NOT NULL,
    key   text        NOT NULL COLLATE "C",
    tat   timestamptz NOT NULL,
    CONSTRAINT budgets_pkey PRIMARY KEY (scope, key)
) WITH (fillfactor = 50);
