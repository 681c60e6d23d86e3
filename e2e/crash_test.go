package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// kill -9, again and again, while corps install: whatever was acknowledged is
// there afterwards, and a crash costs no more than the calls that were under way.
// One of these cannot be made again: WeCom takes an auth_code once, so an answer
// that died with its replica is gone, and the corp has to install again. That, and
// nothing else, is told; every other corp signs.
func TestCrashesLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suite("ww-crash", "third_party", "corp.example.com")
	const corps, kills = 40, 6
	corp := func(i int) string { return fmt.Sprintf("wwcrash%02d", i) }
	// WeCom has spent the code and is still answering: slow enough for some to be there at a crash.
	w.simulate("faults", map[string]any{"api": "v2/get_permanent_code", "kind": "slow", "value": 4, "times": -1}, nil)
	install := func(i int) {
		w.simulate("install", map[string]any{"suite_id": "ww-crash", "corp_id": corp(i), "door": "market", "async": true}, nil)
	}
	for i := range corps {
		install(i)
		if i%(corps/kills) == corps/kills-1 && i/(corps/kills) < kills {
			w.restart(w.replicas[i/(corps/kills)%2]) // the first one takes the callbacks, both do the work
		}
	}
	// A callback that met a dead replica comes again after 5, 10 or 15 seconds; a
	// lease of a dead one ends after 15.
	lost := 0
	eventually(t, 90*time.Second, func() (err error) {
		lost, err = w.settledInstalls("ww-crash", corps)
		return err
	})
	var spent []int
	for i := range corps {
		if !w.installed("ww-crash", corp(i)) {
			if n := w.calls("v2/get_permanent_code", "ww-crash", corp(i)); n < 2 {
				t.Errorf("%s has no tenant, and its auth_code was presented %d times; want once, answered to a dead replica, and once more", corp(i), n)
			}
			spent = append(spent, i)
		}
	}
	if len(spent) != lost {
		t.Errorf("%d corps have no tenant, %d create_auth came to nothing; want the same", len(spent), lost)
	}
	t.Logf("%d of %d auth_codes were spent on a replica that died before it had stored the answer", lost, corps)
	for _, i := range spent {
		install(i)
	}
	for i := range corps {
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
}

// settledInstalls waits until each create_auth is kept, once however often it came,
// and came to an end; failed is how many came to nothing, for the one reason there is.
func (w *world) settledInstalls(suite string, want int) (failed int, err error) {
	var events struct {
		Items []struct {
			InfoType string `json:"info_type"`
			State    string `json:"state"`
			Error    any    `json:"error"`
		} `json:"items"`
	}
	w.api(http.MethodGet, "/v1/events?suite_id="+suite+"&limit=200", http.StatusOK, nil, &events)
	created := 0
	for _, e := range events.Items {
		if e.InfoType != "create_auth" {
			continue
		}
		created++
		switch e.State {
		case "done":
		case "failed":
			failed++
			if why := fmt.Sprint(e.Error); !strings.Contains(why, "40078") {
				w.t.Fatalf("a create_auth failed: %s; want nothing but an auth_code that was spent (40078)", why)
			}
		default:
			return 0, fmt.Errorf("a create_auth is %s: %v", e.State, e.Error)
		}
	}
	if created != want {
		return 0, fmt.Errorf("%d create_auth are kept, want %d", created, want)
	}
	return failed, nil
}

// installed reports whether a corp has a tenant.
func (w *world) installed(suite, corp string) bool {
	var list struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	w.api(http.MethodGet, "/v1/tenants?suite_id="+suite+"&corp_id="+corp, http.StatusOK, nil, &list)
	return len(list.Items) == 1
}
