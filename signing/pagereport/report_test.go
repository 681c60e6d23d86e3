package pagereport_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"suitesign/migrations/pgtest"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/signing"
	"suitesign/signing/explain"
	"suitesign/signing/explain/known"
	"suitesign/signing/pagereport"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	page  = "https://h5.example.com/orders?id=7"
	nonce = "Wm3WZYTPz0wzccnW"
)

// refetcher notes what is asked for.
type refetcher struct {
	answer ticket.Refetching
	asked  []string
}

func (r *refetcher) Refetch(_ context.Context, id uuid.UUID, k ticket.Kind) (ticket.Refetching, error) {
	r.asked = append(r.asked, id.String()+"/"+string(k))
	return r.answer, nil
}

// desk is a desk over a tenant with an agent and its tickets, and over another one.
type desk struct {
	*pagereport.Desk
	t       *testing.T
	pool    *pgxpool.Pool
	ring    *secret.Keyring
	tickets *refetcher
	mine    uuid.UUID
	counted []string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, pool: pgtest.New(t), ring: secrettest.New(t), tickets: &refetcher{answer: ticket.RefetchAsked}}
	tenants := &tenant.Store{Pool: d.pool}
	suites := &suite.Store{Pool: d.pool, Ring: d.ring, Tenants: tenants}
	d.Desk = &pagereport.Desk{Pool: d.pool, Tickets: d.tickets,
		Known: &known.Reader{Suites: suites, Tenants: tenants, Tickets: &ticket.Source{Pool: d.pool, Ring: d.ring},
			Directory: &signing.Directory{Pool: d.pool, Sealer: d.ring}},
		Log:     slog.New(slog.DiscardHandler),
		Observe: func(kind, cause, action string) { d.counted = append(d.counted, kind+" "+cause+" "+action) },
	}
	_, err := suites.Create(t.Context(), suite.New{ID: "s1", Kind: suite.Internal, Name: "s1"})
	d.must(err)
	d.mine = d.tenant("wwmine", "h5.example.com")
	d.tenant("wwother", "other.example.com")
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) exec(sql string, args ...any) {
	d.t.Helper()
	_, err := d.pool.Exec(d.t.Context(), sql, args...)
	d.must(err)
}

