package tenant_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/tenant"
	"suitesign/wecom"
)

// told runs f and answers with the events that webhooks are told of, without the ids that all of them carry.
func told(t *testing.T, s *tenant.Store, f func()) []string {
	t.Helper()
	mustExec(t, s.Pool, `DELETE FROM outbox`)
	f()
	rows, err := s.Pool.Query(t.Context(), `SELECT type || ' ' || suite_id || ' ' || (data - 'tenant_id' - 'suite_id') FROM outbox
		WHERE data->>'tenant_id' = tenant_id::text AND data->>'suite_id' = suite_id ORDER BY at`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantTold(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: webhooks are told (-want +got):\n%s", what, diff)
	}
}

func listen(t *testing.T, s *tenant.Store) {
	t.Helper()
	mustExec(t, s.Pool, `INSERT INTO outbox_wanted VALUES ('tenant.authorized'), ('tenant.changed'), ('tenant.cancelled'),
		('credential.failing'), ('credential.recovered')`)
}

func TestWebhooksAreToldOfATenantsLife(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	again := func(at time.Time) func() {
		return func() {
			_, err := s.Activate(ctx, tenant.Activation{SuiteID: "s1", CorpID: "c", AuthorizedAt: at})
			must(err)
		}
	}
	wantTold(t, "while nobody listens", told(t, s, func() { activate(t, s, "s2", "c") }))
	listen(t, s)
	var id uuid.UUID
	wantTold(t, "authorized", told(t, s, func() { id = activate(t, s, "s1", "c").ID }),
		`tenant.authorized s1 {"first": true, "status": "active", "corp_id": "c", "authorized_at": "2026-03-01T08:00:00Z"}`)
	wantTold(t, "the same consent once more", told(t, s, again(t0)))
	wantTold(t, "an older one", told(t, s, again(t0.Add(-time.Hour))))
	wantTold(t, "a younger one", told(t, s, again(t0.Add(time.Hour))),
		`tenant.authorized s1 {"first": false, "status": "active", "corp_id": "c", "authorized_at": "2026-03-01T09:00:00Z"}`)
	agents := func(names ...string) func() {
		return func() {
			var list []tenant.Agent
			for i, n := range names {
				list = append(list, tenant.Agent{ID: wecom.AgentID(i + 1), Name: n})
			}
			must(s.ReplaceAgents(ctx, id, list))
		}
	}
	changed := func(what string) string {
		return `tenant.changed s1 {"status": "active", "changed": ["` + what + `"], "corp_id": "c"}`
	}
	wantTold(t, "agents", told(t, s, agents("a", "b")), changed("agents"))
	wantTold(t, "the same agents", told(t, s, agents("a", "b")))
	wantTold(t, "an alias", told(t, s, func() { must(s.AddAlias(ctx, id, "wpc")) }), changed("aliases"))
	wantTold(t, "no alias", told(t, s, func() { must(s.RemoveAlias(ctx, id, "wpc")) }), changed("aliases"))
	wantTold(t, "a name", told(t, s, func() { _, err := s.Rename(ctx, id, "x", nil); must(err) }), changed("name"))
	wantTold(t, "the same name", told(t, s, func() { _, err := s.Rename(ctx, id, "x", nil); must(err) }))
	wantTold(t, "switched off", told(t, s, func() { _, err := s.SetDisabled(ctx, id, true, nil); must(err) }),
		`tenant.changed s1 {"status": "disabled", "changed": ["status"], "corp_id": "c"}`)
	cancel := func() { _, err := s.Cancel(ctx, id, t0.Add(2*time.Hour)); must(err) }
	wantTold(t, "cancelled", told(t, s, cancel), `tenant.cancelled s1 {"by": "wecom", "corp_id": "c"}`)
	wantTold(t, "cancelled once more", told(t, s, cancel))
	wantTold(t, "authorized again", told(t, s, again(t0.Add(2*time.Hour))),
		`tenant.authorized s1 {"first": false, "status": "disabled", "corp_id": "c", "authorized_at": "2026-03-01T10:00:00Z"}`)
	wantTold(t, "removed", told(t, s, func() { must(s.Delete(ctx, id, nil)) }), `tenant.cancelled s1 {"by": "admin", "corp_id": "c"}`)
}

func TestWebhooksAreToldWhenHealthTurns(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	id := activate(t, s, "s1", "c").ID
	set := func(h tenant.Health, code int, text string) func() {
		return func() {
			if err := s.SetHealth(t.Context(), []tenant.HealthChange{{TenantID: id, Health: h, Errcode: code, Error: text}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantTold(t, "while nobody listens", told(t, s, set(tenant.Failing, 1, "x")))
	set(tenant.Pending, 0, "")()
	listen(t, s)
	for _, step := range []struct {
		set  func()
		want []string
	}{
		{set(tenant.OK, 0, ""), nil}, // its first credentials
		{set(tenant.OK, 0, ""), nil},
		{set(tenant.Failing, 40013, "a text that stays inside"),
			[]string{`credential.failing s1 {"health": "failing", "corp_id": "c", "errcode": 40013, "previous_health": "ok"}`}},
		{set(tenant.Failing, 40014, "another"), nil}, // it fails in another way that is none of a listener's business
		{set(tenant.NeedsReauthorization, 0, "gone"),
			[]string{`credential.failing s1 {"health": "needs_reauthorization", "corp_id": "c", "previous_health": "failing"}`}},
		{set(tenant.OK, 0, ""),
			[]string{`credential.recovered s1 {"health": "ok", "corp_id": "c", "previous_health": "needs_reauthorization"}`}},
		{set(tenant.Pending, 0, ""), nil},
		{set(tenant.WaitingSuiteTicket, 0, "no ticket"),
			[]string{`credential.failing s1 {"health": "waiting_suite_ticket", "corp_id": "c", "previous_health": "pending"}`}},
	} {
		wantTold(t, "health", told(t, s, step.set), step.want...)
	}
	// Nothing of it is urgent: no replica is notified.
	wantHeard(t, heard(t, s, set(tenant.OK, 0, "")))
}
