CREATE TABLE imports (
    id          uuid PRIMARY KEY,
    state       text NOT NULL CONSTRAINT imports_state_is_known CHECK (state IN ('receiving', 'pending', 'running', 'done', 'cancelled')),
    format      text NOT NULL CONSTRAINT imports_format_is_known CHECK (format IN ('csv', 'jsonl')),
    on_conflict text NOT NULL CONSTRAINT imports_on_conflict_is_known CHECK (on_conflict IN ('skip', 'update')),
    sha256      bytea,
    created_by  text NOT NULL DEFAULT '',
    -- actor is in whose name the audit log tells of what the rows do.
    actor       jsonb NOT NULL DEFAULT '{}',
    total       integer NOT NULL DEFAULT 0,
    created     integer NOT NULL DEFAULT 0,
    updated     integer NOT NULL DEFAULT 0,
    unchanged   integer NOT NULL DEFAULT 0,
    skipped     integer NOT NULL DEFAULT 0,
    failed      integer NOT NULL DEFAULT 0,
    worked_to   integer NOT NULL DEFAULT 0,
    lease_owner uuid,
    lease_until timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz
);

CREATE INDEX imports_open ON imports (created_at) WHERE state IN ('receiving', 'pending', 'running');
CREATE INDEX imports_finished ON imports (finished_at) WHERE finished_at IS NOT NULL;

-- tenant_id is the id that the row's tenant gets if there is none yet: a row that is
-- worked off again after a crash knows its own tenant by it.
CREATE TABLE import_rows (
    import_id uuid NOT NULL CONSTRAINT import_rows_import REFERENCES imports (id) ON DELETE CASCADE,
    line      integer NOT NULL,
    state     text NOT NULL CONSTRAINT import_rows_state_is_known CHECK (state IN ('pending', 'created', 'updated', 'unchanged', 'skipped', 'failed', 'cancelled')),
    suite_id  text COLLATE "C" NOT NULL DEFAULT '',
    corp_id   text COLLATE "C" NOT NULL DEFAULT '',
    tenant_id uuid,
    sealed    bytea,
    faults    jsonb,
    PRIMARY KEY (import_id, line)
);

CREATE INDEX import_rows_failed ON import_rows (import_id, line) WHERE state = 'failed';

-- Keys that are bound to suites or tenants have no business with files of tenants.
ALTER TABLE imports ENABLE ROW LEVEL SECURITY;
CREATE POLICY imports_bound ON imports USING (reaches_all());
ALTER TABLE import_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY import_rows_bound ON import_rows USING (reaches_all());
