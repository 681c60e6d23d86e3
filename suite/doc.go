// Package suite owns what a provider and WeCom agreed on, and what corps
// consented to: the suites, their callbacks, the exchange of an auth_code for a
// permanent_code, and the suite_access_token. What lives only for two hours
// inside one corp, its access_token and tickets, is the ticket room's.
//
// # Told before done
//
// WeCom wants its callbacks acknowledged within a second and never tells twice
// what was acknowledged. So [Callbacks].Receive writes down, answers, and leaves
// the work to rows: an exchange that is due, an authorization whose agents are
// to be pulled, an event to look at again. Being due is data, not a message; the
// [Worker] of any replica does it, under a lease that has an end. Three things
// are done before the answer because they need no call: a newer suite_ticket is
// stored, a cancel_auth takes effect, a change_auth makes the agents due.
//
// # One exchange for two doors
//
// An auth_code comes in by create_auth, or by the redirect of the install page,
// or both. The code's digest names one row of exchanges, so there is one
// exchange ([Exchanger]):
//
//	pending ──get_permanent_code──▶ exchanged ──Activate──▶ done ··▶ get_auth_info, agents
//	   └──40078, or ten minutes──▶ needs_reauthorization
//
// Before the call the row says that it is being sent, for the code works once:
// whoever takes over after a crash knows that the answer may be lost. The
// permanent_code is stored before anything else happens, also by a holder that
// has lost its lease meanwhile: nobody else will ever get it. Pulling the agents
// is a step of its own, due in the row of the authorization.
//
// # What is newer wins
//
// Callbacks come late, twice and in any order. A suite_ticket counts if its
// TimeStamp is not older than the stored one's, a cancel_auth if it is not older
// than the consent it ends (authorized_at). A cancel_auth is committed before the
// tenant is looked for, and a tenant is committed before a cancel_auth is looked
// for: whichever comes second sees the first.
//
// # The suite_access_token
//
// One row holds it, its lease and its breaker; memory is a copy ([Tokens]). A
// secret that WeCom refused is not tried again until suites.secret_version
// changes, a refused suite_ticket not until another one is pushed: a loop of
// wrong secrets would have our IP banned for every tenant.
package suite
