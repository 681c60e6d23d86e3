-- Room suite: the suites and the state of their own two credentials. A suite
-- row changes when an admin changes it; the pushed suite_ticket and the
-- suite_access_token churn, so each has a small row of its own.
CREATE TABLE suites (
    suite_id                          text        NOT NULL COLLATE "C",
    kind                              text        NOT NULL,
    name                              text        NOT NULL,
    provider_corp_id                  text        NOT NULL DEFAULT '' COLLATE "C",
    install_test_mode                 boolean     NOT NULL DEFAULT false,
    suite_secret_sealed               bytea,
    callback_token_sealed             bytea,
    encoding_aes_key_sealed           bytea,
    -- The callback pair before the last change is accepted until previous_until.
    previous_callback_token_sealed    bytea,
    previous_encoding_aes_key_sealed  bytea,
    previous_until                    timestamptz,
    -- secret_version goes up when the secret that WeCom judges changes; a breaker compares it.
    secret_version                    bigint      NOT NULL DEFAULT 1,
    version                           bigint      NOT NULL DEFAULT 1,
    created_at                        timestamptz NOT NULL DEFAULT now(),
    updated_at                        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT suites_pkey PRIMARY KEY (suite_id),
    CONSTRAINT suites_id_is_sized CHECK (octet_length(suite_id) BETWEEN 1 AND 128),
    CONSTRAINT suites_kind_is_known CHECK (kind IN ('third_party', 'customized', 'internal')),
    CONSTRAINT suites_with_callbacks_have_keys CHECK (
        kind = 'internal'
        OR (suite_secret_sealed IS NOT NULL AND callback_token_sealed IS NOT NULL AND encoding_aes_key_sealed IS NOT NULL))
);

CREATE TABLE suite_tickets (
    suite_id      text        NOT NULL COLLATE "C",
    ticket_sealed bytea       NOT NULL,
    -- fingerprint tells whether a push brings a new ticket; generation counts the new ones.
    fingerprint   bytea       NOT NULL,
    generation    bigint      NOT NULL DEFAULT 1,
    -- pushed_at is the TimeStamp of the push, the order of pushes; one far ahead of the database's clock counts as now.
    pushed_at     timestamptz NOT NULL,
    received_at   timestamptz NOT NULL,
    CONSTRAINT suite_tickets_pkey PRIMARY KEY (suite_id),
    CONSTRAINT suite_tickets_suite FOREIGN KEY (suite_id) REFERENCES suites ON DELETE CASCADE
) WITH (fillfactor = 50);

-- The suite_access_token, its lease, and its breaker. blocked_version is the
-- suites.secret_version that WeCom refused: no call is made until it changes.
-- blocked_ticket is the generation of the suite_ticket that WeCom refused: no
-- call is made until a newer one is there. blocked_until is the next probe
-- after WeCom refused our IP.
CREATE TABLE suite_tokens (
    suite_id          text        NOT NULL COLLATE "C",
    token_sealed      bytea,
    expires_at        timestamptz,
    refreshed_at      timestamptz,
    generation        bigint      NOT NULL DEFAULT 0,
    lease_owner       uuid,
    lease_until       timestamptz,
    failures          integer     NOT NULL DEFAULT 0,
    -- renew_at: fetched again while it lives. retry_at: not fetched before.
    renew_at          timestamptz,
    retry_at          timestamptz,
    blocked_version   bigint,
    blocked_ticket    bigint,
    blocked_until     timestamptz,
    -- How often in a row a fresh token was refused; it spaces the refetches out.
    invalidations     integer     NOT NULL DEFAULT 0,
    invalidated_at    timestamptz,
    last_errcode      integer,
    last_error        text        NOT NULL DEFAULT '',
    last_error_at     timestamptz,
    CONSTRAINT suite_tokens_pkey PRIMARY KEY (suite_id),
    CONSTRAINT suite_tokens_suite FOREIGN KEY (suite_id) REFERENCES suites ON DELETE CASCADE
) WITH (fillfactor = 50);
