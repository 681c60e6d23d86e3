// Package imports takes in tenants that another system served until now, and
// writes them out for another one: an import is a file, CSV or JSON lines, with
// one tenant in a row, its permanent_code too, so that no corp has to authorize
// anew.
//
// # Taken in
//
// A file is read as it comes and never held whole. What is wrong with the file
// itself (its columns, its quotes) refuses it; what is wrong with one row is that
// row's fault, and the others go on. Each row is staged sealed, in a row of
// import_rows. A dry run reads in the same way, asks the rooms what would become of
// each row, and stages nothing.
//
// # Worked off
//
// An import is due while its row says so; the [Worker] of any replica leases it and
// works it off in batches, in the order of the lines. A batch spans three rooms, and
// no transaction does: first the tenants, then their authorizations, then what
// became of each row, together with how far the import is. Whoever takes over after
// a crash begins with the batch that was not written down, and does it again; that
// doubles nothing, for a row carries the id that its tenant gets if there is none
// yet, and so knows its own tenant from one that was there before.
//
// What a row held is forgotten when it is done, was refused, or its import was
// cancelled.
//
// The package writes its own two tables; tenants and authorizations are written by
// the rooms that own them.
package imports
