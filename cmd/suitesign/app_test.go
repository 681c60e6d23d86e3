package main

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations"
)

// A database that has just gone away must not make a replica unready that still signs.
func TestADatabaseThatIsAwayHasNoVerdict(t *testing.T) {
	t.Parallel()
	away, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(away.Close)
	failed := migrations.Check(t.Context(), away)
	if failed == nil {
		t.Fatal("the schema of no database was read")
	}
	if got := verdict(failed); got != nil {
		t.Errorf("verdict(%v) = %v, want none", failed, got)
	}
	if old := fmt.Errorf("%w: it is at version 3", migrations.ErrSchemaOutOfRange); verdict(old) == nil {
		t.Errorf("verdict(%v) = nil", old)
	}
}
