package ticket

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// outage notices that WeCom is down: tenants that were fine until now get no
// answer, one after the other, and nobody else gets one meanwhile. From then on one
// attempt in five seconds, over all replicas, finds out whether that is over;
// nobody else asks, and nobody's retries wear off.
//
// A tenant that gets no answer while others do is its own trouble, and so is one
// that had trouble before.
type outage struct {
	mu      sync.Mutex
	unheard map[uuid.UUID]struct{}
	heardAt time.Time
}

// strangers is how many tenants in a row must get no answer.
const strangers = 3

// silent notes that a tenant got no answer to a call that began at began. fine:
// its last attempt had gone well.
func (o *outage) silent(id uuid.UUID, fine bool, began time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !fine || o.heardAt.After(began) {
		return
	}
	if o.unheard == nil {
		o.unheard = map[uuid.UUID]struct{}{}
	}
	if len(o.unheard) < strangers {
		o.unheard[id] = struct{}{}
	}
}

// heard notes that WeCom answered, whatever it said.
func (o *outage) heard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.unheard)
	o.heardAt = time.Now()
}

// on reports whether WeCom is down.
func (o *outage) on() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.unheard) >= strangers
}
