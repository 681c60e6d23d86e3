-- Room ticket: the value that a ticket had before its last one, for as long as that
-- lives. Pages may still be registered with it, and what reports of failed
-- registrations were made with is told by it. It is sealed as it was when it was
-- the ticket's value.
ALTER TABLE credentials
    ADD COLUMN previous_sealed       bytea,
    ADD COLUMN previous_refreshed_at timestamptz,
    ADD COLUMN previous_expires_at   timestamptz;

-- refetch: one kind that pages report as refused; fetched again alone, although it
-- lives. refetch_after: no report leads to that before; NULL: none ever did.
ALTER TABLE refreshes
    ADD COLUMN refetch       text NOT NULL DEFAULT '',
    ADD COLUMN refetch_after timestamptz,
    ADD CONSTRAINT refreshes_refetch_is_a_ticket CHECK (refetch IN ('', 'jsapi_ticket', 'agent_config'));

-- Room signing/pagereport: registrations of pages that failed and whose signature could
-- be made again. One row is all of a cause on one host of a tenant within an hour:
-- no URL, no person, and no more rows than causes.
CREATE TABLE page_reports (
    id                uuid        NOT NULL,
    hour              timestamptz NOT NULL,
    tenant_id         uuid        NOT NULL,
    kind              text        NOT NULL,
    cause             text        NOT NULL,
    host              text        NOT NULL COLLATE "C",
    client            text        NOT NULL,
    action            text        NOT NULL,
    count             bigint      NOT NULL DEFAULT 1,
    last_errcode      integer,
    first_reported_at timestamptz NOT NULL DEFAULT now(),
    last_reported_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT page_reports_pkey PRIMARY KEY (id),
    CONSTRAINT page_reports_one_per_hour UNIQUE (tenant_id, hour, kind, cause, host, client, action),
    CONSTRAINT page_reports_tenant FOREIGN KEY (tenant_id) REFERENCES tenants ON DELETE CASCADE
);
CREATE INDEX page_reports_newest ON page_reports (first_reported_at DESC, id DESC);
