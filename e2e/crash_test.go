package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// kill -9, again and again, while corps install: whatever was acknowledged is
// there afterwards, every corp signs, and a crash costs no more than the calls
// that were under way.
func TestCrashesLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suite("ww-crash", "third_party", "corp.example.com")
	const corps, kills = 40, 6
	corp := func(i int) string { return fmt.Sprintf("wwcrash%02d", i) }
	for i := range corps {
		w.simulate("install", map[string]any{"suite_id": "ww-crash", "corp_id": corp(i), "door": "market", "async": true}, nil)
		if i%(corps/kills) == corps/kills-1 && i/(corps/kills) < kills {
			w.restart(w.replicas[i/(corps/kills)%2]) // the first one takes the callbacks, both do the work
		}
	}
	for i := range corps {
		// A callback that met a dead replica comes again after 5, 10 or 15 seconds; a
		// lease of a dead one ends after 15.
		w.waitSigned(w.replicas[i%2], pageURL, "ww-crash", corp(i), 60*time.Second)
	}
	for _, api := range []string{"get_corp_token", "get_jsapi_ticket", "ticket/get"} {
		for i := range corps {
			if n := w.calls(api, "ww-crash", corp(i)); n < 1 || n > 1+kills {
				t.Errorf("%s was called %d times for %s over %d crashes", api, n, corp(i), kills)
			}
		}
		// At most what two replicas have under way at a crash is done again.
		if n := w.calls(api, "ww-crash", ""); n > corps+kills*corps/4 {
			t.Errorf("%s was called %d times for %d corps over %d crashes", api, n, corps, kills)
		}
	}
	var events struct {
		Items []struct {
			InfoType string `json:"info_type"`
			State    string `json:"state"`
			Error    any    `json:"error"`
		} `json:"items"`
	}
	w.api(http.MethodGet, "/v1/events?suite_id=ww-crash&limit=200", http.StatusOK, nil, &events)
	created := 0
	for _, e := range events.Items {
		if e.InfoType == "create_auth" {
			created++
			if e.State != "done" {
				t.Errorf("a create_auth is %s: %v", e.State, e.Error)
			}
		}
	}
	if created != corps {
		t.Errorf("%d create_auth are kept, want %d, each once however often it came", created, corps)
	}
}
