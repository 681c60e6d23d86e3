package signing

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Who asks for signatures is told now and then, so that the schedule knows whom to
// leave alone: of a tenant the first signature, and one after each UseEvery. What
// is not told is lost with the process, and costs no page its ticket.

// usesBatch is how many tenants one call tells.
const usesBatch = 1000

// use notes that a tenant signs. Nearly always it was noted lately, and this is one
// read of memory that nobody writes.
func (d *Directory) use(e *entry, now time.Time) {
	if d.Uses == nil || d.UseEvery <= 0 {
		return
	}
	at := int64(d.since(now)) + 1 // 0 is never
	last := e.pace.usedAt.Load()
	if last != 0 && at-last < int64(d.UseEvery) || !e.pace.usedAt.CompareAndSwap(last, at) {
		return
	}
	d.usesMu.Lock()
	defer d.usesMu.Unlock()
	d.noteUse(e.id)
}

// noteUse keeps a use until it is told. The caller holds usesMu.
func (d *Directory) noteUse(id uuid.UUID) {
	if d.uses == nil {
		d.uses = map[uuid.UUID]struct{}{}
	}
	if len(d.uses) < d.size() {
		d.uses[id] = struct{}{}
	}
}

// TellUses tells what was used since the last time. What could not be told is told
// the next time.
func (d *Directory) TellUses(ctx context.Context) error {
	d.usesMu.Lock()
	used := make([]uuid.UUID, 0, len(d.uses))
	for id := range d.uses {
		used = append(used, id)
	}
	clear(d.uses)
	d.usesMu.Unlock()
	for len(used) > 0 {
		n := min(usesBatch, len(used))
		if err := d.tellUses(ctx, used[:n]); err != nil {
			d.usesMu.Lock()
			defer d.usesMu.Unlock()
			for _, id := range used {
				d.noteUse(id)
			}
			return err
		}
		used = used[n:]
	}
	return nil
}

func (d *Directory) tellUses(ctx context.Context, ids []uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	return d.Uses(ctx, ids)
}

// RunOnce tells what was used, and reads again the tenants whose tickets were due
// to be refreshed.
func (d *Directory) RunOnce(ctx context.Context) error {
	d.init()
	return errors.Join(d.TellUses(ctx), d.reread(ctx))
}
