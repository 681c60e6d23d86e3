package signing_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"suitesign/signing"
	"suitesign/tenant"
	"suitesign/wecom"
)

// TestQueries: a cold tenant costs one query and its suite another; a hot one none,
// however it is named.
func TestQueries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "suite.example.com")
	a, b := w.tenant("s1", "wwA", 1), w.tenant("s1", "wwB", 1)
	w.trust(a, "a.example.com")
	w.tickets(a, "config", "agent")
	w.tickets(b, "config", "agent")
	if err := w.store.AddAlias(t.Context(), a, "wpA"); err != nil {
		t.Fatal(err)
	}
	cost := func(r signing.Request) int64 {
		t.Helper()
		before := w.trace.queries.Load()
		if _, err := w.sign(r); err != nil {
			t.Errorf("Sign(%+v) = %v", r, err)
		}
		return w.trace.queries.Load() - before
	}
	full := signing.Request{URL: "https://suite.example.com/", SuiteID: "s1", CorpID: "wwA", Want: signing.Both}
	other := full
	other.CorpID = "wwB"
	alias := full
	alias.CorpID = "wpA"
	byHost := signing.Request{URL: "https://a.example.com/x"}
	byCorp := signing.Request{URL: "https://a.example.com/x", CorpID: "wwA"}
	for _, tt := range []struct {
		name string
		r    signing.Request
		want int64
	}{
		{"the first tenant of a suite", full, 2},
		{"the next one", other, 1},
		{"another name of a tenant that is held", alias, 1},
		{"by host, to a tenant that is held", byHost, 1},
		{"by corp, to a tenant that is held", byCorp, 1},
	} {
		if got := cost(tt.r); got != tt.want {
			t.Errorf("%s costs %d queries, want %d", tt.name, got, tt.want)
		}
	}
	for range 50 {
		for _, r := range []signing.Request{full, other, alias, byHost, byCorp} {
			if got := cost(r); got != 0 {
				t.Errorf("a hot signature costs %d queries, want none", got)
			}
		}
	}
	if s := w.dir.Stats(); s.Tenants != 2 || s.Leads != 5 || s.Queries != 6 {
		t.Errorf("Stats = %+v, want 2 tenants, 5 leads, 6 queries", s)
	}
}

// TestSharedReads: however many ask for the same at once, the database is asked once.
func TestSharedReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "example.com")
	w.tickets(w.tenant("s1", "ww"), "config", "")
	for _, r := range []signing.Request{{URL: page, SuiteID: "s1", CorpID: "ww"}, {URL: page}} {
		held := w.trace.holdNext()
		before := w.trace.queries.Load()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := w.sign(r); err != nil {
					t.Error(err)
				}
			})
		}
		<-held.answered
		close(held.release)
		wg.Wait()
		if n := w.trace.queries.Load() - before; n > 2 {
			t.Errorf("50 requests cost %d queries, want 2 at most", n)
		}
	}
}

// TestRefusalsAreRemembered: who is not there is looked for once a second, and at
// once when it is told that he came.
func TestRefusalsAreRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	named := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}
	guessed := signing.Request{URL: page}
	expect := func(what string, r signing.Request, want error, queries bool) {
		t.Helper()
		before := w.trace.queries.Load()
		_, err := w.sign(r)
		if asked := w.trace.queries.Load() > before; !errors.Is(err, want) || asked != queries {
			t.Errorf("%s: Sign = %v, asked %v; want %v, %v", what, err, asked, want, queries)
		}
	}
	expect("named, first", named, signing.ErrTenantNotFound, true)
	expect("named, again", named, signing.ErrTenantNotFound, false)
	expect("guessed, first", guessed, signing.ErrUntrusted, true)
	expect("guessed, again", guessed, signing.ErrUntrusted, false)
	w.clock.advance(time.Second)
	expect("named, a second later", named, signing.ErrTenantNotFound, true)
	expect("guessed, a second later", guessed, signing.ErrUntrusted, true)

	id := w.tenant("s1", "ww")
	w.tickets(id, "config", "")
	expect("named, there but not told", named, signing.ErrTenantNotFound, false)
	w.tell()
	expect("named, told", named, signing.ErrUntrusted, true)
	w.trust(id, "example.com")
	expect("trusted, not told", named, signing.ErrUntrusted, false)
	expect("guessed, not told", guessed, signing.ErrUntrusted, false)
	w.tell()
	expect("trusted, told", named, nil, true)
	expect("guessed, told", guessed, nil, true)
}

