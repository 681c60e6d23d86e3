DROP TABLE keysets;
