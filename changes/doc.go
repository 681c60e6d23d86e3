// Package changes tells every replica what another one changed.
//
// Memory is a copy of the database, and some copies must not grow old: a corp
// that cancelled, a domain that is trusted no longer, a revoked key. Whoever
// writes such a row appends to the table changes in the same transaction:
// [Append] is one statement that inserts the row and notifies. What is not
// urgent (an ordinary refresh, a callback) never appends, for the commit of a
// NOTIFY takes a lock over the whole cluster.
//
// A [Listener] hears of it twice. Run holds a connection of its own on LISTEN
// and hands out each notification at once. RunOnce is the poll beside it, for
// notifications can be lost: it reads what came since the last poll and the 30
// seconds before that again, because ids are given out before transactions
// commit and a lower id can become visible after a higher one. What was handled
// is remembered for as long as it can be read again, so each change is handed
// out once; a handler must still bear to see one twice.
//
// Both look whether their server is still the one that is written to, if the pool
// was to connect to such a one only: after a switch-over the old one may live on and
// answer, and whoever stayed with it would sign for a corp that cancelled since. The
// poll then drops the pool's connections.
//
// A listener that was away for longer than rows are kept, or finds the database's clock
// behind where it was, cannot know what it missed. It then hands out one change of
// topic [Everything].
package changes
