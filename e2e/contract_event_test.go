package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A redelivery comes in a new envelope, three times, or ten at once to everybody:
// it is one event, and one exchange.
func TestContractRedelivery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	s := w.suite("ww-again", "third_party", "corp.example.com")
	var installed struct {
		AuthCode string `json:"auth_code"`
	}
	w.simulate("install", map[string]any{"suite_id": s.ID, "corp_id": "wwagain", "door": "site"}, &installed) // pushes nothing
	create := s.event("create_auth", time.Now(), "AuthCode", installed.AuthCode)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() { s.mustPush(t, w.replicas[i%2], create) })
	}
	group.Wait()
	for i := range 3 {
		s.mustPush(t, w.replicas[i%2], create)
	}
	w.waitSigned(w.replicas[0], pageURL, s.ID, "wwagain", 5*time.Second)
	// The same code in another message: the platform names no event, but a code is a code.
	s.mustPush(t, w.replicas[1], s.event("create_auth", time.Now().Add(time.Second), "AuthCode", installed.AuthCode, "State", "again"))
	w.waitSigned(w.replicas[1], pageURL, s.ID, "wwagain", 5*time.Second)
	list := w.events(s.ID, "create_auth")
	if len(list) != 2 || list[1].Deliveries < 23 || list[0].State != "done" || list[1].State != "done" {
		t.Errorf("create_auth delivered 23 times, and its code in another message = %+v, want two events, both done", list)
	}
	for _, api := range []string{"v2/get_permanent_code", "get_corp_token", "get_jsapi_ticket", "ticket/get"} {
		if n := w.calls(api, s.ID, ""); n != 1 {
			t.Errorf("%s was called %d times, want once", api, n)
		}
	}
	// A repeated change_auth pulls again: nobody knows what was seen before.
	change := s.event("change_auth", time.Now(), "AuthCorpId", "wwagain")
	for range 2 {
		before := w.calls("v2/get_auth_info", s.ID, "wwagain")
		s.mustPush(t, w.replicas[0], change)
		eventually(t, 5*time.Second, func() error {
			if n := w.calls("v2/get_auth_info", s.ID, "wwagain"); n != before+1 {
				return fmt.Errorf("%d pulls, want %d", n, before+1)
			}
			return nil
		})
	}
}

// A suite_ticket is replaced by one that is not older, and by nothing else.
func TestContractSuiteTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	s := w.suite("ww-ticket", "third_party", "corp.example.com")
	w.install(s.ID, "wwticket", pageURL)
	good := 0
	// usable has the suite_access_token end, which only a true suite_ticket replaces, and something ask for it.
	usable := func(what string) {
		t.Helper()
		good++
		w.simulate("revoke", map[string]any{"suite_id": s.ID, "kind": "suite_access_token"}, nil)
		before := w.calls("v2/get_auth_info", s.ID, "wwticket")
		s.mustPush(t, r, s.event("change_auth", time.Now(), "AuthCorpId", "wwticket", "ExtraInfo", what))
		eventually(t, 10*time.Second, func() error {
			if n := w.calls("get_suite_token", s.ID, ""); n != 1+good {
				return fmt.Errorf("%s: get_suite_token was called %d times, want %d", what, n, 1+good)
			}
			if n := w.calls("v2/get_auth_info", s.ID, "wwticket"); n < before+2 { // refused, then answered
				return fmt.Errorf("%s: the pull was not repeated", what)
			}
			return nil
		})
	}
	for _, old := range []time.Duration{-time.Second * 30, -time.Hour, -24 * time.Hour} {
		s.mustPush(t, r, s.event("suite_ticket", time.Now().Add(old), "SuiteTicket", "an-old-one"))
	}
	usable("older tickets")
	// One from far ahead counts as now, and does not shut out all that are true.
	s.mustPush(t, r, s.event("suite_ticket", time.Now().Add(30*24*time.Hour), "SuiteTicket", "from-the-future"))
	w.pushSuiteTicket(s.ID)
	usable("a ticket from the future")
	var suite struct {
		SuiteTicket *struct {
			Age float64 `json:"age_seconds"`
		} `json:"suite_ticket"`
	}
	w.api(http.MethodGet, "/v1/suites/"+s.ID, http.StatusOK, nil, &suite)
	if suite.SuiteTicket == nil || suite.SuiteTicket.Age < 0 || suite.SuiteTicket.Age > 60 {
		t.Errorf("suite_ticket = %+v, want its age", suite.SuiteTicket)
	}
}

