// Package apikey owns the keys of the admin API.
//
// A key is 256 random bits behind a prefix that people and secret scanners
// recognise, and a checksum that tells a mistyped key from an unknown one
// without asking anybody:
//
//	suitesign_ + 43 letters and digits + 6 of CRC-32
//
// It is shown once. What is stored is its SHA-256, which is also what it is
// found by: a fast hash is right for a value that nobody can guess, and since
// the database compares hashes and never keys, the time it takes tells nothing
// about a key.
//
// Keys are asked for in the database with every request and never kept in
// memory. A revoked key is therefore refused by every replica from the next
// request on, and an admin API that cannot reach its database could do nothing
// with a cached key anyway.
//
// A key has a [Grant]: scopes say what it may do, and it may be bound to suites
// or tenants, of which it then sees nothing but these. A grant never changes, and
// nobody hands out more than they have. A key is replaced by rotating it: there is
// a new one with the same grant, and the old one ends when both have been valid
// for a while.
//
// When a key was used last is kept in memory and written by the heartbeat, for all
// keys at once.
//
// The bootstrap key comes from the configuration, is valid while it is set, and
// is in no table: it is how the first key is made.
package apikey
