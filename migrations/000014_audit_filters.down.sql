DROP INDEX audit_log_actor_kind;
DROP INDEX audit_log_target_kind;
CREATE INDEX audit_log_target ON audit_log (target_kind, target_id, at DESC, id DESC);
