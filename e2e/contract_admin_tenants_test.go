package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestContractAdminTenants(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{})
	w.suite("ww-t", "third_party", "corp.example.com")
	for i := range 3 {
		w.install("ww-t", fmt.Sprintf("wwten%d", i), pageURL)
	}
	path := "/v1/tenants/" + w.tenant("ww-t", "wwten0").ID
	got := w.want(t, 200, "GET", path, nil)
	agents, _ := got["agents"].([]any)
	if got["suite_id"] != "ww-t" || got["corp_id"] != "wwten0" || got["status"] != "active" || got["health"] != "ok" || got["last_error"] != nil || len(agents) != 1 {
		t.Errorf("the tenant is %v", got)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(fmt.Sprint(got["id"])) {
		t.Errorf("its id %v is no UUIDv7", got["id"])
	}

	for query, want := range map[string]int{"": 3, "suite_id=ww-t": 3, "suite_id=none": 0, "corp_id=wwten1": 1, "corp_id=WWTEN1": 0, "status=active": 3, "status=disabled": 0, "health=ok": 3, "health=failing": 0,
		"q=wwten": 3, "q=wwten1": 1, "q=ten": 0, "q=Corp": 3, "q=%25": 0, "q=_wten": 0, "suite_id=ww-t&corp_id=wwten2&status=active&health=ok&q=ww": 1} {
		if items := w.items(t, "/v1/tenants?"+query); len(items) != want {
			t.Errorf("GET /v1/tenants?%s has %d items, want %d", query, len(items), want)
		}
	}
	for _, q := range []string{"status=gone", "health=fine", "suite=ww-t", "limit=1000"} {
		name, _, _ := strings.Cut(q, "=")
		w.refuse(t, 400, "invalid_request", name, "GET", "/v1/tenants?"+q, nil)
	}
	seen := map[any]bool{}
	for page := w.want(t, 200, "GET", "/v1/tenants?limit=1&suite_id=ww-t", nil); ; {
		for _, i := range page["items"].([]any) {
			seen[i.(object)["id"]] = true
		}
		if page["next_cursor"] == nil {
			break
		}
		page = w.want(t, 200, "GET", "/v1/tenants?limit=1&suite_id=ww-t&cursor="+url.QueryEscape(fmt.Sprint(page["next_cursor"])), nil)
	}
	if len(seen) != 3 {
		t.Errorf("page by page there are %d tenants, want 3", len(seen))
	}

	// PATCH.
	tag := w.do(t, "GET", path, nil).header.Get("ETag")
	if o := w.want(t, 200, "PATCH", path, object{"status": "disabled", "name": "Renamed"}, "If-Match", tag); o["status"] != "disabled" || o["name"] != "Renamed" {
		t.Errorf("after PATCH: %v", o)
	}
	w.refuse(t, 412, "version_conflict", "", "PATCH", path, object{"name": "late"}, "If-Match", tag)
	if n := len(w.items(t, "/v1/tenants?status=disabled")); n != 1 {
		t.Errorf("%d tenants are disabled, want 1", n)
	}
	w.want(t, 200, "PATCH", path, object{"status": "active"}, "Content-Type", "application/merge-patch+json")
	w.refuse(t, 400, "invalid_request", "/status", "PATCH", path, object{"status": "cancelled"})
	w.refuse(t, 400, "invalid_request", "/corp_id", "PATCH", path, object{"corp_id": "other"})
	w.refuse(t, 409, "suite_not_internal", "", "PATCH", path, object{"secret": "not-for-this-kind"})
	w.refuse(t, 409, "suite_not_internal", "", "DELETE", path, nil)
	w.refuse(t, 409, "suite_not_internal", "", "POST", "/v1/tenants", object{"suite_id": "ww-t", "corp_id": "wwnew", "agent_id": 1, "secret": "not-for-this-kind"})
	w.refuse(t, 404, "tenant_not_found", "", "GET", "/v1/tenants/"+nobody, nil)
	w.refuse(t, 404, "tenant_not_found", "", "PATCH", "/v1/tenants/"+nobody, object{"name": "x"})

	// A suite with active tenants is not deleted.
	w.refuse(t, 409, "suite_has_active_tenants", "", "DELETE", "/v1/suites/ww-t", nil)

	// Aliases: another form of the id, unique per suite among ids and aliases.
	w.want(t, 200, "PUT", path+"/aliases/wpTEN0", nil)
	w.want(t, 200, "PUT", path+"/aliases/wpTEN0", nil) // again is no error
	other := "/v1/tenants/" + w.tenant("ww-t", "wwten1").ID
	w.refuse(t, 409, "corp_id_taken", "", "PUT", other+"/aliases/wpTEN0", nil)
	w.refuse(t, 409, "corp_id_taken", "", "PUT", other+"/aliases/wwten0", nil)
	if items := w.items(t, "/v1/tenants?corp_id=wpTEN0"); len(items) != 1 || items[0]["corp_id"] != "wwten0" || fmt.Sprint(items[0]["aliases"]) != "[wpTEN0]" {
		t.Errorf("by its alias the tenant is %v", items)
	}
	var s signed
	eventually(t, 2*time.Second, func() error {
		return w.try("GET", w.replicas[0].signURL("signatures", pageURL, "ww-t", "wpTEN0"), nil, nil, &s)
	})
	if s.CorpID != "wpTEN0" {
		t.Errorf("named by its alias, the page is told %s", s.CorpID)
	}
	w.want(t, 204, "DELETE", path+"/aliases/wpTEN0", nil)
	w.refuse(t, 404, "alias_not_found", "", "DELETE", path+"/aliases/wpTEN0", nil)
	w.refuse(t, 404, "alias_not_found", "", "DELETE", path+"/aliases/wwten0", nil)
	w.refuse(t, 404, "tenant_not_found", "", "PUT", "/v1/tenants/"+nobody+"/aliases/wpx", nil)

	// Cancelled by WeCom: only a new authorization undoes it.
	w.simulate("uninstall", object{"suite_id": "ww-t", "corp_id": "wwten2"}, nil)
	gone := "/v1/tenants/" + w.tenant("ww-t", "wwten2").ID
	if o := w.want(t, 200, "GET", gone, nil); o["status"] != "cancelled" || o["cancelled_at"] == nil {
		t.Errorf("after cancel_auth: %v", o)
	}
	w.refuse(t, 409, "tenant_cancelled", "", "PATCH", gone, object{"status": "active"})
	w.refuse(t, 409, "authorization_missing", "", "POST", gone+"/credentials/refresh", nil)
	if items := w.items(t, gone+"/credentials"); len(items) != 0 {
		t.Errorf("a cancelled tenant has credentials: %v", items)
	}
}

