-- Room web/apikey: keys of the admin API. Only the SHA-256 of a key is kept.
CREATE TABLE api_keys (
    id           uuid        NOT NULL,
    name         text        NOT NULL,
    prefix       text        NOT NULL COLLATE "C",
    hash         bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_hash_is_unique UNIQUE (hash)
);
