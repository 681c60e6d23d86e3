DROP TABLE stats_minutes;
DROP TABLE stats_snapshots;
DROP TABLE stats_rollup;
