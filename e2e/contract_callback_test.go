package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// provider sets a suite's provider_corp_id.
func (w *world) provider(s testSuite, corp string) {
	w.t.Helper()
	w.api(http.MethodPatch, "/v1/suites/"+s.ID, http.StatusOK, map[string]any{"provider_corp_id": corp}, nil)
}

// verify is the console's GET: echostr in an envelope for a receiveid.
func (s testSuite) verify(t *testing.T, r *replica, door, text, receiveID string) answer {
	t.Helper()
	e := s.envelope()
	echo := e.encrypt(text, receiveID)
	q := e.query(now(), "n0nce", echo)
	q.Set("echostr", echo)
	return anonymous(t, http.MethodGet, r.callbackURL(s.ID, door, q), nil)
}

func TestContractURLVerification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	s, free := w.suite("ww-verify", "third_party"), w.suite("ww-free", "third_party")
	w.provider(s, "wwProvider")
	const text = "1616140317555161061"
	wantEcho := func(what string, a answer, text string) {
		t.Helper()
		if a.status != http.StatusOK || string(a.body) != text {
			t.Errorf("%s = %s, want 200 and exactly %q", what, a, text)
		}
	}
	for _, door := range []string{"command", "data"} {
		eventually(t, 2*time.Second, func() error { // until the provider's id is heard of
			if a := s.verify(t, r, door, text, s.ID); a.status != http.StatusForbidden {
				return fmt.Errorf("a verification sealed for the suite = %s, want 403", a)
			}
			return nil
		})
		wantEcho(door+" for the provider", s.verify(t, r, door, text, "wwProvider"), text)
		wantEcho(door+" for nobody", s.verify(t, r, door, text, ""), text)
		for _, id := range []string{"wwprovider", "wwcorp", "wwProvider ", "ww-free"} {
			wantProblem(t, door+" for "+id, s.verify(t, r, door, text, id), http.StatusForbidden, "callback_refused")
		}
		for _, id := range []string{"wwProvider", "ww-free", "anything", ""} {
			wantEcho(door+" for "+id+" where no provider_corp_id is set", free.verify(t, r, door, text, id), text)
		}
		// A message is never decrypted for whoever has one.
		for _, message := range []string{"<xml></xml>", "{}", " <xml>", "\n{", "\ufeff<xml>", s.event("suite_ticket", time.Now(), "SuiteTicket", "secret")} {
			wantProblem(t, door+" echo of "+message, s.verify(t, r, door, message, "wwProvider"), http.StatusForbidden, "callback_refused")
			wantProblem(t, door+" echo of "+message, free.verify(t, r, door, message, ""), http.StatusForbidden, "callback_refused")
		}
		wantEcho(door+" of other text", s.verify(t, r, door, "plain <b>text</b> {}\n", "wwProvider"), "plain <b>text</b> {}\n")
	}
	// What comes as a push does not open as a verification.
	e := s.envelope()
	encrypt := e.encrypt(s.event("suite_ticket", time.Now(), "SuiteTicket", "secret"), s.ID)
	q := e.query(now(), "n0nce", encrypt)
	q.Set("echostr", encrypt)
	if a := anonymous(t, http.MethodGet, r.callbackURL(s.ID, "command", q), nil); a.status/100 != 4 || strings.Contains(string(a.body), "secret") {
		t.Errorf("an intercepted push as echostr = %s", a)
	}
	// A '+' of base64 may come as it is, encoded, or as the space that a proxy made of it.
	for range 50 {
		echo := e.encrypt(text, "wwProvider")
		if !strings.Contains(echo, "+") {
			continue
		}
		q := e.query(now(), "n0nce", echo).Encode()
		for _, spelled := range []string{url.QueryEscape(echo), echo, strings.ReplaceAll(url.QueryEscape(echo), "%2B", "%20")} {
			wantEcho("echostr="+spelled, anonymous(t, http.MethodGet, r.public+"/callback/ww-verify/command?"+q+"&echostr="+spelled, nil), text)
		}
	}
	wantProblem(t, "an unknown suite", testSuite{ID: "ww-none", Token: s.Token, AESKey: s.AESKey}.verify(t, r, "command", text, ""), http.StatusNotFound, "not_found")
}

