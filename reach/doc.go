// Package reach narrows what a request can reach in the database to the suites and
// tenants that its API key is bound to.
//
// Handlers and stores filter by what they are asked for; a filter that is forgotten
// shows one customer's rows to another. So the database holds the line as well:
// row-level security (migrations/*_row_security.up.sql) lets the role
// suitesign_bound see and write only rows that belong to what two settings name.
//
// Who is bound stands in the context ([With]). [Pool] is a pool whose every statement
// for such a context runs in a transaction that has taken the role and the settings,
// SET LOCAL and so gone when it ends, however it ends; a transaction that a store
// begins itself is begun that way, and one within it is a savepoint of it. No store
// has to do anything for it, and none can undo it by forgetting.
//
// [Guard] closes the way around: a plain pool that has it refuses a connection to
// a context that is bound. Code that has no business with bound requests (the
// worker, the signing directory) gets an error there instead of rows. The one way
// out is [Lift], by name, for what must be done with the service's own rights.
//
// A context without bounds is the service itself or a key that is bound to nothing,
// and costs nothing: it goes straight to the pool, as the login role.
package reach
