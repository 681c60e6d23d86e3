package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// All five events of an authorization's life, over two replicas.
func TestTheLifeOfAnAuthorization(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suite("dk-life", "customized", "corp.example.com")
	target := map[string]any{"suite_id": "dk-life", "corp_id": "wwlife"}

	// suite_ticket came with the suite; create_auth:
	w.simulate("install", map[string]any{"suite_id": "dk-life", "corp_id": "wwlife", "door": "market"}, nil)
	first := w.waitSigned(w.replicas[0], pageURL, "dk-life", "wwlife", 5*time.Second)
	id := w.tenant("dk-life", "wwlife").ID

	// change_auth re-pulls what the corp granted.
	before := w.calls("v2/get_auth_info", "dk-life", "wwlife") + w.calls("agent/list", "dk-life", "wwlife")
	w.simulate("change", target, nil)
	eventually(t, 5*time.Second, func() error {
		if n := w.calls("v2/get_auth_info", "dk-life", "wwlife") + w.calls("agent/list", "dk-life", "wwlife"); n <= before {
			return fmt.Errorf("still %d calls for the authorization's info", n)
		}
		return nil
	})

	// reset_permanent_code: the old secret is dead; signing goes on.
	w.simulate("reset-permanent-code", target, nil)
	eventually(t, 5*time.Second, func() error {
		if n := w.calls("v2/get_permanent_code", "dk-life", ""); n != 2 {
			return fmt.Errorf("%d exchanges, want a second one", n)
		}
		return nil
	})
	w.api(http.MethodPost, "/v1/tenants/"+id+"/credentials/refresh", http.StatusAccepted, nil, nil)
	w.waitSigned(w.replicas[1], pageURL, "dk-life", "wwlife", 5*time.Second)

	// cancel_auth: within two seconds nobody signs.
	w.simulate("uninstall", target, nil)
	for _, r := range w.replicas {
		eventually(t, 2*time.Second, func() error {
			a := call(t, http.MethodGet, r.signURL("signatures", pageURL, "dk-life", "wwlife"), nil, nil)
			if a.status != http.StatusForbidden || a.code() != "tenant_inactive" {
				return fmt.Errorf("a cancelled tenant's page = %s, want 403 tenant_inactive", a)
			}
			return nil
		})
	}
	if tenant := w.tenant("dk-life", "wwlife"); tenant.Status != "cancelled" {
		t.Errorf("status = %s, want cancelled", tenant.Status)
	}
	w.api(http.MethodPatch, "/v1/tenants/"+id, http.StatusConflict, map[string]any{"status": "active"}, nil)

	// Installed again: the same tenant, at work within five seconds.
	w.simulate("install", map[string]any{"suite_id": "dk-life", "corp_id": "wwlife", "door": "market"}, nil)
	again := w.waitSigned(w.replicas[1], pageURL, "dk-life", "wwlife", 5*time.Second)
	if got := w.tenant("dk-life", "wwlife").ID; got != id {
		t.Errorf("after the re-install the tenant is %s, want %s kept", got, id)
	}
	if first.Config.NonceStr == again.Config.NonceStr {
		t.Error("a nonce came twice")
	}
}

