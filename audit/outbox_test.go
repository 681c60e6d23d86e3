package audit_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/audit"
	"suitesign/migrations/pgtest"
)

func want(t *testing.T, pool *pgxpool.Pool, types ...audit.EventType) {
	t.Helper()
	query := `SELECT 'none' WHERE false`
	for _, e := range types {
		query += ` UNION SELECT '` + string(e) + `'`
	}
	if err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return audit.Want(t.Context(), tx, query) }); err != nil {
		t.Fatal(err)
	}
}

func emit(t *testing.T, pool *pgxpool.Pool, e audit.Event) {
	t.Helper()
	if err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return audit.Emit(t.Context(), tx, e) }); err != nil {
		t.Fatal(err)
	}
}

func texts(t *testing.T, pool *pgxpool.Pool, q string, args ...any) []string {
	t.Helper()
	r, err := pool.Query(t.Context(), q, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(r, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const outbox = `SELECT concat_ws(' ', type, suite_id, COALESCE(tenant_id::text, '-'), data) FROM outbox ORDER BY at`

func TestOnlyWhatSomebodyListensToIsWritten(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	tenant := uuid.MustParse("01936f2e-0000-7000-8000-000000000002")
	one := audit.Event{Type: audit.TenantAuthorized, SuiteID: "s", TenantID: tenant, Data: map[string]any{"corp_id": "c", "errcode": nil}}
	late := audit.Event{Type: audit.SuiteTicketLate, SuiteID: "s", Data: map[string]any{"suite_id": "s"}}
	emit(t, pool, one)
	want(t, pool, audit.TenantAuthorized)
	emit(t, pool, one)
	emit(t, pool, late)
	want(t, pool, audit.SuiteTicketLate, audit.SuiteTicketLate) // and the other no more
	emit(t, pool, one)
	emit(t, pool, late)
	want(t, pool)
	emit(t, pool, late)
	wanted := []string{
		`tenant.authorized s ` + tenant.String() + ` {"corp_id": "c"}`,
		`suite_ticket.late s - {"suite_id": "s"}`,
	}
	if diff := cmp.Diff(wanted, texts(t, pool, outbox)); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
}

func TestAnEventGoesWithItsChange(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	want(t, pool, audit.TenantChanged)
	refused := errors.New("refused")
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		return errors.Join(audit.Emit(t.Context(), tx, audit.Event{Type: audit.TenantChanged, SuiteID: "s", Data: map[string]any{}}), refused)
	})
	if !errors.Is(err, refused) || len(texts(t, pool, outbox)) != 0 {
		t.Errorf("after a rollback (%v) the outbox holds %q, want nothing", err, texts(t, pool, outbox))
	}
}

// take takes up to two events, as whoever hands them on does.
func take(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	r, err := pool.Query(ctx, `WITH `+audit.TakeSQL("2")+` SELECT suite_id FROM taken`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(r, pgx.RowTo[string])
}

func TestEachEventIsTakenOnce(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	want(t, pool, audit.TenantChanged)
	const events, takers = 40, 4
	for range events {
		emit(t, pool, audit.Event{Type: audit.TenantChanged, SuiteID: uuid.NewString(), Data: map[string]any{}})
	}
	type result struct {
		ids []string
		err error
	}
	results := make(chan result)
	for range takers {
		go func() {
			var r result
			for {
				ids, err := take(t.Context(), pool)
				r.ids, r.err = append(r.ids, ids...), err
				if err != nil || len(ids) == 0 {
					break
				}
			}
			results <- r
		}()
	}
	seen := map[string]int{}
	for range takers {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
		}
		for _, id := range r.ids {
			seen[id]++
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s was taken %d times", id, n)
		}
	}
	// A taker that saw only locked rows leaves early; what it left, the others had.
	if left := texts(t, pool, outbox); len(seen)+len(left) != events || len(left) != 0 {
		t.Errorf("%d events were taken and %d are left, want all %d taken", len(seen), len(left), events)
	}
}

func TestPruneOutbox(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for _, age := range []string{"71 hours", "73 hours"} {
		const q = `INSERT INTO outbox (type, suite_id, data, at) VALUES ('x', $1::text, '{}', now() - $1::text::interval)`
		if _, err := pool.Exec(t.Context(), q, age); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := audit.PruneOutbox(t.Context(), pool); n != 1 || err != nil {
		t.Errorf("PruneOutbox = %d, %v; want 1", n, err)
	}
	if diff := cmp.Diff([]string{"71 hours"}, texts(t, pool, `SELECT suite_id FROM outbox`)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}
