package tenant_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/migrations/pgtest"
	"suitesign/reach"
	"suitesign/tenant"
	"suitesign/wecom"
)

// t0 is a time by the platform's clock.
var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// newStore answers with a store in which the suites s1 and s2 exist.
func newStore(t *testing.T) *tenant.Store {
	t.Helper()
	pool := pgtest.New(t)
	for _, id := range []string{"s1", "s2"} {
		mustExec(t, pool, `INSERT INTO suites (suite_id, kind, name) VALUES ($1, 'internal', $1)`, id)
	}
	return &tenant.Store{Pool: pool}
}

func mustExec(t *testing.T, pool reach.DB, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func activate(t *testing.T, s *tenant.Store, suite wecom.SuiteID, corp wecom.CorpID) tenant.Tenant {
	t.Helper()
	got, err := s.Activate(t.Context(), tenant.Activation{SuiteID: suite, CorpID: corp, Name: "Corp " + string(corp), AuthorizedAt: t0})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// heard runs f and answers with the changes that replicas hear of it.
func heard(t *testing.T, s *tenant.Store, f func()) []string {
	t.Helper()
	mustExec(t, s.Pool, `DELETE FROM changes`)
	f()
	rows, err := s.Pool.Query(t.Context(), `SELECT DISTINCT topic || ' ' || key FROM changes ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantHeard(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("changes heard (-want +got):\n%s", diff)
	}
}

// TestActivate: the first authorization makes a tenant, the next ones renew it:
// id, domains and the admin's switch stay.
func TestActivate(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	if _, _, err := s.PutSuiteDomain(ctx, "s1", trust("suite.example.com"), nil); err != nil {
		t.Fatal(err)
	}
	var first tenant.Tenant
	got := heard(t, s, func() { first = activate(t, s, "s1", "wwA") })
	wantHeard(t, got, "tenant "+first.ID.String(), "new_tenant s1/wwA", "hosts suite.example.com")
	want := tenant.Tenant{ID: first.ID, SuiteID: "s1", CorpID: "wwA", Name: "Corp wwA", Status: tenant.Active, Health: tenant.Pending,
		AuthorizedAt: t0, Version: 1, CreatedAt: first.CreatedAt, UpdatedAt: first.UpdatedAt, Aliases: []wecom.CorpID{}}
	if diff := cmp.Diff(want, first); diff != "" || first.ID.Version() != 7 {
		t.Errorf("Activate (-want +got):\n%s", diff)
	}
	put(t, s, first.ID, trust("own.example.com"))
	if _, err := s.SetDisabled(ctx, first.ID, true, nil); err != nil {
		t.Fatal(err)
	}

	again, err := s.Activate(ctx, tenant.Activation{SuiteID: "s1", CorpID: "wwA", AuthorizedAt: t0.Add(time.Hour + 300*time.Millisecond)})
	if err != nil || again.ID != first.ID || again.Status != tenant.Disabled || again.Name != "Corp wwA" || !again.AuthorizedAt.Equal(t0.Add(time.Hour)) {
		t.Errorf("second Activate = %+v, %v; want the same tenant, disabled, authorized an hour later", again, err)
	}
	older, err := s.Activate(ctx, tenant.Activation{SuiteID: "s1", CorpID: "wwA", Name: "New", AuthorizedAt: t0})
	if err != nil || !older.AuthorizedAt.Equal(t0.Add(time.Hour)) || older.Name != "New" {
		t.Errorf("late Activate = %+v, %v; want the newer time kept", older, err)
	}
	if ds, err := s.ListTenantDomains(ctx, first.ID); err != nil || len(ds) != 1 {
		t.Errorf("domains after a re-install = %v, %v; want one", ds, err)
	}
	// Ids are never folded, and another suite is another tenant.
	if other := activate(t, s, "s1", "wwa"); other.ID == first.ID {
		t.Error("wwA and wwa are one tenant, want two")
	}
	if other := activate(t, s, "s2", "wwA"); other.ID == first.ID {
		t.Error("two suites share a tenant, want two")
	}
	future, err := s.Activate(ctx, tenant.Activation{SuiteID: "s2", CorpID: "wwF", AuthorizedAt: time.Now().Add(24 * time.Hour)})
	if err != nil || time.Until(future.AuthorizedAt) > time.Hour {
		t.Errorf("Activate in the future is authorized at %v, %v; want about now", future.AuthorizedAt, err)
	}
	for _, a := range []tenant.Activation{{SuiteID: "none", CorpID: "ww"}, {SuiteID: "s1", CorpID: ""}, {SuiteID: "s1", CorpID: "a b"}} {
		if _, err := s.Activate(ctx, a); !errors.Is(err, tenant.ErrNotFound) && !errors.Is(err, tenant.ErrInvalidCorpID) {
			t.Errorf("Activate(%+v) = %v, want not found or an invalid corp_id", a, err)
		}
	}
}

// TestActivateAtOnce: ten exchanges that end together make one tenant.
func TestActivateAtOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ids := make([]uuid.UUID, 10)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			got, err := s.Activate(t.Context(), tenant.Activation{SuiteID: "s1", CorpID: "wwA", AuthorizedAt: t0})
			if err != nil {
				t.Error(err)
			}
			ids[i] = got.ID
		})
	}
	wg.Wait()
	if len(slices.Compact(ids)) != 1 {
		t.Errorf("ids = %v, want one", ids)
	}
}

// TestCancel: WeCom's word ends an authorization that is not younger, for good;
// only a younger authorization brings the tenant back.
func TestCancel(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a := activate(t, s, "s1", "wwA")
	put(t, s, a.ID, trust("own.example.com"))

	if ok, err := s.Cancel(ctx, a.ID, t0.Add(-time.Second)); ok || err != nil {
		t.Errorf("Cancel before the authorization = %v, %v; want false", ok, err)
	}
	if got := get(t, s, a.ID); got.Status != tenant.Active {
		t.Errorf("status = %s, want active", got.Status)
	}
	got := heard(t, s, func() {
		if ok, err := s.Cancel(ctx, a.ID, t0); !ok || err != nil {
			t.Errorf("Cancel in the same second = %v, %v; want true", ok, err)
		}
	})
	wantHeard(t, got, "tenant "+a.ID.String(), "hosts own.example.com")
	c := get(t, s, a.ID)
	if c.Status != tenant.Cancelled || !c.CancelledAt.Equal(t0) || c.Version != 2 {
		t.Errorf("cancelled tenant = %+v", c)
	}
	if ok, err := s.Cancel(ctx, a.ID, t0.Add(time.Minute)); !ok || err != nil || get(t, s, a.ID).Version != 2 {
		t.Errorf("Cancel again = %v, %v; want true and the same version", ok, err)
	}
	if _, err := s.SetDisabled(ctx, a.ID, false, nil); !errors.Is(err, tenant.ErrCancelled) {
		t.Errorf("SetDisabled(false) of a cancelled tenant = %v, want ErrCancelled", err)
	}
	// An exchange that was begun before the cancellation and ends after it changes nothing.
	if _, err := s.Activate(ctx, tenant.Activation{SuiteID: "s1", CorpID: "wwA", AuthorizedAt: t0}); !errors.Is(err, tenant.ErrCancelled) {
		t.Errorf("late Activate = %v, want ErrCancelled", err)
	}
	if st := get(t, s, a.ID).Status; st != tenant.Cancelled {
		t.Errorf("status = %s, want cancelled", st)
	}
	// A re-install in the very second of the cancellation counts.
	back, err := s.Activate(ctx, tenant.Activation{SuiteID: "s1", CorpID: "wwA", AuthorizedAt: t0.Add(time.Minute)})
	if err != nil || back.ID != a.ID || back.Status != tenant.Active || !back.CancelledAt.IsZero() || back.Health != tenant.Pending {
		t.Errorf("re-install = %+v, %v; want the same tenant, active", back, err)
	}
	if ok, err := s.Cancel(ctx, a.ID, t0); ok || err != nil {
		t.Errorf("the old word again = %v, %v; want false", ok, err)
	}
	if _, err := s.Cancel(ctx, uuid.New(), t0); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("Cancel of nobody = %v, want ErrNotFound", err)
	}
}

// TestCancelAheadOfTheClock: a word from a clock that is ahead does not outlast a re-install.
func TestCancelAheadOfTheClock(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := activate(t, s, "s1", "wwA")
	if ok, err := s.Cancel(t.Context(), a.ID, time.Now().Add(time.Hour)); !ok || err != nil {
		t.Fatalf("Cancel = %v, %v", ok, err)
	}
	if _, err := s.Activate(t.Context(), tenant.Activation{SuiteID: "s1", CorpID: "wwA", AuthorizedAt: time.Now().Add(time.Second)}); err != nil {
		t.Errorf("Activate after it: %v", err)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a := activate(t, s, "s1", "wwA")
	var off tenant.Tenant
	var err error
	got := heard(t, s, func() { off, err = s.SetDisabled(ctx, a.ID, true, new(int64(1))) })
	wantHeard(t, got, "tenant "+a.ID.String())
	if err != nil || off.Status != tenant.Disabled || off.Version != 2 {
		t.Errorf("SetDisabled = %+v, %v", off, err)
	}
	if _, err := s.SetDisabled(ctx, a.ID, false, new(int64(1))); !errors.Is(err, tenant.ErrVersion) {
		t.Errorf("SetDisabled at an old version = %v, want ErrVersion", err)
	}
	if same, err := s.SetDisabled(ctx, a.ID, true, nil); err != nil || same.Version != 2 {
		t.Errorf("SetDisabled that changes nothing = version %d, %v; want 2", same.Version, err)
	}
	if n, err := s.Rename(ctx, a.ID, "A\x00 GmbH\xff", nil); err != nil || n.Name != "A GmbH" || n.Version != 3 {
		t.Errorf("Rename = %+v, %v", n, err)
	}
	if n, err := s.Rename(ctx, a.ID, strings.Repeat("企", 300), nil); err != nil || len(n.Name) != 510 {
		t.Errorf("Rename to a long name keeps %d bytes, %v; want 510", len(n.Name), err)
	}
	both, err := s.Update(ctx, a.ID, tenant.Update{Disabled: new(false), Name: new("B")}, nil)
	if err != nil || both.Status != tenant.Active || both.Name != "B" {
		t.Errorf("Update = %+v, %v", both, err)
	}
	if _, err := s.Rename(ctx, uuid.New(), "x", nil); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("Rename of nobody = %v, want ErrNotFound", err)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a := activate(t, s, "s1", "wwA")
	put(t, s, a.ID, trust("own.example.com"))
	if err := s.Delete(ctx, a.ID, new(int64(9))); !errors.Is(err, tenant.ErrVersion) {
		t.Errorf("Delete at another version = %v, want ErrVersion", err)
	}
	got := heard(t, s, func() {
		if err := s.Delete(ctx, a.ID, nil); err != nil {
			t.Error(err)
		}
	})
	wantHeard(t, got, "tenant "+a.ID.String(), "new_tenant s1/wwA", "hosts own.example.com")
	if err := s.Delete(ctx, a.ID, nil); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("Delete again = %v, want ErrNotFound", err)
	}
	if _, err := s.Find(ctx, "s1", "wwA"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("Find = %v, want ErrNotFound", err)
	}
}

// TestAliases: a form of a corp's id names one tenant of a suite, whoever asks.
func TestAliases(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a, b := activate(t, s, "s1", "wwA"), activate(t, s, "s1", "wwB")
	got := heard(t, s, func() {
		if err := s.AddAlias(ctx, a.ID, "wpAAA"); err != nil {
			t.Error(err)
		}
	})
	wantHeard(t, got, "tenant "+a.ID.String(), "new_tenant s1/wpAAA")
	if err := s.AddAlias(ctx, a.ID, "wpAAA"); err != nil {
		t.Errorf("AddAlias again = %v, want nil", err)
	}
	if found, err := s.Find(ctx, "s1", "wpAAA"); err != nil || found.ID != a.ID || !slices.Equal(found.Aliases, []wecom.CorpID{"wpAAA"}) || found.CorpID != "wwA" {
		t.Errorf("Find by alias = %+v, %v", found, err)
	}
	if _, err := s.Find(ctx, "s1", "wpaaa"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("Find with other case = %v, want ErrNotFound", err)
	}
	if _, err := s.Find(ctx, "s2", "wpAAA"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("Find in another suite = %v, want ErrNotFound", err)
	}
	for _, c := range []struct {
		id   uuid.UUID
		corp wecom.CorpID
		want error
	}{
		{b.ID, "wpAAA", tenant.ErrConflict}, // another tenant's alias
		{b.ID, "wwA", tenant.ErrConflict},   // another tenant's corp_id
		{a.ID, "wwA", tenant.ErrConflict},   // its own corp_id
		{uuid.New(), "wpX", tenant.ErrNotFound},
		{a.ID, "", tenant.ErrInvalidCorpID},
		{a.ID, "wp\u00e9", tenant.ErrInvalidCorpID},
	} {
		if err := s.AddAlias(ctx, c.id, c.corp); !errors.Is(err, c.want) {
			t.Errorf("AddAlias(%q) = %v, want %v", c.corp, err, c.want)
		}
	}
	// The corp installs under its other form: it is the same tenant.
	if again, err := s.Activate(ctx, tenant.Activation{SuiteID: "s1", CorpID: "wpAAA", AuthorizedAt: t0.Add(time.Hour)}); err != nil || again.ID != a.ID || again.CorpID != "wwA" {
		t.Errorf("Activate by alias = %+v, %v; want tenant %s", again, err, a.ID)
	}
	got = heard(t, s, func() {
		if err := s.RemoveAlias(ctx, a.ID, "wpAAA"); err != nil {
			t.Error(err)
		}
	})
	wantHeard(t, got, "tenant "+a.ID.String(), "new_tenant s1/wpAAA")
	for _, corp := range []wecom.CorpID{"wpAAA", "wwA", "wwB"} {
		if err := s.RemoveAlias(ctx, a.ID, corp); !errors.Is(err, tenant.ErrNotFound) {
			t.Errorf("RemoveAlias(%q) = %v, want ErrNotFound", corp, err)
		}
	}
}

func TestReplaceAgents(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a := activate(t, s, "s1", "wwA")
	replace := func(agents ...tenant.Agent) []string {
		return heard(t, s, func() {
			if err := s.ReplaceAgents(ctx, a.ID, agents); err != nil {
				t.Error(err)
			}
		})
	}
	wantHeard(t, replace(tenant.Agent{ID: 1000003, Name: "b"}, tenant.Agent{ID: 1000002, AuthMode: 1}, tenant.Agent{ID: 1000003, Name: "twice"}, tenant.Agent{ID: 0}), "tenant "+a.ID.String())
	want := []tenant.Agent{{ID: 1000002, AuthMode: 1}, {ID: 1000003, Name: "b"}}
	if diff := cmp.Diff(want, get(t, s, a.ID).Agents); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	wantHeard(t, replace(want...)) // the same again: nobody is told
	wantHeard(t, replace(), "tenant "+a.ID.String())
	if got := get(t, s, a.ID).Agents; len(got) != 0 {
		t.Errorf("agents = %v, want none", got)
	}
	if err := s.ReplaceAgents(ctx, uuid.New(), want); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("ReplaceAgents of nobody = %v, want ErrNotFound", err)
	}
}

// TestSetHealth: what a refresh did is stored, and only what differs is written.
func TestSetHealth(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a, b := activate(t, s, "s1", "wwA"), activate(t, s, "s1", "wwB")
	set := func(hs ...tenant.HealthChange) {
		t.Helper()
		if err := s.SetHealth(ctx, hs); err != nil {
			t.Fatal(err)
		}
	}
	set()
	got := heard(t, s, func() {
		set(tenant.HealthChange{TenantID: a.ID, Health: tenant.OK},
			tenant.HealthChange{TenantID: b.ID, Health: tenant.Failing, Errcode: 60020, Error: "not allow to access\x00 from your ip"})
	})
	wantHeard(t, got) // health is nobody's news
	if g := get(t, s, a.ID); g.Health != tenant.OK || g.LastError != "" || !g.LastErrorAt.IsZero() || g.Version != 1 {
		t.Errorf("healthy tenant = %+v", g)
	}
	bad := get(t, s, b.ID)
	if bad.Health != tenant.Failing || bad.LastErrcode != 60020 || bad.LastError != "not allow to access from your ip" || bad.LastErrorAt.IsZero() {
		t.Errorf("failing tenant = %+v", bad)
	}
	before := xmin(t, s, b.ID)
	set(tenant.HealthChange{TenantID: b.ID, Health: tenant.Failing, Errcode: 60020, Error: "not allow to access from your ip"})
	if after := xmin(t, s, b.ID); after != before {
		t.Error("the same health was written again")
	}
	set(tenant.HealthChange{TenantID: b.ID, Health: tenant.OK})
	if g := get(t, s, b.ID); g.Health != tenant.OK || g.LastErrcode != 0 || g.LastError != "" || !g.LastErrorAt.IsZero() {
		t.Errorf("recovered tenant = %+v", g)
	}
}

// xmin names the transaction that wrote the tenant's row last.
func xmin(t *testing.T, s *tenant.Store, id uuid.UUID) (x string) {
	t.Helper()
	if err := s.Pool.QueryRow(t.Context(), `SELECT xmin::text FROM tenants WHERE id = $1`, id).Scan(&x); err != nil {
		t.Fatal(err)
	}
	return x
}

func TestList(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	var all []tenant.Tenant
	for i, corp := range []wecom.CorpID{"wwA", "wwB", "wpC", "wp_D", "wp%E"} {
		suite := wecom.SuiteID("s1")
		if i == 4 {
			suite = "s2"
		}
		a := activate(t, s, suite, corp)
		if err := s.ReplaceAgents(ctx, a.ID, []tenant.Agent{{ID: wecom.AgentID(1000002 + i)}}); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if err := s.AddAlias(ctx, all[0].ID, "alias"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetDisabled(ctx, all[1].ID, true, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.SetHealth(ctx, []tenant.HealthChange{{TenantID: all[2].ID, Health: tenant.OK}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rename(ctx, all[3].ID, "100% Ökostrom_AG", nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		f    tenant.Filter
		want []wecom.CorpID
	}{
		{"all", tenant.Filter{}, []wecom.CorpID{"wwA", "wwB", "wpC", "wp_D", "wp%E"}},
		{"suite", tenant.Filter{SuiteID: "s2"}, []wecom.CorpID{"wp%E"}},
		{"corp_id", tenant.Filter{CorpID: "wwB"}, []wecom.CorpID{"wwB"}},
		{"alias", tenant.Filter{CorpID: "alias"}, []wecom.CorpID{"wwA"}},
		{"corp_id of nobody", tenant.Filter{CorpID: "wwZ"}, nil},
		{"status", tenant.Filter{Status: tenant.Disabled}, []wecom.CorpID{"wwB"}},
		{"health", tenant.Filter{Health: tenant.OK}, []wecom.CorpID{"wpC"}},
		{"prefix of corp_id", tenant.Filter{Query: "ww"}, []wecom.CorpID{"wwA", "wwB"}},
		{"prefix of name, any case", tenant.Filter{Query: "corp WP"}, []wecom.CorpID{"wp%E", "wpC"}},
		{"percent is no wildcard", tenant.Filter{Query: "wp%"}, []wecom.CorpID{"wp%E"}},
		{"underscore is no wildcard", tenant.Filter{Query: "wp_"}, []wecom.CorpID{"wp_D"}},
		{"percent in a name", tenant.Filter{Query: "100% Ö"}, []wecom.CorpID{"wp_D"}},
		{"backslash", tenant.Filter{Query: `wp\`}, nil},
		{"quote", tenant.Filter{Query: `' OR true --`}, nil},
		{"two at once", tenant.Filter{SuiteID: "s1", Status: tenant.Active, Query: "wp"}, []wecom.CorpID{"wpC", "wp_D"}},
	} {
		ts, next, err := s.List(ctx, tt.f, uuid.Nil, 100)
		var got []wecom.CorpID
		for _, x := range ts {
			got = append(got, x.CorpID)
		}
		if err != nil || next != uuid.Nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: List = %q, next %v, %v; want %q", tt.name, got, next, err, tt.want)
		}
	}

	// By pages, everyone comes once, with what belongs to it.
	var got []wecom.CorpID
	after, pages := uuid.Nil, 0
	for {
		ts, next, err := s.List(ctx, tenant.Filter{}, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range ts {
			got = append(got, x.CorpID)
			if len(x.Agents) != 1 {
				t.Errorf("%s has agents %v, want one", x.CorpID, x.Agents)
			}
		}
		if pages++; next == uuid.Nil {
			break
		}
		after = next
	}
	if want := []wecom.CorpID{"wwA", "wwB", "wpC", "wp_D", "wp%E"}; !slices.Equal(got, want) || pages != 3 {
		t.Errorf("pages give %q in %d pages, want %q in 3", got, pages, want)
	}
}

// TestStoreWithoutDatabase: a database that is away is told as what it is, not as a row that is not there.
func TestStoreWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	id := uuid.New()
	for name, f := range map[string]func() error{
		"Get":                func() error { _, err := s.Get(ctx, id); return err },
		"List":               func() error { _, _, err := s.List(ctx, tenant.Filter{}, id, 1); return err },
		"Activate":           func() error { _, err := s.Activate(ctx, tenant.Activation{SuiteID: "s1", CorpID: "c"}); return err },
		"Cancel":             func() error { _, err := s.Cancel(ctx, id, t0); return err },
		"Update":             func() error { _, err := s.SetDisabled(ctx, id, true, nil); return err },
		"Delete":             func() error { return s.Delete(ctx, id, nil) },
		"ReplaceAgents":      func() error { return s.ReplaceAgents(ctx, id, nil) },
		"SetHealth":          func() error { return s.SetHealth(ctx, []tenant.HealthChange{{TenantID: id, Health: tenant.OK}}) },
		"AddAlias":           func() error { return s.AddAlias(ctx, id, "c") },
		"RemoveAlias":        func() error { return s.RemoveAlias(ctx, id, "c") },
		"PutTenantDomain":    func() error { _, _, err := s.PutTenantDomain(ctx, id, trust("a.b"), nil); return err },
		"GetTenantDomain":    func() error { _, err := s.GetTenantDomain(ctx, id, tenant.Domain{}); return err },
		"ListTenantDomains":  func() error { _, err := s.ListTenantDomains(ctx, id); return err },
		"DeleteTenantDomain": func() error { return s.DeleteTenantDomain(ctx, id, tenant.Domain{}, nil) },
		"VerificationFile":   func() error { _, err := s.VerificationFile(ctx, "a.b", "WW_verify_12345678.txt"); return err },
	} {
		if err := f(); !errors.Is(err, context.Canceled) || errors.Is(err, tenant.ErrNotFound) {
			t.Errorf("%s = %v, want context canceled", name, err)
		}
	}
}
