package signing_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/changes"
	"suitesign/secret"
	"suitesign/signing"
	"suitesign/tenant"
	"suitesign/wecom"
)

// TestHandle: whatever an admin or WeCom changes holds for the first request
// after the change was told.
func TestHandle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	id := w.tenant("s1", "ww", 1)
	w.tickets(id, "config", "agent")
	w.trust(id, "own.example.com")
	w.suiteTrusts("s1", "suite.example.com")
	d := func(host string) tenant.Domain { return tenant.Domain{Host: host} }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	own := signing.Request{URL: "https://own.example.com/", SuiteID: "s1", CorpID: "ww", Want: signing.Both}
	ownByHost := signing.Request{URL: "https://own.example.com/"}
	suite := signing.Request{URL: "https://suite.example.com/", SuiteID: "s1", CorpID: "ww"}
	suiteByHost := signing.Request{URL: "https://a.suite.example.com/"}
	bySuite := signing.Request{URL: "https://own.example.com/", SuiteID: "s1"}
	byCorp := signing.Request{URL: "https://own.example.com/", CorpID: "ww"}
	byAlias := signing.Request{URL: "https://own.example.com/", SuiteID: "s1", CorpID: "wp"}
	all := map[string]signing.Request{"own": own, "own by host": ownByHost, "suite": suite, "suite by host": suiteByHost, "by suite": bySuite, "by corp": byCorp}
	expect := func(step string, want error, names ...string) {
		t.Helper()
		for _, n := range names {
			if _, err := w.sign(all[n]); !errors.Is(err, want) {
				t.Errorf("%s: %s: Sign = %v, want %v", step, n, err, want)
			}
		}
	}
	everything := []string{"own", "own by host", "suite", "suite by host", "by suite", "by corp"}
	expect("at first", nil, everything...)

	_, err := w.store.SetDisabled(ctx, id, true, nil)
	must(err)
	expect("disabled, not told", nil, everything...)
	w.tell()
	expect("disabled", signing.ErrTenantInactive, everything...)
	_, err = w.store.SetDisabled(ctx, id, false, nil)
	must(err)
	w.tell()
	expect("enabled", nil, everything...)

	must(w.store.DeleteTenantDomain(ctx, id, d("own.example.com"), nil))
	w.tell()
	expect("own domain removed", signing.ErrUntrusted, "own", "own by host", "by suite", "by corp")
	expect("own domain removed", nil, "suite", "suite by host")
	w.trust(id, "example.com")
	w.tell()
	expect("a domain above added", nil, everything...)
	must(w.store.DeleteTenantDomain(ctx, id, d("example.com"), nil))
	w.trust(id, "own.example.com")
	w.tell()

	must(w.store.DeleteSuiteDomain(ctx, "s1", d("suite.example.com"), nil))
	w.tell()
	expect("suite domain removed", signing.ErrUntrusted, "suite", "suite by host")
	expect("suite domain removed", nil, "own", "own by host")
	w.suiteTrusts("s1", "suite.example.com")
	w.tell()
	expect("suite domain added", nil, everything...)

	must(w.store.ReplaceAgents(ctx, id, nil))
	w.tell()
	if got, err := w.sign(own); err != nil || got.Agent != nil {
		t.Errorf("without agents: Sign = %+v, %v; want no agent", got, err)
	}
	must(w.store.ReplaceAgents(ctx, id, []tenant.Agent{{ID: 7}}))
	w.tell()
	if got, err := w.sign(own); err != nil || got.AgentID == nil || *got.AgentID != 7 {
		t.Errorf("with another agent: Sign = %+v, %v; want agent 7", got, err)
	}

	all["alias"] = byAlias
	expect("alias, unknown", signing.ErrTenantNotFound, "alias")
	must(w.store.AddAlias(ctx, id, "wp"))
	w.tell()
	expect("alias", nil, "alias")
	must(w.store.RemoveAlias(ctx, id, "wp"))
	w.tell()
	expect("alias removed", signing.ErrTenantNotFound, "alias")

	// A second tenant makes ambiguous what was not.
	second := w.tenant("s1", "ww2")
	w.tell()
	expect("a second tenant", nil, "own", "own by host", "by suite", "by corp")
	expect("a second tenant", signing.ErrTenantAmbiguous, "suite by host")
	must(w.store.Delete(ctx, second, nil))
	w.tell()
	expect("deleted again", nil, everything...)
	third := w.tenant("s2", "ww")
	w.trust(third, "own.example.com")
	w.tell()
	expect("the corp in another suite", signing.ErrTenantAmbiguous, "own by host", "by corp")
	must(w.store.Delete(ctx, third, nil))
	w.tell()

	_, err = w.store.Cancel(ctx, id, time.Now())
	must(err)
	w.tell()
	expect("cancelled", signing.ErrTenantInactive, everything...)
	must(w.store.Delete(ctx, id, nil))
	w.tell()
	expect("deleted", signing.ErrTenantNotFound, "own", "suite", "by suite", "by corp")
	expect("deleted", signing.ErrUntrusted, "own by host", "suite by host")
}

