// Command suitesign is the server: the HTTP listeners and the worker, and the
// commands an operator needs around them.
//
// This is where the rooms are wired. Configuration is read here and nowhere else
// (config.go), cron lives here and only calls the rooms' RunOnce (heartbeat.go),
// and `serve` owns the order in which things start and stop (serve.go). demo.go
// is the whole product on one machine, with the simulator for a platform.
package main
