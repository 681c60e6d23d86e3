package tenant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/wecom"
)

// An Arrival is a tenant that moves in from another system.
type Arrival struct {
	ID       uuid.UUID // the tenant's id if there is none yet; found again under it, it is this arrival's own
	SuiteID  wecom.SuiteID
	CorpID   wecom.CorpID
	Aliases  []wecom.CorpID  // further forms of CorpID
	Name     string          // empty: a name that is stored stays
	Agents   []Agent         // in place of those that are stored; nil: those stay
	Domains  []TrustedDomain // beside those that are stored, in place of the same host and port
	Disabled *bool           // nil: as it is; a new tenant is not disabled

	AuthorizedAt time.Time // when the corp consented
	Newer        bool      // AuthorizedAt is the corp's own time: it renews a consent that is older, or was cancelled before it
	CancelledAt  time.Time // when the corp cancelled last, as far as is known; zero: never
	Incomplete   bool      // this is not enough for a tenant that is not there yet
	Update       bool      // a tenant that is there takes this over; otherwise it is left alone
}

// ErrIncomplete is the end of an arrival that only a tenant that is there could have taken over.
var ErrIncomplete = errors.New("not enough for a new tenant")

// Moved says what an arrival came to.
type Moved string

// The ways of moving in.
const (
	MovedCreated   Moved = "created"
	MovedUpdated   Moved = "updated"
	MovedUnchanged Moved = "unchanged" // everything was stored already
	MovedSkipped   Moved = "skipped"   // there is such a tenant, and it is left alone
)

// Arrived is the end of one arrival.
type Arrived struct {
	TenantID uuid.UUID
	How      Moved
	Err      error // ErrConflict, ErrCancelled or ErrIncomplete: nothing of it is stored
}

// moveTries bounds how often a batch is tried again because others write the same
// corp_ids: then they are found the next time.
const moveTries = 4

// MoveIn stores tenants that move in, in one transaction for all of them, and
// answers in their order. Doing it again changes nothing. The replicas are told
// once, not for each. An error is that of the database, and nothing is stored then.
func (s *Store) MoveIn(ctx context.Context, list []Arrival) ([]Arrived, error) {
	return s.moveIn(ctx, list, false)
}

// TryMoveIn answers what MoveIn would, and stores nothing.
func (s *Store) TryMoveIn(ctx context.Context, list []Arrival) ([]Arrived, error) {
	return s.moveIn(ctx, list, true)
}

func (s *Store) moveIn(ctx context.Context, list []Arrival, dry bool) ([]Arrived, error) {
	out := make([]Arrived, len(list))
	todo := make([]int, len(list))
	for i := range list {
		todo[i] = i
	}
	// Two that write the same corps lock them in the same order.
	slices.SortFunc(todo, func(a, b int) int {
		return cmp.Or(cmp.Compare(list[a].SuiteID, list[b].SuiteID), cmp.Compare(list[a].CorpID, list[b].CorpID))
	})
	for tries := 1; len(todo) > 0; {
		m := &moving{list: list, out: out, todo: todo, dry: dry}
		err := s.inTx(ctx, func(tx pgx.Tx) error { return m.run(ctx, tx) })
		if tries++; tries <= moveTries && (violates(err, uniqueViolation) || violates(err, deadlockDetected)) {
			continue
		}
		if violates(err, foreignKeyViolation) {
			err = fmt.Errorf("suite: %w", ErrNotFound)
		}
		if err != nil {
			return nil, fmt.Errorf("move in %d tenants: %w", len(list), err)
		}
		todo = m.later
	}
	return out, nil
}

const deadlockDetected = "40P01"

// moving is one transaction of MoveIn.
type moving struct {
	list  []Arrival
	out   []Arrived
	todo  []int
	dry   bool
	later []int // mean a tenant that another of the batch means, too

	now       time.Time
	residents map[uuid.UUID]*resident
	target    map[int]uuid.UUID // who is meant; zero: nobody yet
	owners    map[form]uuid.UUID

	made    []int
	changed []change
	forms   []formRow
	agents  []agentRow
	cleared []uuid.UUID // whose agents are replaced
	domains []domainRow
}

// A form is a corp_id within a suite.
type form struct {
	suite wecom.SuiteID
	corp  wecom.CorpID
}

type (
	formRow struct {
		form
		id    uuid.UUID
		alias bool
	}
	agentRow struct {
		id uuid.UUID
		Agent
	}
	domainRow struct {
		id uuid.UUID
		TrustedDomain
	}
)

// A resident is a tenant that is there already.
type resident struct {
	id                   uuid.UUID
	suite                wecom.SuiteID
	name                 string
	authorized, disabled bool
	authorizedAt         time.Time
	cancelledAt          *time.Time
	agents               []Agent
	domains              map[Domain]TrustedDomain
}

// change is what a resident's row becomes.
type change struct {
	*resident
	name                 string
	authorized, disabled bool
	authorizedAt         time.Time
	row                  bool // the row itself differs, not only what hangs off it

	before, after audit.Fields // for the audit log
}

