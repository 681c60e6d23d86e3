// Package webhook tells others what happens: it owns webhooks, what is on its way
// to them, and the record of every attempt.
//
// Rooms write events to the outbox of package audit, in the transactions that make
// them true. The heartbeat of any replica hands them on ([Deliverer].RunOnce): one
// statement takes events out of the outbox and makes a delivery for each webhook
// that wants them, so that none is lost and none is made twice. A delivery is then
// data that is due, like everything here: a lease is taken, the request is made
// with no transaction open, and what became of it is saved under the lease's owner.
//
// A delivery happens at least once. Between two replicas it happens once, unless
// the one that sent it dies before it has saved that: then the lease ends and it is
// sent again, with the same webhook-id and the same bytes, by which receivers know
// it.
//
// # One slow target delays nobody
//
// A webhook has a few calls at a time, one while it fails or is slow, and those
// that fail or are slow have half of the places together. A call that hangs holds
// its own place until it times out and nothing else.
//
// # What is sent
//
// Requests are signed as Standard Webhooks wants it (standardwebhooks.com); while a
// secret is being rotated, with both. Targets are called through package netguard:
// they are names that somebody chose.
//
// # When it fails
//
// The ladder (schedule.go) is pure. A target that answers 410 is asked no more, and
// neither is one that has failed for five days; both are told in the audit log and
// by /readyz.
package webhook
