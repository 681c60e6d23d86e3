// Package e2e sees the product from the street: it builds the binaries, starts
// them as processes on a real PostgreSQL, and speaks HTTP to them. The platform
// is the simulator, a process too.
//
// PostgreSQL comes through testcontainers wherever a Docker engine answers, and
// from this machine's own server binaries elsewhere. Everything listens on
// loopback. No test here reads or writes the product's tables.
package e2e
