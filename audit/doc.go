// Package audit owns the audit log: who changed what, when, and from where; and the
// outbox: what happened, for who listens.
//
// Whoever changes something calls [Append] with the transaction that makes the
// change. The entry is there exactly when the change is; a change that failed or
// was refused leaves none. So it is the one room beside changes whose rows are
// written in other rooms' transactions.
//
// Who acts travels in the context: the door of the admin API, the command line
// and whoever acts on a callback put an [Actor] there with [With]. Without one
// it is the system.
//
// What a thing was and became are [Fields], of which only those that differ are
// kept. If none does, nothing changed and nothing is written. Secrets never get
// in: a room tells that one is there by [Set] and that it is another one now by
// [Changed]; a value that could be a secret is told the same way whatever the
// room wrote.
//
// The table is append-only. A trigger refuses every update and every deletion,
// but for those of [Prune], and lets even that one touch only what is older than
// [MinRetention].
//
// # The outbox
//
// What webhooks are told is written the same way: [Emit], or [EmitSQL] within a
// statement that must not cost a second one, puts an event into the table outbox
// with the change that it is about. What nobody listens to ([Want]) is not written.
// Package web/webhook, upstairs, takes events out ([TakeSQL]) and makes deliveries
// of them, in one statement; nobody is notified, its heartbeat looks.
package audit
