package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestListsPage(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	const n = 7
	a.call("POST", "/v1/suites", thirdParty("ww0")).want(201)
	_, tenantPath := a.authorize("ww0", "wp0")
	for i := 1; i < n; i++ {
		a.call("POST", "/v1/suites", thirdParty(fmt.Sprintf("ww%d", i))).want(201)
		a.authorize("ww0", fmt.Sprintf("wp%d", i))
	}
	for i := range n {
		a.call("POST", "/v1/api-keys", object{"name": fmt.Sprint(i)}).want(201)
		a.call("PUT", fmt.Sprintf("/v1/suites/ww0/domains/h5.example.com:%d", 900+i*50), nil).want(200) // 950 before 1000
		a.call("PUT", fmt.Sprintf("%s/domains/h%d.example.com", tenantPath, i), nil).want(200)
		a.event("ww0", "wp0", "change_auth", "done", time.Duration(i/2)*time.Second)
		a.report(tenantPath, fmt.Sprintf("h%d.example.com", i), time.Duration(i/2)*time.Second)
	}
	for _, list := range []string{"/v1/suites", "/v1/tenants", "/v1/api-keys", "/v1/suites/ww0/domains", tenantPath + "/domains", "/v1/events", "/v1/reports"} {
		whole := a.call("GET", list, nil).want(200).items()
		if len(whole) != n {
			t.Errorf("%s has %d items, want %d", list, len(whole), n)
		}
		for _, limit := range []int{1, 2, 3, n, 200} {
			var paged []any
			cursor := ""
			for {
				r := a.call("GET", fmt.Sprintf("%s?limit=%d%s", list, limit, cursor), nil).want(200)
				if items := r.items(); len(items) == 0 || len(items) > limit {
					t.Fatalf("%s?limit=%d%s has %d items", list, limit, cursor, len(items))
				}
				paged = append(paged, r.items()...)
				next, _ := r.object()["next_cursor"].(string)
				if next == "" {
					break
				}
				cursor = "&cursor=" + next
			}
			if diff := cmp.Diff(whole, paged); diff != "" {
				t.Errorf("%s in pages of %d (-whole +paged):\n%s", list, limit, diff)
			}
		}
		for _, query := range []string{"limit=0", "limit=201", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "limit=99999999999999999999", "limit=1.5",
			"cursor=", "cursor=%00", "cursor=!", "cursor=e30", "cursor=WyJub25lIl0", "page=2", "Limit=1", "limit=%zz", "a;b=1", "limit=%ff"} {
			p := a.call("GET", list+"?"+query, nil).refused(400, "invalid_request")
			if strings.Contains(query, "%zz") || strings.Contains(query, ";") {
				continue
			}
			name, _, _ := strings.Cut(query, "=")
			wantField(t, p, name)
		}
	}
	for _, list := range []string{"/v1/suites", "/v1/tenants", "/v1/suites/ww0/domains", tenantPath + "/domains", "/v1/events", "/v1/api-keys"} {
		a.mirrors(list)
	}
	for _, query := range []string{"q=w&sort=created_at", "q=w&sort=-updated_at", "status=active&sort=name", "health=ok&sort=updated_at", "sort=corp_id", "sort="} {
		wantField(t, a.call("GET", "/v1/tenants?"+query, nil).refused(400, "invalid_request"), "sort")
	}
	for _, query := range []string{"q=w&sort=-name", "q=w&status=active&sort=name", "status=active&sort=-created_at", "suite_id=ww0&sort=-updated_at", "corp_id=wp1&sort=name"} {
		a.call("GET", "/v1/tenants?"+query, nil).want(200)
	}
	other, _ := a.call("GET", "/v1/suites?limit=1", nil).want(200).object()["next_cursor"].(string)
	wantField(t, a.call("GET", "/v1/tenants?cursor="+other, nil).refused(400, "invalid_request"), "cursor")
}

// mirrors wants every order that the contract names for a list to be the reverse of its
// opposite, in one page and in many.
func (a *admin) mirrors(list string) {
	a.t.Helper()
	route, _, err := contractRouter(a.t).FindRoute(httptest.NewRequest(http.MethodGet, list, nil))
	if err != nil {
		a.t.Fatal(err)
	}
	paged := func(sort string) (all []any) {
		for next := list + "?limit=2&sort=" + sort; next != ""; {
			r := a.call("GET", next, nil).want(200)
			all = append(all, r.items()...)
			next = strings.TrimSuffix(strings.TrimPrefix(r.header.Get("Link"), "<"), `>; rel="next"`)
		}
		return all
	}
	for _, v := range route.Operation.Parameters.GetByInAndName("query", "sort").Schema.Value.Enum {
		sort, _ := v.(string)
		if strings.HasPrefix(sort, "-") {
			continue
		}
		up, down := paged(sort), paged("-"+sort)
		slices.Reverse(down)
		if diff := cmp.Diff(up, down); diff != "" || len(up) < 2 {
			a.t.Errorf("%s by %s and by -%[2]s do not mirror each other (-up +down):\n%s", list, sort, diff)
		}
		if whole := a.call("GET", list+"?limit=200&sort="+sort, nil).want(200).items(); cmp.Diff(whole, up) != "" {
			a.t.Errorf("%s by %s differs in pages", list, sort)
		}
	}
}

