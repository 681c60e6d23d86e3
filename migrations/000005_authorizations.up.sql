-- Room suite: what WeCom told us and what we hold of a corp's consent.

-- One row per distinct callback. digest is SHA-256 of the decrypted message
-- without random prefix and receiveid: a redelivery has a new ciphertext.
CREATE TABLE callback_events (
    id               uuid        NOT NULL,
    suite_id         text        NOT NULL COLLATE "C",
    digest           bytea       NOT NULL,
    door             text        NOT NULL,
    info_type        text        NOT NULL,
    corp_id          text        NOT NULL DEFAULT '' COLLATE "C",
    -- For whom it was sealed: what comes by the data URL may speak of that corp only.
    receive_id       text        NOT NULL DEFAULT '' COLLATE "C",
    event_time       timestamptz,
    payload_sealed   bytea,
    state            text        NOT NULL,
    -- The exchange that this event's auth_code began; its end is the event's end.
    exchange_id      uuid,
    deliveries       integer     NOT NULL DEFAULT 1,
    attempts         integer     NOT NULL DEFAULT 0,
    last_errcode     integer,
    last_error       text        NOT NULL DEFAULT '',
    due_at           timestamptz,
    lease_owner      uuid,
    lease_until      timestamptz,
    received_at      timestamptz NOT NULL,
    last_received_at timestamptz NOT NULL,
    finished_at      timestamptz,
    CONSTRAINT callback_events_pkey PRIMARY KEY (id),
    CONSTRAINT callback_events_known_again UNIQUE (suite_id, digest),
    CONSTRAINT callback_events_suite FOREIGN KEY (suite_id) REFERENCES suites ON DELETE CASCADE,
    CONSTRAINT callback_events_door_is_known CHECK (door IN ('command', 'data')),
    CONSTRAINT callback_events_state_is_known CHECK (state IN ('pending', 'done', 'failed', 'ignored'))
);
CREATE INDEX callback_events_due ON callback_events (due_at) WHERE state = 'pending';
CREATE INDEX callback_events_received ON callback_events (received_at, id);
CREATE INDEX callback_events_exchange ON callback_events (exchange_id) WHERE exchange_id IS NOT NULL;
-- cancel_auth has the corp's payloads removed, and a late exchange asks whether one came.
CREATE INDEX callback_events_corp ON callback_events (suite_id, corp_id) WHERE corp_id <> '' AND payload_sealed IS NOT NULL;
CREATE INDEX callback_events_cancels ON callback_events (suite_id, corp_id) WHERE info_type = 'cancel_auth';

-- What was emptied by age is only counted.
CREATE TABLE callback_counts (
    suite_id  text   NOT NULL COLLATE "C",
    info_type text   NOT NULL,
    day       date   NOT NULL,
    events    bigint NOT NULL,
    CONSTRAINT callback_counts_pkey PRIMARY KEY (suite_id, info_type, day),
    CONSTRAINT callback_counts_suite FOREIGN KEY (suite_id) REFERENCES suites ON DELETE CASCADE
);

-- One row per auth_code, from whichever door it came: the intent, then what
-- became of it. permanent_code_sealed is stored before any further call.
CREATE TABLE exchanges (
    id                    uuid        NOT NULL,
    suite_id              text        NOT NULL COLLATE "C",
    code_digest           bytea       NOT NULL,
    code_sealed           bytea,
    door                  text        NOT NULL,
    state                 text        NOT NULL DEFAULT 'pending',
    authorized_at         timestamptz NOT NULL,
    permanent_code_sealed bytea,
    corp_id               text        NOT NULL DEFAULT '' COLLATE "C",
    corp_name             text        NOT NULL DEFAULT '',
    tenant_id             uuid,
    attempts              integer     NOT NULL DEFAULT 0,
    -- unknown_outcome: a get_permanent_code was sent and its answer never read.
    unknown_outcome       boolean     NOT NULL DEFAULT false,
    last_errcode          integer,
    last_error            text        NOT NULL DEFAULT '',
    due_at                timestamptz,
    lease_owner           uuid,
    lease_until           timestamptz,
    created_at            timestamptz NOT NULL DEFAULT now(),
    finished_at           timestamptz,
    CONSTRAINT exchanges_pkey PRIMARY KEY (id),
    CONSTRAINT exchanges_one_per_code UNIQUE (suite_id, code_digest),
    CONSTRAINT exchanges_suite FOREIGN KEY (suite_id) REFERENCES suites ON DELETE CASCADE,
    CONSTRAINT exchanges_door_is_known CHECK (door IN ('market', 'site', 'reset')),
    CONSTRAINT exchanges_state_is_known CHECK (
        state IN ('pending', 'exchanged', 'done', 'failed', 'needs_reauthorization'))
);
CREATE INDEX exchanges_due ON exchanges (due_at) WHERE state IN ('pending', 'exchanged');

-- The authorization that is in force. Credentials hang off this row, so that
-- deleting it at cancel_auth takes them with it.
CREATE TABLE authorizations (
    tenant_id             uuid        NOT NULL,
    suite_id              text        NOT NULL COLLATE "C",
    corp_id               text        NOT NULL COLLATE "C",
    -- third_party and customized: the permanent_code; internal: the app's secret.
    permanent_code_sealed bytea       NOT NULL,
    -- authorized_at of the consent that this code stands for: an older cancel_auth or exchange changes nothing.
    authorized_at         timestamptz NOT NULL,
    -- version goes up with each new code; a breaker compares it.
    version               bigint      NOT NULL DEFAULT 1,
    -- blocked_version is the version that WeCom refused: no call is made until it changes.
    blocked_version       bigint,
    -- info_due_at: get_auth_info / agent lists are to be pulled (again).
    info_due_at           timestamptz,
    info_attempts         integer     NOT NULL DEFAULT 0,
    info_error            text        NOT NULL DEFAULT '',
    lease_owner           uuid,
    lease_until           timestamptz,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT authorizations_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT authorizations_tenant FOREIGN KEY (tenant_id) REFERENCES tenants ON DELETE CASCADE
);
CREATE INDEX authorizations_updated_at ON authorizations (updated_at);
CREATE INDEX authorizations_info_due ON authorizations (info_due_at) WHERE info_due_at IS NOT NULL;

-- A visit to the install page: state is single-use and bound to the browser's cookie.
CREATE TABLE install_states (
    state_digest  bytea       NOT NULL,
    cookie_digest bytea       NOT NULL,
    suite_id      text        NOT NULL COLLATE "C",
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz,
    exchange_id   uuid,
    CONSTRAINT install_states_pkey PRIMARY KEY (state_digest),
    CONSTRAINT install_states_suite FOREIGN KEY (suite_id) REFERENCES suites ON DELETE CASCADE
);
CREATE INDEX install_states_expires ON install_states (expires_at);
