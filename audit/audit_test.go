package audit_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"suitesign/audit"
	"suitesign/migrations/pgtest"
	"suitesign/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary is a secret that must be nowhere.
const canary = "CANARY-8d1f0c5e"

func write(t *testing.T, pool *pgxpool.Pool, ctx context.Context, e audit.Entry) error {
	t.Helper()
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return audit.Append(ctx, tx, e) })
}

func mustWrite(t *testing.T, pool *pgxpool.Pool, ctx context.Context, e audit.Entry) {
	t.Helper()
	if err := write(t, pool, ctx, e); err != nil {
		t.Fatal(err)
	}
}

// rows are the entries as text, oldest first, without ids and times.
func rows(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	const q = `SELECT concat_ws(' ', actor_kind, actor, COALESCE(api_key_id::text, '-'), ip, request_id, '|', action, target_kind, target_id,
		suite_id, COALESCE(tenant_id::text, '-'), '|', COALESCE(before::text, 'null'), COALESCE(after::text, 'null'))
		FROM audit_log ORDER BY at, id`
	r, err := pool.Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(r, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnEntryTellsWhoDidWhatToWhat(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	key, tenant := uuid.MustParse("01936f2e-0000-7000-8000-000000000001"), uuid.MustParse("01936f2e-0000-7000-8000-000000000002")
	ctx := audit.With(t.Context(), audit.Actor{Kind: audit.APIKey, Name: "ci", APIKeyID: key, IP: "192.0.2.7", RequestID: "req-1"})
	mustWrite(t, pool, ctx, audit.Entry{Action: "tenant.update", TargetID: tenant.String(), SuiteID: "wwsuite", TenantID: tenant,
		Before: audit.Fields{"name": "old", "status": "active"}, After: audit.Fields{"name": "new", "status": "active"}})
	mustWrite(t, pool, audit.AsWeCom(ctx), audit.Entry{Action: "tenant.cancel", TargetID: tenant.String(), Before: audit.Fields{"status": "active"}})
	mustWrite(t, pool, t.Context(), audit.Entry{Action: "event.retry", TargetID: "e"})
	want := []string{
		"api_key ci " + key.String() + " 192.0.2.7 req-1 | tenant.update tenant " + tenant.String() + " wwsuite " + tenant.String() +
			` | {"name": "old"} {"name": "new"}`,
		"wecom wecom - 192.0.2.7 req-1 | tenant.cancel tenant " + tenant.String() + `  - | {"status": "active"} null`,
		"system system -   | event.retry event e  - | null null",
	}
	if diff := cmp.Diff(want, rows(t, pool)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestWhatChangesNothingIsNoEntry(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustWrite(t, pool, t.Context(), audit.Entry{Action: "suite.update", TargetID: "s",
		Before: audit.Fields{"name": "a", "suite_secret": audit.Set, "provider_corp_id": nil},
		After:  audit.Fields{"name": "a", "suite_secret": audit.Set}})
	if got := rows(t, pool); len(got) != 0 {
		t.Errorf("entries = %q, want none", got)
	}
}

func TestAnEntryGoesWithItsChange(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	refused := errors.New("refused")
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if err := audit.Append(t.Context(), tx, audit.Entry{Action: "suite.create", TargetID: "s"}); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if got := rows(t, pool); len(got) != 0 {
		t.Errorf("entries after a rollback = %q, want none", got)
	}
}

func TestNoSecretGetsIn(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	hidden := secret.New(canary)
	mustWrite(t, pool, t.Context(), audit.Entry{Action: "suite.create", TargetID: "s",
		After: audit.Fields{"suite_secret": hidden, "pointer": &hidden, "sealed": []byte(canary), "none": secret.String{}, "nested": []secret.String{hidden}}})
	mustWrite(t, pool, t.Context(), audit.Entry{Action: "suite.update", TargetID: "s",
		Before: audit.Fields{"suite_secret": audit.Set}, After: audit.Fields{"suite_secret": audit.Changed}})
	got := rows(t, pool)
	if all := strings.Join(got, "\n"); strings.Contains(all, canary) || strings.Contains(all, "Q0FOQVJZ") { // base64 of its beginning
		t.Errorf("the audit log holds the secret:\n%s", all)
	}
	want := []string{
		`system system -   | suite.create suite s  - | null {"nested": ["[REDACTED]"], "sealed": "set", "pointer": "set", "suite_secret": "set"}`,
		`system system -   | suite.update suite s  - | {"suite_secret": "set"} {"suite_secret": "changed"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestAnEntryThatNobodyCouldFindIsRefused(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for _, e := range []audit.Entry{{Action: "suite", TargetID: "s"}, {Action: ".update", TargetID: "s"}, {Action: "suite.update"}} {
		if err := write(t, pool, t.Context(), e); err == nil {
			t.Errorf("Append(%+v) = nil, want an error", e)
		}
	}
}

// old puts an entry of that age in.
func old(t *testing.T, pool *pgxpool.Pool, target string, age time.Duration) {
	t.Helper()
	const q = `INSERT INTO audit_log (id, at, actor_kind, actor, action, target_kind, target_id)
		VALUES (gen_random_uuid(), now() - $1::interval, 'system', 'system', 'x.y', 'x', $2)`
	if _, err := pool.Exec(t.Context(), q, age, target); err != nil {
		t.Fatal(err)
	}
}

const day = 24 * time.Hour

func TestTheLogIsAppendOnly(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	old(t, pool, "ancient", 1000*day)
	old(t, pool, "young", 29*day)
	cheat := `SELECT set_config('suitesign.audit_prune_before', now()::text, false); `
	for _, stmt := range []string{
		`UPDATE audit_log SET actor = 'nobody'`, `DELETE FROM audit_log`, `TRUNCATE audit_log`,
		cheat + `DELETE FROM audit_log WHERE target_id = 'young'`, cheat + `UPDATE audit_log SET actor = 'nobody' WHERE target_id = 'ancient'`,
	} {
		_, err := pool.Exec(t.Context(), stmt)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "42501" {
			t.Errorf("%s = %v, want insufficient_privilege", stmt, err)
		}
	}
	if got := len(rows(t, pool)); got != 2 {
		t.Errorf("%d entries are left, want 2", got)
	}
}

func TestPruneRemovesWhatIsOldInBatches(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for range 5 {
		old(t, pool, "old", 41*day)
	}
	old(t, pool, "young", 39*day)
	mustWrite(t, pool, t.Context(), audit.Entry{Action: "suite.create", TargetID: "new"})
	if _, err := audit.Prune(t.Context(), pool, day, 2); !errors.Is(err, audit.ErrTooYoung) {
		t.Errorf("Prune(older than a day) = %v, want ErrTooYoung", err)
	}
	if n, err := audit.Prune(t.Context(), pool, 40*day, 2); n != 5 || err != nil {
		t.Errorf("Prune = %d, %v; want 5", n, err)
	}
	if n, err := audit.Prune(t.Context(), pool, 40*day, 2); n != 0 || err != nil {
		t.Errorf("Prune again = %d, %v; want 0", n, err)
	}
	if got := len(rows(t, pool)); got != 2 {
		t.Errorf("%d entries are left, want the two young ones", got)
	}
}
