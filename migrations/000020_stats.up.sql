-- Room web/stats: when somebody counts next. One row.
CREATE TABLE stats_rollup (
    id      smallint    NOT NULL,
    next_at timestamptz NOT NULL,
    CONSTRAINT stats_rollup_pkey PRIMARY KEY (id),
    CONSTRAINT stats_rollup_is_one CHECK (id = 1)
);

-- Room web/stats: what was counted last of a suite; '' is all of them.
CREATE TABLE stats_snapshots (
    suite_id text        NOT NULL COLLATE "C",
    as_of    timestamptz NOT NULL,
    data     jsonb       NOT NULL,
    CONSTRAINT stats_snapshots_pkey PRIMARY KEY (suite_id)
);
ALTER TABLE stats_snapshots ENABLE ROW LEVEL SECURITY;
CREATE POLICY stats_snapshots_bound ON stats_snapshots USING (reaches_all());

-- Room web/stats: what all replicas counted within a minute, by name. A day old at most.
CREATE TABLE stats_minutes (
    minute timestamptz NOT NULL,
    name   text        NOT NULL COLLATE "C",
    count  bigint      NOT NULL,
    CONSTRAINT stats_minutes_pkey PRIMARY KEY (minute, name)
);
