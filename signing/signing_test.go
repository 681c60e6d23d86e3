package signing_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/signing"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
)

const page = "https://h5.example.com/app?a=1&b=你#/home"

// TestSign: the three kinds of answers, checked against the tickets they are made from.
func TestSign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.tenant("s1", "wwOne", 1000002)
	w.trust(one, "example.com")
	w.tickets(one, "config-ticket", "agent-ticket")
	none := w.tenant("s1", "wwNone")
	w.trust(none, "example.com")
	w.tickets(none, "config-none", "")
	if err := w.store.AddAlias(t.Context(), one, "wpAlias"); err != nil {
		t.Fatal(err)
	}
	agent := int64(1000002)
	origin := "https://h5.example.com"
	for _, tt := range []struct {
		name           string
		r              signing.Request
		corp           string
		agent          int64
		config, ticket string
	}{
		{"config", signing.Request{SuiteID: "s1", CorpID: "wwOne", Want: signing.Config}, "wwOne", 0, "config-ticket", ""},
		{"config with a matching Origin", signing.Request{SuiteID: "s1", CorpID: "wwOne", Want: signing.Config, Origin: &origin}, "wwOne", 0, "config-ticket", ""},
		{"agent", signing.Request{SuiteID: "s1", CorpID: "wwOne", AgentID: &agent, Want: signing.Agent}, "wwOne", agent, "", "agent-ticket"},
		{"agent, the only one", signing.Request{SuiteID: "s1", CorpID: "wwOne", Want: signing.Agent}, "wwOne", agent, "", "agent-ticket"},
		{"both", signing.Request{SuiteID: "s1", CorpID: "wwOne", Want: signing.Both}, "wwOne", agent, "config-ticket", "agent-ticket"},
		{"the id as the page names it", signing.Request{SuiteID: "s1", CorpID: "wpAlias", Want: signing.Both}, "wpAlias", agent, "config-ticket", "agent-ticket"},
		{"both without an agent", signing.Request{SuiteID: "s1", CorpID: "wwNone", Want: signing.Both}, "wwNone", 0, "config-none", ""},
		{"corp alone", signing.Request{CorpID: "wpAlias", Want: signing.Config}, "wpAlias", 0, "config-ticket", ""},
	} {
		tt.r.URL = page
		got, err := w.sign(tt.r)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got.CorpID != tt.corp || got.SuiteID != "s1" || (tt.agent == 0) != (got.AgentID == nil) || got.AgentID != nil && *got.AgentID != tt.agent {
			t.Errorf("%s: corp %q suite %q agent %v", tt.name, got.CorpID, got.SuiteID, got.AgentID)
		}
		check(t, tt.name+" config", got.Config, tt.config, w.clock.Now())
		check(t, tt.name+" agent", got.Agent, tt.ticket, w.clock.Now())
		if got.Config != nil && got.Agent != nil && got.Config.NonceStr == got.Agent.NonceStr {
			t.Errorf("%s: both signatures have the nonce %s", tt.name, got.Agent.NonceStr)
		}
	}
}

var nonceShape = regexp.MustCompile(`^[0-9A-Za-z]{32}$`)

// check makes the signature again, from the page up to its fragment.
func check(t *testing.T, name string, got *signing.Signature, ticket string, now time.Time) {
	t.Helper()
	if (got == nil) != (ticket == "") {
		t.Errorf("%s: signature %v, want one: %v", name, got, ticket != "")
	}
	if got == nil {
		return
	}
	before, _, _ := strings.Cut(page, "#")
	if want := signing.Sum(secret.New(ticket), got.NonceStr, got.Timestamp, before); got.Signature != want {
		t.Errorf("%s: signature = %s, want %s", name, got.Signature, want)
	}
	if got.Timestamp != "1772352000" || now.Unix() != 1772352000 {
		t.Errorf("%s: timestamp = %s, want 1772352000", name, got.Timestamp)
	}
	if !nonceShape.MatchString(got.NonceStr) {
		t.Errorf("%s: nonce = %q, want 32 letters and digits", name, got.NonceStr)
	}
}

