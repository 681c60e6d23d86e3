// Package stats answers how the whole installation fares: tenants by status and
// health, credentials by time to expiry, budgets, callbacks, and what was signed and
// refreshed each minute.
//
// Counting a million tenants takes seconds, so nobody counts on request. The
// heartbeat of one replica counts for all ([Roller].RunOnce), at most once a minute
// and never for more than a twentieth of the time, into one row for each suite and
// one for all of them; whoever asks is answered from that row, with the time as_of
// which it is true.
//
// What happens each minute is counted where it happens, by each replica in memory.
// Once a minute a replica adds what it has counted to the rows of that minute, in
// one statement ([Meter].Flush), so that the sums are those of all replicas.
package stats