// TestCredentialsTold: a forced refresh is seen when it is told.
func TestCredentialsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.tenant("s1", "ww")
	w.trust(id, "example.com")
	w.tickets(id, "old", "")
	r := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}
	before, err := w.sign(r)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "before", before.Config, "old", w.clock.Now())
	w.tickets(id, "new", "")
	w.dir.Handle(t.Context(), []changes.Change{{Topic: changes.Credentials, Key: id.String()}})
	after, err := w.sign(r)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "after", after.Config, "new", w.clock.Now())
}

// TestUntoldChanges: topics that the directory does not know, and keys that name
// nothing, change nothing; and when all may have changed, all is read again.
func TestUntoldChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "example.com")
	id := w.tenant("s1", "ww")
	w.tickets(id, "config", "")
	requests := []signing.Request{{URL: page, SuiteID: "s1", CorpID: "ww"}, {URL: page}}
	for _, r := range requests {
		if _, err := w.sign(r); err != nil {
			t.Fatal(err)
		}
	}
	before := w.trace.queries.Load()
	w.dir.Handle(t.Context(), []changes.Change{{Topic: "later", Key: "x"}, {Topic: changes.Tenant, Key: "no uuid"}, {Topic: changes.Suite, Key: "none"},
		{Topic: changes.NewTenant, Key: "no slash"}, {Topic: changes.NewTenant, Key: "s3/x"}, {Topic: changes.Hosts, Key: "other.com"}, {Topic: changes.Keyring}})
	for _, r := range requests {
		if _, err := w.sign(r); err != nil || w.trace.queries.Load() != before {
			t.Errorf("Sign = %v after %d queries, want none", err, w.trace.queries.Load()-before)
		}
	}
	w.exec(`UPDATE tenants SET disabled = true WHERE id = $1`, id) // and nobody tells
	w.dir.Handle(t.Context(), []changes.Change{{Topic: changes.Everything}})
	for _, r := range requests {
		if _, err := w.sign(r); !errors.Is(err, signing.ErrTenantInactive) {
			t.Errorf("Sign after everything changed = %v, want ErrTenantInactive", err)
		}
	}
}

// TestLateReads: a read that was answered before a revocation and ends after it
// was told brings nothing back.
func TestLateReads(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		r    signing.Request
		prep func(w *world, r signing.Request) // what is held before
	}{
		"a tenant by its names": {r: signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}},
		"a tenant by its host":  {r: signing.Request{URL: page}},
		"a tenant that was forgotten": {r: signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}, prep: func(w *world, r signing.Request) {
			if _, err := w.sign(r); err != nil {
				w.t.Fatal(err)
			}
			w.tell()
		}},
	} {
		for step, everything := range map[string]bool{"": false, ", everything": true} {
			t.Run(name+step, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				id := w.tenant("s1", "ww")
				w.trust(id, "example.com")
				w.tickets(id, "config", "")
				if tt.prep != nil {
					tt.prep(w, tt.r)
				}
				held := w.trace.holdNext()
				result := make(chan error)
				go func() {
					_, err := w.sign(tt.r)
					result <- err
				}()
				<-held.answered
				if _, err := w.store.SetDisabled(t.Context(), id, true, nil); err != nil {
					t.Fatal(err)
				}
				if everything {
					w.dir.Handle(t.Context(), []changes.Change{{Topic: changes.Everything}})
				} else {
					w.tell()
				}
				close(held.release)
				if err := <-result; !errors.Is(err, signing.ErrTenantInactive) {
					t.Errorf("Sign that was under way = %v, want ErrTenantInactive", err)
				}
				if _, err := w.sign(tt.r); !errors.Is(err, signing.ErrTenantInactive) {
					t.Errorf("Sign after it = %v, want ErrTenantInactive", err)
				}
			})
		}
	}
}

// TestLateSuiteRead is TestLateReads for the domains of a suite.
func TestLateSuiteRead(t *testing.T) {
	t.Parallel()
	for _, everything := range []bool{false, true} {
		w := newWorld(t)
		w.suiteTrusts("s1", "example.com")
		id := w.tenant("s1", "ww")
		w.tickets(id, "config", "")
		r := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}
		if _, err := w.sign(r); err != nil {
			t.Fatal(err)
		}
		w.dir.Handle(t.Context(), []changes.Change{{Topic: changes.Suite, Key: "s1"}})
		held := w.trace.holdNext()
		result := make(chan error)
		go func() {
			_, err := w.sign(r)
			result <- err
		}()
		<-held.answered
		if err := w.store.DeleteSuiteDomain(t.Context(), "s1", tenant.Domain{Host: "example.com"}, nil); err != nil {
			t.Fatal(err)
		}
		if everything {
			w.dir.Handle(t.Context(), []changes.Change{{Topic: changes.Everything}})
		} else {
			w.tell()
		}
		close(held.release)
		if err := <-result; !errors.Is(err, signing.ErrUntrusted) {
			t.Errorf("Sign that was under way = %v, want ErrUntrusted", err)
		}
	}
}

