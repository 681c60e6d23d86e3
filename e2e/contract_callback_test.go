package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
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
