DROP TABLE suite_domains;
DROP TABLE tenant_domains;
DROP TABLE agents;
DROP TABLE tenant_corp_ids;
DROP TABLE tenants;
