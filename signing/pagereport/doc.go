// Package pagereport takes what pages report of registrations that failed, and heals
// what it can: a ticket that WeCom refuses although it lives.
//
// Anybody can report anything, so nothing is believed but what can be made again:
// a [Report] counts only if a ticket that is held of the tenant makes its
// signature. Package explain says what that means. If the signature is of a ticket
// that was replaced, the page only has to ask again. If it is of the ticket in
// use, for the page's own URL, and WeCom refuses it, that one kind is fetched
// again, within the bounds of [ticket.Refresher.Refetch]; all replicas hear of the
// new one as of any refresh that was asked for. Everything else is the page's or
// the admin's to mend, and is told.
//
// The room owns page_reports: what was reported, counted by tenant, cause and host
// for each hour, without URLs and without persons, for a week.
package pagereport
