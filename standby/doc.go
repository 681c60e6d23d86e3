// Package standby tells of commits that no standby has.
//
// Where synchronous_standby_names is set a commit waits for the standby, and
// "committed" means that it outlives the primary. But the wait can be cancelled:
// by whoever runs pg_cancel_backend on statements that hang while the standby is
// away. PostgreSQL then commits on the primary alone and says so in a WARNING; the
// statement ends without an error
// (https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION-HA).
// What is acknowledged by that is lost when the primary dies.
//
// [Follow] makes connections listen for the warning, and who must not acknowledge
// what is on the primary alone asks under [Watch]. Who does not ask pays nothing.
package standby