// TestNonce: every character is as likely as any other, and no nonce comes twice.
func TestNonce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.tenant("s1", "ww")
	w.trust(id, "example.com")
	w.tickets(id, "config", "")
	const n = 6000
	counts, seen := map[rune]int{}, map[string]bool{}
	for range n {
		got, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"})
		if err != nil {
			t.Fatal(err)
		}
		if seen[got.Config.NonceStr] {
			t.Fatalf("nonce %s came twice", got.Config.NonceStr)
		}
		seen[got.Config.NonceStr] = true
		for _, c := range got.Config.NonceStr {
			counts[c]++
		}
	}
	// 192,000 characters, 3097 of each expected, 55 the standard deviation. A
	// remainder of a random byte would make eight of them a quarter more likely.
	for c, k := range counts {
		if k < 3097-7*55 || k > 3097+7*55 {
			t.Errorf("%q came %d times, want about 3097", c, k)
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d characters, want 62", len(counts))
	}
}

// TestRefusals: each request has the fault that is named and, where it can, every
// fault that is looked for later: the first one is told.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	off := w.tenant("s1", "wwOff", 1, 2)
	if _, err := w.store.SetDisabled(t.Context(), off, true, nil); err != nil {
		t.Fatal(err)
	}
	gone := w.tenant("s1", "wwGone")
	if _, err := w.store.Cancel(t.Context(), gone, time.Now()); err != nil {
		t.Fatal(err)
	}
	two := w.tenant("s1", "wwTwo", 1, 2)
	w.trust(two, "two.example.com", "several.example.com")
	zero := w.tenant("s2", "wwZero")
	w.trust(zero, "zero.example.com", "several.example.com")
	three := int64(3)
	origin := func(s string) *string { return &s }
	const (
		good = "https://two.example.com/"
		bad  = "https://TWO.example.com/"
		evil = "https://evil.com/"
	)
	for _, tt := range []struct {
		name string
		r    signing.Request
		want error
	}{
		{"url before origin", signing.Request{URL: bad, Origin: origin("null"), SuiteID: "x", CorpID: "x"}, tenant.ErrInvalidURL},
		{"origin before tenant", signing.Request{URL: good, Origin: origin(evil), SuiteID: "x", CorpID: "x"}, signing.ErrOriginMismatch},
		{"an empty origin", signing.Request{URL: good, Origin: origin(""), SuiteID: "s1", CorpID: "wwTwo"}, signing.ErrOriginMismatch},
		{"origin null", signing.Request{URL: good, Origin: origin("null"), SuiteID: "s1", CorpID: "wwTwo"}, signing.ErrOriginMismatch},
		{"origin of a sub-domain", signing.Request{URL: good, Origin: origin("https://a.two.example.com"), SuiteID: "s1", CorpID: "wwTwo"}, signing.ErrOriginMismatch},
		{"origin with a path", signing.Request{URL: good, Origin: origin(good), SuiteID: "s1", CorpID: "wwTwo"}, signing.ErrOriginMismatch},
		{"origin with the default port", signing.Request{URL: good, Origin: origin("https://two.example.com:443"), SuiteID: "s1", CorpID: "wwTwo"}, signing.ErrOriginMismatch},
		{"origin over http", signing.Request{URL: good, Origin: origin("http://two.example.com"), SuiteID: "s1", CorpID: "wwTwo"}, signing.ErrOriginMismatch},
		{"unknown corp", signing.Request{URL: evil, SuiteID: "s1", CorpID: "wwX", AgentID: &three, Want: signing.Agent}, signing.ErrTenantNotFound},
		{"unknown suite", signing.Request{URL: evil, SuiteID: "x", CorpID: "wwTwo"}, signing.ErrTenantNotFound},
		{"corp of another suite", signing.Request{URL: evil, SuiteID: "s2", CorpID: "wwTwo"}, signing.ErrTenantNotFound},
		{"corp in another case", signing.Request{URL: evil, SuiteID: "s1", CorpID: "WWTWO"}, signing.ErrTenantNotFound},
		{"unknown corp alone", signing.Request{URL: good, CorpID: "wwX"}, signing.ErrTenantNotFound},
		{"unknown suite alone", signing.Request{URL: good, SuiteID: "x"}, signing.ErrTenantNotFound},
		{"no text at all", signing.Request{URL: good, SuiteID: "s1", CorpID: "a\x00b"}, signing.ErrTenantNotFound},
		{"broken text", signing.Request{URL: good, SuiteID: "\xff", CorpID: "wwTwo"}, signing.ErrTenantNotFound},
		{"an endless id", signing.Request{URL: good, SuiteID: "s1", CorpID: strings.Repeat("a", 5000)}, signing.ErrTenantNotFound},
		{"disabled before untrusted", signing.Request{URL: evil, SuiteID: "s1", CorpID: "wwOff", AgentID: &three, Want: signing.Agent}, signing.ErrTenantInactive},
		{"cancelled", signing.Request{URL: evil, SuiteID: "s1", CorpID: "wwGone"}, signing.ErrTenantInactive},
		{"untrusted before agent", signing.Request{URL: evil, SuiteID: "s1", CorpID: "wwTwo", AgentID: &three, Want: signing.Agent}, signing.ErrUntrusted},
		{"another port", signing.Request{URL: "https://two.example.com:8443/", SuiteID: "s1", CorpID: "wwTwo"}, signing.ErrUntrusted},
		{"http", signing.Request{URL: "http://two.example.com/", SuiteID: "s1", CorpID: "wwTwo"}, signing.ErrUntrusted},
		{"unknown host, nobody named", signing.Request{URL: evil}, signing.ErrUntrusted},
		{"several trust the host", signing.Request{URL: "https://several.example.com/"}, signing.ErrTenantAmbiguous},
		{"several of the suite, none trusts", signing.Request{URL: evil, SuiteID: "s1"}, signing.ErrUntrusted},
		{"unknown agent before ticket", signing.Request{URL: good, SuiteID: "s1", CorpID: "wwTwo", AgentID: &three, Want: signing.Agent}, signing.ErrAgentNotFound},
		{"unknown agent of both", signing.Request{URL: good, SuiteID: "s1", CorpID: "wwTwo", AgentID: &three, Want: signing.Both}, signing.ErrAgentNotFound},
		{"which agent", signing.Request{URL: good, SuiteID: "s1", CorpID: "wwTwo", Want: signing.Agent}, signing.ErrAgentAmbiguous},
		{"which agent of both", signing.Request{URL: good, SuiteID: "s1", CorpID: "wwTwo", Want: signing.Both}, signing.ErrAgentAmbiguous},
		{"no agent at all", signing.Request{URL: "https://zero.example.com/", SuiteID: "s2", CorpID: "wwZero", Want: signing.Agent}, signing.ErrAgentNotFound},
		{"no ticket", signing.Request{URL: good, SuiteID: "s1", CorpID: "wwTwo"}, ticket.ErrNone},
	} {
		got, err := w.sign(tt.r)
		if !errors.Is(err, tt.want) || got != (signing.Signed{}) {
			t.Errorf("%s: Sign = %+v, %v; want %v", tt.name, got, err, tt.want)
		}
		for _, other := range []error{signing.ErrStale, signing.ErrRateLimited} {
			if errors.Is(err, other) {
				t.Errorf("%s: %v is also %v", tt.name, err, other)
			}
		}
	}
}

