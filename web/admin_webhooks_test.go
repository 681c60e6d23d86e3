package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"suitesign/web"
)

// A webhook's story by the API alone: made, tested, changed, rotated, replayed, removed.
func TestWebhookStory(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	type got struct {
		header http.Header
		body   []byte
	}
	received := make(chan got, 10)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		received <- got{r.Header, body}
		fmt.Fprint(w, "noted")
	}))
	defer target.Close()
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	tenant := strings.TrimPrefix(a.addTenant("ours", "wwcorp"), "/v1/tenants/")

	made := a.call("POST", "/v1/webhooks", object{"url": target.URL, "events": []string{"tenant.changed", "tenant.authorized"},
		"suite_ids": []string{"ours"}, "tenant_ids": []string{tenant}, "description": "CRM"}).want(201)
	path, body := made.header.Get("Location"), made.object()
	key, ok := body["secret"].(string)
	if !ok || !strings.HasPrefix(key, "whsec_") || body["enabled"] != true || body["id"] == nil || !strings.HasSuffix(path, body["id"].(string)) {
		t.Fatalf("POST = %s", made.body)
	}
	read := a.call("GET", path, nil).want(200)
	if strings.Contains(string(read.body), "whsec_") || read.object()["secret"] != nil {
		t.Errorf("GET shows the secret: %s", read.body)
	}

	test := a.call("POST", path+"/test", nil).want(200).object()
	sent := <-received
	hook, err := standardwebhooks.NewWebhook(key)
	if err != nil || hook.Verify(sent.body, sent.header) != nil {
		t.Errorf("the library of the standard does not verify what was sent: %v", hook.Verify(sent.body, sent.header))
	}
	attempts, _ := test["attempts"].([]any)
	if test["state"] != "delivered" || test["status"] != 200.0 || test["payload"] != string(sent.body) || test["event_id"] != sent.header.Get("webhook-id") ||
		len(attempts) != 1 || attempts[0].(object)["response"] != "noted" {
		t.Errorf("test = %v", test)
	}

	changed := a.call("PATCH", path, object{"enabled": false, "events": []string{"suite_ticket.late"}}, "If-Match", read.header.Get("ETag")).want(200).object()
	if changed["enabled"] != false || changed["disabled_reason"] != "admin" || changed["description"] != "CRM" {
		t.Errorf("PATCH = %v", changed)
	}
	a.call("PATCH", path, object{"enabled": true}, "If-Match", read.header.Get("ETag")).refused(412, "version_conflict")
	delivery := path + "/deliveries/" + test["id"].(string)
	a.call("POST", delivery+"/replay", nil).refused(409, "webhook_disabled")
	a.call("PATCH", path, object{"enabled": true}).want(200)
	if due := a.call("POST", delivery+"/replay", nil).want(202).object(); due["state"] != "pending" || due["next_attempt_at"] == nil {
		t.Errorf("replay = %v", due)
	}

	rotated := a.call("POST", path+"/rotate-secret", object{"overlap_seconds": 60}).want(200).object()
	if rotated["secret"] == key || rotated["overlap_until"] == nil {
		t.Errorf("rotate-secret = %v", rotated)
	}
	a.call("POST", path+"/test", nil).want(200)
	sent = <-received
	if n := len(strings.Fields(sent.header.Get("webhook-signature"))); n != 2 || hook.Verify(sent.body, sent.header) != nil {
		t.Errorf("within the overlap there are %d signatures, the one by the secret before is good: %v", n, hook.Verify(sent.body, sent.header))
	}
	if again := a.call("POST", path+"/rotate-secret", nil).want(200).object(); again["overlap_until"] == nil {
		t.Errorf("rotate-secret without a body = %v, want an overlap of a day", again)
	}

	page := a.call("GET", path+"/deliveries?limit=1", nil).want(200)
	if len(page.items()) != 1 || page.header.Get("Link") == "" || strings.Contains(string(page.body), "payload") {
		t.Errorf("deliveries = %s", page.body)
	}
	next := page.object()["next_cursor"].(string)
	if rest := a.call("GET", path+"/deliveries?limit=1&cursor="+next, nil).want(200); len(rest.items()) != 1 || rest.object()["next_cursor"] != nil {
		t.Errorf("second page = %s", rest.body)
	}
	if n := len(a.call("GET", path+"/deliveries?state=failed", nil).want(200).items()); n != 0 {
		t.Errorf("%d failed deliveries, want none", n)
	}
	if n := len(a.call("GET", path+"/deliveries?event_type=webhook.test", nil).want(200).items()); n != 2 {
		t.Errorf("%d tests, want two", n)
	}
	if n := len(a.call("GET", "/v1/webhooks", nil).want(200).items()); n != 1 {
		t.Errorf("%d webhooks, want one", n)
	}
	a.call("DELETE", path, nil).want(204)
	for _, gone := range []struct{ method, path, code string }{
		{"GET", path, "webhook_not_found"}, {"PATCH", path, "webhook_not_found"}, {"DELETE", path, "webhook_not_found"},
		{"POST", path + "/test", "webhook_not_found"}, {"POST", path + "/rotate-secret", "webhook_not_found"},
		{"GET", path + "/deliveries", "webhook_not_found"}, {"GET", delivery, "delivery_not_found"}, {"POST", delivery + "/replay", "webhook_not_found"},
	} {
		var body any
		if gone.method == "PATCH" {
			body = object{"enabled": false}
		}
		a.call(gone.method, gone.path, body).refused(404, gone.code)
	}
}

