// Package migrations owns the schema: its files, the way up and down, and the
// range of schema versions that this program runs on.
//
// A migration is one transaction together with the version that it reaches, so
// that one that fails, or is killed, leaves the database exactly as it was. Only
// a file that starts with "-- no transaction" (CREATE INDEX CONCURRENTLY, one
// statement) can leave a version half done; it is then marked dirty, and nothing
// runs until somebody has looked.
//
// Versions come in lines of a thousand. Within a line a migration only adds: the
// programs that ran before it still run after it, so that replicas can be
// replaced one by one. A migration that takes away what the line's programs use
// begins the next thousand. So a program may say that it runs on every version up
// to the end of its line ([Newest]), although it has not seen the files yet.
//
// Up also makes the role that requests of bound API keys take, and grants it what
// it may do (bound.go): a role belongs to the server, not to the schema.
//
// schema.sql shows the result in one piece; a test keeps it true.
package migrations
