package secret_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations/pgtest"
	"suitesign/secret"
)

// vaults are tables of this test: keys of one and of two columns, of several types.
var vaults = []secret.Column{
	{Table: "vault", Column: "value_sealed", Key: []string{"id", "kind"}},
	{Table: "vault", Column: "other_sealed", Key: []string{"id", "kind"}},
	{Table: "Odd Vault", Column: "a sealed", Key: []string{"nr"}},
}

func makeVaults(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	execute(t, pool, `CREATE TABLE vault (id uuid, kind text COLLATE "C", value_sealed bytea, other_sealed bytea, PRIMARY KEY (id, kind))`)
	execute(t, pool, `CREATE TABLE "Odd Vault" (nr bigint PRIMARY KEY, "a sealed" bytea)`)
}

// fill seals n values, each telling where it belongs, into each table.
func fill(t *testing.T, pool *pgxpool.Pool, k *secret.Keyring, n int) {
	t.Helper()
	for i := range n {
		id, nr := uuid.NewString(), strconv.Itoa(i)
		for _, kind := range []string{"a", "B/c"} {
			at := vaults[0].At(id, kind)
			execute(t, pool, `INSERT INTO vault VALUES ($1, $2, $3)`, id, kind, seal(t, k, at.Row, at))
		}
		at := vaults[2].At(nr)
		execute(t, pool, `INSERT INTO "Odd Vault" VALUES ($1, $2)`, i, seal(t, k, at.Row, at))
	}
}

