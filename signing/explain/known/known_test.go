package known_test

import (
	"fmt"
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
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type world struct {
	t       *testing.T
	pool    *pgxpool.Pool
	ring    *secret.Keyring
	tenants *tenant.Store
	reader  *known.Reader
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, pool: pgtest.New(t), ring: secrettest.New(t)}
	w.tenants = &tenant.Store{Pool: w.pool}
	w.reader = &known.Reader{
		Suites: &suite.Store{Pool: w.pool, Ring: w.ring, Tenants: w.tenants}, Tenants: w.tenants,
		Tickets: &ticket.Source{Pool: w.pool, Ring: w.ring}, Directory: &signing.Directory{Pool: w.pool, Sealer: w.ring},
	}
	for _, n := range []suite.New{
		{ID: "s1", Kind: suite.ThirdParty, Name: "s1", SuiteSecret: secret.New("secret"), CallbackToken: secret.New("token"),
			EncodingAESKey: secret.New("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"), ProviderCorpID: "wwprovider"},
		{ID: "s2", Kind: suite.Internal, Name: "s2"},
	} {
		_, err := w.reader.Suites.Create(t.Context(), n)
		w.must(err)
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	_, err := w.pool.Exec(w.t.Context(), sql, args...)
	w.must(err)
}

// tenant makes a tenant with an agent and both tickets, named after it.
func (w *world) tenant(suiteID wecom.SuiteID, corp wecom.CorpID, hosts ...string) uuid.UUID {
	w.t.Helper()
	ctx := w.t.Context()
	a, err := w.tenants.Activate(ctx, tenant.Activation{SuiteID: suiteID, CorpID: corp, AuthorizedAt: time.Now()})
	w.must(err)
	w.must(w.tenants.ReplaceAgents(ctx, a.ID, []tenant.Agent{{ID: 1000002}}))
	for _, h := range hosts {
		d, err := tenant.ParseDomain(h)
		w.must(err)
		_, _, err = w.tenants.PutTenantDomain(ctx, a.ID, tenant.TrustedDomain{Domain: d}, nil)
		w.must(err)
	}
	w.exec(`INSERT INTO authorizations (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at) VALUES ($1, $2, $3, '\x00', now())`, a.ID, suiteID, corp)
	w.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) VALUES ($1, $2, $3, now())`, a.ID, suiteID, corp)
	for _, kind := range []string{"jsapi_ticket", "agent_config", "access_token"} {
		sealed, err := w.ring.Seal(secret.New(value(suiteID, corp, kind)), secret.Binding{Table: "credentials", Column: "value_sealed", Row: a.ID.String() + "/" + kind})
		w.must(err)
		w.exec(`INSERT INTO credentials (tenant_id, kind, value_sealed, expires_at, refreshed_at, next_at) VALUES ($1, $2, $3, now() + interval '1 hour', now() - interval '1 hour', now())`, a.ID, kind, sealed)
	}
	return a.ID
}

func value(suiteID wecom.SuiteID, corp wecom.CorpID, kind string) string {
	return fmt.Sprintf("canary-%s-%s-%s", suiteID, corp, kind)
}

const page = "https://h5.example.com/p?x=1"

// signed is a question with a signature of this ticket for the page.
func signed(q explain.Question, ticket string) explain.Question {
	q.URL, q.NonceStr, q.Timestamp = page, "Wm3WZYTPz0wzccnW", fmt.Sprint(time.Now().Unix())
	q.Signature = signing.Sum(secret.New(ticket), q.NonceStr, q.Timestamp, q.URL)
	return q
}

type question = explain.Question

// TestExplain: whom a page means is found by the rule of the signing endpoints,
// and whom it is confused with is known as well.
func TestExplain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("s1", "wpA", "h5.example.com")
	b := w.tenant("s1", "wpB", "both.example.com")
	c := w.tenant("s2", "wwA", "both.example.com")
	w.must(w.tenants.AddAlias(t.Context(), a, "wwA"))
	mine := func(kind string) string { return value("s1", "wpA", kind) }
	for _, tt := range []struct {
		name string
		q    question
		want explain.Code // first; "" where nothing is wrong
		by   uuid.UUID    // whose ticket signed
	}{
		{"by both ids", signed(question{SuiteID: "s1", CorpID: "wpA", Kind: explain.Config}, mine("jsapi_ticket")), "", a},
		{"by its host", signed(question{Kind: explain.Agent, AgentID: "1000002"}, mine("agent_config")), "", a},
		{"by an alias", signed(question{SuiteID: "s1", CorpID: "wwA"}, mine("jsapi_ticket")), "", a},
		{"the other ticket", signed(question{SuiteID: "s1", CorpID: "wpA", Kind: explain.Agent}, mine("jsapi_ticket")), explain.TicketKindsSwapped, a},
		{"the access_token", signed(question{SuiteID: "s1", CorpID: "wpA", Kind: explain.Config}, mine("access_token")), explain.AccessTokenUsed, a},
		{"the same corp's other app", signed(question{SuiteID: "s1", CorpID: "wpA", Kind: explain.Config}, value("s2", "wwA", "jsapi_ticket")), explain.OtherAppTicket, c},
		{"another corp", signed(question{SuiteID: "s1", CorpID: "wpA", Kind: explain.Config}, value("s1", "wpB", "jsapi_ticket")), explain.OtherCorpTicket, b},
		{"no such suite", question{URL: page, SuiteID: "S1"}, explain.SuiteIDUnknown, uuid.Nil},
		{"the provider", question{URL: page, SuiteID: "s1", CorpID: "wwprovider"}, explain.CorpIDIsProvider, uuid.Nil},
		{"a corp in another case", question{URL: page, SuiteID: "s1", CorpID: "WPb"}, explain.CorpIDSpelling, uuid.Nil},
		{"a corp of nobody", question{URL: page, CorpID: "wpNobody"}, explain.CorpIDUnknown, uuid.Nil},
		{"a corp that cannot be one", question{URL: page, CorpID: "\x00\xff"}, explain.CorpIDUnknown, uuid.Nil},
		{"several", question{URL: "https://both.example.com/"}, explain.TenantAmbiguous, uuid.Nil},
		{"nobody", question{URL: "https://evil.example.org/"}, explain.UntrustedDomain, uuid.Nil},
		{"not this one", question{URL: "https://both.example.com/", SuiteID: "s1", CorpID: "wpA"}, explain.UntrustedDomain, uuid.Nil},
		{"no URL, but ids", question{URL: "h5.example.com", CorpID: "wpB", AgentID: "7", Kind: explain.Agent}, explain.InvalidURL, uuid.Nil},
		{"neither", question{URL: "h5.example.com"}, explain.InvalidURL, uuid.Nil},
		{"no URL and nobody", question{URL: "h5.example.com", CorpID: "wpNobody"}, explain.InvalidURL, uuid.Nil},
		{"an upper-case host", question{URL: "https://H5.example.com/", Error: "invalid_url"}, explain.LetterCase, uuid.Nil},
	} {
		r, err := w.reader.Explain(t.Context(), tt.q)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if r.OK != (tt.want == "") || tt.want != "" && r.Findings[0].Code != tt.want {
			t.Errorf("%s: %+v; want %q first", tt.name, r.Findings, tt.want)
		}
		if got := r.SignedBy; (got == nil) != (tt.by == uuid.Nil) || got != nil && got.TenantID != tt.by {
			t.Errorf("%s: signed by %+v, want %s", tt.name, got, tt.by)
		}
	}

	// What is past its end is known as well, and the ids alone lead to whom they name.
	w.exec(`UPDATE credentials SET expires_at = now() - interval '1 second' WHERE tenant_id = $1 AND kind = 'jsapi_ticket'`, a)
	w.must(w.tenants.SetHealth(t.Context(), []tenant.HealthChange{{TenantID: a, Health: tenant.Failing, Errcode: 50003, Error: "disabled"}}))
	r, err := w.reader.Explain(t.Context(), signed(question{SuiteID: "s1", CorpID: "wpA", Kind: explain.Config}, mine("jsapi_ticket")))
	if err != nil || r.Findings[0].Code != explain.TicketMissing || r.SignedBy == nil || r.SignedBy.Live {
		t.Errorf("with a ticket past its end: %+v, %v", r, err)
	}
	for corp, want := range map[string]explain.Lookup{"wpB": explain.Found, "wwA": explain.SeveralFit, "wpNobody": explain.NoTenant, "": explain.NothingToFind} {
		k, err := w.reader.Read(t.Context(), question{URL: "nothing", CorpID: corp})
		if err != nil || k.Lookup != want || (k.App != nil) != (want == explain.Found) {
			t.Errorf("corp %q alone: %s, app %v, %v; want %s", corp, k.Lookup, k.App != nil, err, want)
		}
	}
}

// TestDatabaseAway: what cannot be asked is an error, not an explanation.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pool.Close()
	if r, err := w.reader.Explain(t.Context(), question{URL: page}); err == nil {
		t.Errorf("%+v, want an error", r)
	}
}