// TestLateReread: what RunOnce reads brings back nothing either.
func TestLateReread(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.tenant("s1", "ww")
	w.trust(id, "example.com")
	w.ticket(id, "jsapi_ticket", "config", 2*time.Hour, time.Minute)
	r := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}
	if _, err := w.sign(r); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(2 * time.Minute)
	held := w.trace.holdNext()
	result := make(chan error)
	go func() { result <- w.dir.RunOnce(t.Context()) }()
	<-held.answered
	if _, err := w.store.SetDisabled(t.Context(), id, true, nil); err != nil {
		t.Fatal(err)
	}
	w.tell()
	close(held.release)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if n := w.dir.Stats().Tenants; n != 0 {
		t.Errorf("%d tenants held, want none: it was forgotten", n)
	}
	if _, err := w.sign(r); !errors.Is(err, signing.ErrTenantInactive) {
		t.Errorf("Sign = %v, want ErrTenantInactive", err)
	}
}

// TestRunOnce: tenants are read again when their tickets should have been
// refreshed, many in one query; the others are left alone.
func TestRunOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "example.com")
	const n = 20
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = w.tenant("s1", wecom.CorpID(fmt.Sprintf("ww%d", i)))
		w.ticket(ids[i], "jsapi_ticket", "old", 2*time.Hour, time.Duration(1+i%2)*time.Hour)
		if _, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: fmt.Sprintf("ww%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want int64) {
		t.Helper()
		before := w.trace.queries.Load()
		if err := w.dir.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.trace.queries.Load() - before; got != want {
			t.Errorf("RunOnce asked %d times, want %d", got, want)
		}
	}
	signedWith := func(i int, ticket string) {
		t.Helper()
		got, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: fmt.Sprintf("ww%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		before := "https://h5.example.com/app?a=1&b=你"
		if want := signing.Sum(secretOf(ticket), got.Config.NonceStr, got.Config.Timestamp, before); got.Config.Signature != want {
			t.Errorf("tenant %d is not signed with %s", i, ticket)
		}
	}
	run(0)
	for _, id := range ids {
		w.ticket(id, "jsapi_ticket", "new", 2*time.Hour, 80*time.Minute)
	}
	run(0) // an ordinary refresh tells nobody
	signedWith(0, "old")
	w.clock.advance(time.Hour + 3*time.Second)
	before := w.trace.queries.Load()
	run(1)
	signedWith(0, "new")
	signedWith(1, "old") // due an hour later
	if got := w.trace.queries.Load() - before; got != 1 {
		t.Errorf("%d queries, want 1", got)
	}
	run(0)
	w.exec(`DELETE FROM tenants WHERE id = $1`, ids[1])
	w.clock.advance(time.Hour)
	run(1)
	if _, err := w.sign(signing.Request{URL: page, SuiteID: "s1", CorpID: "ww1"}); !errors.Is(err, signing.ErrTenantNotFound) {
		t.Errorf("Sign for a tenant that is no more = %v, want ErrTenantNotFound", err)
	}
	// A refresh that is overdue is looked for, but not each second.
	w.exec(`UPDATE credentials SET next_at = now() - interval '1 hour'`)
	w.clock.advance(2 * time.Hour)
	run(1)
	run(0)
	w.clock.advance(30 * time.Second)
	run(0)
	w.clock.advance(60 * time.Second)
	run(1)
	// A schedule without end is no error, nor is a tenant that is switched off asked for.
	w.exec(`UPDATE credentials SET next_at = 'infinity'`)
	w.exec(`UPDATE tenants SET disabled = true WHERE id = $1`, ids[0])
	w.clock.advance(90 * time.Second)
	run(1)
	w.clock.advance(20 * time.Hour)
	run(0)
}

