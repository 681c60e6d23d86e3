// Package bench measures suitesign beside something bare that does the same work
// and nothing else, because a ratio of two measurements on one machine in one
// run says more than a time does.
//
// The benchmarks of this package are in process: signing.Signer over a directory
// that was filled from a real PostgreSQL, beside a bare signer. cmd/table runs
// them alternately, measures the built binary over HTTP beside cmd/bare, and
// prints one table with the targets; ./run.sh starts it. What was measured last,
// and on which machine, stands in docs/performance.md.
//
// It is a module of its own, so that what only measurements need never enters
// the product's go.mod. No test here asserts a time; counts (queries,
// allocations) are asserted.
package bench