// TestWhichTenant: what is left out is found where the rest, or the page's host,
// leaves exactly one.
func TestWhichTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "suite.example.com")
	a1, b1 := w.tenant("s1", "wwA"), w.tenant("s1", "wwB")
	a2 := w.tenant("s2", "wwA")
	off := w.tenant("s1", "wwOff")
	if _, err := w.store.SetDisabled(t.Context(), off, true, nil); err != nil {
		t.Fatal(err)
	}
	w.trust(a1, "a.example.com", "both.example.com", "port.example.com:8443", "off.example.com")
	w.trust(b1, "b.example.com", "deep.a.example.com", "port.example.com")
	w.trust(a2, "two.example.com", "both.example.com")
	w.trust(off, "off.example.com", "gone.example.com")
	exact := domain(t, "exact.example.com")
	exact.Exact, exact.AllowHTTP = true, true
	if _, _, err := w.store.PutTenantDomain(t.Context(), b1, exact, nil); err != nil {
		t.Fatal(err)
	}
	for _, id := range []uuid.UUID{a1, b1, a2} {
		w.tickets(id, "config-"+id.String(), "")
	}
	for _, tt := range []struct {
		name, suite, corp, url string
		want                   uuid.UUID
		err                    error
	}{
		{"host alone", "", "", "https://b.example.com/", b1, nil},
		{"host alone, below", "", "", "https://x.y.a.example.com/", a1, nil},
		{"two hosts, one above the other", "", "", "https://deep.a.example.com/", uuid.Nil, signing.ErrTenantAmbiguous},
		{"host alone, by its port", "", "", "https://port.example.com:8443/", a1, nil},
		{"host alone, by the default port", "", "", "https://port.example.com/", b1, nil},
		{"host alone, exact", "", "", "https://exact.example.com/", b1, nil},
		{"host alone, exact over http", "", "", "http://exact.example.com/", b1, nil},
		{"host alone, below an exact one", "", "", "https://x.exact.example.com/", uuid.Nil, signing.ErrUntrusted},
		{"host alone over http", "", "", "http://b.example.com/", uuid.Nil, signing.ErrUntrusted},
		{"host alone, a suite with several", "", "", "https://suite.example.com/", uuid.Nil, signing.ErrTenantAmbiguous},
		{"host alone, several", "", "", "https://both.example.com/", uuid.Nil, signing.ErrTenantAmbiguous},
		{"host alone, one of them active", "", "", "https://off.example.com/", a1, nil},
		{"host alone, none of them active", "", "", "https://gone.example.com/", uuid.Nil, signing.ErrTenantInactive},
		{"suite and host", "s1", "", "https://both.example.com/", a1, nil},
		{"suite and host, several", "s1", "", "https://suite.example.com/", uuid.Nil, signing.ErrTenantAmbiguous},
		{"suite and another's host", "s1", "", "https://two.example.com/", uuid.Nil, signing.ErrUntrusted},
		{"suite with one tenant", "s2", "", "https://two.example.com/", a2, nil},
		{"suite with one tenant, another's host", "s2", "", "https://b.example.com/", uuid.Nil, signing.ErrUntrusted},
		{"corp in one suite", "", "wwB", "https://b.example.com/", b1, nil},
		{"corp in two suites, by host", "", "wwA", "https://two.example.com/", a2, nil},
		{"corp in two suites, by the suite's host", "", "wwA", "https://suite.example.com/", a1, nil},
		{"corp in two suites, both trust", "", "wwA", "https://both.example.com/", uuid.Nil, signing.ErrTenantAmbiguous},
		{"corp in two suites, neither trusts", "", "wwA", "https://b.example.com/", uuid.Nil, signing.ErrUntrusted},
		{"corp that is off", "", "wwOff", "https://off.example.com/", uuid.Nil, signing.ErrTenantInactive},
	} {
		for range 2 { // from the database, and from memory
			got, err := w.sign(signing.Request{URL: tt.url, SuiteID: tt.suite, CorpID: tt.corp})
			if !errors.Is(err, tt.err) || got.TenantID != tt.want {
				t.Errorf("%s: tenant %s, %v; want %s, %v", tt.name, got.TenantID, err, tt.want, tt.err)
			}
		}
	}
}

