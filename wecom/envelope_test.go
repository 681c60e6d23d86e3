package wecom_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"suitesign/secret"
	"suitesign/wecom"
)

// The official sample pair (developer.work.weixin.qq.com/document/path/91144).
const (
	sampleToken = "QDG6eK"
	sampleKey   = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
	otherKey    = "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws"
)

func key(t testing.TB, token, aes string) wecom.CallbackKey {
	t.Helper()
	k, err := wecom.ParseCallbackKey(secret.New(token), secret.New(aes))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func reason(err error) wecom.Reason {
	var e *wecom.EnvelopeError
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			ks := wecom.Keys{key(t, v.token, v.key)}
			got, err := ks.OpenEcho(v.q, v.encrypt)
			if v.body {
				body := "<xml><ToUserName><![CDATA[not signed]]></ToUserName><Encrypt><![CDATA[" + v.encrypt + "]]></Encrypt><AgentID><![CDATA[218]]></AgentID></xml>"
				got, err = ks.OpenBody(v.q, []byte(body))
			}
			if err != nil {
				t.Fatalf("open = %v (%s)", err, reason(err))
			}
			if string(got.Message) != v.message || got.ReceiveID != v.id {
				t.Errorf("message = %q for %q, want %q for %q", got.Message, got.ReceiveID, v.message, v.id)
			}
			if v.body {
				if _, err := wecom.ParseEvent(got.Message); err != nil {
					t.Errorf("ParseEvent = %v", err)
				}
			}
		})
	}
}

// Nobody published vectors with a suite_id, an empty receiveid or a whole block of
// padding; these were made by another implementation (Python, cryptography).
func TestOwnVectors(t *testing.T) {
	t.Parallel()
	for _, v := range ownVectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			got, err := wecom.Keys{key(t, sampleToken, sampleKey)}.OpenEcho(v.q, v.encrypt)
			if err != nil || string(got.Message) != v.message || got.ReceiveID != v.id {
				t.Errorf("open = %q for %q, %v (%s); want %q for %q", got.Message, got.ReceiveID, err, reason(err), v.message, v.id)
			}
		})
	}
}

func TestSpacesInEchostrArePluses(t *testing.T) {
	t.Parallel()
	v := vectors[0]
	got, err := wecom.Keys{key(t, v.token, v.key)}.OpenEcho(v.q, strings.ReplaceAll(v.encrypt, "+", " "))
	if err != nil || string(got.Message) != v.message {
		t.Errorf("open = %q, %v; want %q", got.Message, err, v.message)
	}
}

func TestParseCallbackKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		token, key string
		ok         bool
	}{
		{sampleToken, sampleKey, true},
		{strings.Repeat("x", 32), sampleKey, true},
		{strings.Repeat("x", 33), sampleKey, false},
		{"", sampleKey, false},
		{"with space", sampleKey, false},
		{"中", sampleKey, false},
		{sampleToken, "", false},
		{sampleToken, sampleKey[:42], false},
		{sampleToken, sampleKey + "=", false},
		{sampleToken, sampleKey[:42] + "=", false},
		{sampleToken, sampleKey[:42] + "\n", false},
		{sampleToken, sampleKey[:42] + "-", false},
	} {
		_, err := wecom.ParseCallbackKey(secret.New(tt.token), secret.New(tt.key))
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, wecom.ErrCallbackKey) {
			t.Errorf("ParseCallbackKey(%q, %q) = %v, want ok %v", tt.token, tt.key, err, tt.ok)
		}
		if err != nil && (tt.token != "" && strings.Contains(err.Error(), tt.token) || len(tt.key) > 9 && strings.Contains(err.Error(), tt.key)) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