func (m *moving) run(ctx context.Context, tx pgx.Tx) error {
	*m = moving{list: m.list, out: m.out, todo: m.todo, dry: m.dry} // tried again from the start
	if err := m.findTargets(ctx, tx); err != nil {
		return err
	}
	if err := m.readResidents(ctx, tx); err != nil {
		return err
	}
	taken := map[uuid.UUID]bool{}
	for _, i := range m.todo {
		id, known := m.target[i]
		switch {
		case m.out[i].Err != nil:
		case !known:
			m.create(i)
		case taken[id]:
			m.later = append(m.later, i)
		default:
			taken[id] = true
			m.meet(i, m.residents[id])
		}
	}
	if m.dry {
		return nil
	}
	return m.write(ctx, tx)
}

// create plans a tenant that is not there.
func (m *moving) create(i int) {
	a := m.list[i]
	switch {
	case a.Incomplete:
		m.out[i].Err = ErrIncomplete
		return
	case !a.CancelledAt.IsZero() && (!a.Newer || !m.consentedAt(a).After(a.CancelledAt)):
		m.out[i].Err = ErrCancelled
		return
	}
	m.out[i] = Arrived{TenantID: a.ID, How: MovedCreated}
	m.made = append(m.made, i)
	m.forms = append(m.forms, formRow{form{a.SuiteID, a.CorpID}, a.ID, false})
	for _, alias := range a.Aliases {
		m.forms = append(m.forms, formRow{form{a.SuiteID, alias}, a.ID, true})
	}
	for _, g := range tidy(a.Agents) {
		m.agents = append(m.agents, agentRow{a.ID, g})
	}
	for _, d := range a.Domains {
		m.domains = append(m.domains, domainRow{a.ID, d})
	}
}

// meet plans what becomes of a tenant that is there.
func (m *moving) meet(i int, r *resident) {
	a := m.list[i]
	own := r.id == a.ID
	m.out[i] = Arrived{TenantID: r.id, How: MovedSkipped}
	if !a.Update && !own {
		return
	}
	c := change{resident: r, name: r.name, authorized: r.authorized, disabled: r.disabled, authorizedAt: r.authorizedAt}
	at := m.consentedAt(a)
	if !r.authorized {
		// Only a consent that is known to be younger than the cancellation undoes it.
		if !a.Newer || r.cancelledAt == nil || !at.After(*r.cancelledAt) {
			m.out[i].Err = ErrCancelled
			return
		}
		c.authorized = true
	}
	if a.Newer && at.After(c.authorizedAt) {
		c.authorizedAt = at
	}
	if name := cut(a.Name, maxName); name != "" {
		c.name = name
	}
	if a.Disabled != nil {
		c.disabled = *a.Disabled
	}
	c.row = c.name != r.name || c.authorized != r.authorized || c.disabled != r.disabled || !c.authorizedAt.Equal(r.authorizedAt)
	c.before, c.after = fieldsOf(r.name, r.authorized, r.disabled), fieldsOf(c.name, c.authorized, c.disabled)
	beside := m.meetForms(a, r, &c)
	beside = m.meetAgents(a, r, &c) || beside
	beside = m.meetDomains(a, r, &c) || beside
	m.out[i].How = MovedUnchanged
	if c.row || beside {
		m.changed = append(m.changed, c)
		m.out[i].How = MovedUpdated
	}
	if own {
		m.out[i].How = MovedCreated // by this arrival, before a crash
	}
}

// meetForms plans the forms of the corp's id that are new: none of them belongs to another tenant.
func (m *moving) meetForms(a Arrival, r *resident, c *change) bool {
	var added []wecom.CorpID
	for _, f := range formsOfArrival(a) {
		if _, known := m.owners[f]; !known {
			m.forms = append(m.forms, formRow{f, r.id, true})
			m.owners[f] = r.id
			added = append(added, f.corp)
		}
	}
	if added != nil {
		c.after["aliases_added"] = added
	}
	return added != nil
}

func (m *moving) meetAgents(a Arrival, r *resident, c *change) bool {
	if a.Agents == nil {
		return false
	}
	modes := map[wecom.AgentID]int{}
	for _, g := range r.agents {
		modes[g.ID] = g.AuthMode
	}
	agents := tidy(a.Agents)
	for i := range agents {
		agents[i].AuthMode = modes[agents[i].ID] // which the other system does not tell
	}
	if slices.Equal(agents, r.agents) {
		return false
	}
	c.before["agents"], c.after["agents"] = auditedAgents(r.agents)["agents"], auditedAgents(agents)["agents"]
	m.cleared = append(m.cleared, r.id)
	for _, g := range agents {
		m.agents = append(m.agents, agentRow{r.id, g})
	}
	return true
}

