package signing

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
	"unique"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/tenant"
)

// A leadKey is what a page names. With both ids named they lead to one tenant or
// to none; otherwise the page's origin decides, too.
type leadKey struct {
	suite, corp string
	origin      string // "" where both ids are named
}

// A lead is where a key leads: to a tenant, or to a refusal. It only finds the
// tenant; whether that is active and trusts the page is asked of its entry, each
// time.
type lead struct {
	// held is the tenant as the directory has it, so that one look suffices. A tenant is
	// held by one lead at most, the one that was last seen to lead to it, and leaves it
	// when it leaves the directory: no lead keeps what was forgotten in memory.
	held  atomic.Pointer[entry]
	err   error
	until time.Time // zero: until something is told that may lead elsewhere
	id    uuid.UUID
	host  string // of the origin
}

// share has a key use the tenant's own text, where it is the same.
func (e *entry) share(key leadKey) leadKey {
	if e != nil && e.corpID == key.corp {
		key.corp = e.corpID
	}
	return key
}

// bind has a lead hold the tenant that it leads to.
func (e *entry) bind(l *lead) {
	old := e.lead.Load()
	if old == l && l.held.Load() == e || !e.lead.CompareAndSwap(old, l) {
		return
	}
	if old != nil && old != l {
		old.held.CompareAndSwap(e, nil)
	}
	l.held.Store(e)
	// Whoever came meanwhile, to bind another lead or to leave, may have looked before this one held it.
	if e.gone.Load() || e.lead.Load() != l {
		l.held.CompareAndSwap(e, nil)
	}
}

// leave is called when the directory forgets a tenant, or has another read of it.
func (e *entry) leave() {
	e.gone.Store(true)
	if l := e.lead.Load(); l != nil {
		l.held.CompareAndSwap(e, nil)
	}
}

// refusalLives is how long a refusal is remembered. What ends it sooner is told,
// as for every lead; this is for what nobody tells.
const refusalLives = time.Second

func (l *lead) good(d *Directory) bool {
	return l.until.IsZero() || d.now().Before(l.until)
}

// lookup finds where a key leads; all who ask for it at once share one look.
func (d *Directory) lookup(ctx context.Context, key leadKey, page tenant.Page) (*lead, error) {
	if !plausible(key.suite) || !plausible(key.corp) {
		return nil, ErrTenantNotFound
	}
	// A suite's id is kept once: a comparison with it finds it in the processor's cache.
	key = leadKey{suite: unique.Make(key.suite).Value(), corp: strings.Clone(key.corp), origin: strings.Clone(key.origin)}
	d.mu.Lock()
	f, joined := d.lookups[key]
	if !joined {
		f = newFlight[*lead](0)
		d.lookups[key] = f
		page.Host = strings.Clone(page.Host) // the page's URL must not be kept with it
		go d.runLookup(context.WithoutCancel(ctx), key, page, f)
	}
	d.mu.Unlock()
	return f.wait(ctx)
}

// plausible reports whether a text can be an id at all; what is not one is
// neither asked for nor remembered.
func plausible(id string) bool {
	return len(id) <= 128 && utf8.ValidString(id) && !strings.Contains(id, "\x00")
}

// maxTries bounds how often a look is repeated because leads changed meanwhile.
// Then its result is used once and not kept: it may be late, but it only finds
// the tenant. A tenant that was read and changed meanwhile is never used.
const maxTries = 3

func (d *Directory) runLookup(ctx context.Context, key leadKey, page tenant.Page, f *flight[*lead]) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	cache := d.guesses
	if key.origin == "" {
		cache = d.leads
	}
	for tries := 1; ; tries++ {
		l, e, err := d.look(ctx, key, page)
		d.mu.Lock()
		if err == nil && (f.changed && tries < maxTries || e != nil && (f.all || f.touched[e.id])) {
			f.changed, f.touched, f.all = false, nil, false
			d.mu.Unlock()
			continue
		}
		if e != nil {
			d.hold(e)
		}
		if err == nil && !f.changed {
			cache.Set(e.share(key), l)
		}
		delete(d.lookups, key)
		d.mu.Unlock()
		f.end(l, err)
		return
	}
}

