DROP TABLE install_states;
DROP TABLE authorizations;
DROP TABLE exchanges;
DROP TABLE callback_counts;
DROP TABLE callback_events;
