package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// With lifetimes of seconds, signatures hold over many cycles, two replicas cost
// what one does, and a crash in between costs little.
func TestExpiryAndRefreshOverTwoReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2, sim: []string{"--access-token-lifetime", "12s", "--jsapi-ticket-lifetime", "12s", "--agent-ticket-lifetime", "12s",
		"--rotation", "rotating", "--grace", "60s"}})
	w.suite("ww-short", "third_party", "corp.example.com")
	w.simulate("install", map[string]any{"suite_id": "ww-short", "corp_id": "wwshort", "door": "market"}, nil)
	w.waitSigned(w.replicas[0], pageURL, "ww-short", "wwshort", 5*time.Second)
	w.waitSigned(w.replicas[1], pageURL, "ww-short", "wwshort", 5*time.Second)

	began := time.Now()
	const watch = 30 * time.Second
	asked := 0
	for time.Since(began) < watch {
		for _, r := range w.replicas {
			var s signed
			if err := w.try(http.MethodGet, r.signURL("signatures", pageURL, "ww-short", "wwshort"), nil, nil, &s); err != nil {
				t.Fatalf("after %s: %v", time.Since(began), err)
			}
			w.verify("config", pageURL, "ww-short", "wwshort", nil, s.Config)
			asked++
		}
		time.Sleep(500 * time.Millisecond) // the pace of a page that is opened again and again
	}
	// A lifetime of 12 s is renewed after 8 s at most and not before 4 s: in 30 s
	// between 3 and 8 times after the first, however many replicas look.
	for _, api := range []string{"get_corp_token", "get_jsapi_ticket", "ticket/get"} {
		if n := w.calls(api, "ww-short", "wwshort"); n < 4 || n > 9 {
			t.Errorf("%s was called %d times in %s of lifetimes of 12 s by two replicas, want 4 to 9", api, n, watch)
		}
	}
	if n := w.calls("get_suite_token", "ww-short", ""); n != 1 {
		t.Errorf("get_suite_token was called %d times, want once: it lives two hours", n)
	}
	if asked < 50 {
		t.Errorf("only %d signatures were asked for", asked)
	}
}

// Everything that was stored is there after a crash: no call is made for what lives.
func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.suite("ww-restart", "third_party", "corp.example.com")
	w.simulate("install", map[string]any{"suite_id": "ww-restart", "corp_id": "wwrestart", "door": "market"}, nil)
	w.waitSigned(w.replicas[0], pageURL, "ww-restart", "wwrestart", 5*time.Second)
	count := func() string {
		return fmt.Sprint(w.calls("get_suite_token", "", ""), w.calls("get_corp_token", "", ""), w.calls("get_jsapi_ticket", "", ""), w.calls("ticket/get", "", ""))
	}
	before := count()
	w.restart(w.replicas[0])
	w.waitSigned(w.replicas[0], pageURL, "ww-restart", "wwrestart", 2*time.Second)
	if after := count(); after != before {
		t.Errorf("calls after a restart = %s, before it %s: what lived was fetched again", after, before)
	}
}

// A replica that goes loses no request: those in flight are answered, new ones are
// asked to come on another connection, and the others sign on.
func TestShutdownUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2, environ: []string{"SUITESIGN_DRAIN_ACCEPT=2s", "SUITESIGN_LIMITS_PER_IP=0", "SUITESIGN_LIMITS_PER_TENANT=0"}})
	w.suite("ww-load", "third_party", "corp.example.com")
	w.simulate("install", map[string]any{"suite_id": "ww-load", "corp_id": "wwload", "door": "market"}, nil)
	for _, r := range w.replicas {
		w.waitSigned(r, pageURL, "ww-load", "wwload", 5*time.Second)
	}
	// The balancer of this test: it sends to whoever was ready when it last looked.
	var ready [2]atomic.Bool
	stop := make(chan struct{})
	var group sync.WaitGroup
	for i, r := range w.replicas {
		ready[i].Store(true)
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Millisecond):
					a, err := ask(http.MethodGet, r.admin+"/readyz", nil, nil)
					ready[i].Store(err == nil && a.status == http.StatusOK)
				}
			}
		})
	}
	var sent, lost atomic.Int64
	var firstLoss atomic.Pointer[string]
	for worker := range 8 {
		group.Go(func() {
			for n := worker; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				i := n % 2
				if !ready[i].Load() {
					i = 1 - i
				}
				sent.Add(1)
				a, err := ask(http.MethodGet, w.replicas[i].signURL("config-signature", pageURL, "ww-load", "wwload"), nil, nil)
				if err != nil || a.status != http.StatusOK {
					lost.Add(1)
					why := fmt.Sprint(a, err)
					firstLoss.CompareAndSwap(nil, &why)
				}
			}
		})
	}
	eventually(t, 10*time.Second, func() error {
		if sent.Load() < 500 {
			return fmt.Errorf("%d requests", sent.Load())
		}
		return nil
	})
	w.replicas[0].signal(syscall.SIGTERM)
	if err := w.replicas[0].wait(20 * time.Second); err != nil {
		t.Errorf("the replica ended with %v, want 0", err)
	}
	after := sent.Load()
	eventually(t, 10*time.Second, func() error {
		if sent.Load() < after+200 {
			return fmt.Errorf("%d requests after the end of one replica", sent.Load()-after)
		}
		return nil
	})
	close(stop)
	group.Wait()
	if lost.Load() > 0 {
		t.Errorf("%d of %d requests were lost, the first with %s", lost.Load(), sent.Load(), *firstLoss.Load())
	}
}