// damaged are envelopes whose MAC is right and whose inside is wrong.
func damaged(e envelope, s testSuite) map[string]string {
	block := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	padded := func(plain []byte, pad []byte) string { return e.encryptRaw(append(plain, pad...)) }
	inside := func(length uint32, rest string) []byte {
		return append(binary.BigEndian.AppendUint32(randomBytes(16), length), rest...)
	}
	full := inside(uint32(len("hello")), "hello"+s.ID+strings.Repeat(".", 64)) // enough to cut at a block
	full = full[:64]
	other := testSuite{AESKey: hex.EncodeToString(randomBytes(22))[:43]}.envelope()
	return map[string]string{
		"no base64":                 "!!!!" + e.encrypt("x", s.ID),
		"base64 with a line break":  e.encrypt("x", s.ID)[:20] + "\n" + e.encrypt("x", s.ID)[20:],
		"no whole blocks":           base64.StdEncoding.EncodeToString(randomBytes(33)),
		"one block":                 base64.StdEncoding.EncodeToString(randomBytes(16)),
		"random blocks":             base64.StdEncoding.EncodeToString(randomBytes(96)),
		"another AES key":           other.encrypt("x", s.ID),
		"pad of 0":                  padded(slices.Clone(full), block(0, 32)),
		"pad of 33":                 padded(slices.Clone(full), block(33, 32)),
		"pad of 255":                padded(slices.Clone(full), block(255, 32)),
		"pad of two values":         padded(slices.Clone(full), append(block(1, 16), block(16, 16)...)),
		"length beyond the end":     padded(inside(1<<31, s.ID+strings.Repeat(".", 44-len(s.ID))), block(32, 32)),
		"length of -1":              padded(inside(1<<32-1, s.ID+strings.Repeat(".", 44-len(s.ID))), block(32, 32)),
		"shorter than its header":   e.encryptRaw(append(randomBytes(8), block(24, 24)...)),
		"a receiveid of controls":   e.encrypt("<xml/>", "ww\x00\n"),
		"a receiveid of 4,000 byte": e.encrypt("<xml/>", strings.Repeat("w", 4000)),
		"another suite's SuiteId":   e.encrypt(testSuite{ID: "ww-other"}.event("suite_ticket", time.Now(), "SuiteTicket", "stolen"), s.ID),
	}
}

