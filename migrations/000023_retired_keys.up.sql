-- Room secret: keys that were taken out of the keyset. A replica that slept through
-- it still seals with such a key, and nobody could ever open what it stores; so the
-- database refuses that itself (docs/adr/0011). What stands here stays for ever: a
-- handful of bytes for each key.
ALTER TABLE keysets ADD COLUMN retired bytea[] NOT NULL DEFAULT '{}';

-- A sealed value begins with a byte and the four of its key's id. VOLATILE, so that it
-- sees what is committed by now, not by the beginning of the statement; with its owner's
-- rights, because who is bound to a tenant reads no keysets.
CREATE FUNCTION is_sealed_with_retired_key(sealed bytea) RETURNS boolean
    LANGUAGE sql VOLATILE STRICT SECURITY DEFINER BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM keysets k WHERE substring(sealed FROM 2 FOR 4) = ANY (k.retired));
END;

-- 23514 is about the row, as every violation of a constraint: what is stored together
-- with it is stored without it.
CREATE FUNCTION refuse_retired_key() RETURNS trigger
    LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'a value for % is sealed with a key that was retired: whoever sealed it has not read the keyset again yet', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_with_a_kept_key', TABLE = TG_TABLE_NAME;
END
$$;

-- Every column that values are sealed for has its guard (a test compares them with
-- SealedColumns); credentials.previous_sealed only ever takes over what value_sealed held.
CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF suite_secret_sealed, callback_token_sealed, encoding_aes_key_sealed,
        previous_callback_token_sealed, previous_encoding_aes_key_sealed ON suites FOR EACH ROW
    WHEN (is_sealed_with_retired_key(NEW.suite_secret_sealed) OR is_sealed_with_retired_key(NEW.callback_token_sealed)
        OR is_sealed_with_retired_key(NEW.encoding_aes_key_sealed) OR is_sealed_with_retired_key(NEW.previous_callback_token_sealed)
        OR is_sealed_with_retired_key(NEW.previous_encoding_aes_key_sealed))
    EXECUTE FUNCTION refuse_retired_key();
CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF ticket_sealed ON suite_tickets FOR EACH ROW
    WHEN (is_sealed_with_retired_key(NEW.ticket_sealed)) EXECUTE FUNCTION refuse_retired_key();
CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF token_sealed ON suite_tokens FOR EACH ROW
    WHEN (is_sealed_with_retired_key(NEW.token_sealed)) EXECUTE FUNCTION refuse_retired_key();
CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF payload_sealed ON callback_events FOR EACH ROW
    WHEN (is_sealed_with_retired_key(NEW.payload_sealed)) EXECUTE FUNCTION refuse_retired_key();
CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF code_sealed, permanent_code_sealed ON exchanges FOR EACH ROW
    WHEN (is_sealed_with_retired_key(NEW.code_sealed) OR is_sealed_with_retired_key(NEW.permanent_code_sealed))
    EXECUTE FUNCTION refuse_retired_key();
CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF permanent_code_sealed ON authorizations FOR EACH ROW
    WHEN (is_sealed_with_retired_key(NEW.permanent_code_sealed)) EXECUTE FUNCTION refuse_retired_key();
CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF value_sealed ON credentials FOR EACH ROW
    WHEN (is_sealed_with_retired_key(NEW.value_sealed)) EXECUTE FUNCTION refuse_retired_key();
CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF request_sealed, answer_sealed ON idempotency_keys FOR EACH ROW
    WHEN (is_sealed_with_retired_key(NEW.request_sealed) OR is_sealed_with_retired_key(NEW.answer_sealed))
    EXECUTE FUNCTION refuse_retired_key();
CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF sealed ON import_rows FOR EACH ROW
    WHEN (is_sealed_with_retired_key(NEW.sealed)) EXECUTE FUNCTION refuse_retired_key();
CREATE TRIGGER sealed_with_a_kept_key AFTER INSERT OR UPDATE OF secret_sealed, previous_secret_sealed ON webhooks FOR EACH ROW
    WHEN (is_sealed_with_retired_key(NEW.secret_sealed) OR is_sealed_with_retired_key(NEW.previous_secret_sealed))
    EXECUTE FUNCTION refuse_retired_key();
