-- Room ticket: the tables that every refresh writes to are vacuumed when a fiftieth
-- of them is dead, not a fifth: claims read the front of an index whose dead entries
-- only a vacuum takes away, and a million tenants would leave 200,000 of them there.
ALTER TABLE refreshes SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE credentials SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE budgets SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