// TestPageThatWent: a page that does not wait is told so, and the read goes on for others.
func TestPageThatWent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "example.com")
	w.tickets(w.tenant("s1", "ww"), "config", "")
	r := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}
	held := w.trace.holdNext()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := w.signer.Sign(ctx, r)
		result <- err
	}()
	<-held.answered
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) || errors.Is(err, signing.ErrStale) {
		t.Errorf("Sign = %v, want context canceled", err)
	}
	close(held.release)
	if _, err := w.sign(r); err != nil {
		t.Errorf("Sign by another = %v", err)
	}
}

// TestBound: the directory holds what it is allowed to, and works beyond.
func TestBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dir.MaxTenants = 5
	w.suiteTrusts("s1", "example.com")
	for i := range 30 {
		corp := wecom.CorpID(fmt.Sprintf("ww%d", i))
		w.tickets(w.tenant("s1", corp), "config", "")
	}
	for i := range 90 {
		if _, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: fmt.Sprintf("ww%d", i%30)}); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(10 * time.Second) // eviction follows the writes
	for w.dir.Stats().Tenants > 5 || w.dir.Stats().Leads > 10 {
		if time.Now().After(deadline) {
			t.Fatalf("Stats = %+v, want at most 5 tenants", w.dir.Stats())
		}
		runtime.Gosched()
	}
}

// TestAllocations: a hot signature allocates its answer and little else. (The race
// detector has the random bytes escape as well.)
func TestAllocations(t *testing.T) {
	w := newWorld(t)
	id := w.tenant("s1", "ww", 1)
	w.trust(id, "example.com")
	w.tickets(id, "config", "agent")
	w.signer.TenantRate = 1 << 30
	for _, tt := range []struct {
		r    signing.Request
		want float64
	}{
		{signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}, 2},
		{signing.Request{URL: page, SuiteID: "s1", CorpID: "ww", Want: signing.Agent}, 2},
		{signing.Request{URL: page, SuiteID: "s1", CorpID: "ww", Want: signing.Both}, 3},
		{signing.Request{URL: page}, 2},
	} {
		got := testing.AllocsPerRun(200, func() {
			if _, err := w.sign(tt.r); err != nil {
				t.Fatal(err)
			}
		})
		if raceDetector {
			tt.want += 2
		}
		if got > tt.want {
			t.Errorf("Sign(%+v) allocates %v times, want %v", tt.r, got, tt.want)
		}
	}
}

// TestCoversInSQL: a page leads to a tenant exactly where the tenant's domain
// covers it. Beside the tenant stands one that trusts every page here, so that a
// tenant too much makes the page ambiguous, and one too few does not.
func TestCoversInSQL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hosts := []string{"example.com", "a.example.com", "b.a.example.com", "xample.com"}
	ports := []int{0, 80, 443, 8443}
	always, one := w.tenant("s1", "always"), w.tenant("s1", "one")
	w.tickets(always, "config", "")
	for _, host := range hosts {
		for _, port := range ports {
			d := tenant.TrustedDomain{Domain: tenant.Domain{Host: host, Port: port}, Exact: true, AllowHTTP: true}
			if _, _, err := w.store.PutTenantDomain(t.Context(), always, d, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range len(hosts) * len(ports) * 4 {
		d := tenant.TrustedDomain{Domain: tenant.Domain{Host: hosts[i/4%len(hosts)], Port: ports[i/4/len(hosts)]}, Exact: i%2 == 0, AllowHTTP: i/2%2 == 0}
		if _, _, err := w.store.PutTenantDomain(t.Context(), one, d, nil); err != nil {
			t.Fatal(err)
		}
		w.tell()
		for _, host := range hosts {
			for _, origin := range []string{"https://" + host, "http://" + host, "https://" + host + ":8443", "https://" + host + ":80", "http://" + host + ":443"} {
				p, err := tenant.PageOf(origin)
				if err != nil {
					t.Fatal(err)
				}
				want := error(nil)
				if d.Covers(p) {
					want = signing.ErrTenantAmbiguous
				}
				if got, err := w.sign(signing.Request{URL: origin}); !errors.Is(err, want) || err == nil && got.TenantID != always {
					t.Errorf("page %s, domain %+v: Sign = %s, %v; want %v", origin, d, got.TenantID, err, want)
				}
			}
		}
		if err := w.store.DeleteTenantDomain(t.Context(), one, d.Domain, nil); err != nil {
			t.Fatal(err)
		}
	}
}