func (m *moving) meetDomains(a Arrival, r *resident, c *change) bool {
	was, is := map[string]audit.Fields{}, map[string]audit.Fields{}
	for _, d := range a.Domains {
		old, known := r.domains[d.Domain]
		if known && old.Exact == d.Exact && old.AllowHTTP == d.AllowHTTP &&
			(d.VerificationName == "" || old.VerificationName == d.VerificationName && old.VerificationContent == d.VerificationContent) {
			continue
		}
		if d.VerificationName == "" { // a file that is stored stays
			d.VerificationName, d.VerificationContent = old.VerificationName, old.VerificationContent
		}
		m.domains = append(m.domains, domainRow{r.id, d})
		if is[d.String()] = auditedDomain(&d); known {
			was[d.String()] = auditedDomain(&old)
		}
	}
	if len(is) > 0 {
		c.before["domains"], c.after["domains"] = was, is
	}
	return len(is) > 0
}

// consentedAt is AuthorizedAt as it is stored: see the constant authorizedAt.
func (m *moving) consentedAt(a Arrival) time.Time {
	at := a.AuthorizedAt
	if limit := m.now.Add(10 * time.Minute); at.After(limit) {
		at = limit
	}
	return at.Truncate(time.Second)
}

func formsOfArrival(a Arrival) []form {
	out := []form{{a.SuiteID, a.CorpID}}
	for _, alias := range a.Aliases {
		out = append(out, form{a.SuiteID, alias})
	}
	return out
}

// findTargets finds whom each arrival means: the tenant that a form of its corp's
// id names. ErrConflict where they name several.
func (m *moving) findTargets(ctx context.Context, tx pgx.Tx) error {
	var suites, corps []string
	for _, i := range m.todo {
		m.out[i] = Arrived{}
		for _, f := range formsOfArrival(m.list[i]) {
			suites, corps = append(suites, string(f.suite)), append(corps, string(f.corp))
		}
	}
	m.owners, m.target = map[form]uuid.UUID{}, map[int]uuid.UUID{}
	if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&m.now); err != nil {
		return err
	}
	const q = `
		SELECT k.suite_id, k.corp_id, k.tenant_id
		FROM unnest($1::text[], $2::text[]) AS f (suite_id, corp_id) JOIN tenant_corp_ids k USING (suite_id, corp_id)`
	rows, err := tx.Query(ctx, q, suites, corps)
	if err != nil {
		return err
	}
	var f form
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&f.suite, &f.corp, &id}, func() error {
		m.owners[f] = id
		return nil
	})
	if err != nil {
		return err
	}
	for _, i := range m.todo {
		for _, f := range formsOfArrival(m.list[i]) {
			owner, known := m.owners[f]
			if other, met := m.target[i]; known && met && other != owner {
				m.out[i].Err = ErrConflict
			}
			if known {
				m.target[i] = owner
			}
		}
	}
	return nil
}

// readResidents holds the tenants that are meant until the transaction ends, and reads what there is of them.
func (m *moving) readResidents(ctx context.Context, tx pgx.Tx) error {
	m.residents = map[uuid.UUID]*resident{}
	if len(m.target) == 0 {
		return nil
	}
	var ids []uuid.UUID
	for _, id := range m.target {
		ids = append(ids, id)
	}
	const tenants = `
		SELECT id, suite_id, name, authorized, disabled, authorized_at, cancelled_at FROM tenants
		WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`
	rows, err := tx.Query(ctx, tenants, ids)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*resident, error) {
		r := &resident{domains: map[Domain]TrustedDomain{}}
		return r, row.Scan(&r.id, &r.suite, &r.name, &r.authorized, &r.disabled, &r.authorizedAt, &r.cancelledAt)
	})
	if err != nil {
		return err
	}
	for _, r := range found {
		m.residents[r.id] = r
	}
	for i, id := range m.target {
		if m.residents[id] == nil { // deleted just now, and its forms with it
			delete(m.target, i)
		}
	}
	return errors.Join(m.readAgents(ctx, tx, ids), m.readDomains(ctx, tx, ids))
}

func (m *moving) readAgents(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) error {
	rows, err := tx.Query(ctx, `SELECT tenant_id, agent_id, name, auth_mode FROM agents WHERE tenant_id = ANY($1) ORDER BY tenant_id, agent_id`, ids)
	if err != nil {
		return err
	}
	var a agentRow
	_, err = pgx.ForEachRow(rows, []any{&a.id, &a.ID, &a.Name, &a.AuthMode}, func() error {
		if r := m.residents[a.id]; r != nil {
			r.agents = append(r.agents, a.Agent)
		}
		return nil
	})
	return err
}

func (m *moving) readDomains(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) error {
	rows, err := tx.Query(ctx, `
		SELECT tenant_id, host, port, exact, allow_http, verification_name, verification_content FROM tenant_domains WHERE tenant_id = ANY($1)`, ids)
	if err != nil {
		return err
	}
	var d domainRow
	_, err = pgx.ForEachRow(rows, []any{&d.id, &d.Host, &d.Port, &d.Exact, &d.AllowHTTP, &d.VerificationName, &d.VerificationContent}, func() error {
		if r := m.residents[d.id]; r != nil {
			r.domains[d.Domain] = d.TrustedDomain
		}
		return nil
	})
	return err
}