// TestTenantRate: a tenant that floods is held back, and only that one.
func TestTenantRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "example.com")
	for _, corp := range []string{"wwA", "wwB"} {
		w.tickets(w.tenant("s1", wecom.CorpID(corp)), "config", "")
	}
	w.signer.TenantRate = 10
	count := func(corp string, n int) (ok int) {
		for range n {
			switch _, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: corp}); {
			case err == nil:
				ok++
			case !errors.Is(err, signing.ErrRateLimited):
				t.Fatal(err)
			}
		}
		return ok
	}
	if got := count("wwA", 25); got != 10 {
		t.Errorf("%d of 25 at once, want 10", got)
	}
	if got := count("wwB", 5); got != 5 {
		t.Errorf("%d of 5 of another tenant, want 5", got)
	}
	w.clock.advance(300 * time.Millisecond)
	if got := count("wwA", 25); got != 3 {
		t.Errorf("%d after 0.3 s, want 3", got)
	}
	// Reading the tenant again does not open the tap.
	w.clock.advance(100 * time.Minute)
	if got := count("wwA", 25); got != 10 {
		t.Errorf("%d after a long time, want 10", got)
	}
	if err := w.dir.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := count("wwA", 25); got != 0 {
		t.Errorf("%d after the tenant was read again, want 0", got)
	}
	w.signer.TenantRate = 0
	if got := count("wwA", 25); got != 25 {
		t.Errorf("%d without a limit, want 25", got)
	}
}

