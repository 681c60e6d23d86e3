// Package secret holds what must not be seen.
//
// [String] is a value that never prints: logs, errors, JSON and every fmt verb
// show [REDACTED], and Reveal is the one way out.
//
// [Keyring] seals values for storage. It is a tink AEAD keyset: the active key
// seals, every key of the ring opens. What is sealed is bound to where it is
// stored: table, column and row key are the associated data, so that a sealed
// value that is moved to another row, or another column, does not open there.
// The keyset is itself wrapped by the master key, which lives outside the
// database, and kept in the table keysets, so that all replicas share one ring
// and a rotation needs no restart. A key that sealed all there is to seal once can
// be retired (retire.go): the keyset forgets it, and the database refuses values of it.
package secret
