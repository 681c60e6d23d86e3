package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// A key that the command line bound to a suite and a tenant, used on each replica
// of the built binary: it sees and changes its own, and nothing else is there.
func TestBoundKeys(t *testing.T) {
	t.Parallel()
	w := newAdminWorld(t, options{replicas: 2})
	for _, suite := range []string{"ww-mine", "ww-other"} {
		w.suite(suite, "third_party", "h5.example.com")
		w.install(suite, "wwcorp", "https://h5.example.com/")
	}
	w.install("ww-other", "wwsecond", "https://h5.example.com/")
	mine, other, second := w.tenant("ww-mine", "wwcorp").ID, w.tenant("ww-other", "wwcorp").ID, w.tenant("ww-other", "wwsecond").ID

	environ := w.environ(0, 0)[:1]
	command(t, environ, 1, "there is no such suite", "apikey", "create", "x", "--suite", "ww-none")
	made := command(t, environ, 0, "suitesign_", "apikey", "create", "customer", "--suite", "ww-mine", "--tenant", second,
		"--scope", "tenants:write", "--scope", "credentials:write", "--scope", "domains:write", "--scope", "suites:write", "--scope", "events:read", "--expires", "1h")
	key := regexp.MustCompile(`(?m)^suitesign_[0-9A-Za-z]{49}$`).FindString(made)
	command(t, environ, 0, "ww-mine,"+second, "apikey", "list")
	auth := []string{"Authorization", "Bearer " + key}

	for _, r := range w.replicas {
		list := string(call(t, http.MethodGet, r.admin+"/v1/tenants", map[string]string{"Authorization": "Bearer " + key}, nil).body)
		if !strings.Contains(list, mine) || !strings.Contains(list, second) || strings.Contains(list, other) {
			t.Errorf("%s lists %s, want %s and %s", r.name, list, mine, second)
		}
	}
	for _, path := range []string{"", "/domains", "/credentials"} {
		w.refuse(t, 404, "tenant_not_found", "", "GET", "/v1/tenants/"+other+path, nil, auth...)
		w.want(t, 200, "GET", "/v1/tenants/"+second+path, nil, auth...)
	}
	w.refuse(t, 404, "suite_not_found", "", "GET", "/v1/suites/ww-other", nil, auth...)
	w.refuse(t, 403, "key_bound", "", "POST", "/v1/suites", object{"suite_id": "ww-new", "kind": "internal", "name": "x"}, auth...)
	w.refuse(t, 403, "insufficient_scope", "", "GET", "/v1/api-keys", nil, auth...)
	w.want(t, 202, "POST", "/v1/tenants/"+mine+"/credentials/refresh", nil, auth...)
	w.want(t, 200, "PUT", "/v1/tenants/"+second+"/domains/own.example.com", object{"exact": true}, auth...)
	if events := fmt.Sprint(w.want(t, 200, "GET", "/v1/events?limit=200", nil, auth...)); strings.Contains(events, other) {
		t.Errorf("events tell of a foreign tenant: %s", events)
	}

	// What the key did stands in the log in its name.
	log := fmt.Sprint(w.want(t, 200, "GET", "/v1/audit-log?action=tenant_domain.create&tenant_id="+second, nil))
	if !strings.Contains(log, "customer") || !strings.Contains(log, "own.example.com") {
		t.Errorf("the audit log tells %s", log)
	}
}