// look asks the database. Where both ids are named, the answer brings the tenant as well.
func (d *Directory) look(ctx context.Context, key leadKey, page tenant.Page) (*lead, *entry, error) {
	if key.origin != "" {
		l, err := d.guess(ctx, key, page)
		return l, nil, away("find a tenant for a page", err)
	}
	e, err := d.readNamed(ctx, key.suite, key.corp)
	if errors.Is(err, ErrTenantNotFound) {
		return &lead{err: ErrTenantNotFound, until: d.now().Add(refusalLives)}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return &lead{id: e.id}, e, nil
}

// A candidate is a tenant that a page may mean.
type candidate struct {
	id             uuid.UUID
	active, trusts bool
}

// guess finds the tenant for a page that does not name both ids. If what is named
// leaves one tenant, it is that one; else it is the one active tenant that trusts
// the page. If all that trust it are inactive, any of them tells the page so.
func (d *Directory) guess(ctx context.Context, key leadKey, page tenant.Page) (*lead, error) {
	l := &lead{host: page.Host}
	var cs []candidate
	var err error
	switch {
	case key.corp != "":
		cs, err = d.candidates(ctx, byCorp, pageArgs(page, key.suite, key.corp)...)
	case key.suite != "":
		cs, err = d.candidates(ctx, bySuite, key.suite)
	}
	if err != nil {
		return nil, err
	}
	if key.suite != "" || key.corp != "" {
		switch len(cs) {
		case 0:
			return d.refuse(l, ErrTenantNotFound), nil
		case 1:
			l.id = cs[0].id
			return l, nil
		}
	}
	if key.corp == "" { // by corp they are all of them, with what they trust
		cs, err = d.candidates(ctx, byHost, pageArgs(page, key.suite, []string{string(tenant.Active)})...)
		if err == nil && len(cs) == 0 {
			// Asked only where no active one is, or it might read a suite of a million to find none.
			cs, err = d.candidates(ctx, byHost, pageArgs(page, key.suite, []string{string(tenant.Disabled), string(tenant.Cancelled)})...)
		}
		if err != nil {
			return nil, err
		}
	}
	return d.choose(l, cs), nil
}

// choose picks among candidates the one that trusts the page.
func (d *Directory) choose(l *lead, cs []candidate) *lead {
	several, inactive := false, uuid.Nil
	for _, c := range cs {
		switch {
		case !c.trusts:
		case !c.active:
			inactive = c.id
		default:
			several = several || l.id != uuid.Nil && l.id != c.id
			l.id = c.id
		}
	}
	switch {
	case several:
		return d.refuse(l, ErrTenantAmbiguous)
	case l.id != uuid.Nil:
		return l
	case inactive != uuid.Nil:
		l.id = inactive
		return l
	}
	return d.refuse(l, ErrUntrusted)
}

func (d *Directory) refuse(l *lead, err error) *lead {
	l.id, l.err, l.until = uuid.Nil, err, d.now().Add(refusalLives)
	return l
}

// covers is the condition on a row of domains under which it covers the page: as
// [tenant.Trust.Covers], in SQL; a test holds the two together.
const covers = `d.host = ANY($1::text[]) AND d.port = ANY($2::int[]) AND (NOT d.exact OR d.host = $3) AND ($4 OR d.allow_http)`

const (
	// byCorp: tenants that a form of a corp's id names, over all suites or in one.
	byCorp = `
		SELECT t.id, t.status = 'active',
		       EXISTS (SELECT FROM tenant_domains d WHERE d.tenant_id = t.id AND ` + covers + `)
		    OR EXISTS (SELECT FROM suite_domains d WHERE d.suite_id = t.suite_id AND ` + covers + `)
		FROM tenant_corp_ids i JOIN tenants t ON t.id = i.tenant_id
		WHERE ($5 = '' OR i.suite_id = $5) AND i.corp_id = $6
		LIMIT 1000`

	// bySuite: two tenants of a suite, to tell one from many.
	bySuite = `SELECT t.id, t.status = 'active', false FROM tenants t WHERE t.suite_id = $1 ORDER BY t.corp_id LIMIT 2`

	// byHost: tenants of some states that trust the page, enough of them to tell
	// one from many. The order makes the planner walk the index of one suite.
	byHost = `
		(SELECT t.id, t.status = 'active', true FROM tenant_domains d JOIN tenants t ON t.id = d.tenant_id
		 WHERE ` + covers + ` AND ($5 = '' OR t.suite_id = $5) AND t.status = ANY($6::text[])
		 LIMIT 1000)
		UNION
		(SELECT t.id, t.status = 'active', true
		 FROM (SELECT DISTINCT d.suite_id FROM suite_domains d WHERE ` + covers + ` AND ($5 = '' OR d.suite_id = $5)) s
		 CROSS JOIN LATERAL (
			SELECT t.id, t.status FROM tenants t
			WHERE t.suite_id = s.suite_id AND t.status = ANY($6::text[])
			ORDER BY t.corp_id LIMIT 2) t)`
)

// pageArgs are the parameters of covers, and what follows them.
func pageArgs(page tenant.Page, suiteID string, more ...any) []any {
	return append([]any{above(page.Host), page.Ports(), page.Host, page.Scheme == "https", suiteID}, more...)
}

func (d *Directory) candidates(ctx context.Context, query string, args ...any) ([]candidate, error) {
	d.reads.Add(1)
	rows, err := d.Pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c candidate, err error) {
		err = row.Scan(&c.id, &c.active, &c.trusts)
		return c, err
	})
}

// above lists a host and the names above it, down to two labels.
func above(host string) []string {
	var out []string
	for strings.Contains(host, ".") {
		out = append(out, host)
		_, host, _ = strings.Cut(host, ".")
	}
	return out
}
