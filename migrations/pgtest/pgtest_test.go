//go:build unix

package pgtest_test

import (
	"testing"

	"suitesign/migrations"
	"suitesign/migrations/pgtest"
)

func TestNewGivesEachTestAMigratedDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	one, two := pgtest.New(t), pgtest.New(t)
	if err := migrations.Check(t.Context(), one); err != nil {
		t.Errorf("Check = %v", err)
	}
	const insert = `INSERT INTO suites (suite_id, kind, name) VALUES ('s', 'internal', 'a suite')`
	if _, err := one.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := two.QueryRow(t.Context(), `SELECT count(*) FROM suites`).Scan(&n); err != nil || n != 0 {
		t.Errorf("the other database has %d suites, %v; want none", n, err)
	}
}
