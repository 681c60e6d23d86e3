ALTER TABLE refreshes RESET (autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
ALTER TABLE credentials RESET (autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
ALTER TABLE budgets RESET (autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
