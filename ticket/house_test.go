package ticket_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations/pgtest"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

const (
	suiteID  wecom.SuiteID = "ww00000000000000a1"
	template wecom.SuiteID = "dk00000000000000b2"
	internal wecom.SuiteID = "in00000000000000c3"
)

// house is a database and a platform whose time goes on when the test says so.
type house struct {
	t         *testing.T
	clock     *wecomtest.ManualClock
	sim       *wecomtest.Sim
	pool      *pgxpool.Pool
	ring      *secret.Keyring
	tenants   *tenant.Store
	suites    *suite.Store
	client    *wecom.Client
	tokens    *suite.Tokens
	exchanger *suite.Exchanger
	pushed    []wecom.SuiteID // suites whose suite_ticket is pushed as time passes
}

func newHouse(t *testing.T, opts ...wecomtest.Option) *house {
	t.Helper()
	h := &house{t: t, clock: wecomtest.NewClock(time.Now()), ring: secrettest.New(t), pool: pgtest.New(t)}
	h.sim = wecomtest.New(t, append([]wecomtest.Option{wecomtest.WithClock(h.clock), wecomtest.WithRotation(wecomtest.Rotating, 5*time.Minute)}, opts...)...)
	h.client = &wecom.Client{BaseURL: h.sim.URL}
	t.Cleanup(h.client.CloseIdleConnections)
	h.tenants = &tenant.Store{Pool: h.pool}
	h.suites = &suite.Store{Pool: h.pool, Ring: h.ring, Tenants: h.tenants}
	h.tokens = h.newTokens()
	h.exchanger = &suite.Exchanger{Store: h.suites, WeCom: h.client, Tokens: h.tokens, Log: quiet()}
	return h
}

// ready is a house with a third-party suite that has its suite_ticket.
func ready(t *testing.T, opts ...wecomtest.Option) *house {
	t.Helper()
	h := newHouse(t, opts...)
	h.addSuite(suiteID)
	return h
}

func (h *house) newTokens() *suite.Tokens {
	return &suite.Tokens{Store: h.suites, WeCom: h.client, Now: h.clock.Now}
}

// replica is another process on the same database, with a memory of its own.
func (h *house) replica(change ...func(*ticket.Refresher)) *ticket.Refresher {
	h.t.Helper()
	r := &ticket.Refresher{
		Pool: h.pool, Ring: h.ring, WeCom: h.client, Suites: h.newTokens(), Authorizations: h.suites, Tenants: h.tenants,
		Limits: ticket.DefaultLimits(), WaitFor: time.Minute, Log: quiet(),
	}
	for _, f := range change {
		f(r)
	}
	h.t.Cleanup(r.Wait)
	return r
}

// addSuite configures a suite on both sides.
func (h *house) addSuite(id wecom.SuiteID) wecomtest.Suite {
	h.t.Helper()
	su := h.sim.AddSuite(wecomtest.Suite{SuiteID: id})
	_, err := h.suites.Create(h.t.Context(), suite.New{
		ID: id, Kind: suite.Kind(su.Kind), Name: "Suite", SuiteSecret: secret.New(su.Secret),
		CallbackToken: secret.New(su.Token), EncodingAESKey: secret.New(su.EncodingAESKey),
	})
	must(h.t, err)
	h.pushTicket(id)
	h.pushed = append(h.pushed, id)
	return su
}

// pushTicket stores the suite_ticket as a push does.
func (h *house) pushTicket(id wecom.SuiteID) {
	h.t.Helper()
	v := secret.New(h.sim.SuiteTicket(id))
	sealed, err := h.ring.Seal(v, secret.Binding{Table: "suite_tickets", Column: "ticket_sealed", Row: string(id)})
	must(h.t, err)
	h.exec(`
INSERT INTO suite_tickets (suite_id, ticket_sealed, fingerprint, pushed_at, received_at) VALUES ($1, $2, $3, now(), now())
ON CONFLICT (suite_id) DO UPDATE SET ticket_sealed = EXCLUDED.ticket_sealed, generation = suite_tickets.generation + 1, pushed_at = now()`,
		id, sealed, []byte(v.Reveal()))
}