func TestCallbackKeyDoesNotPrint(t *testing.T) {
	t.Parallel()
	k := key(t, sampleToken, sampleKey)
	for _, v := range []any{k, &k, wecom.Keys{k}, struct{ hidden wecom.CallbackKey }{k}, map[string]any{"k": k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, sampleToken) || strings.Contains(got, "8d699") {
				t.Errorf("%s of %T = %s", verb, v, got)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	k := key(t, sampleToken, sampleKey)
	ks := wecom.Keys{k}
	echo, q, err := k.SealEcho([]byte("hello"), "ww1", "1409659589", "263014780")
	if err != nil {
		t.Fatal(err)
	}
	sign := func(encrypt string) wecom.Query { // a valid signature over anything
		return signed(sampleToken, "1", "n", encrypt)
	}
	plain := func(s string) string { return encryptRaw(t, sampleKey, s) }
	random := strings.Repeat("r", 16)
	for _, tt := range []struct {
		name    string
		keys    wecom.Keys
		q       wecom.Query
		encrypt string
		want    wecom.Reason
	}{
		{"no keys", nil, q, echo, wecom.ReasonSignature},
		{"zero key", wecom.Keys{{}}, q, echo, wecom.ReasonSignature},
		{"other token", wecom.Keys{key(t, "other", sampleKey)}, q, echo, wecom.ReasonSignature},
		{"other AES key", wecom.Keys{key(t, sampleToken, otherKey)}, q, echo, wecom.ReasonPadding},
		{"one bit of the text", ks, q, "A" + echo[1:], wecom.ReasonSignature},
		{"other timestamp", ks, wecom.Query{Signature: q.Signature, Timestamp: "1409659588", Nonce: q.Nonce}, echo, wecom.ReasonSignature},
		{"other nonce", ks, wecom.Query{Signature: q.Signature, Timestamp: q.Timestamp, Nonce: "26301478"}, echo, wecom.ReasonSignature},
		{"no signature", ks, wecom.Query{Timestamp: q.Timestamp, Nonce: q.Nonce}, echo, wecom.ReasonQuery},
		{"no timestamp", ks, wecom.Query{Signature: q.Signature, Nonce: q.Nonce}, echo, wecom.ReasonQuery},
		{"no nonce", ks, wecom.Query{Signature: q.Signature, Timestamp: q.Timestamp}, echo, wecom.ReasonQuery},
		{"timestamp is no number", ks, wecom.Query{Signature: q.Signature, Timestamp: "14x", Nonce: q.Nonce}, echo, wecom.ReasonQuery},
		{"long nonce", ks, wecom.Query{Signature: q.Signature, Timestamp: q.Timestamp, Nonce: strings.Repeat("n", 129)}, echo, wecom.ReasonQuery},
		{"signature is no hex", ks, wecom.Query{Signature: strings.Repeat("z", 40), Timestamp: q.Timestamp, Nonce: q.Nonce}, echo, wecom.ReasonQuery},
		{"signature too short", ks, wecom.Query{Signature: q.Signature[:38], Timestamp: q.Timestamp, Nonce: q.Nonce}, echo, wecom.ReasonQuery},
		{"nothing", ks, sign(""), "", wecom.ReasonQuery},
		{"too large", ks, sign(""), strings.Repeat("A", 64<<10+1), wecom.ReasonTooLarge},
		{"no base64", ks, sign("!!!!"), "!!!!", wecom.ReasonBase64},
		{"newline in base64", ks, sign(echo + "\n"), echo + "\n", wecom.ReasonBase64},
		{"one block", ks, sign("AAAAAAAAAAAAAAAAAAAAAA=="), "AAAAAAAAAAAAAAAAAAAAAA==", wecom.ReasonLength},
		{"half a block", ks, sign(strings.Repeat("AAAA", 11)), strings.Repeat("AAAA", 11), wecom.ReasonLength},
		{"pad 0", ks, sign(plain(strings.Repeat("\x00", 32))), plain(strings.Repeat("\x00", 32)), wecom.ReasonPadding},
		{"pad 33", ks, sign(plain(strings.Repeat("\x21", 64))), plain(strings.Repeat("\x21", 64)), wecom.ReasonPadding},
		{"pad unequal", ks, sign(plain(strings.Repeat("a", 30) + "\x01\x02")), plain(strings.Repeat("a", 30) + "\x01\x02"), wecom.ReasonPadding},
		{"padding only", ks, sign(plain(strings.Repeat("\x20", 32))), plain(strings.Repeat("\x20", 32)), wecom.ReasonLength},
		{"length outside", ks, sign(plain(random + "\x00\x00\x00\x0c" + "elevenbytes" + "\x01")), plain(random + "\x00\x00\x00\x0c" + "elevenbytes" + "\x01"), wecom.ReasonMessageLength},
		{"length as int32 negative", ks, sign(plain(random + "\xff\xff\xff\xff" + "elevenbytes" + "\x01")), plain(random + "\xff\xff\xff\xff" + "elevenbytes" + "\x01"), wecom.ReasonMessageLength},
		{"newline in receiveid", ks, sign(plain(random + "\x00\x00\x00\x00" + "eleven\nytes" + "\x01")), plain(random + "\x00\x00\x00\x00" + "eleven\nytes" + "\x01"), wecom.ReasonReceiveID},
		{"receiveid is no UTF-8", ks, sign(plain(random + "\x00\x00\x00\x00" + "eleven\xffytes" + "\x01")), plain(random + "\x00\x00\x00\x00" + "eleven\xffytes" + "\x01"), wecom.ReasonReceiveID},
	} {
		_, err := tt.keys.OpenEcho(tt.q, tt.encrypt)
		if !errors.Is(err, wecom.ErrEnvelope) || reason(err) != tt.want {
			t.Errorf("%s: %v (%q), want %q", tt.name, err, reason(err), tt.want)
			continue
		}
		if err.Error() != wecom.ErrEnvelope.Error() {
			t.Errorf("%s: outside one can tell: %q", tt.name, err)
		}
	}
	body := bytes.Repeat([]byte(" "), 64<<10+1)
	if _, err := ks.OpenBody(q, body); reason(err) != wecom.ReasonTooLarge {
		t.Errorf("OpenBody of 64 KiB and a byte = %v (%s)", err, reason(err))
	}
	if _, err := ks.OpenBody(q, []byte("<xml></xml>")); reason(err) != wecom.ReasonXML {
		t.Errorf("OpenBody without Encrypt = %v (%s)", err, reason(err))
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	current, sameToken, previous := key(t, "new", sampleKey), key(t, "old", sampleKey), key(t, "old", otherKey)
	ks := wecom.Keys{current, sameToken, previous} // the second shares the token with the third, not the AES key
	for want, k := range ks {
		body, q, err := k.Seal([]byte("<xml/>"), "ww1", "1", "n")
		if err != nil {
			t.Fatal(err)
		}
		got, err := ks.OpenBody(q, body)
		if err != nil || got.KeyIndex != want {
			t.Errorf("opened by key %d, %v; want %d", got.KeyIndex, err, want)
		}
	}
}

// A suite's key must not open what was sealed for another suite, whatever else fits.
func TestKeysDoNotCross(t *testing.T) {
	t.Parallel()
	a, b := key(t, "a", sampleKey), key(t, "b", otherKey)
	body, q, err := a.Seal([]byte("<xml/>"), "wwa", "1", "n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (wecom.Keys{b}).OpenBody(q, body); !errors.Is(err, wecom.ErrEnvelope) {
		t.Errorf("b opens what was sealed for a: %v", err)
	}
}

func TestSealRefusesWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	if _, _, err := (wecom.CallbackKey{}).Seal(nil, "", "1", "n"); !errors.Is(err, wecom.ErrCallbackKey) {
		t.Errorf("the zero key seals: %v", err)
	}
	k := key(t, sampleToken, sampleKey)
	for _, n := range []int{64<<10 + 1, 60 << 10} {
		if _, _, err := k.Seal(make([]byte, n), "", "1", "n"); err == nil {
			t.Errorf("a message of %d bytes was sealed into a body over the limit", n)
		}
	}
}

// What is sealed opens again; the outer XML decides about nothing; and the pad is
// always right, from 1 to 32.
func TestSealOpenRoundTrip(t *testing.T) {
	t.Parallel()
	k := key(t, sampleToken, sampleKey)
	ks := wecom.Keys{key(t, "other", otherKey), k}
	pads := map[int]bool{}
	for n := range 64 {
		echo, q, err := k.SealEcho(bytes.Repeat([]byte("m"), n), "", "1", "n")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ks.OpenEcho(q, echo); err != nil {
			t.Errorf("%d bytes: %v (%s)", n, err, reason(err))
		}
		pads[32-(20+n)%32] = true
	}
	if len(pads) != 32 {
		t.Errorf("%d pads seen, want 32", len(pads))
	}
	rapid.Check(t, func(t *rapid.T) {
		message := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "message")
		id := rapid.StringMatching(`[A-Za-z0-9_-]{0,64}`).Draw(t, "receiveid")
		timestamp := rapid.StringMatching(`[0-9]{1,20}`).Draw(t, "timestamp")
		nonce := rapid.StringMatching(`[0-9A-Za-z]{1,32}`).Draw(t, "nonce")
		body, q, err := k.Seal(message, id, timestamp, nonce)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(body, []byte("<AgentID>")); rapid.Bool().Draw(t, "outer changed") {
			body = append([]byte("<xml><ToUserName>forged</ToUserName>"), body[i:]...)
		}
		got, err := ks.OpenBody(q, body)
		if err != nil || !bytes.Equal(got.Message, message) || got.ReceiveID != id || got.KeyIndex != 1 {
			t.Fatalf("open = %q for %q by %d, %v; want %q for %q by 1", got.Message, got.ReceiveID, got.KeyIndex, err, message, id)
		}
	})
}

// Timestamp and nonce are joined without a separator, so bytes can move from one
// to the other under the same signature. Whatever opens then is the same message,
// which is what callers know an event by.
func TestResplitOpensTheSameMessage(t *testing.T) {
	t.Parallel()
	k := key(t, "zzzz", sampleKey) // sorts behind the digits, so that the two are neighbours
	rapid.Check(t, func(t *rapid.T) {
		message := rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "message")
		timestamp := rapid.StringMatching(`1[0-9]{9}`).Draw(t, "timestamp")
		nonce := rapid.StringMatching(`[0-9]{1,12}`).Draw(t, "nonce")
		echo, q, err := k.SealEcho(message, "ww1", timestamp, nonce)
		if err != nil {
			t.Fatal(err)
		}
		for _, joined := range []string{timestamp + nonce, nonce + timestamp} {
			for i := range joined {
				got, err := wecom.Keys{k}.OpenEcho(wecom.Query{Signature: q.Signature, Timestamp: joined[:i], Nonce: joined[i:]}, echo)
				if err == nil && !bytes.Equal(got.Message, message) {
					t.Fatalf("re-split at %d opens another message", i)
				}
				if err != nil && !errors.Is(err, wecom.ErrEnvelope) {
					t.Fatalf("re-split at %d: %v", i, err)
				}
			}
		}
	})
}

