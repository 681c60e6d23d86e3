-- Room tenant: one corp's authorization of one suite, its agents and the domains it trusts.
CREATE TABLE tenants (
    id            uuid        NOT NULL,
    suite_id      text        NOT NULL COLLATE "C",
    corp_id       text        NOT NULL COLLATE "C",
    name          text        NOT NULL DEFAULT '',
    -- Two facts make the status: WeCom's authorization and the admin's switch.
    -- So a tenant that an admin disabled is still disabled after a re-install.
    authorized    boolean     NOT NULL DEFAULT true,
    disabled      boolean     NOT NULL DEFAULT false,
    status        text        NOT NULL GENERATED ALWAYS AS (
                      CASE WHEN NOT authorized THEN 'cancelled' WHEN disabled THEN 'disabled' ELSE 'active' END) STORED,
    health        text        NOT NULL DEFAULT 'pending',
    last_error    text        NOT NULL DEFAULT '',
    last_errcode  integer,
    last_error_at timestamptz,
    authorized_at timestamptz NOT NULL,
    cancelled_at  timestamptz,
    version       bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_one_per_suite_and_corp UNIQUE (suite_id, corp_id),
    CONSTRAINT tenants_suite FOREIGN KEY (suite_id) REFERENCES suites ON DELETE CASCADE,
    CONSTRAINT tenants_corp_id_is_sized CHECK (octet_length(corp_id) BETWEEN 1 AND 128),
    CONSTRAINT tenants_health_is_known CHECK (
        health IN ('ok', 'pending', 'failing', 'waiting_suite_ticket', 'needs_reauthorization'))
);
CREATE INDEX tenants_updated_at ON tenants (updated_at);
CREATE INDEX tenants_corp_id ON tenants (corp_id, suite_id);

-- Every form of a corp's id that names a tenant: its own corp_id and an admin's
-- aliases (plain and encrypted forms), unique among each other within a suite.
CREATE TABLE tenant_corp_ids (
    suite_id  text    NOT NULL COLLATE "C",
    corp_id   text    NOT NULL COLLATE "C",
    tenant_id uuid    NOT NULL,
    is_alias  boolean NOT NULL,
    CONSTRAINT tenant_corp_ids_pkey PRIMARY KEY (suite_id, corp_id),
    CONSTRAINT tenant_corp_ids_tenant FOREIGN KEY (tenant_id) REFERENCES tenants ON DELETE CASCADE
);
CREATE INDEX tenant_corp_ids_tenant_id ON tenant_corp_ids (tenant_id);
CREATE INDEX tenant_corp_ids_corp_id ON tenant_corp_ids (corp_id);

CREATE TABLE agents (
    tenant_id  uuid        NOT NULL,
    agent_id   bigint      NOT NULL,
    name       text        NOT NULL DEFAULT '',
    auth_mode  smallint    NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT agents_pkey PRIMARY KEY (tenant_id, agent_id),
    CONSTRAINT agents_tenant FOREIGN KEY (tenant_id) REFERENCES tenants ON DELETE CASCADE,
    CONSTRAINT agents_id_is_positive CHECK (agent_id > 0)
);

-- A trusted domain is host[:port]; port 0 means the scheme's default. It belongs
-- to a tenant, or to every tenant of a suite.
CREATE TABLE tenant_domains (
    tenant_id            uuid        NOT NULL,
    host                 text        NOT NULL COLLATE "C",
    port                 integer     NOT NULL DEFAULT 0,
    exact                boolean     NOT NULL DEFAULT false,
    allow_http           boolean     NOT NULL DEFAULT false,
    verification_name    text        NOT NULL DEFAULT '' COLLATE "C",
    verification_content text        NOT NULL DEFAULT '',
    version              bigint      NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenant_domains_pkey PRIMARY KEY (tenant_id, host, port),
    CONSTRAINT tenant_domains_tenant FOREIGN KEY (tenant_id) REFERENCES tenants ON DELETE CASCADE,
    CONSTRAINT tenant_domains_port_is_a_port CHECK (port BETWEEN 0 AND 65535)
);
CREATE INDEX tenant_domains_host ON tenant_domains (host);

CREATE TABLE suite_domains (
    suite_id             text        NOT NULL COLLATE "C",
    host                 text        NOT NULL COLLATE "C",
    port                 integer     NOT NULL DEFAULT 0,
    exact                boolean     NOT NULL DEFAULT false,
    allow_http           boolean     NOT NULL DEFAULT false,
    verification_name    text        NOT NULL DEFAULT '' COLLATE "C",
    verification_content text        NOT NULL DEFAULT '',
    version              bigint      NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT suite_domains_pkey PRIMARY KEY (suite_id, host, port),
    CONSTRAINT suite_domains_suite FOREIGN KEY (suite_id) REFERENCES suites ON DELETE CASCADE,
    CONSTRAINT suite_domains_port_is_a_port CHECK (port BETWEEN 0 AND 65535)
);
CREATE INDEX suite_domains_host ON suite_domains (host);
