// Package signing makes the signatures that a corp's pages register with, and
// holds in memory what they are made of.
//
// A signature is SHA-1 over four fields, and the ticket among them signs any
// text. So what the package is about is whom it signs for: a page whose URL has
// the shape of a browser's location.href, on a domain that the tenant trusts,
// asked for by that page. Nonce and time never come from the caller: the fields
// are joined without escaping, and a nonce with an & in it would sign another URL.
//
// [Directory] is a bounded copy of the database: tenants with their agents,
// domains and live tickets, and which tenant a page's host leads to. It is filled
// by what is asked for, one query per tenant and one per suite, and a signature
// from a live ticket makes no query and no call. What it holds is kept true in
// three ways:
//
//   - Handle is told what changed (a tenant switched off, a domain removed) and
//     forgets it at once. A read that began before it was told is thrown away:
//     what is known to be revoked is never brought back by a late answer.
//   - RunOnce reads again, in batches, tenants whose tickets were due to be
//     refreshed. An ordinary refresh needs no message.
//   - After a ticket's end it is not used; the next request asks for a new one.
//
// Two caches lead from what a page names to its tenant: names to a lead, its id to an
// entry. A lead that was followed holds its entry (lookup.go), so that a hot tenant is
// one look; whatever leaves the second cache leaves the lead in the same moment.
//
// While the database is away the directory signs from memory, but no longer than
// MaxStale: by then it cannot know who was revoked.
package signing
