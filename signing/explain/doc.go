// Package explain says why a page could not register with WeCom, and what to do.
//
// The platform's own answers say little: "invalid signature" is what a page gets
// for twenty different mistakes. What this service knows says more, for it holds
// the tickets: a signature that was wrong can be made again, once for each likely
// mistake, and the mistake that makes the same forty digits is the one that was
// made. So [Explain] takes what a developer tells ([Question]) and what the
// service knows ([Known]), and answers with findings, the cause first.
//
// It is a pure function: it asks no database, no clock and no platform. Package
// known, below it, gathers what it needs.
//
// A finding is an Error where it is proved (the signature was made again, a
// domain is not in the list, an id names nobody), a Warning where it is likely,
// and Info where it is good to know. Its code is stable; its words come in
// Chinese and English and say what happened, why that matters and what to do.
//
// No ticket leaves the package: tickets are secret.String, canonical strings carry
// a mask in their place, and a finding names a ticket by its tenant and kind.
package explain
