package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"suitesign/web"
)

// A cursor belongs to its list, its filters and its sort; the Link leads on by itself.
func TestCursorsAreBoundAndLinked(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	paths := []string{a.addTenant("ours", "ww0"), a.addTenant("ours", "ww1"), a.addTenant("ours", "ww2")}
	for _, path := range paths[:2] {
		for i := range 3 {
			a.call("PUT", fmt.Sprintf("%s/domains/h%d.example.com", path, i), nil).want(200)
		}
	}
	seen := 0
	for next := "/v1/tenants?limit=1&suite_id=ours"; next != ""; {
		r := a.call("GET", next, nil).want(200)
		seen += len(r.items())
		link := r.header.Get("Link")
		cursor, _ := r.object()["next_cursor"].(string)
		if (link == "") != (cursor == "") {
			t.Fatalf("%s: Link %q beside next_cursor %q", next, link, cursor)
		}
		if link != "" && (!strings.HasPrefix(link, "</v1/tenants?") || !strings.HasSuffix(link, `>; rel="next"`) || !strings.Contains(link, url.QueryEscape(cursor))) {
			t.Fatalf("Link = %q, want this list after %s", link, cursor)
		}
		next = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	}
	if seen != 3 {
		t.Errorf("following the links shows %d tenants, want 3", seen)
	}
	cursor := func(path string) string {
		c, _ := a.call("GET", path, nil).want(200).object()["next_cursor"].(string)
		return c
	}
	ofTenants := cursor("/v1/tenants?limit=1&suite_id=ours")
	a.call("GET", "/v1/tenants?limit=2&suite_id=ours&cursor="+ofTenants, nil).want(200) // the limit may change
	ofDomains := cursor(paths[0] + "/domains?limit=1")
	for _, other := range []string{
		"/v1/tenants?cursor=" + ofTenants, "/v1/tenants?suite_id=ours&status=active&cursor=" + ofTenants, "/v1/tenants?suite_id=other&cursor=" + ofTenants,
		"/v1/suites?suite_id=ours&cursor=" + ofTenants, "/v1/suites?cursor=" + ofTenants, paths[1] + "/domains?cursor=" + ofDomains,
		"/v1/tenants?suite_id=ours&cursor=" + ofTenants[:len(ofTenants)-1], "/v1/tenants?suite_id=ours&cursor=" + ofTenants + "A",
		"/v1/tenants?suite_id=ours&cursor=" + ofTenants[len(ofTenants)-11:],
	} {
		a.call("GET", other, nil).refused(400, "invalid_request")
	}
}

// One thing, unchanged, costs no body; what changed is shown again.
func TestETags(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	path := a.addTenant("ours", "wwcorp")
	a.call("PUT", path+"/domains/h5.example.com", nil).want(200)
	key := a.call("POST", "/v1/api-keys", object{"name": "x"}).want(201).header.Get("Location")
	event := "/v1/events/" + a.event("ww1", "wp1", "cancel_auth", "done", 0)
	for _, thing := range []string{"/v1/suites/ww1", path, path + "/domains/h5.example.com", key, event} {
		tag := a.call("GET", thing, nil).want(200).header.Get("ETag")
		if len(tag) < 4 || tag[0] != '"' || a.call("GET", thing, nil).want(200).header.Get("ETag") != tag {
			t.Errorf("GET %s has ETag %q, or another one each time", thing, tag)
		}
		for _, header := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			r := a.call("GET", thing, nil, "If-None-Match", header).want(http.StatusNotModified)
			if len(r.body) != 0 || r.header.Get("ETag") != tag || r.header.Get("Content-Type") != "" {
				t.Errorf("GET %s with If-None-Match %s = %v %q", thing, header, r.header, r.body)
			}
		}
		a.call("GET", thing, nil, "If-None-Match", `"other"`).want(200)
	}
	// A change answers the tag that the next look has.
	old := a.call("GET", path, nil).header.Get("ETag")
	changed := a.call("PATCH", path, object{"name": "new"}, "If-Match", old).want(200).header.Get("ETag")
	a.call("GET", path, nil, "If-None-Match", changed).want(304)
	a.call("GET", path, nil, "If-None-Match", old).want(200)
	a.call("PATCH", path, object{"name": "newer"}, "If-Match", old).refused(412, "version_conflict")

	// What the service notes is seen by If-None-Match and does not disturb If-Match.
	if _, err := a.pool.Exec(t.Context(), `UPDATE tenants SET health = 'failing', last_error = 'x'`); err != nil {
		t.Fatal(err)
	}
	a.call("GET", path, nil, "If-None-Match", changed).want(200)
	a.call("PATCH", path, object{"name": "newest"}, "If-Match", changed).want(200)

	tag := a.call("GET", key, nil).want(200).header.Get("ETag")
	a.call("DELETE", key, nil, "If-Match", `"7"`).refused(412, "version_conflict")
	a.call("DELETE", key, nil, "If-Match", tag).want(204)
	a.call("GET", key, nil, "If-None-Match", tag).want(200)
}

// Each key has a rate of its own, and is told what is left.
func TestEachKeyHasARate(t *testing.T) {
	t.Parallel()
	a := newAdminOn(t, func(s *web.Server) { s.Limits.AdminPerSecond, s.Limits.AdminBurst = 0.01, 3 })
	made, _ := a.call("POST", "/v1/api-keys", object{"name": "x"}).want(201).object()["key"].(string)
	r := a.call("GET", "/v1/suites", nil).want(200)
	if policy, left := r.header.Get("RateLimit-Policy"), r.header.Get("RateLimit"); policy != `"key";q=3;w=300` || !strings.HasPrefix(left, `"key";r=1;t=`) {
		t.Errorf("after two requests: %s, %s", policy, left)
	}
	a.call("GET", "/v1/nothing", nil).refused(404, "not_found")
	r = a.call("GET", "/v1/suites", nil)
	r.refused(429, "rate_limited")
	if wait, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || wait < 1 || wait > 100 || !strings.HasPrefix(r.header.Get("RateLimit"), `"key";r=0;t=`) {
		t.Errorf("429 with Retry-After %q, RateLimit %q", r.header.Get("Retry-After"), r.header.Get("RateLimit"))
	}
	a.call("GET", "/v1/suites", nil, "Authorization", "Bearer "+made).want(200) // another key, another rate
	a.call("GET", "/healthz", nil).want(200)                                    // no key, no rate
}
