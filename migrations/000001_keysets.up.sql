-- Room secret: the keyring, wrapped by the master key that lives outside the database.
CREATE TABLE keysets (
    id         smallint    NOT NULL DEFAULT 1,
    wrapped    bytea       NOT NULL,
    version    bigint      NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT keysets_pkey PRIMARY KEY (id),
    CONSTRAINT keysets_is_one CHECK (id = 1)
);
