package suite_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/changes"
	"suitesign/secret"
	"suitesign/suite"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// keysOf are the platform's keys of a suite, to seal whatever a test needs.
func keysOf(t testing.TB, su wecomtest.Suite) wecom.CallbackKey {
	t.Helper()
	k, err := wecom.ParseCallbackKey(secret.New(su.Token), secret.New(su.EncodingAESKey))
	must(t, err)
	return k
}

func TestVerifyEchoes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := keysOf(t, h.addSuite(suiteID))
	for _, tt := range []struct {
		name, message, receiver string
		want                    error
	}{
		{"for the provider", "1616140317555161061", string(provider), nil},
		{"for a person", "1616140317555161061", "", nil},
		{"for the suite", "1616140317555161061", string(suiteID), suite.ErrForged},
		{"for a corp", "1616140317555161061", "wwsomebody", suite.ErrForged},
		{"a push in xml", "<xml><SuiteTicket>x</SuiteTicket></xml>", string(provider), suite.ErrForged},
		{"a push in json", `{"SuiteTicket":"x"}`, string(provider), suite.ErrForged},
		{"a push behind white space", "\ufeff \n<xml></xml>", string(provider), suite.ErrForged},
		{"nothing", "", string(provider), suite.ErrForged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			echostr, q, err := key.SealEcho([]byte(tt.message), tt.receiver, "1700000000", "nonce")
			must(t, err)
			for _, door := range []suite.Door{suite.CommandDoor, suite.DataDoor} {
				echo, err := h.callbacks.Verify(t.Context(), suiteID, door, q, echostr)
				if !errors.Is(err, tt.want) || err == nil && string(echo) != tt.message || err != nil && echo != nil {
					t.Errorf("Verify(%s) = %q, %v; want %v", door, echo, err, tt.want)
				}
			}
		})
	}
	t.Run("an intercepted push", func(t *testing.T) {
		body, q, err := key.Seal([]byte(message("suite_ticket", time.Now(), "SuiteTicket", "x")), string(provider), "1700000000", "nonce")
		must(t, err)
		_, encrypt, _ := strings.Cut(string(body), "<Encrypt><![CDATA[")
		encrypt, _, _ = strings.Cut(encrypt, "]]>")
		echo, err := h.callbacks.Verify(t.Context(), suiteID, suite.CommandDoor, q, encrypt)
		wantErr(t, err, suite.ErrForged)
		if echo != nil {
			t.Errorf("echoed %q", echo)
		}
	})
	t.Run("any receiveid while the provider is not known", func(t *testing.T) {
		none := wecom.CorpID("")
		_, err := h.store.Update(t.Context(), suiteID, suite.Patch{ProviderCorpID: &none})
		must(t, err)
		h.callbacks.Handle(t.Context(), []changes.Change{{Topic: changes.Suite, Key: string(suiteID)}})
		echostr, q, err := key.SealEcho([]byte("123"), "wwanybody", "1700000000", "nonce")
		must(t, err)
		if _, err := h.callbacks.Verify(t.Context(), suiteID, suite.CommandDoor, q, echostr); err != nil {
			t.Errorf("Verify = %v, want an echo", err)
		}
	})
}

// The receiveid rule: what may act where. Everything else that the platform
// sealed is kept and acknowledged.
func TestReceiveIDDecidesWhatActs(t *testing.T) {
	t.Parallel()
	h := ready(t)
	key := keysOf(t, h.sim.State().Suites[0].Suite)
	h.install(suiteID, acme)
	h.install(suiteID, "wwother")
	for _, tt := range []struct {
		door     suite.Door
		receiver string
		infoType string
		acts     bool
	}{
		{suite.CommandDoor, string(suiteID), "change_auth", true},
		{suite.CommandDoor, "", "change_auth", true},
		{suite.CommandDoor, string(acme), "change_auth", false},
		{suite.CommandDoor, string(provider), "change_auth", false},
		{suite.CommandDoor, string(template), "change_auth", false},
		{suite.DataDoor, string(acme), "change_auth", true},
		{suite.DataDoor, "wwother", "change_auth", false},    // another corp of ours
		{suite.DataDoor, "wwstranger", "change_auth", false}, // nobody we know
		{suite.DataDoor, string(suiteID), "change_auth", false},
		{suite.DataDoor, "", "change_auth", false},
	} {
		t.Run(string(tt.door)+" for "+tt.receiver, func(t *testing.T) {
			h.exec(`UPDATE authorizations SET info_due_at = NULL`)
			at := h.now().Add(-time.Minute)
			text := message(tt.infoType, at, "AuthCorpId", string(acme), "State", string(tt.door)+tt.receiver)
			body, q, err := key.Seal([]byte(text), tt.receiver, "1700000000", "nonce")
			must(t, err)
			if err := h.callbacks.Receive(t.Context(), suiteID, tt.door, q, body); err != nil {
				t.Fatalf("Receive = %v, want it acknowledged", err)
			}
			if got := value[int](h, `SELECT count(*) FROM authorizations WHERE info_due_at IS NOT NULL`); (got == 1) != tt.acts {
				t.Errorf("%d authorizations are due, want acts = %v", got, tt.acts)
			}
		})
	}
	if got, want := len(h.events(suite.EventFilter{InfoType: "change_auth"})), 10; got != want {
		t.Errorf("events kept = %d, want %d", got, want)
	}
}