// install lets a corp install the suite, agents and all.
func (h *house) install(id wecom.SuiteID, corp wecom.CorpID, agents ...wecomtest.Agent) uuid.UUID {
	h.t.Helper()
	out := h.sim.InstallWith(wecomtest.Install{SuiteID: id, CorpID: corp, Door: wecomtest.Site, Agents: agents})
	x, err := h.exchanger.Begin(h.t.Context(), id, secret.New(out.AuthCode), suite.SiteDoor, time.Time{})
	must(h.t, err)
	must(h.t, h.exchanger.Run(h.t.Context(), x.ID))
	x, err = h.exchanger.Get(h.t.Context(), x.ID)
	must(h.t, err)
	if x.TenantID == nil {
		h.t.Fatalf("exchange of %s: %+v", corp, x)
	}
	return *x.TenantID
}

// installMany installs n corps and forgets what that cost.
func (h *house) installMany(id wecom.SuiteID, n int) map[wecom.CorpID]uuid.UUID {
	h.t.Helper()
	out := map[wecom.CorpID]uuid.UUID{}
	for i := range n {
		corp := wecom.CorpID(fmt.Sprintf("ww%s%04d", id[:2], i))
		out[corp] = h.install(id, corp)
	}
	h.sim.ForgetCalls()
	return out
}

// addInternal makes a corp's own app, with this secret stored here.
func (h *house) addInternal(corp wecom.CorpID, agent wecom.AgentID, stored string) uuid.UUID {
	h.t.Helper()
	if _, err := h.suites.Get(h.t.Context(), internal); err != nil {
		_, err := h.suites.Create(h.t.Context(), suite.New{ID: internal, Kind: suite.Internal, Name: "Own"})
		must(h.t, err)
	}
	tn, err := h.suites.CreateInternal(h.t.Context(), suite.NewInternal{SuiteID: internal, CorpID: corp, AgentID: agent, Secret: secret.New(stored)})
	must(h.t, err)
	return tn.ID
}

// pass lets time go by, here and at the platform.
func (h *house) pass(d time.Duration) {
	h.t.Helper()
	h.clock.Advance(d)
	for _, q := range []string{
		`UPDATE refreshes SET due_at = due_at - $1::interval, lease_until = lease_until - $1::interval, attempted_at = attempted_at - $1::interval,
			used_at = used_at - $1::interval, refetch_after = refetch_after - $1::interval, refused_after = refused_after - $1::interval`,
		`UPDATE credentials SET expires_at = expires_at - $1::interval, refreshed_at = refreshed_at - $1::interval,
			next_at = next_at - $1::interval, last_error_at = last_error_at - $1::interval,
			previous_refreshed_at = previous_refreshed_at - $1::interval, previous_expires_at = previous_expires_at - $1::interval`,
		`UPDATE budgets SET tat = tat - $1::interval`,
		`UPDATE suite_tokens SET expires_at = expires_at - $1::interval, retry_at = retry_at - $1::interval, renew_at = renew_at - $1::interval,
			lease_until = lease_until - $1::interval, blocked_until = blocked_until - $1::interval, invalidated_at = invalidated_at - $1::interval`,
	} {
		h.exec(q, d)
	}
	for _, id := range h.pushed {
		h.pushTicket(id)
	}
}