// Whatever is wrong with an envelope, an outsider learns nothing but that it is refused.
func TestContractForgedCallbacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	s := w.suite("ww-forge", "third_party")
	other := w.suite("ww-other", "third_party")
	e := s.envelope()
	message := s.event("change_contact", time.Now(), "AuthCorpId", "wwcorp")
	good := e.encrypt(message, s.ID)
	post := func(q url.Values, body string) answer {
		t.Helper()
		a, err := ask(http.MethodPost, r.callbackURL(s.ID, "command", q), map[string]string{"Accept-Language": "en", "Content-Type": "text/xml"}, body)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	with := func(name, value string) url.Values {
		q := e.query(now(), "n0nce", good)
		q.Set(name, value)
		return q
	}
	refused := map[string]answer{}
	for what, encrypt := range damaged(e, s) {
		refused[what] = post(e.query(now(), "n0nce", encrypt), body(encrypt))
	}
	mac := e.query(now(), "n0nce", good).Get("msg_signature")
	refused["another timestamp"] = post(with("timestamp", "1409659813"), body(good))
	refused["another nonce"] = post(with("nonce", "other"), body(good))
	refused["another MAC"] = post(with("msg_signature", strings.Repeat("0", 40)), body(good))
	refused["a changed MAC"] = post(with("msg_signature", mac[1:]+mac[:1]), body(good))
	refused["another Encrypt"] = post(e.query(now(), "n0nce", good), body(e.encrypt(message, s.ID)))
	refused["another token"] = post(envelope{"another", e.key}.query(now(), "n0nce", good), body(good))
	sealed := other.envelope().encrypt(other.event("change_contact", time.Now()), other.ID)
	refused["another suite's envelope"] = post(other.envelope().query(now(), "n0nce", sealed), body(sealed))
	var first string
	for what, a := range refused {
		p := wantProblem(t, what, a, http.StatusForbidden, "callback_refused")
		same := strings.ReplaceAll(string(a.body), p.RequestID, "")
		if first == "" {
			first = same
		}
		if same != first {
			t.Errorf("%s = %s, want the same answer as to every forgery, %s", what, same, first)
		}
	}
	for what, encrypt := range damaged(e, s) {
		q := e.query(now(), "n0nce", encrypt)
		q.Set("echostr", encrypt)
		a := anonymous(t, http.MethodGet, r.callbackURL(s.ID, "data", q), nil)
		if what == "another suite's SuiteId" {
			continue // a message, refused as such
		}
		p := wantProblem(t, "GET of "+what, a, http.StatusForbidden, "callback_refused")
		if same := strings.ReplaceAll(string(a.body), p.RequestID, ""); same != first {
			t.Errorf("GET of %s = %s, want the same answer as to every forgery, %s", what, same, first)
		}
	}

	// Each of the parameters once: a proxy may read the first and we the last.
	for _, name := range []string{"msg_signature", "timestamp", "nonce"} {
		q := e.query(now(), "n0nce", good)
		for what, raw := range map[string]string{
			"twice":               q.Encode() + "&" + name + "=" + q.Get(name),
			"another one first":   name + "=1&" + q.Encode(),
			"another one last":    q.Encode() + "&" + name + "=1",
			"in another spelling": q.Encode() + "&%" + hex.EncodeToString([]byte(name[:1])) + name[1:] + "=1",
			"missing":             strings.ReplaceAll(q.Encode(), name+"=", name+"x="),
			"empty":               with(name, "").Encode(),
		} {
			a, err := ask(http.MethodPost, r.public+"/callback/ww-forge/command?"+raw, nil, body(good))
			if err != nil || a.status != http.StatusBadRequest {
				t.Errorf("%s %s = %s %v, want 400", name, what, a, err)
			}
		}
	}
	for what, text := range map[string]string{
		"empty": "", "no XML": "hello", "JSON": `{"encrypt":"` + good + `"}`, "two Encrypts": strings.Replace(body(good), "<Encrypt>", "<Encrypt>x</Encrypt><Encrypt>", 1),
		"a second root": body(good) + body(good), "a DTD": `<!DOCTYPE xml [<!ENTITY a "b">]>` + body(good), "a comment": strings.Replace(body(good), "<Encrypt>", "<!-- --><Encrypt>", 1),
		"an instruction": "<?php ?>" + body(good), "a namespace": strings.ReplaceAll(body(good), "Encrypt>", "w:Encrypt>"), "cut short": body(good)[:80],
		"nested": strings.Repeat("<a>", 2000) + body(good), "Encrypt in Encrypt": strings.Replace(body(good), "<Encrypt>", "<Encrypt><Encrypt>", 1),
	} {
		if a := post(e.query(now(), "n0nce", good), text); a.status/100 != 4 || string(a.body) == "success" {
			t.Errorf("a body that is %s = %s, want 4xx", what, a)
		}
	}
	wantProblem(t, "a body over 64 KiB", post(e.query(now(), "n0nce", good), body(good)+strings.Repeat(" ", 65<<10)), http.StatusRequestEntityTooLarge, "body_too_large")
	zipped, err := ask(http.MethodPost, r.callbackURL(s.ID, "command", e.query(now(), "n0nce", good)), map[string]string{"Content-Encoding": "gzip", "Accept-Language": "en"}, body(good))
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, "a compressed body", zipped, http.StatusUnsupportedMediaType, "unsupported_media_type")
	unknown := testSuite{ID: "ww-none", Token: s.Token, AESKey: s.AESKey}
	if a, err := unknown.push(r, "command", "ww-none", message); err != nil || a.status != http.StatusNotFound {
		t.Errorf("a push for an unknown suite = %s %v, want 404", a, err)
	}
	if n := len(w.events(s.ID, "change_contact")); n != 0 {
		t.Errorf("%d events of forgeries were kept", n)
	}

	// And what the MAC does not cover changes nothing: outer fields, and where timestamp ends and nonce begins.
	q := e.query("17000000001", "234abc", good)
	wantSuccess(t, "as it was sealed", post(q, body(good)))
	for _, text := range []string{
		strings.Replace(body(good), "[to]", "[ww-other]", 1), strings.Replace(body(good), "<AgentID><![CDATA[]]></AgentID>", "<AgentID>7</AgentID>", 1),
		"<xml><Encrypt>" + good + "</Encrypt></xml>", `<?xml version="1.0" encoding="UTF-8"?>` + body(good) + "\n",
	} {
		wantSuccess(t, text, post(q, text))
	}
	if list := w.events(s.ID, "change_contact"); len(list) != 1 || list[0].Deliveries != 5 {
		t.Errorf("one message in five envelopes = %+v, want one event", list)
	}
	moved := e.query("17000000001", "234abc", good)
	moved.Set("timestamp", "170000000012")
	moved.Set("nonce", "34abc")
	if a := post(moved, body(good)); string(a.body) == "success" {
		if list := w.events(s.ID, "change_contact"); len(list) != 1 {
			t.Errorf("a byte moved from nonce to timestamp made %d events", len(list))
		}
	}
	// Whoever keeps forging is not even looked at any more.
	flood := answer{status: http.StatusForbidden}
	for i := 0; i < 2000 && flood.status == http.StatusForbidden; i++ {
		flood = post(with("nonce", "forged"), body(good))
	}
	wantProblem(t, "a flood of forgeries", flood, http.StatusTooManyRequests, "rate_limited")
	other.mustPush(t, r, other.event("change_contact", time.Now())) // one suite's trouble is not another's
	if strings.Contains(r.output(), good[:40]) || strings.Contains(r.output(), mac) {
		t.Error("the log holds what a callback carried")
	}
}

