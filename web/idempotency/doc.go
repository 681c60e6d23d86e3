// Package idempotency remembers what requests with an Idempotency-Key were
// answered, so that a caller who does not know whether a request arrived can
// send it again and is answered the same instead of having it done twice.
//
// Each API key has its own names. The first request with a name takes its row
// and a lease on it, over all replicas, and stores its answer there; for a day
// after its beginning the same request is answered from the row, and another one
// under the same name is refused. While the first is under way, a second is told
// so. The lease is extended for as long as the request runs. Where the process
// dies in between, the lease ends and the next request with that name is done
// anew: what the first one did until then stands, as it would for a caller
// without this header.
//
// What is not worth remembering (an answer that tells of a fault on our side)
// is forgotten at once. Answers are sealed, and so is the digest of the request, for
// a request may hold a secret that is worth guessing at. What to leave out of an
// answer is decided upstairs: see web/admin_idempotency.go.
package idempotency