func TestContractAdminInternalTenants(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{})
	w.want(t, 201, "POST", "/v1/suites", object{"suite_id": "in-i", "kind": "internal", "name": "Ours"})
	w.want(t, 200, "PUT", "/v1/suites/in-i/domains/corp.example.com", nil)
	w.simulate("corps", object{"corp_id": "wwint", "apps": []any{object{"agent_id": 1000007, "secret": "the-right-secret-of-the-app"}}}, nil)
	in := object{"suite_id": "in-i", "corp_id": "wwint", "agent_id": 1000007, "secret": "a-wrong-secret-of-the-app"}
	for field, bad := range map[string]object{"/agent_id": with(in, "agent_id", 0), "/secret": with(in, "secret", nil), "/corp_id": with(in, "corp_id", ""), "/suite_id": with(in, "suite_id", nil), "/extra": with(in, "extra", 1)} {
		w.refuse(t, 400, "invalid_request", field, "POST", "/v1/tenants", bad)
	}
	w.refuse(t, 404, "suite_not_found", "", "POST", "/v1/tenants", with(in, "suite_id", "none"))
	a := w.do(t, "POST", "/v1/tenants", in)
	path := a.header.Get("Location")
	if a.status != http.StatusCreated || !strings.HasPrefix(path, "/v1/tenants/") {
		t.Fatalf("POST /v1/tenants = %s, Location %q", a, path)
	}
	w.refuse(t, 409, "corp_id_taken", "", "POST", "/v1/tenants", in)

	// The wrong secret is told with its errcode, tried no more, and healed by the right one.
	eventually(t, 10*time.Second, func() error {
		o := w.want(t, 200, "GET", path, nil)
		if e, _ := o["last_error"].(object); e["errcode"] != 40001.0 || o["health"] == "ok" || fmt.Sprint(e["message"]) == "" || e["at"] == nil {
			return fmt.Errorf("health %v, last error %v; want errcode 40001", o["health"], o["last_error"])
		}
		return nil
	})
	tag := w.do(t, "GET", path, nil).header.Get("ETag")
	w.want(t, 200, "PATCH", path, object{"secret": "the-right-secret-of-the-app"}, "If-Match", tag)
	w.refuse(t, 412, "version_conflict", "", "PATCH", path, object{"agent_id": 1000008}, "If-Match", tag)
	var s signed
	eventually(t, 10*time.Second, func() error {
		return w.try("GET", w.replicas[0].signURL("signatures", pageURL, "in-i", "wwint"), nil, nil, &s)
	})
	w.verify("agent_config", pageURL, "", "wwint", s.AgentID, *s.Agent) // the simulator knows no such suite: it is the corp's own app
	eventually(t, 10*time.Second, func() error {
		if o := w.want(t, 200, "GET", path, nil); o["health"] != "ok" || o["last_error"] != nil {
			return fmt.Errorf("health %v, last error %v", o["health"], o["last_error"])
		}
		return nil
	})
	w.refuse(t, 409, "suite_has_active_tenants", "", "DELETE", "/v1/suites/in-i", nil)
	w.want(t, 204, "DELETE", path, nil)
	w.refuse(t, 404, "tenant_not_found", "", "GET", path, nil)
	w.want(t, 204, "DELETE", "/v1/suites/in-i", nil)
}

