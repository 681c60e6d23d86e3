package signing

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/secret"
	"suitesign/tenant"
	"suitesign/ticket"
)

// readEntries reads tenants whole: agents, own domains, and both tickets with how
// long they still live by the database's clock. Spans cross over to this process,
// not points in time: its clock may be another. (A next_at can be infinity, which
// makes no span.)
const readEntries = `
	SELECT t.id, t.suite_id, t.corp_id, t.status = 'active',
	       ARRAY(SELECT a.agent_id FROM agents a WHERE a.tenant_id = t.id ORDER BY a.agent_id),
	       EXISTS (SELECT FROM authorizations z WHERE z.tenant_id = t.id AND z.info_due_at IS NOT NULL AND z.updated_at > now() - interval '1 minute'),
	       d.hosts, d.ports, d.exact, d.allow_http,
	       c.value_sealed, c.expires_at - now(), LEAST(c.next_at, now() + interval '1 day') - now(),
	       g.value_sealed, g.expires_at - now(), LEAST(g.next_at, now() + interval '1 day') - now()
	FROM tenants t
	LEFT JOIN LATERAL (
		SELECT array_agg(host) AS hosts, array_agg(port) AS ports, array_agg(exact) AS exact, array_agg(allow_http) AS allow_http
		FROM tenant_domains WHERE tenant_id = t.id) d ON true
	LEFT JOIN credentials c ON c.tenant_id = t.id AND c.kind = 'jsapi_ticket'
	LEFT JOIN credentials g ON g.tenant_id = t.id AND g.kind = 'agent_config'
	`

// readOne reads the tenant of an id.
func (d *Directory) readOne(ctx context.Context, id uuid.UUID) (*entry, error) {
	return d.readFirst(ctx, `WHERE t.id = $1`, id)
}

// readNamed reads the tenant that a suite_id and a form of a corp's id name.
func (d *Directory) readNamed(ctx context.Context, suiteID, corpID string) (*entry, error) {
	return d.readFirst(ctx, `WHERE t.id = (SELECT tenant_id FROM tenant_corp_ids WHERE suite_id = $1 AND corp_id = $2)`, suiteID, corpID)
}

func (d *Directory) readFirst(ctx context.Context, where string, args ...any) (*entry, error) {
	es, err := d.read(ctx, where, args...)
	if err != nil {
		return nil, away("read a tenant", err)
	}
	if len(es) == 0 {
		return nil, ErrTenantNotFound
	}
	return es[0], nil
}

func (d *Directory) read(ctx context.Context, where string, args ...any) ([]*entry, error) {
	number, readAt := d.reads.Add(1), d.now()
	rows, err := d.Pool.Query(ctx, readEntries+where, args...)
	if err != nil {
		return nil, err
	}
	read, err := pgx.CollectRows(rows, scanStored)
	if err != nil {
		return nil, err
	}
	es := make([]*entry, len(read))
	for i := range read { // after the rows: a keyring may have to ask the database for a new key
		es[i] = d.entry(ctx, &read[i], number, readAt)
	}
	return es, nil
}

// stored is a tenant as its rows have it.
type stored struct {
	id            uuid.UUID
	suite, corp   string
	active        bool
	agents        []int64
	agentsDue     bool
	hosts         []string
	ports         []int32
	exact, http   []bool
	config, agent sealed
}

// sealed is a credential as its row has it.
type sealed struct {
	value       []byte
	life, dueIn *time.Duration
}

func scanStored(row pgx.CollectableRow) (s stored, err error) {
	err = row.Scan(&s.id, &s.suite, &s.corp, &s.active, &s.agents, &s.agentsDue, &s.hosts, &s.ports, &s.exact, &s.http,
		&s.config.value, &s.config.life, &s.config.dueIn, &s.agent.value, &s.agent.life, &s.agent.dueIn)
	return s, err
}

