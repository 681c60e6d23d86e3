DROP TABLE suite_tokens;
DROP TABLE suite_tickets;
DROP TABLE suites;
