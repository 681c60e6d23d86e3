//go:build unix

// Package pglocal runs a private PostgreSQL from the server binaries of this
// machine: for the demo, and for tests where no server is given.
//
// The server listens on a unix socket only, in a folder that nobody but its own
// user can enter. It refuses to run as root, so root starts it as another user,
// postgres or else nobody. Where that user cannot reach the folder it was given,
// or the socket's path would be too long, everything goes to a private folder
// under /var/tmp instead.
//
// One process owns a server: it holds a lock on the folder for as long as it
// lives, and a second process that asks for the same folder follows the server
// that is there. A watchdog stops the server when its owner ends in whatever way.
// A server that is found without an owner is stopped and started again; a
// postmaster.pid whose process is gone, or is another one by now, is healed. Data
// of another major version is never touched.
//
// There is no goroutine behind a [Server], so that tests can look for leaks.
package pglocal
