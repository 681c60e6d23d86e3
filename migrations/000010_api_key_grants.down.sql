-- Without scopes and bindings a narrowed key would be a key to everything.
UPDATE api_keys SET revoked_at = COALESCE(revoked_at, now())
WHERE NOT scopes @> '{*}' OR suite_ids <> '{}' OR tenant_ids <> '{}';
ALTER TABLE api_keys
    DROP COLUMN version,
    DROP COLUMN replaces,
    DROP COLUMN tenant_ids,
    DROP COLUMN suite_ids,
    DROP COLUMN scopes;
