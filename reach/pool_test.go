package reach_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/reach"
)

func user(t *testing.T, ctx context.Context, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}) (name string) {
	t.Helper()
	if err := q.QueryRow(ctx, `SELECT current_user`).Scan(&name); err != nil {
		t.Fatal(err)
	}
	return name
}

// Every way to ask takes the role, and none leaves it behind.
func TestEveryWayToAskIsNarrowed(t *testing.T) {
	t.Parallel()
	db, plain := world(t)
	login := user(t, t.Context(), plain)
	ctx := toTenant(t.Context(), first)
	const all = `SELECT id::text FROM tenants ORDER BY id`
	own := []string{first.String()}

	if got := user(t, ctx, db); got != reach.Role {
		t.Errorf("QueryRow runs as %s, want %s", got, reach.Role)
	}
	if got := collect(t, ctx, db, all); !slices.Equal(got, own) {
		t.Errorf("Query finds %v, want %v", got, own)
	}
	if tag, err := db.Exec(ctx, `UPDATE tenants SET name = 'x'`); err != nil || tag.RowsAffected() != 1 {
		t.Errorf("Exec changes %d rows, %v; want 1", tag.RowsAffected(), err)
	}
	// A transaction that a store begins, and one within it that is rolled back.
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if got := collect(t, ctx, tx, all); !slices.Equal(got, own) {
			t.Errorf("a transaction finds %v, want %v", got, own)
		}
		undo := errors.New("undo")
		if err := pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			if got := collect(t, ctx, inner, all); !slices.Equal(got, own) {
				t.Errorf("a transaction within it finds %v, want %v", got, own)
			}
			return undo
		}); !errors.Is(err, undo) {
			t.Errorf("the inner transaction = %v", err)
		}
		if got := user(t, ctx, tx); got != reach.Role {
			t.Errorf("after a savepoint it runs as %s, want %s", got, reach.Role)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRow(ctx, `SELECT id FROM tenants WHERE id = $1`, third).Scan(new(string)); !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("QueryRow(a foreign row) = %v, want ErrNoRows", err)
	}
	wrong, err := db.Query(ctx, `SELECT nothing FROM tenants`)
	if err == nil {
		t.Error("Query(a wrong statement) = nil")
	}
	wrong.Close()
	if err := db.QueryRow(ctx, `SELECT 1/0`).Scan(new(int)); err == nil || errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("QueryRow(a statement that fails) = %v", err)
	}
	// Rows that are left unread, and a context that ends meanwhile.
	rows, err := db.Query(ctx, `SELECT generate_series(1, 100000)`)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	rows.Close()
	gone, cancel := context.WithCancel(ctx)
	if rows, err = db.Query(gone, `SELECT generate_series(1, 100000)`); err != nil || !rows.Next() {
		t.Fatal(err)
	}
	cancel()
	rows.Close()

	// Each connection that was used is the login role's again, and sees everything.
	var held []*pgxpool.Conn
	for range plain.Stat().TotalConns() {
		c, err := plain.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
		var setting string
		if err := c.QueryRow(t.Context(), `SELECT COALESCE(current_setting('suitesign.tenant_ids', true), '')`).Scan(&setting); err != nil {
			t.Fatal(err)
		}
		if got := user(t, t.Context(), c); got != login || setting != "" || len(collect(t, t.Context(), c, all)) != 3 {
			t.Errorf("a connection was given back as %s with the setting %q", got, setting)
		}
	}
	for _, c := range held {
		c.Release()
	}
}

// What was written through Query is there when its rows end, and not if they fail.
func TestRowsEndTheirTransaction(t *testing.T) {
	t.Parallel()
	db, plain := world(t)
	ctx := toTenant(t.Context(), first)
	if got := collect(t, ctx, db, `UPDATE tenants SET name = 'kept' RETURNING name`); !slices.Equal(got, []string{"kept"}) {
		t.Fatalf("UPDATE … RETURNING = %v", got)
	}
	rows, err := db.Query(ctx, `WITH w AS (UPDATE tenants SET name = 'lost' RETURNING name) SELECT 1 / (length(name) - 4) FROM w`)
	if err == nil {
		for rows.Next() {
		}
		err = rows.Err()
	}
	if err == nil {
		t.Error("a statement that fails on its way = nil")
	}
	if got := collect(t, t.Context(), plain, `SELECT name FROM tenants WHERE id = $1`, first); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("the name is %v, want kept", got)
	}
}

// A plain pool has nothing for a bound context, whatever asks it.
func TestAPlainPoolRefusesBoundContexts(t *testing.T) {
	t.Parallel()
	db, plain := world(t)
	ctx := toSuite(t.Context(), ours)
	if _, err := plain.Exec(ctx, `SELECT`); !errors.Is(err, reach.ErrEscape) {
		t.Errorf("Exec = %v, want ErrEscape", err)
	}
	if _, err := plain.Begin(context.WithoutCancel(ctx)); !errors.Is(err, reach.ErrEscape) {
		t.Errorf("Begin with a context that was cut = %v, want ErrEscape", err)
	}
	short, cancel := context.WithTimeout(reach.Lift(ctx), time.Minute)
	defer cancel()
	if _, err := plain.Exec(short, `SELECT`); err != nil {
		t.Errorf("Exec with the bounds lifted = %v", err)
	}
	if _, bound := reach.Of(reach.Lift(ctx)); bound {
		t.Error("Lift leaves the bounds")
	}
	if got := collect(t, reach.Lift(ctx), db, `SELECT id::text FROM tenants`); len(got) != 3 {
		t.Errorf("with the bounds lifted %d tenants are found, want 3", len(got))
	}
}