// cancel_auth is final before it is answered; what is older than the consent changes nothing.
func TestContractCancelAuth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	s := w.suite("ww-cancel", "third_party", "corp.example.com")
	w.install(s.ID, "wwcancel", pageURL)
	s.mustPush(t, r, s.event("change_contact", time.Now(), "AuthCorpId", "wwcancel", "UserID", "zhangsan"))
	if n := scalar[int](t, w.database, `SELECT count(*) FROM callback_events WHERE payload_sealed IS NOT NULL AND position('zhangsan'::bytea IN payload_sealed) = 0 AND info_type = 'change_contact'`); n != 1 {
		t.Errorf("%d sealed payloads of the event, want one", n)
	}
	tenant := w.tenant(s.ID, "wwcancel")
	cancelled := func(what string) {
		t.Helper()
		if got := w.tenant(s.ID, "wwcancel"); got.Status != "cancelled" || got.ID != tenant.ID {
			t.Errorf("%s: tenant = %+v, want it cancelled", what, got)
		}
		for _, q := range []string{
			`SELECT count(*) FROM authorizations WHERE tenant_id = $1`,
			`SELECT count(*) FROM credentials WHERE tenant_id = $1`,
			`SELECT count(*) FROM callback_events WHERE payload_sealed IS NOT NULL AND info_type <> 'suite_ticket' AND $1 <> ''`,
			`SELECT count(*) FROM exchanges WHERE permanent_code_sealed IS NOT NULL AND $1 <> ''`,
		} {
			if n := scalar[int](t, w.database, strings.Replace(q, "tenant_id = $1", "tenant_id::text = $1", 1), tenant.ID); n != 0 {
				t.Errorf("%s: %s = %d, want nothing left of the corp", what, q, n)
			}
		}
	}
	cancel := s.event("cancel_auth", time.Now(), "AuthCorpId", "wwcancel")
	s.mustPush(t, r, cancel)
	cancelled("at the moment of success") // no waiting
	eventually(t, 2*time.Second, func() error {
		if a := anonymous(t, http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwcancel"), nil); a.code() != "tenant_inactive" {
			return fmt.Errorf("a cancelled tenant's page = %s", a)
		}
		return nil
	})
	// change_auth behind it wakes nothing.
	s.mustPush(t, r, s.event("change_auth", time.Now().Add(time.Second), "AuthCorpId", "wwcancel"))
	execute(t, w.database, `UPDATE callback_events SET payload_sealed = NULL WHERE info_type = 'change_auth'`) // it came after the end
	cancelled("change_auth after it")

	// Installed again, a second later by the platform's clock; then the old cancel_auth again, and one that is older still.
	eventually(t, 5*time.Second, func() error {
		if !time.Now().Truncate(time.Second).After(secondOf(t, cancel)) {
			return fmt.Errorf("still the same second")
		}
		return nil
	})
	w.install(s.ID, "wwcancel", pageURL)
	infos := func() int { return w.calls("v2/get_auth_info", s.ID, "wwcancel") }
	eventually(t, 5*time.Second, func() error {
		if infos() < 2 {
			return fmt.Errorf("%d pulls, want one for each install", infos())
		}
		return nil
	})
	before := infos()
	for range 3 {
		s.mustPush(t, r, cancel)
	}
	s.mustPush(t, r, s.event("cancel_auth", time.Now().Add(-time.Hour), "AuthCorpId", "wwcancel"))
	eventually(t, 5*time.Second, func() error {
		if n := infos(); n != before+1 {
			return fmt.Errorf("%d pulls after a late cancel_auth, want %d: it is verified once", n, before+1)
		}
		for _, e := range w.events(s.ID, "cancel_auth") {
			if e.State != "done" {
				return fmt.Errorf("cancel_auth is %s", e.State)
			}
		}
		return nil
	})
	if got := w.tenant(s.ID, "wwcancel"); got.Status != "active" || got.ID != tenant.ID {
		t.Errorf("after late cancel_auths = %+v, want the tenant active", got)
	}
	w.waitSigned(r, pageURL, s.ID, "wwcancel", 5*time.Second)
	if n := infos(); n != before+1 {
		t.Errorf("%d pulls, want %d", n, before+1)
	}

	// A late one that is true: the platform is asked, and says that the consent is gone.
	w.simulate("uninstall", map[string]any{"suite_id": s.ID, "corp_id": "wwcancel", "silent": true}, nil)
	s.mustPush(t, r, s.event("cancel_auth", time.Now().Add(-2*time.Hour), "AuthCorpId", "wwcancel"))
	eventually(t, 10*time.Second, func() error {
		if got := w.tenant(s.ID, "wwcancel").Status; got != "cancelled" {
			return fmt.Errorf("status = %s, want cancelled", got)
		}
		return nil
	})
}

