package web_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSuites(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	made := a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	if got := made.header.Get("Location"); got != "/v1/suites/ww1" {
		t.Errorf("Location = %q", got)
	}
	want := object{
		"suite_id": "ww1", "kind": "third_party", "name": "Theirs", "provider_corp_id": "", "install_test_mode": false,
		"suite_secret_set": true, "callback_token_set": true, "encoding_aes_key_set": true,
		"suite_ticket": nil, "warnings": []any{"suite_ticket_missing"}, "last_error": nil,
		"callback_urls": object{"command": publicURL + "/callback/ww1/command", "data": publicURL + "/callback/ww1/data"},
		"install_url":   publicURL + "/install/ww1",
	}
	wantObject(t, made, want)
	read := a.call("GET", "/v1/suites/ww1", nil).want(200)
	wantObject(t, read, want)
	if read.header.Get("ETag") != made.header.Get("ETag") {
		t.Errorf("ETag of POST and GET: %q, %q", made.header.Get("ETag"), read.header.Get("ETag"))
	}
	a.call("POST", "/v1/suites", thirdParty("ww1")).refused(409, "suite_exists")
	a.call("POST", "/v1/suites", thirdParty("WW1")).want(201) // ids are never folded

	internal := a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	wantObject(t, internal, object{
		"suite_id": "ours", "kind": "internal", "name": "Ours", "provider_corp_id": "", "install_test_mode": false,
		"suite_secret_set": false, "callback_token_set": false, "encoding_aes_key_set": false,
		"suite_ticket": nil, "warnings": []any{}, "last_error": nil, "callback_urls": nil, "install_url": nil,
	})

	a.call("GET", "/v1/suites/none", nil).refused(404, "suite_not_found")
	a.call("PATCH", "/v1/suites/none", object{"name": "x"}).refused(404, "suite_not_found")
	a.call("DELETE", "/v1/suites/none", nil).refused(404, "suite_not_found")
	a.call("DELETE", "/v1/suites/WW1", nil).want(204)
	a.call("GET", "/v1/suites/WW1", nil).refused(404, "suite_not_found")
}

