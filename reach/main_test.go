package reach_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"suitesign/migrations/pgtest"
	"suitesign/reach"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Two suites; the first has two tenants, the second one.
const (
	ours, theirs = "ww-ours", "ww-theirs"
)

var (
	first  = uuid.MustParse("01936f2e-0000-7000-8000-000000000001")
	second = uuid.MustParse("01936f2e-0000-7000-8000-000000000002")
	third  = uuid.MustParse("01936f2e-0000-7000-8000-000000000003")
)

// world is a database with a row of everything that belongs to a suite or tenant,
// for each of them.
func world(t *testing.T) (*reach.Pool, *pgxpool.Pool) {
	t.Helper()
	pool := pgtest.New(t)
	run := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, suite := range []string{ours, theirs} {
		run(`INSERT INTO suites (suite_id, kind, name) VALUES ($1, 'internal', $1)`, suite)
		run(`INSERT INTO suite_tickets (suite_id, ticket_sealed, fingerprint, pushed_at, received_at) VALUES ($1, 'x', 'x', now(), now())`, suite)
		run(`INSERT INTO suite_tokens (suite_id) VALUES ($1)`, suite)
		run(`INSERT INTO suite_domains (suite_id, host) VALUES ($1, 'suite.example.com')`, suite)
		run(`INSERT INTO callback_counts (suite_id, info_type, day, events) VALUES ($1, 'x', now(), 1)`, suite)
		run(`INSERT INTO install_states (state_digest, cookie_digest, suite_id, expires_at) VALUES (convert_to($1, 'UTF8'), 'x', $1, now())`, suite)
		run(`INSERT INTO api_keys (id, name, prefix, hash, suite_ids) VALUES (gen_random_uuid(), 'of ' || $1, 'x', convert_to($1, 'UTF8'), ARRAY[$1])`, suite)
		run(`INSERT INTO audit_log (id, actor_kind, actor, action, target_kind, target_id, suite_id) VALUES (gen_random_uuid(), 'system', 'system', 'suite.update', 'suite', $1, $1)`, suite)
	}
	for tenant, suite := range map[uuid.UUID]string{first: ours, second: ours, third: theirs} {
		corp := "corp-" + tenant.String()[35:]
		run(`INSERT INTO tenants (id, suite_id, corp_id, authorized_at) VALUES ($1, $2, $3, now())`, tenant, suite, corp)
		run(`INSERT INTO tenant_corp_ids (suite_id, corp_id, tenant_id, is_alias) VALUES ($1, $2, $3, false)`, suite, corp, tenant)
		run(`INSERT INTO agents (tenant_id, agent_id) VALUES ($1, 7)`, tenant)
		run(`INSERT INTO tenant_domains (tenant_id, host) VALUES ($1, 'h5.example.com')`, tenant)
		run(`INSERT INTO authorizations (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at) VALUES ($1, $2, $3, 'x', now())`, tenant, suite, corp)
		run(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) VALUES ($1, $2, $3, now())`, tenant, suite, corp)
		run(`INSERT INTO credentials (tenant_id, kind, next_at) VALUES ($1, 'access_token', now())`, tenant)
		run(`INSERT INTO callback_events (id, suite_id, digest, door, info_type, corp_id, state, received_at, last_received_at)
			VALUES ($1, $2, convert_to($3, 'UTF8'), 'command', 'change_auth', $3, 'done', now(), now())`, tenant, suite, corp)
		run(`INSERT INTO exchanges (id, suite_id, code_digest, door, authorized_at, tenant_id) VALUES ($1, $2, convert_to($3, 'UTF8'), 'market', now(), $1)`, tenant, suite, corp)
		run(`INSERT INTO page_reports (id, hour, tenant_id, kind, cause, host, client, action) VALUES ($1, now(), $1, 'x', 'x', 'x', 'x', 'x')`, tenant)
		run(`INSERT INTO api_keys (id, name, prefix, hash, tenant_ids) VALUES (gen_random_uuid(), 'of ' || $2, 'x', convert_to($2, 'UTF8'), ARRAY[$1::uuid])`, tenant, corp)
		run(`INSERT INTO audit_log (id, actor_kind, actor, action, target_kind, target_id, suite_id, tenant_id)
			VALUES (gen_random_uuid(), 'system', 'system', 'tenant.update', 'tenant', $1::uuid::text, $2, $1)`, tenant, suite)
	}
	run(`INSERT INTO api_keys (id, name, prefix, hash) VALUES (gen_random_uuid(), 'unbound', 'x', 'x')`)
	run(`INSERT INTO changes (topic, key) VALUES ('tenant', $1::uuid::text)`, third)
	return reach.Narrow(pool), pool
}

func toSuite(ctx context.Context, ids ...string) context.Context {
	return reach.With(ctx, reach.Bounds{SuiteIDs: ids})
}

func toTenant(ctx context.Context, ids ...uuid.UUID) context.Context {
	return reach.With(ctx, reach.Bounds{TenantIDs: ids})
}
