package wecom

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the callback signature is SHA-1 by definition
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"suitesign/secret"
)

// Sizes of the envelope (developer.work.weixin.qq.com/document/path/90968), and
// our own caps on what is looked at.
const (
	padBlock     = 32       // PKCS#7 over 32 bytes, not over AES's 16
	randomPrefix = 16       // random bytes in front of every message
	headerLen    = 16 + 4   // the random bytes and the message's length
	maxEnvelope  = 64 << 10 // bytes of a callback body, and of an echostr
	maxQueryText = 128      // bytes of a timestamp or nonce
	maxReceiveID = 128      // bytes of a receiveid
)

// ErrCallbackKey is returned for a callback token or EncodingAESKey that cannot be one.
var ErrCallbackKey = errors.New("invalid callback key")

// CallbackKey is the pair that a callback URL is configured with: the token that
// signs and the AES key that encrypts. The zero CallbackKey opens nothing.
type CallbackKey struct {
	// material is a func because fmt cannot look into one: where a CallbackKey sits in
	// somebody's unexported field, fmt does not call Format but prints what it finds.
	material func() *keyMaterial
}

type keyMaterial struct {
	token string
	block cipher.Block
	iv    []byte
}

// ParseCallbackKey reads a pair as the provider console shows it: a token of up to
// 32 alphanumerics and an EncodingAESKey of exactly 43
// (developer.work.weixin.qq.com/document/path/90238).
func ParseCallbackKey(token, encodingAESKey secret.String) (CallbackKey, error) {
	t, k := token.Reveal(), encodingAESKey.Reveal()
	if len(t) == 0 || len(t) > 32 || !alphanumeric(t) {
		return CallbackKey{}, fmt.Errorf("%w: the token must be 1 to 32 letters and digits", ErrCallbackKey)
	}
	if len(k) != 43 || !alphanumeric(k) {
		return CallbackKey{}, fmt.Errorf("%w: the EncodingAESKey must be exactly 43 letters and digits", ErrCallbackKey)
	}
	// Not Strict(): most real keys have bits set behind the 256th.
	key, err := base64.StdEncoding.DecodeString(k + "=")
	if err != nil || len(key) != 32 {
		return CallbackKey{}, fmt.Errorf("%w: the EncodingAESKey is not base64 of 32 bytes", ErrCallbackKey)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return CallbackKey{}, fmt.Errorf("%w: the EncodingAESKey is no AES key", ErrCallbackKey)
	}
	m := &keyMaterial{token: t, block: block, iv: key[:aes.BlockSize]}
	return CallbackKey{func() *keyMaterial { return m }}, nil
}

// Format keeps the key out of every fmt verb.
func (k CallbackKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "CallbackKey[REDACTED]") }

// IsZero reports whether there is no key.
func (k CallbackKey) IsZero() bool { return k.material == nil }

// Query is what the URL of a callback carries beside echostr, as text and
// URL-decoded exactly once.
type Query struct{ Signature, Timestamp, Nonce string }

// Opened is a message taken out of its envelope.
type Opened struct {
	Message   []byte
	ReceiveID string // for whom it was sealed; what is accepted where is the caller's policy
	KeyIndex  int    // which of the Keys opened it
}

// Keys are the pairs that are valid at the moment, the current one first: while a
// key is rotated in the console the previous one still opens what is on its way.
type Keys []CallbackKey

// OpenEcho opens the echostr of a URL verification. A proxy or a framework may
// have turned its '+' into spaces, so spaces count as '+'.
func (ks Keys) OpenEcho(q Query, echostr string) (Opened, error) {
	return ks.open(q, strings.ReplaceAll(echostr, " ", "+"))
}

