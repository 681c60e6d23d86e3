// Package audittest tells tests what the audit log says.
package audittest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"suitesign/reach"
)

// Written runs f and answers with the entries that it leaves, oldest first:
// "actor action target before after", with null for a side that there is not.
func Written(t testing.TB, pool reach.DB, f func()) []string {
	t.Helper()
	// Entries cannot be removed, so those of before are told by their ids.
	known := query(t, pool, `SELECT id::text FROM audit_log`)
	f()
	return query(t, pool, `
SELECT concat_ws(' ', actor, action, target_id, COALESCE(before::text, 'null'), COALESCE(after::text, 'null'))
FROM audit_log WHERE id <> ALL($1::uuid[]) ORDER BY at, id`, known)
}

// Want runs f and holds what it leaves against what it should.
func Want(t testing.TB, pool reach.DB, f func(), want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, Written(t, pool, f), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
}

func query(t testing.TB, pool reach.DB, sql string, args ...any) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}
