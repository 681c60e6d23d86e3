#!/bin/sh
# Measures and prints the table: see docs/performance.md. Arguments go to the
# program, ./run.sh -h lists them.
set -eu
cd "$(dirname "$0")"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
# Built, not `go run`: a Ctrl-C must reach the program, which stops what it started.
go build -o "$bin/table" ./cmd/table
"$bin/table" "$@"