// The three kinds of suites end in the same signatures, each by its own token.
func TestSuiteKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]

	w.suite("ww-third", "third_party", "corp.example.com")
	w.simulate("install", map[string]any{"suite_id": "ww-third", "corp_id": "wwk1", "door": "market"}, nil)
	w.waitSigned(r, pageURL, "ww-third", "wwk1", 5*time.Second)

	w.suite("dk-custom", "customized", "corp.example.com")
	w.simulate("install", map[string]any{"suite_id": "dk-custom", "corp_id": "wwk2", "door": "market"}, nil)
	w.waitSigned(r, pageURL, "dk-custom", "wwk2", 5*time.Second)
	if n := w.calls("get_corp_token", "dk-custom", ""); n != 0 {
		t.Errorf("get_corp_token was called %d times for a customised app, which answers 48002", n)
	}

	w.simulate("corps", map[string]any{"corp_id": "wwk3", "apps": []any{map[string]any{"agent_id": 1000007, "secret": "the-secret-of-an-internal-app"}}}, nil)
	w.api(http.MethodPost, "/v1/suites", http.StatusCreated, map[string]any{"suite_id": "own", "kind": "internal", "name": "Our own"}, nil)
	var tenant struct{ ID string }
	w.api(http.MethodPost, "/v1/tenants", http.StatusCreated, map[string]any{"suite_id": "own", "corp_id": "wwk3", "agent_id": 1000007,
		"secret": "the-secret-of-an-internal-app"}, &tenant)
	w.api(http.MethodPut, "/v1/tenants/"+tenant.ID+"/domains/h5.corp.example.com", http.StatusOK, map[string]any{"exact": true}, nil)
	var s signed
	eventually(t, 5*time.Second, func() error {
		return w.try(http.MethodGet, r.signURL("signatures", pageURL, "own", "wwk3"), nil, nil, &s)
	})
	w.verify("config", pageURL, "", "wwk3", s.AgentID, s.Config)
	w.verify("agent_config", pageURL, "", "wwk3", s.AgentID, *s.Agent)
	w.api(http.MethodDelete, "/v1/tenants/"+tenant.ID, http.StatusNoContent, nil, nil)
	eventually(t, 2*time.Second, func() error {
		if a := call(t, http.MethodGet, r.signURL("signatures", pageURL, "own", "wwk3"), nil, nil); a.code() != "tenant_not_found" {
			return fmt.Errorf("a deleted tenant's page = %s", a)
		}
		return nil
	})
}

// What an admin takes away is gone on every replica within two seconds.
func TestRevocationReachesEveryReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suite("ww-rev", "third_party")
	w.simulate("install", map[string]any{"suite_id": "ww-rev", "corp_id": "wwrev", "door": "market"}, nil)
	eventually(t, 5*time.Second, func() error {
		if w.calls("v2/get_auth_info", "ww-rev", "wwrev") == 0 {
			return fmt.Errorf("not installed yet")
		}
		return nil
	})
	id := w.tenant("ww-rev", "wwrev").ID
	domain := "/v1/tenants/" + id + "/domains/h5.corp.example.com"

	expect := func(what string, status int, code string) {
		t.Helper()
		for _, r := range w.replicas {
			eventually(t, 2*time.Second, func() error {
				a := call(t, http.MethodGet, r.signURL("config-signature", pageURL, "ww-rev", "wwrev"), nil, nil)
				if a.status != status || a.code() != code {
					return fmt.Errorf("%s: %s, want %d %s", what, a, status, code)
				}
				return nil
			})
		}
	}
	expect("before any domain", http.StatusForbidden, "untrusted_domain")
	w.api(http.MethodPut, domain, http.StatusOK, map[string]any{}, nil)
	w.waitSigned(w.replicas[0], pageURL, "ww-rev", "wwrev", 5*time.Second)
	expect("with the domain", http.StatusOK, "")
	w.api(http.MethodDelete, domain, http.StatusNoContent, nil, nil)
	expect("without the domain again", http.StatusForbidden, "untrusted_domain")
	w.api(http.MethodPut, domain, http.StatusOK, map[string]any{}, nil)
	expect("with it again", http.StatusOK, "")
	w.api(http.MethodPatch, "/v1/tenants/"+id, http.StatusOK, map[string]any{"status": "disabled"}, nil)
	expect("disabled", http.StatusForbidden, "tenant_inactive")
	w.api(http.MethodPatch, "/v1/tenants/"+id, http.StatusOK, map[string]any{"status": "active"}, nil)
	expect("active again", http.StatusOK, "")

	// A disabled tenant stays disabled over a re-install.
	w.api(http.MethodPatch, "/v1/tenants/"+id, http.StatusOK, map[string]any{"status": "disabled"}, nil)
	w.simulate("uninstall", map[string]any{"suite_id": "ww-rev", "corp_id": "wwrev"}, nil)
	w.simulate("install", map[string]any{"suite_id": "ww-rev", "corp_id": "wwrev", "door": "market"}, nil)
	eventually(t, 10*time.Second, func() error {
		if w.calls("v2/get_permanent_code", "ww-rev", "") < 2 {
			return fmt.Errorf("not exchanged yet")
		}
		if s := w.tenant("ww-rev", "wwrev").Status; s != "disabled" {
			return fmt.Errorf("status = %s, want disabled", s)
		}
		return nil
	})
}
