-- Room changes: what other replicas must hear of. Append-only; read again for
-- 30 seconds because commits are not ordered by id; emptied by age.
CREATE TABLE changes (
    id    bigint      GENERATED ALWAYS AS IDENTITY,
    topic text        NOT NULL,
    key   text        NOT NULL COLLATE "C",
    at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT changes_pkey PRIMARY KEY (id)
);
CREATE INDEX changes_at ON changes (at);
