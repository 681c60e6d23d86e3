-- Room web/idempotency: what requests with an Idempotency-Key were answered.
CREATE TABLE idempotency_keys (
    -- holder is the id of the API key that asked; zero for the bootstrap key.
    holder         uuid        NOT NULL,
    -- key_digest is the SHA-256 of the Idempotency-Key, in hex: what a caller puts into it is the caller's.
    key_digest     text        NOT NULL COLLATE "C",
    state          text        NOT NULL,
    -- owner and lease_until say whose turn it is while the state is running.
    owner          uuid        NOT NULL,
    lease_until    timestamptz NOT NULL,
    -- request_sealed is the digest of what was asked for; NULL while a streamed body is not read yet.
    request_sealed bytea,
    answer_sealed  bytea,
    expires_at     timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (holder, key_digest),
    CONSTRAINT idempotency_keys_state_is_known CHECK (state IN ('running', 'done')),
    CONSTRAINT idempotency_keys_done_is_answered CHECK ((state = 'done') = (answer_sealed IS NOT NULL))
);
CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);
