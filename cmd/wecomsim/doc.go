// Command wecomsim is WeCom in a box: the platform's API, its installation page,
// its callbacks and its client's checks, for developing and testing a service
// provider's software without an account, and for H5 developers who have none.
// Package wecomtest is what it is made of; GET /sim/openapi.yaml tells its controls.
//
// Everybody who can reach it can read every credential in it and change
// everything: they are made up, but keep it on a loopback address all the same.
package main
