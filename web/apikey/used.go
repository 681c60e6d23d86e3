package apikey

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// uses are the keys that were used since somebody last looked. A request costs no
// write: a back end that asks ten times a second would write one row as often.
type uses struct {
	mu   sync.Mutex
	last map[uuid.UUID]time.Time
}

func (u *uses) note(id uuid.UUID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = map[uuid.UUID]time.Time{}
	}
	u.last[id] = time.Now()
}

// take hands out what was noted, and begins anew.
func (u *uses) take() map[uuid.UUID]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.last
	u.last = nil
	return taken
}

// giveBack notes again what could not be written.
func (u *uses) giveBack(taken map[uuid.UUID]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = map[uuid.UUID]time.Time{}
	}
	for id, at := range taken {
		if u.last[id].Before(at) {
			u.last[id] = at
		}
	}
}

// RunOnce writes down when keys were used last, in one statement; without any use
// it asks nothing. What cannot be written is written the next time.
func (g *Gate) RunOnce(ctx context.Context) error {
	taken := g.used.take()
	if len(taken) == 0 {
		return nil
	}
	if err := g.Store.used(ctx, taken); err != nil {
		g.used.giveBack(taken)
		return err
	}
	return nil
}

// used stores by age, not by time: the clock is the database's.
func (s *Store) used(ctx context.Context, last map[uuid.UUID]time.Time) error {
	ids, ages := make([]uuid.UUID, 0, len(last)), make([]time.Duration, 0, len(last))
	for id, at := range last {
		ids, ages = append(ids, id), append(ages, max(time.Since(at), 0))
	}
	const q = `
UPDATE api_keys k SET last_used_at = GREATEST(k.last_used_at, now() - u.age)
FROM (SELECT id, age FROM unnest($1::uuid[], $2::interval[]) AS u (id, age) ORDER BY id) u
WHERE k.id = u.id`
	if _, err := s.Pool.Exec(ctx, q, ids, ages); err != nil {
		return fmt.Errorf("note the last use of %d api keys: %w", len(ids), err)
	}
	return nil
}