func TestContractAdminCredentialsAndEvents(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{sim: []string{"--rotation", "rotating"}, environ: []string{"SUITESIGN_REFRESH_PER_APP_HOUR=20"}})
	w.suite("ww-c", "third_party", "corp.example.com")
	w.install("ww-c", "wwcred", pageURL)
	path := "/v1/tenants/" + w.tenant("ww-c", "wwcred").ID + "/credentials"
	byKind := func(items []object) map[any]object {
		m := map[any]object{}
		for _, c := range items {
			m[c["kind"]] = c
		}
		return m
	}
	var before map[any]object
	eventually(t, 5*time.Second, func() error {
		before = byKind(w.items(t, path))
		for _, kind := range []string{"access_token", "jsapi_ticket", "agent_config"} {
			if c := before[kind]; c == nil || c["expires_at"] == nil || c["refreshed_at"] == nil || c["next_refresh_at"] == nil || c["failures"] != 0.0 {
				return fmt.Errorf("%s = %v", kind, c)
			}
		}
		return nil
	})
	// refresh refetches token and tickets even while they live, until the budget is spent.
	a := w.do(t, "POST", path+"/refresh", nil)
	if a.status != http.StatusAccepted || !strings.Contains(string(a.body), `"items"`) {
		t.Errorf("POST refresh = %s, want 202 with the credentials' state", a)
	}
	eventually(t, 10*time.Second, func() error {
		for kind, c := range byKind(w.items(t, path)) {
			if fmt.Sprint(c["refreshed_at"]) == fmt.Sprint(before[kind]["refreshed_at"]) {
				return fmt.Errorf("%s was not fetched again", kind)
			}
		}
		return nil
	})
	for _, api := range []string{"get_corp_token", "get_jsapi_ticket", "ticket/get"} {
		if n := w.calls(api, "ww-c", "wwcred"); n != 2 {
			t.Errorf("%s was called %d times, want twice: once, and once by hand", api, n)
		}
	}
	var spent answer
	eventually(t, 30*time.Second, func() error { // those that come while one is under way cost nothing more
		if spent = w.do(t, "POST", path+"/refresh", object{}); spent.status == http.StatusAccepted {
			return fmt.Errorf("it is still accepted")
		}
		return nil
	})
	wantProblem(t, "refresh with a spent budget", spent, http.StatusTooManyRequests, "refresh_budget_spent")
	w.refuse(t, 404, "tenant_not_found", "", "POST", "/v1/tenants/"+nobody+"/credentials/refresh", nil)
	w.refuse(t, 404, "tenant_not_found", "", "GET", "/v1/tenants/"+nobody+"/credentials", nil)

	// Events, newest first.
	w.simulate("change", object{"suite_id": "ww-c", "corp_id": "wwcred"}, nil)
	eventually(t, 10*time.Second, func() error {
		for _, e := range w.items(t, "/v1/events") {
			if e["state"] != "done" {
				return fmt.Errorf("%v is %v", e["info_type"], e["state"])
			}
		}
		return nil
	})
	events := w.items(t, "/v1/events")
	var types []string
	for i, e := range events {
		types = append(types, fmt.Sprint(e["info_type"]))
		if i > 0 && fmt.Sprint(e["received_at"]) > fmt.Sprint(events[i-1]["received_at"]) {
			t.Errorf("event %d is newer than the one before", i)
		}
	}
	if !slices.Equal(types, []string{"change_auth", "create_auth", "suite_ticket"}) {
		t.Errorf("the events are %v", types)
	}
	if e := events[1]; e["suite_id"] != "ww-c" || e["attempts"] != 1.0 || e["error"] != nil || e["corp_id"] != "wwcred" || e["door"] != "command" {
		t.Errorf("the create_auth is told as %v", e)
	}
	for query, want := range map[string]int{"suite_id=ww-c": 3, "suite_id=none": 0, "info_type=create_auth": 1, "state=done": 3, "state=failed": 0, "corp_id=wwcred": 2, "limit=1": 1} {
		if items := w.items(t, "/v1/events?"+query); len(items) != want {
			t.Errorf("GET /v1/events?%s has %d items, want %d", query, len(items), want)
		}
	}
	w.refuse(t, 400, "invalid_request", "state", "GET", "/v1/events?state=lost", nil)
	one := "/v1/events/" + fmt.Sprint(events[0]["id"])
	w.want(t, 200, "GET", one, nil)
	w.want(t, 202, "POST", one+"/retry", nil) // a change_auth can always be pulled again
	w.refuse(t, 409, "event_not_retryable", "", "POST", "/v1/events/"+fmt.Sprint(events[1]["id"])+"/retry", nil)
	w.refuse(t, 404, "event_not_found", "", "GET", "/v1/events/"+nobody, nil)
	w.refuse(t, 404, "event_not_found", "", "POST", "/v1/events/"+nobody+"/retry", nil)

	// The suite tells the age of its ticket.
	ticket, _ := w.want(t, 200, "GET", "/v1/suites/ww-c", nil)["suite_ticket"].(object)
	if age, ok := ticket["age_seconds"].(float64); !ok || age < 0 || age > 60 || ticket["received_at"] == nil {
		t.Errorf("suite_ticket = %v", ticket)
	}
}