func wantObject(t *testing.T, r *answer, want object) {
	t.Helper()
	got := r.object()
	for _, name := range []string{"created_at", "updated_at", "authorized_at"} {
		delete(got, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", r.call, diff)
	}
}

func TestSuiteTicketAge(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	const q = `INSERT INTO suite_tickets (suite_id, ticket_sealed, fingerprint, pushed_at, received_at)
		VALUES ('ww1', '\x00', '\x00', now(), now() - interval '25 minutes')`
	if _, err := a.pool.Exec(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	got := a.call("GET", "/v1/suites/ww1", nil).want(200).object()
	ticket, _ := got["suite_ticket"].(object)
	if age, _ := ticket["age_seconds"].(float64); age < 1500 || age > 1800 {
		t.Errorf("suite_ticket = %v, want an age of 25 minutes", ticket)
	}
	if diff := cmp.Diff([]any{"suite_ticket_old"}, got["warnings"]); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestAMergePatchTellsAbsentFromNull(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	body := thirdParty("ww1")
	body["provider_corp_id"], body["install_test_mode"] = "wwprovider", true
	a.call("POST", "/v1/suites", body).want(201)
	for _, tt := range []struct {
		patch              string
		name, provider     string
		testMode           bool
		contentType        string
		secretStillThereIs bool
	}{
		{`{}`, "Theirs", "wwprovider", true, "application/json", true},
		{`{"name":"新名字"}`, "新名字", "wwprovider", true, "application/merge-patch+json", true},
		{`{"provider_corp_id":null}`, "新名字", "", true, "application/json; charset=utf-8", true},
		{`{"install_test_mode":null,"suite_secret":"canary-2"}`, "新名字", "", false, "application/json", true},
	} {
		r := a.call("PATCH", "/v1/suites/ww1", tt.patch, "Content-Type", tt.contentType).want(200)
		got := r.object()
		if got["name"] != tt.name || got["provider_corp_id"] != tt.provider || got["install_test_mode"] != tt.testMode || got["suite_secret_set"] != true {
			t.Errorf("PATCH %s = %s", tt.patch, r.body)
		}
	}
	for _, patch := range []string{`{"name":null}`, `{"suite_secret":null}`, `{"callback_token":null}`, `{"encoding_aes_key":null}`} {
		p := a.call("PATCH", "/v1/suites/ww1", patch).refused(400, "invalid_request")
		if len(p.Errors) != 1 || p.Errors[0].Detail != "must not be null" {
			t.Errorf("PATCH %s = %+v", patch, p.Errors)
		}
	}
	for _, patch := range []string{`{"kind":"internal"}`, `{"suite_id":"ww2"}`, `{"suite_secret_set":false}`} {
		a.call("PATCH", "/v1/suites/ww1", patch).refused(400, "invalid_request")
	}
}

func TestIfMatchIsHonoured(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	tenantPath := a.addTenant("ours", "ww1")
	things := []struct{ path, method, body string }{
		{"/v1/suites/ours", "PATCH", `{"name":"N"}`},
		{"/v1/suites/ours/domains/h5.example.com", "PUT", `{"exact":true}`},
		{tenantPath, "PATCH", `{"name":"N"}`},
		{tenantPath + "/domains/h5.example.com", "PUT", `{"exact":true}`},
	}
	a.call("PUT", things[1].path, nil, "If-Match", "*").refused(412, "version_conflict") // there is none yet
	a.call("PUT", things[3].path, nil, "If-Match", "*").refused(412, "version_conflict")
	a.call("PUT", things[1].path, nil).want(200)
	a.call("PUT", things[3].path, nil).want(200)
	for _, thing := range things {
		seen := a.call("GET", thing.path, nil).want(200).header.Get("ETag")
		for _, other := range []string{`"0"`, `"x"`, "W/" + seen, `""`} {
			a.call(thing.method, thing.path, thing.body, "If-Match", other).refused(412, "version_conflict")
			a.call("DELETE", thing.path, nil, "If-Match", other).refused(412, "version_conflict")
		}
		for _, malformed := range []string{"1", `"1", "2"`, strings.Repeat("x", 200)} {
			p := a.call(thing.method, thing.path, thing.body, "If-Match", malformed).refused(400, "invalid_request")
			wantField(t, p, "If-Match")
		}
		now := a.call(thing.method, thing.path, thing.body, "If-Match", seen).want(200).header.Get("ETag")
		if now == seen {
			t.Errorf("%s %s did not change its ETag %s", thing.method, thing.path, seen)
		}
		a.call(thing.method, thing.path, thing.body, "If-Match", seen).refused(412, "version_conflict")
		a.call(thing.method, thing.path, thing.body, "If-Match", "*").want(200)
	}
	a.call("DELETE", things[3].path, nil, "If-Match", "*").want(204)
	a.call("PUT", things[3].path, nil, "If-Match", "*").refused(412, "version_conflict")
}

func TestNoUpdateIsLost(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	path := a.addTenant("ours", "ww1")
	for _, thing := range []struct{ method, path string }{
		{"PATCH", "/v1/suites/ours"}, {"PATCH", path}, {"PUT", path + "/domains/h5.example.com"},
	} {
		if thing.method == "PUT" {
			a.call("PUT", thing.path, nil).want(200)
		}
		seen := a.call("GET", thing.path, nil).want(200).header.Get("ETag")
		statuses := make([]int, 8)
		var wg sync.WaitGroup
		for i := range statuses {
			wg.Go(func() {
				body := object{"name": fmt.Sprint("N", i)}
				if thing.method == "PUT" {
					body = object{"exact": true}
				}
				statuses[i] = a.call(thing.method, thing.path, body, "If-Match", seen).status
			})
		}
		wg.Wait()
		slices.Sort(statuses)
		if diff := cmp.Diff([]int{200, 412, 412, 412, 412, 412, 412, 412}, statuses); diff != "" {
			t.Errorf("%s %s by eight at once (-want +got):\n%s", thing.method, thing.path, diff)
		}
	}
}

func TestASuiteInUseIsNotDeleted(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	path := a.addTenant("ours", "ww1")
	a.call("DELETE", "/v1/suites/ours", nil).refused(409, "suite_has_active_tenants")
	a.call("PATCH", path, object{"status": "disabled"}).want(200)
	a.call("DELETE", "/v1/suites/ours", nil).want(204)
	a.call("GET", path, nil).refused(404, "tenant_not_found")
}