func TestWhatTheSuiteIsToldOnlyActsAtTheCommandURL(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	ticket := value[[]byte](h, `SELECT ticket_sealed FROM suite_tickets`)
	at := h.now().Add(time.Minute)
	must(t, h.send(h.replica, suiteID, suite.DataDoor, acme, message("suite_ticket", at, "SuiteTicket", "forged")))
	must(t, h.send(h.replica, suiteID, suite.DataDoor, acme, message("create_auth", at, "AuthCode", "forged")))
	if got := value[[]byte](h, `SELECT ticket_sealed FROM suite_tickets`); !bytes.Equal(got, ticket) {
		t.Error("a suite_ticket at the data URL was stored")
	}
	if got := len(h.exchanges()); got != 1 {
		t.Errorf("exchanges = %d, want only the first", got)
	}
	for _, e := range h.events(suite.EventFilter{State: "ignored"}) {
		if e.Door != suite.DataDoor {
			t.Errorf("ignored at %s: %s", e.Door, e.InfoType)
		}
	}
	// The same message by the right URL acts, although its digest is known.
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("suite_ticket", at, "SuiteTicket", "forged")))
	if got := value[[]byte](h, `SELECT ticket_sealed FROM suite_tickets`); bytes.Equal(got, ticket) {
		t.Error("the suite_ticket by the command URL was not stored")
	}
	if got := len(h.events(suite.EventFilter{State: "ignored"})); got != 1 {
		t.Errorf("ignored events = %d, want 1: the other one acted", got)
	}
}

func TestRefusedCallbacks(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.addSuite(template)
	before := len(h.events(suite.EventFilter{}))
	text := message("suite_ticket", time.Now(), "SuiteTicket", "x")
	body, v := h.sim.Seal(suiteID, wecomtest.Command, "", text)
	q := queryOf(v)
	other, otherQuery := h.sim.Seal(template, wecomtest.Command, "", text) // sealed for dk…, names ww… inside
	for _, tt := range []struct {
		name string
		id   wecom.SuiteID
		q    wecom.Query
		body []byte
		want error
	}{
		{"no such suite", "wwnobody", q, body, suite.ErrNotFound},
		{"another suite's path", template, q, body, suite.ErrForged},
		{"another suite inside", template, queryOf(otherQuery), other, suite.ErrForged},
		{"another signature", suiteID, wecom.Query{Signature: strings.Repeat("0", 40), Timestamp: q.Timestamp, Nonce: q.Nonce}, body, suite.ErrForged},
		{"another nonce", suiteID, wecom.Query{Signature: q.Signature, Timestamp: q.Timestamp, Nonce: "x"}, body, suite.ErrForged},
		{"no signature", suiteID, wecom.Query{Timestamp: q.Timestamp, Nonce: q.Nonce}, body, suite.ErrMalformedCallback},
		{"no body", suiteID, q, nil, suite.ErrMalformedCallback},
		{"no xml", suiteID, q, []byte("hello"), suite.ErrMalformedCallback},
		{"two Encrypt", suiteID, q, bytes.Replace(body, []byte("<Encrypt>"), []byte("<Encrypt>x</Encrypt><Encrypt>"), 1), suite.ErrMalformedCallback},
		{"a document type", suiteID, q, append([]byte("<!DOCTYPE xml>"), body...), suite.ErrMalformedCallback},
		{"too large", suiteID, q, bytes.Repeat([]byte("x"), 1<<17), suite.ErrMalformedCallback},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := h.callbacks.Receive(t.Context(), tt.id, suite.CommandDoor, tt.q, tt.body)
			wantErr(t, err, tt.want)
		})
	}
	if got := len(h.events(suite.EventFilter{})); got != before {
		t.Errorf("refused callbacks left %d events", got-before)
	}
}

