package signing

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"

	"suitesign/changes"
)

// Handle forgets what changed, so that it is read again when it is next asked
// for. Reads that are under way are told, too: none of them brings back what was
// before. It asks the database nothing.
func (d *Directory) Handle(_ context.Context, cs []changes.Change) {
	d.init()
	d.mu.Lock()
	defer d.mu.Unlock()
	var moved moves
	for _, c := range cs {
		switch c.Topic {
		case changes.Tenant, changes.Credentials:
			d.forgetTenant(c.Key)
		case changes.Tenants:
			d.forgetTenantsOf(c.Key)
		case changes.Suite:
			d.forgetSuite(c.Key)
		case changes.NewTenant:
			moved.named(c.Key)
		case changes.Hosts:
			moved.host(c.Key)
		case changes.Everything:
			d.forgetAll()
		case changes.Keyring, changes.APIKey: // others' news
		}
	}
	if moved.any() {
		d.forgetLeads(moved)
	}
}

func (d *Directory) forgetTenant(key string) {
	id, err := uuid.Parse(key)
	if err != nil {
		return
	}
	d.tenants.Invalidate(id)
	if f, ok := d.loads[id]; ok {
		f.changed = true
	}
	for _, f := range d.lookups {
		if f.touched == nil {
			f.touched = map[uuid.UUID]bool{}
		}
		f.touched[id] = true
	}
}

// forgetTenantsOf forgets every tenant of a suite.
func (d *Directory) forgetTenantsOf(suiteID string) {
	for id, e := range d.tenants.All() {
		if e.suite.id == suiteID {
			d.tenants.Invalidate(id)
		}
	}
	for _, f := range d.loads { // of which suite is not known yet
		f.changed = true
	}
	for _, f := range d.lookups {
		f.changed, f.all = true, true
	}
}

func (d *Directory) forgetSuite(id string) {
	s, ok := d.suites[id]
	if !ok {
		return
	}
	s.domains.Store(nil)
	if f, ok := d.listings[s]; ok {
		f.changed = true
	}
}

func (d *Directory) forgetAll() {
	d.tenants.InvalidateAll()
	d.leads.InvalidateAll()
	d.guesses.InvalidateAll()
	for _, s := range d.suites {
		s.domains.Store(nil)
	}
	for _, f := range d.listings {
		f.changed = true
	}
	for _, f := range d.loads {
		f.changed = true
	}
	for _, f := range d.lookups {
		f.changed, f.all = true, true
	}
}

// moves are the changes that may make leads lead elsewhere.
type moves struct {
	keys          []leadKey // suite_id and corp_id, however the text divides
	suites, corps map[string]bool
	hosts         map[string]bool
	anyHost       bool
}

// named notes that a suite_id and corp_id lead elsewhere. The ids may hold
// slashes, so each of them may be the one between.
func (m *moves) named(key string) {
	if m.suites == nil {
		m.suites, m.corps = map[string]bool{}, map[string]bool{}
	}
	for i := range len(key) {
		if key[i] == '/' {
			m.keys = append(m.keys, leadKey{suite: key[:i], corp: key[i+1:]})
			m.suites[key[:i]], m.corps[key[i+1:]] = true, true
		}
	}
}

// host notes that pages on a host, or below it, lead elsewhere; "" is any host.
func (m *moves) host(h string) {
	if m.hosts == nil {
		m.hosts = map[string]bool{}
	}
	m.hosts[h] = true
	m.anyHost = m.anyHost || h == ""
}

func (m *moves) any() bool { return len(m.keys) > 0 || len(m.hosts) > 0 }

// moved reports whether a lead that was guessed may lead elsewhere now.
func (m *moves) moved(k leadKey, l *lead) bool {
	if m.anyHost || m.suites[k.suite] || m.corps[k.corp] {
		return true
	}
	for h := l.host; len(m.hosts) > 0 && h != ""; {
		if m.hosts[h] {
			return true
		}
		_, h, _ = strings.Cut(h, ".")
	}
	return false
}

func (d *Directory) forgetLeads(m moves) {
	for _, k := range m.keys {
		d.leads.Invalidate(k)
	}
	for k, l := range d.guesses.All() {
		if m.moved(k, l) {
			d.guesses.Invalidate(k)
		}
	}
	for _, f := range d.lookups {
		f.changed = true
	}
}

// batch is how many tenants one query reads again.
const batch = 500

// reread reads again the tenants whose tickets were due to be refreshed, in
// batches. If the database fails it stops: what is held stays, and is tried again
// the next time. Who has had no ticket for a while and is not asked for is forgotten
// instead: who asks has it read anyway, and it may be idle for weeks.
func (d *Directory) reread(ctx context.Context) error {
	now := d.now()
	var due []*entry
	for _, e := range d.tenants.All() {
		switch {
		case now.Before(e.nextRead):
		case e.spent(now):
			d.tenants.ComputeIfPresent(e.id, func(held *entry) (*entry, otter.ComputeOp) {
				if held != e {
					return held, otter.CancelOp
				}
				return nil, otter.InvalidateOp
			})
		default:
			due = append(due, e)
		}
	}
	for len(due) > 0 {
		n := min(batch, len(due))
		if err := d.rereadBatch(ctx, due[:n]); err != nil {
			return away("read tenants again", err)
		}
		due = due[n:]
	}
	return nil
}

// rereadBatch replaces entries by what the database says now, each only if it is
// still the one that was found due: one that was forgotten meanwhile stays forgotten.
func (d *Directory) rereadBatch(ctx context.Context, old []*entry) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	ids := make([]uuid.UUID, len(old))
	for i, e := range old {
		ids[i] = e.id
	}
	es, err := d.read(ctx, `WHERE t.id = ANY($1)`, ids)
	if err != nil {
		return err
	}
	read := make(map[uuid.UUID]*entry, len(es))
	for _, e := range es {
		read[e.id] = e
	}
	for _, was := range old {
		d.tenants.ComputeIfPresent(was.id, func(held *entry) (*entry, otter.ComputeOp) {
			e, ok := read[was.id]
			switch {
			case held != was:
				return held, otter.CancelOp
			case !ok:
				return nil, otter.InvalidateOp // deleted
			}
			e.adopt(was)
			return e, otter.WriteOp
		})
	}
	return nil
}