// OpenBody opens the body of a push. Of the outer XML only Encrypt is looked at,
// for the signature covers nothing else.
func (ks Keys) OpenBody(q Query, body []byte) (Opened, error) {
	if len(body) > maxEnvelope {
		return Opened{}, refuse(ReasonTooLarge)
	}
	encrypt, err := extractEncrypt(body)
	if err != nil {
		return Opened{}, refuse(ReasonXML)
	}
	return ks.open(q, encrypt)
}

// open tries every key. Two pairs may share a token and differ in the AES key
// only, so a signature that fits does not end the search, a message does.
func (ks Keys) open(q Query, encrypt string) (Opened, error) {
	if len(encrypt) > maxEnvelope {
		return Opened{}, refuse(ReasonTooLarge)
	}
	mac, ok := q.mac()
	if !ok || encrypt == "" {
		return Opened{}, refuse(ReasonQuery)
	}
	reason := ReasonSignature
	for i, k := range ks {
		// The signature comes first: nothing of Encrypt is decoded before it fits.
		if k.IsZero() || subtle.ConstantTimeCompare(mac, k.material().sum(q.Timestamp, q.Nonce, encrypt)) != 1 {
			continue
		}
		o, r := k.material().decrypt(encrypt)
		if r == "" {
			o.KeyIndex = i
			return o, nil
		}
		reason = r
	}
	return Opened{}, refuse(reason)
}

// mac is the signature's 20 bytes. Timestamp and nonce enter the signature as
// text without a separator; digits only in the one leaves fewer other readings.
func (q Query) mac() ([]byte, bool) {
	if q.Timestamp == "" || len(q.Timestamp) > maxQueryText || strings.Trim(q.Timestamp, "0123456789") != "" ||
		q.Nonce == "" || len(q.Nonce) > maxQueryText || len(q.Signature) != hex.EncodedLen(sha1.Size) {
		return nil, false
	}
	mac, err := hex.DecodeString(q.Signature)
	return mac, err == nil
}

// sum is sha1 over the four values, sorted bytewise and joined.
func (m *keyMaterial) sum(timestamp, nonce, encrypt string) []byte {
	parts := []string{m.token, timestamp, nonce, encrypt}
	slices.Sort(parts)
	h := sha1.Sum([]byte(strings.Join(parts, ""))) //nolint:gosec // the callback signature is SHA-1 by definition
	return h[:]
}

// decrypt answers with the message, or with the reason why there is none.
func (m *keyMaterial) decrypt(encrypt string) (Opened, Reason) {
	if strings.ContainsAny(encrypt, "\r\n") { // encoding/base64 would skip them
		return Opened{}, ReasonBase64
	}
	b, err := base64.StdEncoding.DecodeString(encrypt)
	if err != nil {
		return Opened{}, ReasonBase64
	}
	if len(b) < 2*aes.BlockSize || len(b)%aes.BlockSize != 0 {
		return Opened{}, ReasonLength
	}
	cipher.NewCBCDecrypter(m.block, m.iv).CryptBlocks(b, b)
	b, ok := unpad(b, padBlock)
	if !ok {
		return Opened{}, ReasonPadding
	}
	if len(b) < headerLen {
		return Opened{}, ReasonLength
	}
	n := uint64(binary.BigEndian.Uint32(b[randomPrefix:headerLen]))
	rest := b[headerLen:]
	if n > uint64(len(rest)) {
		return Opened{}, ReasonMessageLength
	}
	id := string(rest[n:])
	if len(id) > maxReceiveID || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return Opened{}, ReasonReceiveID
	}
	return Opened{Message: rest[:n:n], ReceiveID: id}, ""
}

// unpad takes PKCS#7 padding over blocks of k bytes off b. Every pad byte is
// looked at, also where the first is already wrong.
func unpad(b []byte, k int) ([]byte, bool) {
	if len(b) == 0 {
		return nil, false
	}
	last := b[len(b)-1]
	n := int(last)
	if n < 1 || n > k || n > len(b) {
		return nil, false
	}
	cut := len(b) - n
	if subtle.ConstantTimeCompare(b[cut:], bytes.Repeat([]byte{last}, n)) != 1 {
		return nil, false
	}
	return b[:cut], true
}

