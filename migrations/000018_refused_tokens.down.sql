UPDATE refreshes SET refetch = '' WHERE refetch = 'access_token';
ALTER TABLE refreshes
    DROP CONSTRAINT refreshes_refetch_is_a_kind,
    ADD CONSTRAINT refreshes_refetch_is_a_ticket CHECK (refetch IN ('', 'jsapi_ticket', 'agent_config')),
    DROP COLUMN refused_after;
