package web_test

import (
	"encoding/hex"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/suite"
	"suitesign/ticket"
	"suitesign/web"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// withPlatform lets the admin API's tenants be refreshed at a platform.
func withPlatform(t testing.TB, sim *wecomtest.Sim, limits ticket.Limits) func(*web.API) {
	client := &wecom.Client{BaseURL: sim.URL}
	t.Cleanup(client.CloseIdleConnections)
	return func(a *web.API) {
		a.Credentials = &ticket.Source{Pool: a.Tenants.Pool, Ring: a.Suites.Ring}
		a.Refresher = &ticket.Refresher{
			Pool: a.Known.Directory.Pool, Ring: a.Suites.Ring, WeCom: client, Suites: &suite.Tokens{Store: a.Suites, WeCom: client},
			Authorizations: a.Suites, Tenants: a.Tenants, Limits: limits, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		}
		t.Cleanup(a.Refresher.Wait)
	}
}

// From an empty database to a tenant that signs, is refreshed and is switched off, as docs/api.md tells it.
func TestStory(t *testing.T) {
	t.Parallel()
	const corpID, appSecret = "wwcorp0000000001", "canary-secret-of-the-app"
	sim := wecomtest.New(t, wecomtest.WithRotation(wecomtest.Rotating, 0))
	sim.AddCorp(wecomtest.Corp{CorpID: corpID, Apps: []wecomtest.App{{AgentID: 1000002, Secret: appSecret}}})
	a := newAdmin(t, withPlatform(t, sim, ticket.DefaultLimits()))
	heartbeat := func() {
		t.Helper()
		if _, err := a.api.Refresher.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	if items := a.call("GET", "/v1/suites", nil).want(200).items(); len(items) != 0 {
		t.Fatalf("an empty database has suites: %v", items)
	}
	a.call("POST", "/v1/suites", object{"suite_id": "ours", "kind": "internal", "name": "自建应用"}).want(201)
	a.call("PUT", "/v1/suites/ours/domains/h5.example.com", object{"exact": false}).want(200)
	path := a.call("POST", "/v1/tenants",
		object{"suite_id": "ours", "corp_id": corpID, "agent_id": 1000002, "secret": appSecret}).want(201).header.Get("Location")
	if items := a.call("GET", path+"/credentials", nil).want(200).items(); len(items) != 0 {
		t.Errorf("credentials before the first refresh: %v", items)
	}

	wantUse := func(used, idle bool) {
		t.Helper()
		if o := a.call("GET", path+"/credentials", nil).want(200).object(); (o["last_used_at"] != nil) != used || o["idle"] != idle {
			t.Errorf("last_used_at = %v, idle = %v; want used %v, idle %v", o["last_used_at"], o["idle"], used, idle)
		}
	}
	wantUse(false, false)
	a.api.Refresher.IdleAfter = time.Minute
	heartbeat()
	wantUse(true, true) // nobody asked in the minute before it would have been due again
	if err := a.api.Refresher.Used(t.Context(), []uuid.UUID{uuid.MustParse(path[len("/v1/tenants/"):])}); err != nil {
		t.Fatal(err)
	}
	wantUse(true, false)
	first := a.credentials(path)
	if diff := cmp.Diff([]string{"access_token", "agent_config", "jsapi_ticket"}, slices.Sorted(maps.Keys(first))); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
	for kind, c := range first {
		if c["expires_at"] == nil || c["refreshed_at"] == nil || c["next_refresh_at"] == nil || c["failures"] != 0.0 || c["last_error"] != nil {
			t.Errorf("%s = %v, want a live one", kind, c)
		}
	}
	if got := a.call("GET", path, nil).want(200).object()["health"]; got != "ok" {
		t.Errorf("health = %v, want ok", got)
	}

	// A forced refresh fetches again although everything lives; asked for twice, it is done once.
	a.call("POST", path+"/credentials/refresh", nil).want(202)
	a.call("POST", path+"/credentials/refresh", "{}").want(202)
	heartbeat()
	heartbeat()
	for _, name := range []string{"gettoken", "get_jsapi_ticket", "ticket/get"} {
		if got := sim.Calls().Count(name, "", ""); got != 2 {
			t.Errorf("%s was called %d times, want 2", name, got)
		}
	}
	for kind, c := range a.credentials(path) {
		if c["refreshed_at"] == first[kind]["refreshed_at"] {
			t.Errorf("%s was not fetched again", kind)
		}
	}

	if got := a.call("PATCH", path, object{"status": "disabled"}).want(200).object()["status"]; got != "disabled" {
		t.Errorf("status = %v, want disabled", got)
	}
	a.call("DELETE", path, nil).want(204)
	a.call("DELETE", "/v1/suites/ours", nil).want(204)
	a.noCanary(appSecret)
}

// credentials are a tenant's by kind.
func (a *admin) credentials(path string) map[string]object {
	a.t.Helper()
	out := map[string]object{}
	for _, item := range a.call("GET", path+"/credentials", nil).want(200).items() {
		c := item.(object)
		out[c["kind"].(string)] = c
	}
	return out
}

func TestRefreshIsRefused(t *testing.T) {
	t.Parallel()
	sim := wecomtest.New(t)
	a := newAdmin(t, withPlatform(t, sim, ticket.Limits{App: 4}))
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	_, unauthorized := a.authorize("ww1", "wpcorp") // the tenant stands, its permanent_code does not yet
	a.call("POST", unauthorized+"/credentials/refresh", nil).refused(409, "authorization_missing")
	a.call("GET", "/v1/tenants/"+someID+"/credentials", nil).refused(404, "tenant_not_found")
	a.call("POST", "/v1/tenants/"+someID+"/credentials/refresh", nil).refused(404, "tenant_not_found")

	path := a.addTenant("ours", "wwcorp")
	tenantID := path[len("/v1/tenants/"):]
	spent := false
	for range 8 {
		r := a.call("POST", path+"/credentials/refresh", nil)
		if r.status == 429 {
			r.refused(429, "refresh_budget_spent")
			if r.header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			spent = true
			break
		}
		r.want(202)
		if _, err := a.pool.Exec(t.Context(), `UPDATE refreshes SET forced = false WHERE tenant_id = $1`, tenantID); err != nil {
			t.Fatal(err)
		}
	}
	if !spent {
		t.Error("eight refreshes with a limit of four calls an hour were all accepted")
	}
}

// A secret that WeCom refuses shows in the tenant and its credentials, in words and with its errcode.
func TestAWrongSecretIsTold(t *testing.T) {
	t.Parallel()
	sim := wecomtest.New(t)
	sim.AddCorp(wecomtest.Corp{CorpID: "wwcorp", Apps: []wecomtest.App{{AgentID: 1000002, Secret: "another"}}})
	a := newAdmin(t, withPlatform(t, sim, ticket.DefaultLimits()))
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	path := a.addTenant("ours", "wwcorp")
	if _, err := a.api.Refresher.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := a.call("GET", path, nil).want(200).object()
	last, _ := got["last_error"].(object)
	if got["health"] == "ok" || last["errcode"] != 40001.0 || last["message"] == "" || last["at"] == nil {
		t.Errorf("tenant = health %v, last_error %v; want errcode 40001", got["health"], last)
	}
	for kind, c := range a.credentials(path) {
		if kind == "access_token" && (c["last_error"] == nil || c["failures"] == 0.0 || c["next_refresh_at"] != nil) {
			t.Errorf("access_token = %v, want its error and no next refresh: the breaker is open", c)
		}
	}
	a.noCanary("canary-app-secret")
	// The right one closes the breaker.
	a.call("PATCH", path, object{"secret": "another"}).want(200)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) { // between heartbeats
		if _, err := a.api.Refresher.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := a.call("GET", path, nil).want(200).object()
		if got["health"] == "ok" && got["last_error"] == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the right secret: health %v, last_error %v", got["health"], got["last_error"])
		}
	}
}

// noCanary wants a secret to be in no log line and readable nowhere in the database.
func (a *admin) noCanary(canaries ...string) {
	a.t.Helper()
	log := a.log.String()
	dump := a.dump()
	for _, canary := range canaries {
		if strings.Contains(log, canary) {
			a.t.Errorf("the log holds a secret: %.6s…", canary)
		}
		if strings.Contains(dump, canary) || strings.Contains(dump, hex.EncodeToString([]byte(canary))) {
			a.t.Errorf("the database holds a secret unsealed: %.6s…", canary)
		}
	}
}

// dump is every row of every table as text.
func (a *admin) dump() string {
	a.t.Helper()
	rows, err := a.pool.Query(a.t.Context(), `SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'`)
	if err != nil {
		a.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		a.t.Fatal(err)
	}
	var dump strings.Builder
	for _, table := range tables {
		var text string
		if err := a.pool.QueryRow(a.t.Context(), `SELECT coalesce(string_agg(t::text, E'\n'), '') FROM `+table+` t`).Scan(&text); err != nil {
			a.t.Fatal(err)
		}
		dump.WriteString(text)
	}
	return dump.String()
}