func secondOf(t *testing.T, message string) time.Time {
	t.Helper()
	var at int64
	if _, err := fmt.Sscan(message[strings.Index(message, "<TimeStamp>")+len("<TimeStamp>"):strings.Index(message, "</TimeStamp>")], &at); err != nil {
		t.Fatal(err)
	}
	return time.Unix(at, 0)
}

// cancel_auth that overtakes the work of its create_auth ends it all the same.
func TestContractCancelBeforeCreateIsHandled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	s := w.suite("ww-race", "third_party", "corp.example.com")
	w.simulate("faults", map[string]any{"api": "v2/get_permanent_code", "kind": "latency", "value": "2500ms"}, nil)
	var installed struct {
		AuthCode string `json:"auth_code"`
	}
	w.simulate("install", map[string]any{"suite_id": s.ID, "corp_id": "wwrace", "door": "site"}, &installed)
	// However long the work takes, the answer does not wait for it.
	if a, err := s.pushInTime(r, s.event("create_auth", time.Now(), "AuthCode", installed.AuthCode)); err != nil || string(a.body) != "success" {
		t.Fatalf("create_auth = %s %v, want it answered within 1000 ms", a, err)
	}
	eventually(t, 10*time.Second, func() error {
		if w.calls("v2/get_permanent_code", s.ID, "") == 0 {
			return fmt.Errorf("the exchange has not begun")
		}
		return nil
	})
	if a, err := s.pushInTime(r, s.event("cancel_auth", time.Now().Add(time.Second), "AuthCorpId", "wwrace")); err != nil || string(a.body) != "success" {
		t.Fatalf("cancel_auth = %s %v, want it answered within 1000 ms", a, err)
	}
	eventually(t, 10*time.Second, func() error {
		if list := w.events(s.ID, "create_auth"); len(list) != 1 || list[0].State == "pending" {
			return fmt.Errorf("create_auth = %+v", list)
		}
		return nil
	})
	if n := scalar[int](t, w.database, `SELECT count(*) FROM tenants WHERE status = 'active'`); n != 0 {
		t.Errorf("%d active tenants of a corp that cancelled", n)
	}
	if a := anonymous(t, http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwrace"), nil); a.status/100 != 4 {
		t.Errorf("its page = %s", a)
	}
}