// TestMaxStale: without the database the directory signs for a while, and then no more.
func TestMaxStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "example.com")
	w.tickets(w.tenant("s1", "wwA"), "config", "")
	w.tickets(w.tenant("s1", "wwB"), "config", "")
	hot := signing.Request{URL: page, SuiteID: "s1", CorpID: "wwA"}
	cold := signing.Request{URL: page, SuiteID: "s1", CorpID: "wwB"}
	if _, err := w.sign(hot); err != nil {
		t.Fatal(err)
	}
	last := w.clock.Now()
	w.contact.Store(&last)
	unplug(t, w)
	w.clock.advance(15 * time.Minute)
	if _, err := w.sign(hot); err != nil {
		t.Errorf("Sign from memory = %v", err)
	}
	for _, r := range []signing.Request{cold, {URL: page}} {
		if _, err := w.sign(r); !errors.Is(err, signing.ErrStale) || errors.Is(err, signing.ErrTenantNotFound) {
			t.Errorf("Sign of what memory lacks = %v, want ErrStale", err)
		}
	}
	w.clock.advance(time.Second)
	if _, err := w.sign(hot); !errors.Is(err, signing.ErrStale) {
		t.Errorf("Sign after 15 minutes = %v, want ErrStale", err)
	}
	// Reading again fails, and what is held stays as it is.
	w.clock.advance(80 * time.Minute)
	if err := w.dir.RunOnce(t.Context()); !errors.Is(err, signing.ErrStale) {
		t.Errorf("RunOnce without a database = %v, want ErrStale", err)
	}
	w.contact.Store(nil)
	if _, err := w.sign(hot); err != nil {
		t.Errorf("Sign when the database is heard again = %v", err)
	}
	// A ticket does not outlive its end, whatever is away.
	w.clock.advance(30 * time.Minute)
	if _, err := w.sign(hot); !errors.Is(err, signing.ErrStale) {
		t.Errorf("Sign after the ticket's end without a database = %v, want ErrStale", err)
	}
	w.dir.MaxStale = time.Minute
	almost := w.clock.Now().Add(-2 * time.Minute)
	w.contact.Store(&almost)
	if _, err := w.sign(hot); !errors.Is(err, signing.ErrStale) {
		t.Errorf("Sign with a shorter limit = %v, want ErrStale", err)
	}
}

// TestRevokedStaysRevoked: what was told while the database answers no more still holds.
func TestRevokedStaysRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suiteTrusts("s1", "example.com")
	id := w.tenant("s1", "ww")
	w.tickets(id, "config", "")
	r := signing.Request{URL: page, SuiteID: "s1", CorpID: "ww"}
	if _, err := w.sign(r); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.SetDisabled(t.Context(), id, true, nil); err != nil {
		t.Fatal(err)
	}
	w.tell()
	unplug(t, w)
	if got, err := w.sign(r); !errors.Is(err, signing.ErrStale) {
		t.Errorf("Sign = %+v, %v; want ErrStale", got, err)
	}
}

// unplug takes the database away from the directory.
func unplug(t *testing.T, w *world) {
	t.Helper()
	cfg := w.dir.Pool.Config()
	cfg.ConnConfig.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no route to the database")
	}
	cfg.ConnConfig.Fallbacks = nil
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w.dir.Pool = pool
}

// TestHotTenantsHearOfChanges: however often a tenant was asked for, and by whichever
// name, what is told of it is seen at once.
func TestHotTenantsHearOfChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.tenant("s1", "wwA", 1)
	w.trust(id, "a.example.com")
	w.tickets(id, "config 0", "agent")
	if err := w.store.AddAlias(t.Context(), id, "wpA"); err != nil {
		t.Fatal(err)
	}
	names := []signing.Request{
		{URL: "https://a.example.com/", SuiteID: "s1", CorpID: "wwA"},
		{URL: "https://a.example.com/", SuiteID: "s1", CorpID: "wpA"},
		{URL: "https://a.example.com/"},
	}
	suite := changes.Change{Topic: changes.Tenants, Key: "s1"}
	for i, forget := range []func(){
		w.tell,
		func() { w.dir.Handle(t.Context(), []changes.Change{suite}) },
		func() { w.dir.Handle(t.Context(), []changes.Change{{Topic: changes.Everything}}) },
		func() { // nobody tells: it is read when its refresh was due
			w.clock.advance(81 * time.Minute)
			if err := w.dir.RunOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for n := range 60 {
			if _, err := w.sign(names[n%len(names)]); err != nil {
				t.Fatal(err)
			}
		}
		value := fmt.Sprintf("config %d", i+1)
		w.tickets(id, value, "agent")
		if i == 0 { // what the room of tickets tells when it stores one that somebody waits for
			w.exec(`INSERT INTO changes (topic, key) VALUES ($1, $2)`, changes.Credentials, id.String())
		}
		forget()
		for _, r := range names {
			signed, err := w.sign(r)
			if err != nil {
				t.Fatal(err)
			}
			if want := signing.Sum(secret.New(value), signed.Config.NonceStr, signed.Config.Timestamp, r.URL); signed.Config.Signature != want {
				t.Errorf("round %d: %+v is not signed with the ticket that was told of", i, r)
			}
		}
	}
}