func TestMutatedMessagesDoNotOpen(t *testing.T) {
	t.Parallel()
	k := key(t, sampleToken, sampleKey)
	echo, q, err := k.SealEcho([]byte("<xml>cancel</xml>"), "ww1", "1409659589", "263014780")
	if err != nil {
		t.Fatal(err)
	}
	for i := range echo {
		for bit := range 8 {
			b := []byte(echo)
			b[i] ^= 1 << bit
			if b[i] == ' ' && echo[i] == '+' {
				continue // means the same, on purpose
			}
			if _, err := (wecom.Keys{k}).OpenEcho(q, string(b)); !errors.Is(err, wecom.ErrEnvelope) {
				t.Fatalf("bit %d of byte %d changed: %v", bit, i, err)
			}
		}
	}
}

func TestUnpad(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		k    int
		want int // length left, -1 for refused
	}{
		{"", 32, -1},
		{"a\x01", 32, 1},
		{"\x01", 32, 0},
		{"\x02", 32, -1}, // longer than there is
		{"a\x00", 32, -1},
		{"ab\x03\x02\x03", 32, -1}, // every byte counts
		{strings.Repeat("\x10", 16), 16, 0},
		{strings.Repeat("\x11", 17), 16, -1},
		{strings.Repeat("\x11", 17), 32, 0}, // 17 to 32 are legal here
		{strings.Repeat("\x20", 32), 32, 0},
		{strings.Repeat("\x21", 33), 32, -1},
	} {
		got, ok := wecom.Unpad([]byte(tt.in), tt.k)
		if n := len(got); ok != (tt.want >= 0) || ok && n != tt.want {
			t.Errorf("Unpad(%q, %d) = %d bytes, %v; want %d", tt.in, tt.k, n, ok, tt.want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.q.Timestamp, v.q.Nonce, v.q.Signature, v.encrypt, []byte("<xml><Encrypt><![CDATA["+v.encrypt+"]]></Encrypt></xml>"), []byte(v.message))
	}
	k := key(f, sampleToken, sampleKey)
	ks := wecom.Keys{k, key(f, "kjr2TKI8umCBfVF3wAHk8JiPwma5VBme", otherKey)}
	f.Fuzz(func(t *testing.T, timestamp, nonce, signature, encrypt string, body, plain []byte) {
		check := func(_ wecom.Opened, err error) {
			if err != nil && (!errors.Is(err, wecom.ErrEnvelope) || reason(err) == "") {
				t.Errorf("an error of another kind: %v", err)
			}
		}
		q := wecom.Query{Signature: signature, Timestamp: timestamp, Nonce: nonce}
		check(ks.OpenEcho(q, encrypt))
		check(ks.OpenBody(q, body))
		// Behind the signature: what a holder of the token could send.
		check(ks.OpenEcho(signed(sampleToken, "1", "n", encrypt), encrypt))
		if n := len(plain) / 16 * 16; n > 0 {
			raw := encryptRaw(t, sampleKey, string(plain[:n]))
			check(ks.OpenEcho(signed(sampleToken, "1", "n", raw), raw))
		}
		if len(plain) < 40<<10 {
			sealed, q, err := k.Seal(plain, "ww1", "1", "n")
			if err != nil {
				t.Fatal(err)
			}
			got, err := ks.OpenBody(q, sealed)
			if err != nil || !bytes.Equal(got.Message, plain) || got.ReceiveID != "ww1" {
				t.Errorf("what was sealed does not open: %v", err)
			}
		}
	})
}
