package tenant_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"suitesign/audit"
	"suitesign/audit/audittest"
	"suitesign/reach"
	"suitesign/tenant"
	"suitesign/wecom"
)

// authorize activates in the words of an exchange.
func authorize(t *testing.T, s *tenant.Store, corp wecom.CorpID, name string) tenant.Tenant {
	t.Helper()
	got, err := s.Activate(t.Context(), tenant.Activation{
		SuiteID: "s1", CorpID: corp, Name: name, AuthorizedAt: t0, Action: audit.TenantAuthorize,
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestATenantsLifeIsAudited: every change once, what changes nothing never.
func TestATenantsLifeIsAudited(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx := audit.With(t.Context(), audit.Actor{Kind: audit.CLI, Name: "ann"})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Fatalf("error %v, want %v", err, want)
		}
	}
	id := authorize(t, s, "wwA", "Acme").ID
	says := func(action, sides string) string { return fmt.Sprintf("ann tenant.%s %s %s", action, id, sides) }
	wecomSays := func(action, sides string) string { return fmt.Sprintf("wecom tenant.%s %s %s", action, id, sides) }
	want := func(f func(), want ...string) {
		t.Helper()
		audittest.Want(t, s.Pool, f, want...)
	}
	yes, no, version := true, false, int64(99)

	want(func() { authorize(t, s, "wwA", "Acme") }) // activating twice is activating once
	want(func() { authorize(t, s, "wwA", "Acme Inc") },
		fmt.Sprintf(`system tenant.authorize %s {"name": "Acme"} {"name": "Acme Inc"}`, id))
	want(func() { _, err := s.Update(ctx, id, tenant.Update{Disabled: &yes}, nil); must(err) },
		says("update", `{"status": "active"} {"status": "disabled"}`))
	want(func() { _, err := s.Update(ctx, id, tenant.Update{Disabled: &yes}, nil); must(err) })
	want(func() {
		_, err := s.Update(ctx, id, tenant.Update{Disabled: &no}, &version)
		refused(err, tenant.ErrVersion)
	})
	want(func() { _, err := s.Cancel(ctx, id, t0); must(err) },
		wecomSays("cancel", `{"status": "disabled"} {"status": "cancelled", "disabled": true}`))
	want(func() { _, err := s.Cancel(ctx, id, t0); must(err) })
	want(func() {
		_, err := s.Update(ctx, id, tenant.Update{Disabled: &no}, nil)
		refused(err, tenant.ErrCancelled)
	})
	want(func() { authorize(t, s, "wwA", "") },
		fmt.Sprintf(`system tenant.authorize %s {"status": "cancelled", "disabled": true} {"status": "disabled"}`, id))
	want(func() { must(s.ReplaceAgents(audit.AsWeCom(ctx), id, []tenant.Agent{{ID: 7, Name: "App"}})) },
		wecomSays("replace_agents", `{"agents": []} {"agents": [{"name": "App", "agent_id": 7}]}`))
	want(func() { must(s.ReplaceAgents(ctx, id, []tenant.Agent{{ID: 7, Name: "App"}})) })
	want(func() { must(s.AddAlias(ctx, id, "wpA")) }, "ann tenant_alias.create wpA null null")
	want(func() { must(s.AddAlias(ctx, id, "wpA")) })
	want(func() { refused(s.AddAlias(ctx, id, "wwA"), tenant.ErrConflict) })
	want(func() { must(s.RemoveAlias(ctx, id, "wpA")) }, "ann tenant_alias.delete wpA null null")
	want(func() { refused(s.RemoveAlias(ctx, id, "wpA"), tenant.ErrNotFound) })
	want(func() { must(s.Delete(ctx, id, nil)) },
		says("delete", `{"name": "Acme Inc", "status": "disabled", "corp_id": "wwA", "suite_id": "s1"} null`))
	want(func() { refused(s.Delete(ctx, id, nil), tenant.ErrNotFound) })
}

func TestDomainsAreAudited(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	id := activate(t, s, "s1", "wwA").ID
	plain := trust("h5.example.com")
	file := plain
	file.Exact, file.VerificationName, file.VerificationContent = true, "WW_verify_abcdefgh.txt", "abcdefgh"
	for _, tt := range []struct {
		kind   string
		put    func(tenant.TrustedDomain, *int64) error
		remove func(*int64) error
	}{
		{"tenant_domain", func(d tenant.TrustedDomain, v *int64) error {
			_, _, err := s.PutTenantDomain(ctx, id, d, v)
			return err
		}, func(v *int64) error { return s.DeleteTenantDomain(ctx, id, plain.Domain, v) }},
		{"suite_domain", func(d tenant.TrustedDomain, v *int64) error {
			_, _, err := s.PutSuiteDomain(ctx, "s1", d, v)
			return err
		}, func(v *int64) error { return s.DeleteSuiteDomain(ctx, "s1", plain.Domain, v) }},
	} {
		want := func(f func() error, fails error, want ...string) {
			t.Helper()
			audittest.Want(t, s.Pool, func() {
				if err := f(); !errors.Is(err, fails) {
					t.Fatalf("%s: error %v, want %v", tt.kind, err, fails)
				}
			}, want...)
		}
		says := func(action, sides string) string {
			return "system " + tt.kind + "." + action + " h5.example.com " + sides
		}
		stale := int64(42)
		want(func() error { return tt.put(plain, &stale) }, tenant.ErrVersion)
		want(func() error { return tt.put(plain, nil) }, nil, says("create", `null {"exact": false, "allow_http": false}`))
		want(func() error { return tt.put(plain, nil) }, nil)
		want(func() error { return tt.put(plain, &stale) }, tenant.ErrVersion)
		want(func() error { return tt.put(file, nil) }, nil, says("update",
			`{"exact": false} {"exact": true, "verification_file": {"name": "WW_verify_abcdefgh.txt", "content": "abcdefgh"}}`))
		want(func() error { return tt.remove(&stale) }, tenant.ErrVersion)
		want(func() error { return tt.remove(nil) }, nil, says("delete",
			`{"exact": true, "allow_http": false, "verification_file": {"name": "WW_verify_abcdefgh.txt", "content": "abcdefgh"}} null`))
		want(func() error { return tt.remove(nil) }, tenant.ErrNotFound)
	}
	// Whose they were: the tenant's under its suite, too.
	if got := owners(t, s.Pool); got != fmt.Sprintf("suite_domain s1 -; tenant_domain s1 %s", id) {
		t.Errorf("owners of the entries = %s", got)
	}
}

func owners(t *testing.T, pool reach.DB) (out string) {
	t.Helper()
	const q = `SELECT string_agg(line, '; ' ORDER BY line) FROM (
		SELECT DISTINCT target_kind || ' ' || suite_id || ' ' || COALESCE(tenant_id::text, '-') AS line FROM audit_log) l`
	if err := pool.QueryRow(t.Context(), q).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestADomainStoredAtOnceIsCreatedOnce: of many who store the same new domain one creates it.
func TestADomainStoredAtOnceIsCreatedOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	id := activate(t, s, "s1", "wwA").ID
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			d := trust("h5.example.com")
			d.AllowHTTP = i%2 == 0
			if _, _, err := s.PutTenantDomain(t.Context(), id, d, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var created int
	const q = `SELECT count(*) FROM audit_log WHERE action = 'tenant_domain.create'`
	if err := s.Pool.QueryRow(t.Context(), q).Scan(&created); err != nil || created != 1 {
		t.Errorf("%d creations, %v; want 1", created, err)
	}
}

// TestWhatCannotBeAuditedIsNotDone: entry and change are one.
func TestWhatCannotBeAuditedIsNotDone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	got := activate(t, s, "s1", "wwA")
	mustExec(t, s.Pool, `ALTER TABLE audit_log ADD CONSTRAINT full_up CHECK (actor = 'nobody') NOT VALID`)
	name := "Other"
	if _, err := s.Update(t.Context(), got.ID, tenant.Update{Name: &name}, nil); err == nil {
		t.Error("Update without an audit log = nil, want an error")
	}
	if _, _, err := s.PutTenantDomain(t.Context(), got.ID, trust("h5.example.com"), nil); err == nil {
		t.Error("PutTenantDomain without an audit log = nil, want an error")
	}
	if now := get(t, s, got.ID); now.Name != got.Name {
		t.Errorf("name = %q, want %q as before", now.Name, got.Name)
	}
	if _, err := s.GetTenantDomain(t.Context(), got.ID, trust("h5.example.com").Domain); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("GetTenantDomain = %v, want ErrNotFound", err)
	}
}
