-- Room audit: each filter alone finds the newest of what is rare without passing over what is not.
-- A target is found by its id.
DROP INDEX audit_log_target;
CREATE INDEX audit_log_target_kind ON audit_log (target_kind, at DESC, id DESC);
CREATE INDEX audit_log_actor_kind ON audit_log (actor_kind, at DESC, id DESC);