// What is validly sealed is always kept and answered; what it may do depends on
// the door and on whom it is sealed for.
func TestContractReceiveIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	s := w.suite("ww-recv", "third_party", "corp.example.com")
	w.provider(s, "wwProvider")
	w.install(s.ID, "wwcorp", pageURL)
	w.install(s.ID, "wwother", pageURL)
	pulls := func() int { return w.calls("v2/get_auth_info", s.ID, "") }
	before := pulls()
	serial := 0
	for _, tt := range []struct {
		door, receiveID string
		state           string
	}{
		{"command", "wwcorp", "ignored"}, {"command", "wwProvider", "ignored"}, {"command", "ww-stranger", "ignored"}, {"command", "WW-RECV", "ignored"},
		{"data", s.ID, "ignored"}, {"data", "wwProvider", "ignored"}, {"data", "", "ignored"},
		{"command", s.ID, "done"}, {"command", "", "done"}, {"data", "wwcorp", "done"},
	} {
		if tt.state == "done" && serial < 100 {
			serial += 100
			if n := pulls(); n != before {
				t.Errorf("pushes that may do nothing cost %d pulls", n-before)
			}
		}
		serial++
		name := fmt.Sprintf("change_auth at %s for %q", tt.door, tt.receiveID)
		s.mustPushTo(t, r, tt.door, tt.receiveID, s.event("change_auth", time.Now(), "AuthCorpId", "wwcorp", "ExtraInfo", fmt.Sprint(serial)))
		if got := w.events(s.ID, "change_auth")[0].State; got != tt.state {
			t.Errorf("%s is %s, want %s", name, got, tt.state)
		}
		if tt.state == "done" {
			eventually(t, 5*time.Second, func() error {
				if n := pulls(); n <= before {
					return fmt.Errorf("%s: %d pulls, want one more", name, n)
				}
				return nil
			})
			before = pulls()
		}
	}
	// A corp that is not known, however well it is sealed, changes nothing.
	for _, corp := range []string{"wwunknown", "wwother"} {
		s.mustPushTo(t, r, "data", corp, s.event("cancel_auth", time.Now().Add(time.Minute), "AuthCorpId", "wwcorp", "ExtraInfo", corp))
	}
	s.mustPushTo(t, r, "command", "wwcorp", s.event("cancel_auth", time.Now().Add(time.Minute), "AuthCorpId", "wwcorp", "ExtraInfo", "command"))
	s.mustPushTo(t, r, "data", "wwcorp", s.event("create_auth", time.Now(), "AuthCode", strings.Repeat("c", 64)))
	s.mustPushTo(t, r, "data", "wwcorp", s.event("suite_ticket", time.Now().Add(time.Minute), "SuiteTicket", "of-the-data-door"))
	if got := w.tenant(s.ID, "wwcorp").Status; got != "active" {
		t.Errorf("after pushes that may do nothing the tenant is %s", got)
	}
	// Both shapes at both doors, what nobody knows, and what is no event at all.
	for _, message := range []string{
		s.event("brand_new_thing_of_2031", time.Now(), "AuthCorpId", "wwcorp"), s.event("brand_new_thing_of_2031", time.Now(), "Deep", "x"),
		"<xml><ToUserName><![CDATA[wwcorp]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName><CreateTime>1700000000</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[sys_approval_change]]></Event><AgentID>1</AgentID></xml>",
		"<xml><ToUserName><![CDATA[wwcorp]]></ToUserName><CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hello]]></Content></xml>",
		"", "hello", "<xml>", `{"InfoType":"cancel_auth"}`,
		`<!DOCTYPE x><xml><InfoType>cancel_auth</InfoType><AuthCorpId>wwcorp</AuthCorpId></xml>`,
		"<xml><SuiteId>" + s.ID + "</SuiteId><InfoType>cancel_auth</InfoType><InfoType>suite_ticket</InfoType><AuthCorpId>wwcorp</AuthCorpId><TimeStamp>9999999999</TimeStamp></xml>",
		s.event("cancel_auth", time.Now(), "AuthCorpId", ""), s.event("create_auth", time.Now()), s.event("suite_ticket", time.Now()),
		"<xml><SuiteId>" + s.ID + "</SuiteId><InfoType>cancel_auth</InfoType><AuthCorpId>wwcorp</AuthCorpId><TimeStamp>yesterday</TimeStamp></xml>",
	} {
		s.mustPushTo(t, r, "command", s.ID, message)
		s.mustPushTo(t, r, "data", "wwcorp", message)
	}
	if list := w.events(s.ID, "sys_approval_change"); len(list) != 1 || list[0].Deliveries != 2 || list[0].State != "ignored" {
		t.Errorf("the Event shape at both doors = %+v, want one event, kept", list)
	}
	if got := w.tenant(s.ID, "wwcorp").Status; got != "active" {
		t.Errorf("after events that say nothing the tenant is %s", got)
	}
	a := w.api(http.MethodGet, "/v1/events?suite_id="+s.ID+"&limit=200", http.StatusOK, nil, nil)
	if strings.Contains(string(a.body), "of-the-data-door") || strings.Contains(string(a.body), strings.Repeat("c", 64)) || !strings.Contains(string(a.body), `"brand_new_thing_of_2031"`) {
		t.Errorf("events = %s, want names and never payloads", a)
	}
	wantProblem(t, "an inner SuiteId of another", func() answer {
		a, err := s.push(r, "command", s.ID, testSuite{ID: "ww-another"}.event("suite_ticket", time.Now(), "SuiteTicket", "x"))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}(), http.StatusForbidden, "callback_refused")
	w.waitSigned(r, pageURL, s.ID, "wwcorp", 5*time.Second)
}

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
