// Command table measures and prints one table: line, measured, target, met or
// missed. It is started by bench/run.sh, opens nothing beyond loopback and leaves
// nothing behind.
//
// The table has parts (main.go lists them), each a method of house in a file of its
// own that adds its lines; ./run.sh NAME measures one of them. To measure something
// else, add a part. What has many tenants has a database of its own (house.fresh),
// and its tenants are copied into it (stock.go). sizes.go says how many they are.
//
// What is compared is measured alternately (one, other, one, other, …), each with
// a process of its own, and told as the ratio of the two medians with the lowest
// and highest ratio of a single round beside it: on a machine that others use the
// times move, the ratio much less.
//
// The service is the built binary with its access log in a file, a real
// PostgreSQL, and the simulator as the platform. Its tenants come in through the
// front door: configured over the admin API, installed by callbacks, their tickets
// fetched by the worker. The database is durable: a commit is on the disk.
package main
