-- Room web/apikey: what a key may do, and to whom it is bound. A key from before
-- may do everything. The bindings name things and do not refer to them: a key
-- whose only tenant is gone must not turn into a key that is bound to nobody.
ALTER TABLE api_keys
    ADD COLUMN scopes     text[]             NOT NULL DEFAULT '{*}',
    ADD COLUMN suite_ids  text[] COLLATE "C" NOT NULL DEFAULT '{}',
    ADD COLUMN tenant_ids uuid[]             NOT NULL DEFAULT '{}',
    ADD COLUMN replaces   uuid,
    ADD COLUMN version    bigint             NOT NULL DEFAULT 1;