// A whole day again, in any order: nothing changes but counters.
func TestContractReplayOfADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	s := w.suite("dk-day", "customized", "corp.example.com")
	for _, corp := range []string{"wwday1", "wwday2", "wwday3"} {
		w.install(s.ID, corp, pageURL)
		w.simulate("change", map[string]any{"suite_id": s.ID, "corp_id": corp}, nil)
	}
	w.pushSuiteTicket(s.ID)
	w.simulate("reset-permanent-code", map[string]any{"suite_id": s.ID, "corp_id": "wwday1"}, nil)
	w.simulate("uninstall", map[string]any{"suite_id": s.ID, "corp_id": "wwday2"}, nil)
	w.simulate("uninstall", map[string]any{"suite_id": s.ID, "corp_id": "wwday3"}, nil)
	var state struct {
		Now        time.Time
		Deliveries []struct {
			Event, Message string
		}
	}
	eventually(t, 5*time.Second, func() error { // a re-install of the same second as its cancel_auth has to be asked about
		if err := w.try(http.MethodGet, w.simURL+"/sim/state?suite_id="+s.ID, nil, nil, &state); err != nil {
			return err
		}
		for _, d := range state.Deliveries {
			if d.Event == "cancel_auth" && !time.Now().Truncate(time.Second).After(secondOf(t, d.Message)) {
				return fmt.Errorf("still the same second")
			}
		}
		return nil
	})
	eventually(t, 2*time.Second, func() error { // until then its page is signed for with the former ticket
		if a := anonymous(t, http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwday3"), nil); a.status != http.StatusForbidden {
			return fmt.Errorf("the page of a corp that cancelled = %s, want 403", a)
		}
		return nil
	})
	w.install(s.ID, "wwday3", pageURL)
	if err := w.try(http.MethodGet, w.simURL+"/sim/state?suite_id="+s.ID, nil, nil, &state); err != nil {
		t.Fatal(err)
	}
	outcome := func() string {
		out := ""
		for _, corp := range []string{"wwday1", "wwday2", "wwday3"} {
			out += corp + " " + w.tenant(s.ID, corp).Status + "; "
		}
		return out + fmt.Sprint("exchanges ", w.calls("v2/get_permanent_code", s.ID, ""), " suite tokens ", w.calls("get_suite_token", s.ID, ""))
	}
	eventually(t, 10*time.Second, func() error {
		for _, name := range []string{"create_auth", "reset_permanent_code", "cancel_auth"} {
			for _, e := range w.events(s.ID, name) {
				if e.State == "pending" {
					return fmt.Errorf("%s is pending", name)
				}
			}
		}
		return nil
	})
	before := outcome()
	if want := "wwday1 active; wwday2 cancelled; wwday3 active; exchanges 5 suite tokens 1"; before != want {
		t.Fatalf("the day ended with %s, want %s", before, want)
	}
	count := scalar[int](t, w.database, `SELECT count(*) FROM callback_events`)
	var group sync.WaitGroup
	for range 3 {
		for _, i := range rand.Perm(len(state.Deliveries)) {
			group.Go(func() { s.mustPush(t, r, state.Deliveries[i].Message) })
		}
		group.Wait()
	}
	eventually(t, 10*time.Second, func() error {
		for _, e := range w.events(s.ID, "cancel_auth") {
			if e.State == "pending" {
				return fmt.Errorf("a cancel_auth is pending")
			}
		}
		return nil
	})
	if after := outcome(); after != before {
		t.Errorf("after the day again: %s, want %s", after, before)
	}
	if n := scalar[int](t, w.database, `SELECT count(*) FROM callback_events`); n != count {
		t.Errorf("%d events, before it %d", n, count)
	}
	w.waitSigned(r, pageURL, s.ID, "wwday1", 5*time.Second)
	w.waitSigned(r, pageURL, s.ID, "wwday3", 5*time.Second)
}