func (d *Directory) entry(ctx context.Context, s *stored, number int64, readAt time.Time) *entry {
	// The corp's id and the hosts are one text: a signature reads both, and each piece of
	// memory that is apart is one more that no cache holds.
	text := s.corp + strings.Join(s.hosts, "")
	e := &entry{
		id: s.id, corpID: text[:len(s.corp)], active: s.active, agents: s.agents, agentsDue: s.agentsDue && len(s.agents) == 0,
		suite:        d.suite(s.suite),
		configTicket: d.open(ctx, s.id, ticket.JSAPITicket, s.config, readAt),
		agentTicket:  d.open(ctx, s.id, ticket.AgentConfig, s.agent, readAt),
		read:         number,
		readAt:       readAt,
		nextRead:     readAt.Add(rereadIn(s.active, s.config, s.agent)),
	}
	e.domains = trusts(e.firstDomain[:0], text[len(s.corp):], s)
	if len(s.agents) == 1 {
		e.agents = append(e.firstAgent[:0], s.agents[0])
	}
	return e
}

// open takes a ticket out of its seal, if it lives. One that does not open is as
// good as none: the next request has it fetched again.
func (d *Directory) open(ctx context.Context, id uuid.UUID, kind ticket.Kind, s sealed, readAt time.Time) live {
	if s.value == nil || s.life == nil || *s.life <= 0 {
		return live{}
	}
	v, err := d.Sealer.Open(s.value, secret.Binding{Table: "credentials", Column: "value_sealed", Row: id.String() + "/" + string(kind)})
	if err != nil {
		if d.Log != nil {
			d.Log.ErrorContext(ctx, "a stored ticket does not open", "tenant_id", id, "kind", string(kind), "error", err)
		}
		return live{}
	}
	return live{value: v, until: readAt.Add(*s.life)}
}

// How long after a refresh was due its result is looked for, and how rarely at
// most. A refresh that is overdue is looked for ever less often: it may have been
// put off until somebody asks.
const (
	rereadAfter = 2 * time.Second
	rereadMax   = time.Minute
	never       = 1000 * time.Hour
)

// rereadIn tells when a tenant's tickets will have changed, from now. Whatever
// else changes is told.
func rereadIn(active bool, tickets ...sealed) time.Duration {
	if !active {
		return never
	}
	in := never
	for _, t := range tickets {
		if t.dueIn == nil {
			continue
		}
		wait := *t.dueIn
		if wait < 0 {
			wait = min(-wait/2, rereadMax)
		}
		in = min(in, wait+rereadAfter)
	}
	return in
}

// spent reports whether an entry has been without a live ticket for so long that it
// is worth nothing. One that is asked for is read again sooner.
func (e *entry) spent(now time.Time) bool {
	old := now.Add(-rereadMax)
	return e.active && e.readAt.Before(old) && !e.configTicket.lives(old) && !e.agentTicket.lives(old)
}

// trusts puts columns together to domains, into a place that has room for one. The hosts
// are parts of a text.
func trusts(into []tenant.Trust, hosts string, s *stored) []tenant.Trust {
	for i, host := range s.hosts {
		into = append(into, tenant.Trust{
			Domain: tenant.Domain{Host: hosts[:len(host)], Port: int(s.ports[i])},
			Exact:  s.exact[i], AllowHTTP: s.http[i],
		})
		hosts = hosts[len(host):]
	}
	return into
}

// readSuite reads the domains that all tenants of a suite trust.
func (d *Directory) readSuite(ctx context.Context, id string) ([]tenant.Trust, error) {
	const q = `SELECT host, port, exact, allow_http FROM suite_domains WHERE suite_id = $1`
	d.reads.Add(1)
	rows, err := d.Pool.Query(ctx, q, id)
	if err != nil {
		return nil, away("read a suite's domains", err)
	}
	ts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t tenant.Trust, err error) {
		err = row.Scan(&t.Host, &t.Port, &t.Exact, &t.AllowHTTP)
		return t, err
	})
	if err != nil {
		return nil, away("read a suite's domains", err)
	}
	if ts == nil {
		ts = []tenant.Trust{} // none, and read
	}
	return ts, nil
}
