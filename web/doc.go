// Package web is the door: it turns HTTP into calls of the rooms below and
// their errors into problem+json.
//
// There are two listeners. [Server.Public] serves pages (signatures), WeCom
// (callbacks, the way back from an installation) and installers; [Server.Admin]
// serves the admin API, health and metrics. Every route of both stands in
// server.go.
//
// A request passes one door (door.go) before anything else: it gets its id and
// its client address, a bound on its body and the headers every answer carries,
// and when it leaves, one log line and its metrics. The door is plain net/http,
// so that the three signing endpoints (sign.go) are answered without passing a
// router; everything else is gin's.
//
// Slow clients are bounded by net/http's deadlines; the listener's connections set them
// late (deadlines.go), because most of them are moved away before they come.
//
// A handler reads, calls one room, writes, and returns its error. What an error
// looks like outside is decided in one place, the table in handle.go: an error
// that is not listed there is internal, is logged with the request's id, and
// its text stays inside.
package web