func (r *answer) items() []any {
	r.t.Helper()
	items, ok := r.object()["items"].([]any)
	if !ok {
		r.t.Fatalf("%s has no items: %s", r.call, r.body)
	}
	return items
}

func (a *admin) event(suiteID, corpID, infoType, state string, ago time.Duration) string {
	a.t.Helper()
	id := uuid.Must(uuid.NewV7())
	const q = `
INSERT INTO callback_events (id, suite_id, digest, door, info_type, corp_id, state, event_time, received_at, last_received_at, finished_at, last_errcode, last_error)
VALUES ($1, $2, uuid_send($1), 'command', $3, $4, $5, now() - $6::interval, now() - $6::interval, now() - $6::interval,
	CASE WHEN $5 <> 'pending' THEN now() END, CASE WHEN $5 = 'failed' THEN 40078 END, CASE WHEN $5 = 'failed' THEN 'invalid auth code' ELSE '' END)`
	if _, err := a.pool.Exec(a.t.Context(), q, id, suiteID, infoType, corpID, state, ago); err != nil {
		a.t.Fatal(err)
	}
	return id.String()
}

// report stores what a page reported a while ago.
func (a *admin) report(tenantPath, host string, ago time.Duration) {
	a.t.Helper()
	const q = `
INSERT INTO page_reports (id, hour, tenant_id, kind, cause, host, client, action, first_reported_at)
VALUES ($1, now(), $2, 'agent', 'ticket_refused', $3, 'wecom', 'refetch', now() - $4::interval)`
	if _, err := a.pool.Exec(a.t.Context(), q, uuid.Must(uuid.NewV7()), strings.TrimPrefix(tenantPath, "/v1/tenants/"), host, ago); err != nil {
		a.t.Fatal(err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	failed := a.event("ww1", "wp1", "create_auth", "failed", time.Hour)
	ticket := a.event("ww1", "", "suite_ticket", "ignored", 0)
	cancel := a.event("ww1", "wp1", "cancel_auth", "done", time.Minute)
	var ids []any
	for _, item := range a.call("GET", "/v1/events", nil).want(200).items() {
		ids = append(ids, item.(object)["id"])
	}
	if diff := cmp.Diff([]any{ticket, cancel, failed}, ids); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
	for query, want := range map[string]int{
		"suite_id=ww1": 3, "suite_id=ww2": 0, "corp_id=wp1": 2, "info_type=cancel_auth": 1, "state=failed": 1, "state=failed&info_type=cancel_auth": 0,
	} {
		if got := len(a.call("GET", "/v1/events?"+query, nil).want(200).items()); got != want {
			t.Errorf("GET /v1/events?%s has %d items, want %d", query, got, want)
		}
	}
	got := a.call("GET", "/v1/events/"+failed, nil).want(200).object()
	if got["errcode"] != 40078.0 || got["error"] != "invalid auth code" || got["state"] != "failed" || got["corp_id"] != "wp1" {
		t.Errorf("GET of a failed event = %v", got)
	}
	if got := a.call("GET", "/v1/events/"+ticket, nil).want(200).object(); got["corp_id"] != nil || got["error"] != nil {
		t.Errorf("GET of a suite_ticket = %v", got)
	}
	a.call("GET", "/v1/events/"+someID, nil).refused(404, "event_not_found")
	a.call("POST", "/v1/events/"+someID+"/retry", nil).refused(404, "event_not_found")
	a.call("POST", "/v1/events/"+ticket+"/retry", nil).refused(409, "event_not_retryable")
	if got := a.call("POST", "/v1/events/"+cancel+"/retry", nil).want(202).object(); got["state"] != "pending" || got["next_attempt_at"] == nil {
		t.Errorf("retry of a cancel_auth = %v", got)
	}
	a.call("POST", "/v1/events/"+cancel+"/retry", "{}").want(202)
	a.call("POST", "/v1/events/"+cancel+"/retry", `{"force":true}`).refused(400, "invalid_request")
}