// Seal puts message into an envelope as the platform does and answers with the
// body of the push and what its URL carries. The simulator speaks with it.
func (k CallbackKey) Seal(message []byte, receiveID, timestamp, nonce string) ([]byte, Query, error) {
	encrypt, q, err := k.SealEcho(message, receiveID, timestamp, nonce)
	if err != nil {
		return nil, Query{}, err
	}
	body := []byte("<xml><ToUserName>" + cdata(receiveID) + "</ToUserName><AgentID><![CDATA[]]></AgentID><Encrypt>" +
		cdata(encrypt) + "</Encrypt></xml>")
	if len(body) > maxEnvelope {
		return nil, Query{}, fmt.Errorf("seal: a body of %d bytes is over the limit of %d", len(body), maxEnvelope)
	}
	return body, q, nil
}

// SealEcho is Seal for a URL verification: it answers with the echostr.
func (k CallbackKey) SealEcho(message []byte, receiveID, timestamp, nonce string) (string, Query, error) {
	if k.IsZero() {
		return "", Query{}, fmt.Errorf("seal: %w: there is none", ErrCallbackKey)
	}
	if len(message) > maxEnvelope {
		return "", Query{}, fmt.Errorf("seal: a message of %d bytes is over the limit of %d", len(message), maxEnvelope)
	}
	m := k.material()
	b := make([]byte, headerLen, headerLen+len(message)+len(receiveID)+padBlock)
	_, _ = rand.Read(b[:randomPrefix])                                          // never fails
	binary.BigEndian.PutUint32(b[randomPrefix:headerLen], uint32(len(message))) //nolint:gosec // at most maxEnvelope
	b = append(append(b, message...), receiveID...)
	pad := padBlock - len(b)%padBlock
	b = append(b, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(m.block, m.iv).CryptBlocks(b, b)
	encrypt := base64.StdEncoding.EncodeToString(b)
	return encrypt, Query{Signature: hex.EncodeToString(m.sum(timestamp, nonce, encrypt)), Timestamp: timestamp, Nonce: nonce}, nil
}

// ErrEnvelope is the one error for every envelope that does not open: whoever
// sent it learns nothing about how far it came.
var ErrEnvelope = errors.New("callback envelope refused")

// EnvelopeError is ErrEnvelope with the reason, for counters and the log. Its
// text does not tell the reason, so that it cannot slip outside.
type EnvelopeError struct{ Reason Reason }

func refuse(r Reason) error { return &EnvelopeError{Reason: r} }

// Error is ErrEnvelope's text, whatever the reason.
func (e *EnvelopeError) Error() string { return ErrEnvelope.Error() }

// Unwrap makes every EnvelopeError an ErrEnvelope.
func (e *EnvelopeError) Unwrap() error { return ErrEnvelope }

// Reason says why an envelope was refused: a short word, fit for a metric's label.
type Reason string

// Why an envelope is refused.
const (
	ReasonTooLarge      Reason = "too_large"
	ReasonXML           Reason = "xml"            // not one Encrypt in strict XML
	ReasonQuery         Reason = "query"          // msg_signature, timestamp, nonce or echostr missing or misshapen
	ReasonSignature     Reason = "signature"      // no key's token makes this signature
	ReasonBase64        Reason = "base64"         // signed, but Encrypt is not base64
	ReasonLength        Reason = "length"         // signed, but no whole blocks, or too few
	ReasonPadding       Reason = "padding"        // signed, but the AES key is another one
	ReasonMessageLength Reason = "message_length" // the inner length points outside
	ReasonReceiveID     Reason = "receiveid"      // too long, not UTF-8, or with control characters
)

// cdata wraps s; an end marker inside it is split over two sections.
func cdata(s string) string {
	return "<![CDATA[" + strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>") + "]]>"
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