// run is one heartbeat of each replica, all at once. Reports are added up.
func (h *house) run(replicas ...*ticket.Refresher) ticket.Report {
	h.t.Helper()
	h.exec(`UPDATE budgets SET tat = tat - interval '1 second' WHERE scope = 'chore'`) // heartbeats are a second apart
	var sum ticket.Report
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, r := range replicas {
		wg.Go(func() {
			rep, err := r.RunOnce(h.t.Context())
			if err != nil {
				h.t.Errorf("RunOnce: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			sum.Woken, sum.Enrolled, sum.Claimed, sum.PutOff = sum.Woken+rep.Woken, sum.Enrolled+rep.Enrolled, sum.Claimed+rep.Claimed, sum.PutOff+rep.PutOff
			sum.OK, sum.Failed, sum.Parked, sum.Lost = sum.OK+rep.OK, sum.Failed+rep.Failed, sum.Parked+rep.Parked, sum.Lost+rep.Lost
		})
	}
	wg.Wait()
	return sum
}

// calls are the calls of one kind of credential about a corp; "" is all.
type calls struct{ Token, JSAPI, Agent int }

func (h *house) calls(corp wecom.CorpID) calls {
	c := h.sim.Calls()
	return calls{
		Token: c.Count("get_corp_token", corp, "") + c.Count("gettoken", corp, ""),
		JSAPI: c.Count("get_jsapi_ticket", corp, ""),
		Agent: c.Count("ticket/get", corp, ""),
	}
}

func (h *house) wantCalls(corp wecom.CorpID, want calls) {
	h.t.Helper()
	if got := h.calls(corp); got != want {
		h.t.Errorf("calls for %q = %+v, want %+v", corp, got, want)
	}
}

// tickets are the live tickets of a tenant, their values by kind.
func (h *house) tickets(id uuid.UUID) map[ticket.Kind]string {
	h.t.Helper()
	live, err := (&ticket.Source{Pool: h.pool, Ring: h.ring}).Live(h.t.Context(), []uuid.UUID{id})
	must(h.t, err)
	out := map[ticket.Kind]string{}
	for _, t := range live {
		out[t.Kind] = t.Value.Reveal()
	}
	return out
}

// wantLive checks that a tenant has both tickets and that the platform accepts them.
func (h *house) wantLive(of wecom.SuiteID, corp wecom.CorpID, id uuid.UUID) {
	h.t.Helper()
	got, app := h.tickets(id), h.sim.Authorization(of, corp)
	if want := wecomtest.Live(app.JSAPITickets); got[ticket.JSAPITicket] != want || want == "" {
		h.t.Errorf("%s: jsapi_ticket is not the platform's live one", corp)
	}
	if want := wecomtest.Live(app.AgentTickets); got[ticket.AgentConfig] != want || want == "" {
		h.t.Errorf("%s: agent_config is not the platform's live one", corp)
	}
}

// credential is a tenant's credential as admins see it.
func (h *house) credential(id uuid.UUID, k ticket.Kind) ticket.Credential {
	h.t.Helper()
	all, err := (&ticket.Source{Pool: h.pool}).Credentials(h.t.Context(), id)
	must(h.t, err)
	for _, c := range all {
		if c.Kind == k {
			return c
		}
	}
	return ticket.Credential{}
}

func (h *house) wantHealth(id uuid.UUID, want tenant.Health, errcode int) {
	h.t.Helper()
	tn, err := h.tenants.Get(h.t.Context(), id)
	must(h.t, err)
	if tn.Health != want || tn.LastErrcode != errcode {
		h.t.Errorf("health = %s, errcode %d (%s), want %s, %d", tn.Health, tn.LastErrcode, tn.LastError, want, errcode)
	}
}

// dueIn is how long after its last attempt, successful or not, the schedule looks
// after a tenant again; below zero: never. parked says why it does not.
func (h *house) dueIn(id uuid.UUID) (d time.Duration, parked string) {
	h.t.Helper()
	var secs *float64
	err := h.pool.QueryRow(h.t.Context(), `
SELECT extract(epoch FROM NULLIF(due_at, 'infinity') - (
	SELECT max(GREATEST(last_error_at, refreshed_at)) FROM credentials WHERE tenant_id = $1))::float8, parked_reason
FROM refreshes WHERE tenant_id = $1`, id).Scan(&secs, &parked)
	must(h.t, err)
	if secs == nil {
		return -1, parked
	}
	return time.Duration(*secs * float64(time.Second)), parked
}

func (h *house) exec(sql string, args ...any) int64 {
	h.t.Helper()
	tag, err := h.pool.Exec(h.t.Context(), sql, args...)
	must(h.t, err)
	return tag.RowsAffected()
}

// eventually waits for something that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func within(t *testing.T, what string, got, from, to time.Duration) {
	t.Helper()
	if got < from || got > to {
		t.Errorf("%s in %s, want between %s and %s", what, got, from, to)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

type named struct {
	id   uuid.UUID
	corp wecom.CorpID
}

// tenantOf finds a tenant of the third-party suite.
func (h *house) tenantOf(corp string) named {
	h.t.Helper()
	tn, err := h.tenants.Find(h.t.Context(), suiteID, wecom.CorpID(corp))
	must(h.t, err)
	return named{tn.ID, tn.CorpID}
}

// leftOf is how long a corp's jsapi_ticket lives yet.
func (h *house) leftOf(corp string) time.Duration {
	h.t.Helper()
	c := h.credential(h.tenantOf(corp).id, ticket.JSAPITicket)
	if c.ExpiresAt == nil {
		return 0
	}
	return time.Until(*c.ExpiresAt)
}

// worker does what is due of authorizations.
func (h *house) worker() *suite.Worker {
	return &suite.Worker{Store: h.suites, Exchanger: h.exchanger, Log: quiet()}
}
