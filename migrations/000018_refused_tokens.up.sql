-- Room ticket: an access_token that a back end reports as refused is fetched anew, as
-- a ticket is that pages report. refused_after: no refusal leads to that before;
-- NULL: none ever did. It is not refetch_after: pages must not spend it.
ALTER TABLE refreshes
    ADD COLUMN refused_after timestamptz,
    DROP CONSTRAINT refreshes_refetch_is_a_ticket,
    ADD CONSTRAINT refreshes_refetch_is_a_kind CHECK (refetch IN ('', 'jsapi_ticket', 'agent_config', 'access_token'));