func TestUnderstoodOrNotItIsKept(t *testing.T) {
	t.Parallel()
	h := ready(t)
	for _, text := range []string{
		message("tomorrows_news", time.Now()),
		"<xml><ToUserName>ww1</ToUserName><CreateTime>1700000000</CreateTime><MsgType>event</MsgType><Event>sys_approval_change</Event></xml>",
		"<xml><ToUserName>ww1</ToUserName><MsgType>text</MsgType><Content>hi</Content></xml>",
		message("suite_ticket", time.Now()), // without a ticket
		message("cancel_auth", time.Now()),  // without a corp
		"no xml at all",
		"",
	} {
		if err := h.send(h.replica, suiteID, suite.CommandDoor, "", text); err != nil {
			t.Errorf("Receive(%q) = %v, want it acknowledged", text, err)
		}
	}
	var got []string
	for _, e := range h.events(suite.EventFilter{State: "ignored"}) {
		got = append([]string{e.InfoType}, got...)
	}
	want := []string{"tomorrows_news", "sys_approval_change", "text", "suite_ticket", "cancel_auth", "(unreadable)", "(unreadable)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestNewestSuiteTicketWins(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.addSuite(suiteID)
	now := h.now()
	stored := func() string {
		sealed := value[[]byte](h, `SELECT ticket_sealed FROM suite_tickets`)
		v, err := h.ring.Open(sealed, secret.Binding{Table: "suite_tickets", Column: "ticket_sealed", Row: string(suiteID)})
		must(t, err)
		return v.Reveal()
	}
	for _, tt := range []struct {
		at     time.Duration
		ticket string
		want   string
	}{
		{-20 * time.Minute, "first", "first"},
		{-10 * time.Minute, "second", "second"},
		{-20 * time.Minute, "first", "second"}, // delivered again
		{-15 * time.Minute, "between", "second"},
		{-10 * time.Minute, "same second", "same second"},
		{5 * time.Minute, "a little ahead", "a little ahead"},
		{0, "the present", "a little ahead"},
		{24 * time.Hour, "tomorrow", "a little ahead"}, // counts as now, which is older
		{6 * time.Minute, "further", "further"},
	} {
		must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("suite_ticket", now.Add(tt.at), "SuiteTicket", tt.ticket)))
		if got := stored(); got != tt.want {
			t.Errorf("after %q of %s: stored %q, want %q", tt.ticket, tt.at, got, tt.want)
		}
	}
	h.exec(`DELETE FROM suite_tickets`)
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("suite_ticket", now.Add(48*time.Hour), "SuiteTicket", "from the future")))
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("suite_ticket", h.now().Add(time.Second), "SuiteTicket", "after it")))
	if got := stored(); got != "after it" {
		t.Errorf("stored %q: a ticket from the future shut out the true one", got)
	}
}

// A redelivery has a new ciphertext: it is known by what it says.
func TestRedeliveryIsOneEvent(t *testing.T) {
	t.Parallel()
	h := ready(t)
	other := h.another()
	text := message("change_contact", h.now(), "AuthCorpId", string(acme), "ChangeType", "update_user")
	row := func() string {
		return value[string](h, `SELECT xmin::text FROM callback_events WHERE info_type = 'change_contact'`)
	}
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", text))
	first := row()
	must(t, h.send(other, suiteID, suite.CommandDoor, "", text))
	if second := row(); second == first {
		t.Error("the redelivery wrote nothing: it would be acknowledged before a standby has the event")
	}
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", text))
	if e := h.events(suite.EventFilter{InfoType: "change_contact"}); len(e) != 1 || e[0].Deliveries != 3 {
		t.Errorf("events = %+v, want one with 3 deliveries", e)
	}
}

func TestConcurrentCopiesAreOneEvent(t *testing.T) {
	t.Parallel()
	h := ready(t)
	replicas := []*replica{h.replica, h.another()}
	text := message("create_auth", h.now(), "AuthCode", "code-of-some-length")
	const copies = 10
	errs := make(chan error, copies)
	for i := range copies {
		body, v := h.sim.Seal(suiteID, wecomtest.Command, "", text)
		go func() {
			errs <- replicas[i%2].callbacks.Receive(context.Background(), suiteID, suite.CommandDoor, queryOf(v), body)
		}()
	}
	for range copies {
		if err := <-errs; err != nil {
			t.Errorf("Receive = %v", err)
		}
	}
	if e := h.events(suite.EventFilter{InfoType: "create_auth"}); len(e) != 1 || e[0].Deliveries != copies {
		t.Errorf("events = %+v, want one with %d deliveries", e, copies)
	}
	if got := len(h.exchanges()); got != 1 {
		t.Errorf("exchanges = %d, want 1", got)
	}
}