// check opens every value and holds it against where it stands.
func check(t *testing.T, pool *pgxpool.Pool, k *secret.Keyring) {
	t.Helper()
	for _, q := range []struct {
		col secret.Column
		sql string
	}{
		{vaults[0], `SELECT id::text || '/' || kind, value_sealed FROM vault`},
		{vaults[2], `SELECT nr::text, "a sealed" FROM "Odd Vault"`},
	} {
		rows, err := pool.Query(t.Context(), q.sql)
		if err != nil {
			t.Fatal(err)
		}
		var (
			row    string
			sealed []byte
		)
		if _, err := pgx.ForEachRow(rows, []any{&row, &sealed}, func() error {
			if got, err := k.Open(sealed, q.col.At(row)); err != nil || got.Reveal() != row {
				t.Errorf("%s holds %q, %v", row, got.Reveal(), err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, pool *pgxpool.Pool) map[uint32]int64 {
	t.Helper()
	counts, err := secret.CountByKey(t.Context(), pool, vaults)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func TestReencrypt(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	k := load(t, pool)
	makeVaults(t, pool)
	fill(t, pool, k, 10)
	old := k.Info().Primary
	if diff := cmp.Diff(map[uint32]int64{old: 30}, count(t, pool)); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	rotate(t, pool)

	done, err := secret.Reencrypt(t.Context(), pool, k, vaults, 3)
	if err != nil || done != 30 {
		t.Errorf("Reencrypt = %d, %v; want 30", done, err)
	}
	now := k.Info().Primary
	if now == old {
		t.Error("Reencrypt did not read the ring again")
	}
	if diff := cmp.Diff(map[uint32]int64{now: 30}, count(t, pool)); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	check(t, pool, k)
	if done, err := secret.Reencrypt(t.Context(), pool, k, vaults, 3); err != nil || done != 0 {
		t.Errorf("a second time: %d, %v; want nothing to do", done, err)
	}
}

func TestReencryptGoesOnWhereItWasEnded(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	k := load(t, pool)
	makeVaults(t, pool)
	fill(t, pool, k, 10)
	rotate(t, pool)

	// The fifth update of a value ends everything, as a crash would.
	execute(t, pool, `CREATE SEQUENCE updates`)
	execute(t, pool, `CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('updates') = 5 THEN RAISE 'crash'; END IF; RETURN NEW; END $$`)
	execute(t, pool, `CREATE TRIGGER crash BEFORE UPDATE ON vault FOR EACH ROW EXECUTE FUNCTION crash()`)
	first, err := secret.Reencrypt(t.Context(), pool, k, vaults, 1)
	if err == nil || first != 4 {
		t.Errorf("Reencrypt = %d, %v; want 4 and the crash", first, err)
	}
	second, err := secret.Reencrypt(t.Context(), pool, k, vaults, 1)
	if err != nil || second != 26 {
		t.Errorf("Reencrypt again = %d, %v; want the other 26", second, err)
	}
	check(t, pool, k)
}

func TestReencryptLeavesWhatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	k, stale := load(t, pool), load(t, pool)
	makeVaults(t, pool)
	fill(t, pool, k, 3)
	rotate(t, pool)

	// Whenever a value of the odd vault is updated, a replica that has not heard of
	// the rotation was faster, once for each row: its value has to stay.
	execute(t, pool, `CREATE TABLE newer (nr bigint PRIMARY KEY, sealed bytea)`)
	for i := range 3 {
		at := vaults[2].At(strconv.Itoa(i))
		execute(t, pool, `INSERT INTO newer VALUES ($1, $2)`, i, seal(t, stale, "newer", at))
	}
	cfg := pool.Config()
	cfg.ConnConfig.Tracer = &faster{pool: pool}
	racing, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(racing.Close)
	done, err := secret.Reencrypt(t.Context(), racing, k, vaults[2:], 2)
	if err != nil || done != 3 {
		t.Errorf("Reencrypt = %d, %v; want 3", done, err)
	}
	var left int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM newer`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows were not raced for, %v: this shows nothing", left, err)
	}
	if counts, err := secret.CountByKey(t.Context(), pool, vaults[2:]); err != nil || counts[k.Info().Primary] != 3 {
		t.Errorf("by key: %v, %v; want 3 under %d", counts, err, k.Info().Primary)
	}
	for i := range 3 {
		var sealed []byte
		if err := pool.QueryRow(t.Context(), `SELECT "a sealed" FROM "Odd Vault" WHERE nr = $1`, i).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		if got, err := k.Open(sealed, vaults[2].At(strconv.Itoa(i))); err != nil || got.Reveal() != "newer" {
			t.Errorf("row %d holds %q, %v; want the newer value", i, got.Reveal(), err)
		}
	}
}

// faster stores the newer values just before a batch of updates is sent.
type faster struct{ pool *pgxpool.Pool }

func (f *faster) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	_, _ = f.pool.Exec(ctx, `WITH taken AS (DELETE FROM newer RETURNING nr, sealed)
		UPDATE "Odd Vault" o SET "a sealed" = taken.sealed FROM taken WHERE o.nr = taken.nr`)
	return ctx
}
func (*faster) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*faster) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}
func (*faster) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (*faster) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestReencryptPassesByWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	k := load(t, pool)
	makeVaults(t, pool)
	fill(t, pool, k, 5)
	execute(t, pool, `UPDATE "Odd Vault" SET "a sealed" = '\x0102'`+` WHERE nr = 0`)                                       // never sealed
	execute(t, pool, `UPDATE "Odd Vault" SET "a sealed" = (SELECT "a sealed" FROM "Odd Vault" WHERE nr = 2) WHERE nr = 1`) // moved
	rotate(t, pool)

	done, err := secret.Reencrypt(t.Context(), pool, k, vaults, 2)
	if done != 13 || !errors.Is(err, secret.ErrSealed) || !strings.Contains(err.Error(), "2 values of Odd Vault.a sealed do not open") {
		t.Errorf("Reencrypt = %d, %v; want 13 done and 2 that do not open", done, err)
	}
	if counts := count(t, pool); counts[0] != 1 || counts[k.Info().Primary] != 13 {
		t.Errorf("by key: %v; want one under 0 and 13 under %d", counts, k.Info().Primary)
	}
}

func TestColumnsThatAreNotThere(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	k := load(t, pool)
	for _, col := range []secret.Column{
		{Table: "no_such_table", Column: "c", Key: []string{"id"}},
		{Table: "suites", Column: "suite_secret_sealed", Key: []string{"no_such_column"}},
		{Table: "suites", Column: "suite_secret_sealed"},
		{Table: "suites", Column: "no_such_column", Key: []string{"suite_id"}},
	} {
		if _, err := secret.Reencrypt(t.Context(), pool, k, []secret.Column{col}, 10); err == nil {
			t.Errorf("Reencrypt of %+v = nil", col)
		}
	}
	if _, err := secret.Reencrypt(t.Context(), pool, k, nil, 0); err == nil {
		t.Error("Reencrypt in batches of nothing = nil")
	}
	if _, err := secret.CountByKey(t.Context(), pool, []secret.Column{{Table: "no_such_table", Column: "c"}}); err == nil {
		t.Error("CountByKey of no table = nil")
	}
}