// tenant makes a tenant whose tickets are called <corp>-<kind>, and were
// <corp>-<kind>-before.
func (d *desk) tenant(corp wecom.CorpID, host string) uuid.UUID {
	d.t.Helper()
	ctx := d.t.Context()
	tenants := d.Known.Tenants
	a, err := tenants.Activate(ctx, tenant.Activation{SuiteID: "s1", CorpID: corp, AuthorizedAt: time.Now()})
	d.must(err)
	d.must(tenants.ReplaceAgents(ctx, a.ID, []tenant.Agent{{ID: 1000002}}))
	domain, err := tenant.ParseDomain(host)
	d.must(err)
	_, _, err = tenants.PutTenantDomain(ctx, a.ID, tenant.TrustedDomain{Domain: domain}, nil)
	d.must(err)
	d.exec(`INSERT INTO authorizations (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at) VALUES ($1, 's1', $2, '\x00', now())`, a.ID, corp)
	d.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) VALUES ($1, 's1', $2, now())`, a.ID, corp)
	for _, k := range []ticket.Kind{ticket.JSAPITicket, ticket.AgentConfig} {
		seal := func(v string) []byte {
			sealed, err := d.ring.Seal(secret.New(v), secret.Binding{Table: "credentials", Column: "value_sealed", Row: a.ID.String() + "/" + string(k)})
			d.must(err)
			return sealed
		}
		d.exec(`INSERT INTO credentials (tenant_id, kind, value_sealed, generation, expires_at, refreshed_at, next_at,
			previous_sealed, previous_refreshed_at, previous_expires_at)
			VALUES ($1, $2, $3, 1, now() + interval '1 hour', now() - interval '1 hour', now() + interval '30 minutes',
			$4, now() - interval '2 hours', now() + interval '1 minute')`, a.ID, k, seal(string(corp)+"-"+string(k)), seal(string(corp)+"-"+string(k)+"-before"))
	}
	return a.ID
}

// refused is a report of a page that did everything right with a ticket.
func refused(kind explain.Kind, ticket string) pagereport.Report {
	ts := fmt.Sprint(time.Now().Unix())
	sum := sha1.Sum([]byte("jsapi_ticket=" + ticket + "&noncestr=" + nonce + "&timestamp=" + ts + "&url=" + page))
	return pagereport.Report{Kind: kind, URL: page, SuiteID: "s1", CorpID: "wwmine", Timestamp: ts, NonceStr: nonce,
		Signature: hex.EncodeToString(sum[:]), Error: "agentConfig:invalid signature", Errcode: 40093, Client: pagereport.WeCom}
}

// Which reports have something done, and which have not.
func TestTake(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, tt := range []struct {
		name   string
		report pagereport.Report
		change func(*pagereport.Report)
		answer ticket.Refetching
		cause  explain.Code
		action pagereport.Action
		asked  string // the kind
	}{
		{name: "the live ticket", report: refused(explain.Config, "wwmine-jsapi_ticket"), cause: "ticket_refused", action: "refetch", asked: "jsapi_ticket"},
		{name: "the agent's", report: refused(explain.Agent, "wwmine-agent_config"), cause: "ticket_refused", action: "refetch", asked: "agent_config"},
		{name: "somebody was faster", report: refused(explain.Agent, "wwmine-agent_config"), answer: ticket.RefetchUnderWay, cause: "ticket_refused", action: "refetch", asked: "agent_config"},
		{name: "it was done lately", report: refused(explain.Agent, "wwmine-agent_config"), answer: ticket.RefetchTooSoon, cause: "page_differs", action: "none", asked: "agent_config"},
		{name: "refused by errcode alone", report: refused(explain.Agent, "wwmine-agent_config"), change: func(r *pagereport.Report) { r.Error, r.Errcode = "agentConfig:fail", 42012 },
			cause: "ticket_refused", action: "refetch", asked: "agent_config"},
		{name: "another page than the signed one", report: refused(explain.Config, "wwmine-jsapi_ticket"), change: func(r *pagereport.Report) { r.URL = page + "&from=timeline" }, cause: "query_appended", action: "none"},
		{name: "the ticket before", report: refused(explain.Config, "wwmine-jsapi_ticket-before"), cause: "stale_ticket", action: "retry"},
		{name: "the other kind", report: refused(explain.Config, "wwmine-agent_config"), cause: "ticket_kinds_swapped", action: "none"},
		{name: "another corp's", report: refused(explain.Config, "wwother-jsapi_ticket"), cause: "signature_unexplained", action: "none"},
		{name: "of nobody", report: refused(explain.Config, "forged"), cause: "signature_unexplained", action: "none"},
		{name: "no error of the signature", report: refused(explain.Config, "wwmine-jsapi_ticket"), change: func(r *pagereport.Report) { r.Error, r.Errcode = "config:cancel", 0 }, cause: "signature_fits", action: "none"},
		{name: "a domain that WeCom does not trust", report: refused(explain.Config, "wwmine-jsapi_ticket"), change: func(r *pagereport.Report) { r.Error, r.Errcode = "", 80001 }, cause: "domain_refused", action: "none"},
	} {
		d.tickets.asked, d.counted, d.tickets.answer = nil, nil, ticket.RefetchAsked
		if tt.answer != "" {
			d.tickets.answer = tt.answer
		}
		r := tt.report
		if tt.change != nil {
			tt.change(&r)
		}
		a, err := d.Take(t.Context(), r)
		if err != nil || a.Cause != tt.cause || a.Action != tt.action || (a.RetryAfter > 0) != (tt.action != "none") || a.En == "" || a.Zh == "" {
			t.Errorf("%s = %+v, %v; want %s, %s", tt.name, a, err, tt.cause, tt.action)
		}
		want := ""
		if tt.asked != "" {
			want = d.mine.String() + "/" + tt.asked
		}
		if got := strings.Join(d.tickets.asked, " "); got != want {
			t.Errorf("%s: fetched again %q, want %q", tt.name, got, want)
		}
		if want := string(r.Kind) + " " + string(tt.cause) + " " + string(tt.action); len(d.counted) != 1 || d.counted[0] != want {
			t.Errorf("%s: counted %v, want %s", tt.name, d.counted, want)
		}
		if text := fmt.Sprintf("%+v", a); strings.Contains(text, d.mine.String()) || strings.Contains(text, "wwmine") {
			t.Errorf("%s: the answer names whose page it is: %s", tt.name, text)
		}
	}
	for _, tt := range []struct {
		change func(*pagereport.Report)
		want   error
	}{
		{func(r *pagereport.Report) { r.CorpID = "wwnobody" }, signing.ErrTenantNotFound},
		{func(r *pagereport.Report) { r.SuiteID = "s9" }, signing.ErrTenantNotFound},
		{func(r *pagereport.Report) { r.SuiteID, r.CorpID, r.URL = "", "", "https://evil.example.org/" }, signing.ErrUntrusted},
		{func(r *pagereport.Report) { r.URL = "https://user@h5.example.com/" }, tenant.ErrInvalidURL},
	} {
		r := refused(explain.Config, "forged")
		tt.change(&r)
		if _, err := d.Take(t.Context(), r); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v, want %v", r, err, tt.want)
		}
	}
}

// What is believed is listed, counted by the hour, and forgotten after a week.
func TestReportsAreCounted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for range 3 {
		_, err := d.Take(t.Context(), refused(explain.Config, "wwmine-jsapi_ticket"))
		d.must(err)
	}
	_, err := d.Take(t.Context(), refused(explain.Config, "wwmine-jsapi_ticket-before"))
	d.must(err)
	_, err = d.Take(t.Context(), refused(explain.Config, "forged"))
	d.must(err)
	all, err := d.List(t.Context(), pagereport.Filter{}, pagereport.Cursor{}, 10)
	d.must(err)
	if len(all) != 2 || all[0].Cause != "stale_ticket" || all[1].Cause != "ticket_refused" || all[1].Count != 3 || all[1].Host != "h5.example.com" ||
		all[1].TenantID != d.mine || all[1].LastErrcode == nil || *all[1].LastErrcode != 40093 {
		t.Fatalf("reports = %+v, want one stale and three refused, the newest first", all)
	}
	next, err := d.List(t.Context(), pagereport.Filter{SuiteID: "s1", CorpID: "wwmine", TenantID: d.mine}, pagereport.Cursor{At: all[0].FirstReportedAt, ID: all[0].ID}, 10)
	d.must(err)
	if len(next) != 1 || next[0].ID != all[1].ID {
		t.Errorf("after the first = %+v, want the second", next)
	}
	for _, f := range []pagereport.Filter{{Cause: "page_differs"}, {CorpID: "wwother"}, {SuiteID: "s2"}, {TenantID: uuid.New()}} {
		if got, err := d.List(t.Context(), f, pagereport.Cursor{}, 10); err != nil || len(got) != 0 {
			t.Errorf("%+v: %d reports, %v; want none", f, len(got), err)
		}
	}
	d.exec(`UPDATE page_reports SET first_reported_at = now() - interval '8 days' WHERE cause = 'stale_ticket'`)
	if n, err := d.Prune(t.Context()); err != nil || n != 1 {
		t.Errorf("Prune = %d, %v; want 1", n, err)
	}
}

// Who has one good signature can make up hosts without end; what is kept of them has one.
func TestReportsAreBoundedPerTenant(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.exec(`INSERT INTO page_reports (id, hour, tenant_id, kind, cause, host, client, action)
		SELECT gen_random_uuid(), date_trunc('hour', now()), $1, 'config', 'x', n::text, 'wecom', 'none' FROM generate_series(1, 100) n`, d.mine)
	_, err := d.Take(t.Context(), refused(explain.Config, "wwmine-jsapi_ticket"))
	d.must(err)
	all, err := d.List(t.Context(), pagereport.Filter{Cause: "ticket_refused"}, pagereport.Cursor{}, 10)
	d.must(err)
	if len(all) != 0 {
		t.Errorf("%d rows beyond the bound, want none", len(all))
	}
}

// What anybody may ask tells of the page, and neither of ids nor of what is configured.
func TestExplainForAnybody(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	good := refused(explain.Config, "wwmine-jsapi_ticket")
	for _, tt := range []struct {
		change func(*explain.Question)
		want   explain.Code
	}{
		{func(q *explain.Question) { q.URL += "#/x"; q.Signature = strings.ToUpper(q.Signature) }, "signature_upper_case"},
		{func(q *explain.Question) { q.URL = "https://evil.example.org/" }, "untrusted_domain"},
		{func(q *explain.Question) { q.Kind, q.AgentID = explain.Agent, "7" }, "ticket_kinds_swapped"},
		{func(q *explain.Question) { q.CorpID = "WWOTHER" }, "corp_id_unknown"},
		{func(q *explain.Question) { q.SuiteID = "S1" }, "suite_id_unknown"},
		{func(q *explain.Question) { q.URL = "https://user@h5.example.com/" }, "invalid_url"},
		{func(q *explain.Question) { q.Errcode = 42012 }, "ticket_refused"},
	} {
		q := explain.Question{URL: good.URL, Kind: good.Kind, SuiteID: "s1", CorpID: "wwmine", Timestamp: good.Timestamp, NonceStr: good.NonceStr, Signature: good.Signature}
		tt.change(&q)
		rep, err := d.Explain(t.Context(), q)
		if err != nil || len(rep.Findings) == 0 || rep.Findings[0].Code != tt.want {
			t.Errorf("%+v: %+v, %v; want %s first", q, rep.Findings, err, tt.want)
		}
		text := fmt.Sprintf("%+v", rep)
		for _, secret := range []string{d.mine.String(), "wwother", "h5.example.com\"", "1000002", "-jsapi_ticket", "-agent_config"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: the answer has %s: %s", tt.want, secret, text)
			}
		}
	}
}
