// Package ticket keeps every tenant's short-lived credentials fresh: the corp's
// access_token, and with it the corp's jsapi_ticket and the agent's. Pages are
// signed with what is stored here; what decides whether a page may be signed for
// is not here.
//
// # Being due is data
//
// Every tenant has one row in refreshes, and that row says when it is due. No
// process is in charge. The heartbeat of each calls [Refresher].RunOnce, which does
// what is due and comes back; a process that dies leaves rows behind that are due
// for the others.
//
// # The lease
//
// The lease belongs to the tenant, not to the credential: with one for each ticket
// two processes would fetch the same access_token.
//
//	due ──claim──▶ leased ──save──▶ due again, later
//	 ▲               │
//	 └──lease ends───┘  crashed, frozen, cut off
//
// A claim takes many tenants in one statement: it locks rows that are due and that
// nobody holds, skips those that somebody is just claiming, charges the budgets,
// and writes a lease of 15 seconds under an owner of its own, new for each claim.
// The holder counts from before it sent the claim, gives up after four fifths of
// it, and claims no more than it has room to start at once.
//
// To save is to compare: a row is written only while it still carries the claim's
// owner, and a new value only on top of the generation that the claim saw. Whoever
// was frozen for a minute and comes back finds its rows with another owner, or
// with none, and what it fetched is thrown away; never is a newer credential
// replaced by an older one. Saving gives the tenant back in the same statement. No
// transaction is open while WeCom is called.
//
// A crash costs at most the calls that were under way; ten processes cost WeCom
// what one does. Requests that cannot wait ([Refresher].Demand) and admins
// ([Refresher].Force) go through the same lease.
//
// Pages report registrations that WeCom refused. Where such a report proves that a
// ticket is refused although it lives, [Refresher].Refetch has that kind fetched
// again alone: a mark in the same row, under the same lease, bounded for each tenant.
//
// # One attempt
//
// Each credential has its own expiry, failures and next time, and the tenant is due
// at the earliest. An attempt fetches what is due or missing, the access_token
// first if it has to, both tickets at a time; what came is saved although the rest
// failed. A token that WeCom refuses on a ticket call is fetched anew, once. What is
// stored serves until its expires_at, and not a moment longer. The value before
// it is kept until its own end, to tell what a page was signed with.
//
// The schedule (schedule.go) is pure. A credential is fetched 30 minutes before its
// end, never earlier than after half of its life. A value that WeCom repeats lasts
// no longer for that: the older expiry stands.
//
// # Trouble
//
// classify.go says what each kind of failure leads to: a retry after 5 s, 15 s, …
// 10 min; a slow probe; or parking, where nothing is tried until what the tenant
// waits for happens: a suite_ticket, a new secret, a new authorization. The beat
// that enrols new tenants also wakes those. A refused secret is never tried again
// by itself, for a loop of wrong secrets has our address banned, for everybody.
//
// One tenant's trouble is its own. Tenants that failed before wait in a lane with
// a quarter of the places; an attempt that hangs gives its place up after a second
// while it goes on hanging; a batch is shared evenly by the suites that have
// something due. When WeCom answers nobody (outage.go), one attempt in five
// seconds over all replicas finds out whether it is back.
//
// # Nobody asks
//
// A tenant that no page has asked for in IdleAfter is not scheduled again
// (idle.go): it stands in no index that a claim looks at, and the next request has
// it refreshed. Last use is remembered roughly, a write for a tenant and hour at
// most; to lose it costs a refresh at the wrong time, never a page its ticket.
//
// Back ends of whoever runs this take the access_token from here ([Source].Token)
// instead of fetching one of their own, and tell when WeCom refuses it
// ([Refresher].Refused): by its fingerprint, so that only the one in force is
// replaced, and bounded as reports of pages are.
//
// # Budgets
//
// What WeCom allows (budget.go) is kept over replicas and restarts by cells in the
// table budgets. The claim charges a tenant's whole cycle before any of it is
// called, so there is no way around them.
package ticket
