//go:build unix

// Package pgtest gives every test a migrated database of its own.
//
// The server is the one that SUITESIGN_TEST_DATABASE_URL names (as a superuser),
// shared by all test programs of a run, else a private one of this test program
// (package pglocal), which ends with it. On either the migrations run once, into a
// template whose name carries their hash; a test's database is a copy of it, made
// in some ten milliseconds and dropped after the test.
package pgtest
