DROP TABLE budgets;
DROP TABLE credentials;
DROP TABLE refreshes;
