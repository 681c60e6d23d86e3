package ticket_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/ticket"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// A ticket is live until its end, and not a moment longer.
func TestLive(t *testing.T) {
	t.Parallel()
	h := ready(t)
	a, b := h.install(suiteID, "wwa"), h.install(suiteID, "wwb")
	h.run(h.replica())
	src := &ticket.Source{Pool: h.pool, Ring: h.ring}
	ids := []uuid.UUID{a, b, uuid.New()}
	live, err := src.Live(t.Context(), ids)
	must(t, err)
	if len(live) != 4 {
		t.Fatalf("%d live tickets, want 4", len(live))
	}
	for _, l := range live {
		if l.Kind == ticket.AccessToken {
			t.Error("an access_token is no ticket")
		}
		if l.Generation != 1 || l.RefreshIn >= l.ExpiresIn || l.ExpiresIn > 2*time.Hour || l.ExpiresIn < 119*time.Minute {
			t.Errorf("%+v", l)
		}
		if s := fmt.Sprintf("%+v", l); strings.Contains(s, l.Value.Reveal()) {
			t.Error("a ticket prints its value")
		}
	}
	// A row that does not open, here another tenant's, is no ticket.
	h.exec(`UPDATE credentials c SET value_sealed = o.value_sealed FROM credentials o
WHERE c.tenant_id = $1 AND o.tenant_id = $2 AND c.kind = o.kind`, a, b)
	if live, err = src.Live(t.Context(), ids); err != nil || len(live) != 2 {
		t.Errorf("%d live tickets, %v; want the other tenant's 2", len(live), err)
	}
	h.pass(2 * time.Hour)
	if live, err = src.Live(t.Context(), ids); err != nil || len(live) != 0 {
		t.Errorf("%d live tickets past their end, %v", len(live), err)
	}
}

// A stored access_token that does not open is fetched anew.
func TestUnreadableTokenHeals(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwbits")
	r := h.replica()
	h.run(r)
	h.sim.ForgetCalls()
	h.exec(`UPDATE credentials SET value_sealed = set_byte(value_sealed, 20, get_byte(value_sealed, 20) # 255) WHERE kind = 'access_token'`)
	h.exec(`UPDATE credentials SET next_at = now() WHERE kind = 'jsapi_ticket'`)
	h.exec(`UPDATE refreshes SET due_at = now()`)
	h.run(r)
	h.wantCalls("wwbits", calls{1, 1, 0})
	h.wantLive(suiteID, "wwbits", id)
}

// Every column of the room that holds a sealed value is known to the keyring.
func TestSealedColumns(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rows, err := h.pool.Query(t.Context(), `
SELECT table_name || '.' || column_name FROM information_schema.columns
WHERE table_name IN ('refreshes', 'credentials', 'budgets') AND column_name LIKE '%\_sealed'`)
	must(t, err)
	want, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	var got []string
	for _, c := range ticket.SealedColumns {
		got = append(got, c.Table+"."+c.Column)
	}
	if !slices.Equal(got, want) {
		t.Errorf("SealedColumns = %v, want %v", got, want)
	}
}

// What admins see of credentials.
func TestCredentials(t *testing.T) {
	t.Parallel()
	h := ready(t)
	id := h.install(suiteID, "wwsee")
	src := &ticket.Source{Pool: h.pool}
	if all, err := src.Credentials(t.Context(), id); err != nil || len(all) != 0 {
		t.Errorf("before the first refresh: %v, %v", all, err)
	}
	h.sim.Fault(wecomtest.Fault{API: "ticket/get", Kind: wecomtest.Errcode, Value: 85009})
	r := h.replica()
	h.run(r)
	all, err := src.Credentials(t.Context(), id)
	must(t, err)
	var kinds []ticket.Kind
	for _, c := range all {
		kinds = append(kinds, c.Kind)
	}
	if want := []ticket.Kind{ticket.AccessToken, ticket.AgentConfig, ticket.JSAPITicket}; !slices.Equal(kinds, want) {
		t.Fatalf("kinds = %v, want %v", kinds, want)
	}
	if c := all[0]; c.ExpiresAt == nil || c.NextAt == nil || c.Failures != 0 || c.Generation != 1 {
		t.Errorf("access_token: %+v", c)
	}
	if c := all[1]; c.ExpiresAt != nil || c.Failures != 1 || c.LastErrcode == nil || *c.LastErrcode != 85009 || c.LastErrorAt == nil || c.LastError == "" {
		t.Errorf("agent_config: %+v", c)
	}
	must(t, r.Force(t.Context(), id))
	for _, c := range h.credentials(id) {
		if c.NextAt == nil || time.Until(*c.NextAt) > time.Minute {
			t.Errorf("%s is not due now although a refresh was forced", c.Kind)
		}
	}
}

func (h *house) credentials(id uuid.UUID) []ticket.Credential {
	h.t.Helper()
	all, err := (&ticket.Source{Pool: h.pool}).Credentials(h.t.Context(), id)
	must(h.t, err)
	return all
}

// counter counts round trips to the database.
type counter struct{ n atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}
func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (c *counter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.n.Add(1)
	return ctx
}
func (c *counter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *counter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// Claiming, charging, saving and giving back take less than one round trip for a
// tenant; an idle heartbeat takes a handful.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	h := ready(t)
	const tenants = 150
	h.installMany(suiteID, tenants)
	cfg, err := pgxpool.ParseConfig(h.pool.Config().ConnString())
	must(t, err)
	count := &counter{}
	cfg.ConnConfig.Tracer = count
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	must(t, err)
	t.Cleanup(pool.Close)
	r := h.replica(func(r *ticket.Refresher) { r.Pool = pool })
	if got := h.run(r); got.OK != tenants {
		t.Fatalf("%+v, want %d OK", got, tenants)
	}
	if n := count.n.Swap(0); n > tenants {
		t.Errorf("%d round trips for %d tenants", n, tenants)
	}
	h.run(r)
	if n := count.n.Load(); n > 4 {
		t.Errorf("%d round trips of an idle heartbeat, want at most 4", n)
	}
}

// Metrics are told of every credential and every tenant.
func TestMetrics(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, "wwmeter")
	h.sim.Fault(wecomtest.Fault{API: "ticket/get", Kind: wecomtest.Errcode, Value: 45009})
	var mu sync.Mutex
	var heard []string
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, fmt.Sprintf(format, args...))
	}
	r := h.replica(func(r *ticket.Refresher) {
		r.Metrics = ticket.Metrics{
			Fetched: func(k ticket.Kind, o ticket.Outcome, c wecom.Class) {
				if o != ticket.Failed {
					c = 0
				}
				say("%s %s %s", k, o, c)
			},
			Tenant: func(became string, n int) { say("tenant %s %d", became, n) },
			Late:   func(by time.Duration) { say("late %v", by >= 0 && by < time.Minute) },
		}
	})
	h.run(r)
	slices.Sort(heard)
	want := []string{
		"access_token fetched unknown", "agent_config failed rate", "jsapi_ticket fetched unknown", "late true", "tenant failed 1",
	}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}