func TestWhatIsRefusedOfAWebhook(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	good := object{"url": "https://hooks.example.com/", "events": []string{"tenant.changed"}}
	path := a.call("POST", "/v1/webhooks", good).want(201).header.Get("Location")
	for _, tt := range []struct {
		field         string
		value         any
		code, pointer string
	}{
		{"url", "https://user:canary@hooks.example.com/", "invalid_webhook_url", "/url"},
		{"url", "ftp://hooks.example.com/", "invalid_webhook_url", "/url"},
		{"url", "not a url", "invalid_webhook_url", "/url"},
		{"url", "https://10.0.0.1/", "webhook_url_forbidden", "/url"},
		{"url", "https://inside.example.com/", "webhook_url_forbidden", "/url"},
		{"url", "https://[::ffff:169.254.169.254]/", "webhook_url_forbidden", "/url"},
		{"url", "http://hooks.example.com/", "webhook_url_forbidden", "/url"},
		{"url", "https://hooks.example.com:25/", "webhook_url_forbidden", "/url"},
		{"url", "", "invalid_request", "/url"},
		{"events", []string{}, "invalid_request", "/events"},
		{"events", []string{"tenant.*"}, "invalid_request", "/events/0"},
		{"suite_ids", []string{"nowhere"}, "invalid_request", "/suite_ids/0"},
		{"tenant_ids", []string{"01936f2e-0000-7000-8000-000000000001"}, "invalid_request", "/tenant_ids/0"},
		{"tenant_ids", []string{"x"}, "invalid_request", "/tenant_ids/0"},
		{"secret", "whsec_canary", "invalid_request", "/secret"},
	} {
		body := object{"url": good["url"], "events": good["events"], tt.field: tt.value}
		for _, p := range []web.Problem{
			a.call("POST", "/v1/webhooks", body).refused(400, tt.code),
			a.call("PATCH", path, object{tt.field: tt.value}).refused(400, tt.code),
		} {
			if len(p.Errors) != 1 || p.Errors[0].Pointer != tt.pointer || p.Errors[0].Detail == "" {
				t.Errorf("%s = %v: errors %+v, want one at %s", tt.field, tt.value, p.Errors, tt.pointer)
			}
		}
	}
	a.call("POST", path+"/rotate-secret", object{"overlap_seconds": 604801}).refused(400, "invalid_request")
	if n := len(a.call("GET", "/v1/webhooks", nil).want(200).items()); n != 1 {
		t.Errorf("%d webhooks, want the one that was good", n)
	}
}