// TestDemand: a tenant without a live ticket is refreshed on its first request,
// and requests that follow a failure do not each start another attempt.
func TestDemand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.tenant("s1", "ww", 1000002)
	w.trust(id, "example.com")
	r := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww", Want: signing.Both}

	broken := errors.New("platform is away")
	w.demand = func(context.Context, uuid.UUID) error { return broken }
	for range 5 {
		_, err := w.sign(r)
		if !errors.Is(err, ticket.ErrNone) || errors.Is(err, broken) {
			t.Errorf("Sign = %v, want ErrNone, and the cause only told", err)
		}
	}
	if n := w.demands.Load(); n != 1 {
		t.Errorf("%d demands for five requests at once, want 1", n)
	}
	w.clock.advance(time.Second)
	w.demand = func(_ context.Context, demanded uuid.UUID) error {
		if demanded != id {
			t.Errorf("demand for %s, want %s", demanded, id)
		}
		w.tickets(id, "config", "agent")
		return nil
	}
	if got, err := w.sign(r); err != nil || got.Agent == nil {
		t.Errorf("Sign = %+v, %v; want both signatures", got, err)
	}
	if n := w.demands.Load(); n != 2 {
		t.Errorf("%d demands, want 2", n)
	}

	// Past its end a ticket is not used. Another replica's refresh is seen without a demand.
	w.clock.advance(2*time.Hour + time.Second)
	w.tickets(id, "config2", "agent2")
	if _, err := w.sign(r); err != nil || w.demands.Load() != 2 {
		t.Errorf("Sign = %v after %d demands; want the stored ticket, found without one", err, w.demands.Load())
	}
	w.clock.advance(2*time.Hour + time.Second)
	w.exec(`UPDATE credentials SET expires_at = now() WHERE tenant_id = $1`, id)
	w.demand = nil
	if _, err := w.sign(r); !errors.Is(err, ticket.ErrNone) || w.demands.Load() != 3 {
		t.Errorf("Sign = %v after %d demands; want ErrNone after one more", err, w.demands.Load())
	}
	// Only the ticket that is wanted matters.
	w.clock.advance(time.Second)
	w.ticket(id, "jsapi_ticket", "config3", time.Hour, time.Hour)
	if got, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}); err != nil || got.Config == nil {
		t.Errorf("Sign for config = %+v, %v", got, err)
	}
	w.signer.Demand = nil
	w.clock.advance(time.Minute)
	if _, err := w.sign(r); !errors.Is(err, ticket.ErrNone) {
		t.Errorf("Sign without anybody to demand from = %v, want ErrNone", err)
	}
}

