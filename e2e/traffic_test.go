package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// unlimited is the environment of a replica that traffic from one address does not exhaust.
var unlimited = []string{"SUITESIGN_LIMITS_PER_IP=0", "SUITESIGN_LIMITS_PER_TENANT=0"}

// A traffic is pages that are signed and callbacks that are pushed without a pause
// until it ends. It only takes down what comes of them.
type traffic struct {
	t     *testing.T
	stop  chan struct{}
	group sync.WaitGroup

	signed, unsigned atomic.Int64
	whyUnsigned      atomic.Pointer[string]

	mu      sync.Mutex
	acked   []acked
	refused map[string]int // callbacks, by what they were answered
}

// acked is a callback that was answered success.
type acked struct {
	message string
	at      time.Time
}

func newTraffic(t *testing.T) *traffic {
	tr := &traffic{t: t, stop: make(chan struct{}), refused: map[string]int{}}
	t.Cleanup(tr.end)
	return tr
}

// callers is how many do the same at a time.
const callers = 2

// sign has a page signed for a corp, over and over.
func (tr *traffic) sign(r *replica, s testSuite, corp string) {
	tr.loop(func(int, int) {
		a, err := ask(http.MethodGet, r.signURL("signatures", pageURL, s.ID, corp), nil, nil)
		if err == nil && a.status == http.StatusOK {
			tr.signed.Add(1)
			return
		}
		why := fmt.Sprint(a, err)
		tr.unsigned.Add(1)
		tr.whyUnsigned.CompareAndSwap(nil, &why)
	})
}

// push pushes one new callback after the other.
func (tr *traffic) push(r *replica, s testSuite) {
	tr.loop(func(caller, i int) {
		message := s.event("change_contact", time.Now(), "UserID", fmt.Sprintf("%d-%d", caller, i))
		a, err := s.push(r, "command", s.ID, message)
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if err == nil && a.status == http.StatusOK && string(a.body) == "success" {
			tr.acked = append(tr.acked, acked{message, time.Now()})
			return
		}
		tr.refused[fmt.Sprint(a.status, " ", a.code(), " ", err)]++
	})
}

func (tr *traffic) loop(do func(caller, i int)) {
	for caller := range callers {
		tr.group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-tr.stop:
					return
				case <-time.After(5 * time.Millisecond): // the pace of a busy suite; without it the machine is nobody else's
				}
				do(caller, i)
			}
		})
	}
}

// end ends the traffic; a second time it does nothing.
func (tr *traffic) end() {
	select {
	case <-tr.stop:
	default:
		close(tr.stop)
	}
	tr.group.Wait()
}

// acknowledged are the messages that were answered success.
func (tr *traffic) acknowledged() (messages []string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, a := range tr.acked {
		messages = append(messages, a.message)
	}
	return messages
}

// firstAfter is how long after a moment the first callback was acknowledged.
func (tr *traffic) firstAfter(moment time.Time) time.Duration {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	i := slices.IndexFunc(tr.acked, func(a acked) bool { return a.at.After(moment) })
	if i < 0 {
		tr.t.Fatal("no callback was acknowledged")
	}
	return tr.acked[i].at.Sub(moment)
}

// waitAcknowledged waits until so many more callbacks are answered success.
func (tr *traffic) waitAcknowledged(more int) {
	tr.t.Helper()
	tr.waitMore("acknowledged", more, func() int { return len(tr.acked) })
}

// waitRefused waits until so many more callbacks are answered otherwise.
func (tr *traffic) waitRefused(more int) {
	tr.t.Helper()
	tr.waitMore("refused", more, func() (n int) {
		for _, k := range tr.refused {
			n += k
		}
		return n
	})
}

func (tr *traffic) waitMore(what string, more int, count func() int) {
	tr.t.Helper()
	look := func() (n int, refused string) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return count(), fmt.Sprint(tr.refused)
	}
	from, _ := look()
	eventually(tr.t, 60*time.Second, func() error {
		if n, refused := look(); n < from+more {
			return fmt.Errorf("%d callbacks were %s, want %d; refused so far: %s", n-from, what, more, refused)
		}
		return nil
	})
}

// wantSigned wants every page to have been signed.
func (tr *traffic) wantSigned() {
	tr.t.Helper()
	if tr.unsigned.Load() > 0 || tr.signed.Load() == 0 {
		tr.t.Errorf("%d pages were signed and %d were not, the first with %s", tr.signed.Load(), tr.unsigned.Load(), tr.why())
	}
}

func (tr *traffic) why() string {
	if why := tr.whyUnsigned.Load(); why != nil {
		return *why
	}
	return "nothing: none was asked for"
}