// The pair that the console had before opens what is on its way, for as long as the grace lasts.
func TestContractCallbackKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	old := w.suite("ww-keys", "third_party")
	fresh := old
	fresh.Token, fresh.AESKey = hex.EncodeToString(randomBytes(12)), hex.EncodeToString(randomBytes(22))[:43]
	n := 0
	push := func(s testSuite, r *replica) answer {
		t.Helper()
		n++
		a, err := s.push(r, "command", s.ID, s.event("change_contact", time.Now(), "UserID", fmt.Sprint(n)))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, r := range w.replicas {
		wantSuccess(t, "before", push(old, r))
		wantProblem(t, "a pair that is not ours yet", push(fresh, r), http.StatusForbidden, "callback_refused")
	}
	w.api(http.MethodPatch, "/v1/suites/"+old.ID, http.StatusOK, map[string]any{"callback_token": fresh.Token, "encoding_aes_key": fresh.AESKey}, nil)
	for _, r := range w.replicas { // at once, whether or not the change was heard of
		eventually(t, 2*time.Second, func() error {
			if a := push(fresh, r); string(a.body) != "success" {
				return fmt.Errorf("the new pair = %s", a)
			}
			return nil
		})
		wantSuccess(t, "the former pair", push(old, r))
		if a := old.verify(t, r, "command", "echo", ""); string(a.body) != "echo" {
			t.Errorf("a verification by the former pair = %s", a)
		}
		if a := fresh.verify(t, r, "data", "echo", ""); string(a.body) != "echo" {
			t.Errorf("a verification by the new pair = %s", a)
		}
		mixed := fresh
		mixed.AESKey = hex.EncodeToString(randomBytes(22))[:43]
		wantProblem(t, "a strange pair", push(mixed, r), http.StatusForbidden, "callback_refused")
		if w.metric(r, "suitesign_callbacks_total", `outcome="previous_key"`) == 0 {
			t.Error("it is not counted which pair matched")
		}
	}
	execute(t, w.database, `UPDATE suites SET previous_until = now() - interval '1 second'`) // the grace is over
	for _, r := range w.replicas {
		eventually(t, 10*time.Second, func() error {
			if a := push(old, r); a.status != http.StatusForbidden {
				return fmt.Errorf("the former pair after its grace = %s", a)
			}
			return nil
		})
		wantSuccess(t, "the new pair", push(fresh, r))
	}
}

// digestOf is how an event is known again.
func digestOf(message string) []byte {
	sum := sha256.Sum256([]byte(message))
	return sum[:]
}

// A replica that is killed among callbacks has stored whatever it acknowledged, and
// what it had not acknowledged may come again.
func TestContractKilledAmongCallbacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	s := w.suite("ww-kill", "third_party")
	var mu sync.Mutex
	var acked, all []string
	var group sync.WaitGroup
	dead := make(chan struct{})
	for worker := range 16 {
		group.Go(func() {
			for i := 0; ; i++ {
				message := s.event("change_contact", time.Now(), "UserID", fmt.Sprintf("%d-%d", worker, i))
				mu.Lock()
				all = append(all, message)
				mu.Unlock()
				a, err := s.push(r, "command", s.ID, message)
				if err == nil && a.status == http.StatusOK && string(a.body) == "success" {
					mu.Lock()
					acked = append(acked, message)
					mu.Unlock()
				}
				select {
				case <-dead:
					return
				default:
				}
			}
		})
	}
	eventually(t, 20*time.Second, func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(acked) < 200 {
			return fmt.Errorf("%d acknowledged", len(acked))
		}
		return nil
	})
	r.kill()
	close(dead)
	group.Wait()
	digests := func(messages []string) (out [][]byte) {
		for _, m := range messages {
			out = append(out, digestOf(m))
		}
		return out
	}
	if n := scalar[int](t, w.database, `SELECT count(*) FROM callback_events WHERE digest = ANY($1)`, digests(acked)); n != len(acked) {
		t.Fatalf("%d of %d acknowledged callbacks are stored", n, len(acked))
	}
	r.process = startProcess(t, r.name+" again", r.environ, "suitesign", "serve")
	w.waitReady(r)
	for _, message := range all[max(0, len(all)-40):] {
		s.mustPush(t, r, message)
	}
	if n := scalar[int](t, w.database, `SELECT count(*) FROM callback_events WHERE digest = ANY($1)`, digests(all)); n < len(acked) || n > len(all) {
		t.Errorf("%d events of %d messages", n, len(all))
	}
}