// TestSwitchedOffWhileWaiting: what is learned while a ticket is fetched counts.
func TestSwitchedOffWhileWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.tenant("s1", "ww")
	w.trust(id, "example.com")
	w.demand = func(ctx context.Context, _ uuid.UUID) error {
		w.tickets(id, "config", "")
		_, err := w.store.SetDisabled(ctx, id, true, nil)
		w.clock.advance(time.Second)
		return err
	}
	if got, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}); !errors.Is(err, signing.ErrTenantInactive) {
		t.Errorf("Sign = %+v, %v; want ErrTenantInactive", got, err)
	}
}

// TestForeignSeal: a ticket that was moved from another tenant's row does not
// open, and its tenant has none; the other kind still signs.
func TestForeignSeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("s1", "wwA", 1), w.tenant("s1", "wwB", 1)
	w.suiteTrusts("s1", "example.com")
	w.tickets(a, "config-a", "agent-a")
	w.tickets(b, "config-b", "agent-b")
	w.exec(`UPDATE credentials SET value_sealed = (SELECT value_sealed FROM credentials WHERE tenant_id = $1 AND kind = 'jsapi_ticket')
		WHERE tenant_id = $2 AND kind = 'jsapi_ticket'`, a, b)
	if got, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: "wwB"}); !errors.Is(err, ticket.ErrNone) {
		t.Errorf("Sign with a moved ticket = %+v, %v; want ErrNone", got, err)
	}
	if _, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: "wwB", Want: signing.Agent}); err != nil {
		t.Errorf("Sign with the other ticket = %v", err)
	}
}

// A tenant that has just been installed does not pass for one without agents while
// WeCom is asked for them; one for which that takes very long does.
func TestAgentsThatAreNotKnownYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.tenant("s1", "wwNew")
	w.trust(id, "example.com")
	w.ticket(id, "jsapi_ticket", "config-ticket", 2*time.Hour, 80*time.Minute)
	w.exec(`UPDATE authorizations SET info_due_at = now(), updated_at = now()`)
	w.tell()
	request := func(want signing.Want) signing.Request {
		return signing.Request{URL: "https://example.com/", SuiteID: "s1", CorpID: "wwNew", Want: want}
	}
	for _, want := range []signing.Want{signing.Agent, signing.Both} {
		if _, err := w.sign(request(want)); !errors.Is(err, ticket.ErrNone) {
			t.Errorf("want %d before the agents are known = %v, want ticket.ErrNone", want, err)
		}
	}
	if _, err := w.sign(request(signing.Config)); err != nil {
		t.Errorf("the corp's signature = %v, want it made: it needs no agent", err)
	}

	// They are known, and the demand brings the agent's ticket.
	if err := w.store.ReplaceAgents(t.Context(), id, []tenant.Agent{{ID: 1000002}}); err != nil {
		t.Fatal(err)
	}
	w.exec(`UPDATE authorizations SET info_due_at = NULL`)
	w.demand = func(context.Context, uuid.UUID) error {
		w.ticket(id, "agent_config", "agent-ticket", 2*time.Hour, 80*time.Minute)
		return nil
	}
	w.clock.advance(2 * time.Second) // nobody was told; it is read again because it is asked for
	got, err := w.sign(request(signing.Both))
	if err != nil || got.AgentID == nil || *got.AgentID != 1000002 || got.Agent == nil ||
		got.Agent.Signature != signing.Sum(secret.New("agent-ticket"), got.Agent.NonceStr, got.Agent.Timestamp, "https://example.com/") {
		t.Fatalf("with agents = %+v, %v, want the agent's signature, too", got, err)
	}

	late := w.tenant("s1", "wwLate")
	w.trust(late, "late.example.com")
	w.ticket(late, "jsapi_ticket", "config-ticket", 2*time.Hour, 80*time.Minute)
	w.exec(`UPDATE authorizations SET info_due_at = now(), updated_at = now() - interval '2 minutes' WHERE tenant_id = $1`, late)
	got, err = w.sign(signing.Request{URL: "https://late.example.com/", SuiteID: "s1", CorpID: "wwLate", Want: signing.Both})
	if err != nil || got.Agent != nil || got.Config == nil {
		t.Errorf("agents that do not come = %+v, %v, want the corp's signature alone", got, err)
	}
}
