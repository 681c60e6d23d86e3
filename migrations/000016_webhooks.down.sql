DROP FUNCTION emit_event(text, text, uuid, jsonb);
DROP TABLE webhook_attempts;
DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
ALTER TABLE suite_tickets DROP COLUMN late_told_at;
DROP TABLE outbox_wanted;
DROP TABLE outbox;
