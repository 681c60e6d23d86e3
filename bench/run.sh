#!/bin/sh
# Measures and prints the table: see docs/performance.md. Arguments go to the
# program; ./run.sh -h lists them.
set -eu
cd "$(dirname "$0")"
# Built and exec'ed, not `go run`: a signal must reach the program, which stops what it started.
go build -o ../bin/bench-table ./cmd/table
exec ../bin/bench-table "$@"
