package main

import (
	"fmt"
	"testing"

	"suitesign/migrations/pgtest"
)

// TestEverySealedColumnIsGuarded: of a key that was retired the database takes no
// value, in any column that values are sealed for. A new one needs a guard as
// migration 23 makes them.
func TestEverySealedColumnIsGuarded(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for _, c := range sealedColumns() {
		if c.SealedAs != "" {
			continue // takes over what another column held
		}
		// It fires for an update of the column, for an insert (4) and after the row is written (not 2), and looks at the column.
		const q = `
SELECT count(*) FROM pg_trigger t JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr)
WHERE t.tgrelid = to_regclass($1) AND a.attname = $2 AND t.tgfoid = 'refuse_retired_key'::regproc
	AND t.tgenabled = 'O' AND t.tgtype & 4 = 4 AND t.tgtype & 2 = 0 AND strpos(pg_get_triggerdef(t.oid), $3) > 0`
		var n int
		if err := pool.QueryRow(t.Context(), q, c.Table, c.Column, fmt.Sprintf("is_sealed_with_retired_key(new.%s)", c.Column)).Scan(&n); err != nil || n != 1 {
			t.Errorf("%s.%s has %d guards against retired keys, %v; want 1", c.Table, c.Column, n, err)
		}
	}
}
