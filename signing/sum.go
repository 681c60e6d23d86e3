package signing

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the JS-SDK signature is SHA-1 by definition
	"encoding/hex"
	"strconv"
	"time"

	"suitesign/secret"
)

const (
	nonceLen    = 32
	sumLen      = 2 * sha1.Size
	typicalSize = 1024 // a message up to this length is put together on the stack
)

// Sum is WeCom's JS-SDK signature of a page: 40 hex digits. The fields are joined
// as they are, in this order; nothing is escaped or lower-cased
// (developer.work.weixin.qq.com/document/path/90506).
func Sum(ticket secret.String, nonce, timestamp, page string) string {
	var hexed [sumLen]byte
	sum(hexed[:], ticket, []byte(nonce), []byte(timestamp), page)
	return string(hexed[:])
}

// sum writes the signature to dst.
func sum(dst []byte, ticket secret.String, nonce, timestamp []byte, page string) {
	var stack [typicalSize]byte
	m := append(stack[:0], "jsapi_ticket="...)
	m = append(m, ticket.Reveal()...)
	m = append(m, "&noncestr="...)
	m = append(m, nonce...)
	m = append(m, "&timestamp="...)
	m = append(m, timestamp...)
	m = append(m, "&url="...)
	m = append(m, page...)
	digest := sha1.Sum(m) //nolint:gosec // by definition, see above
	hex.Encode(dst, digest[:])
}

// A Signature is what wx.config, wx.agentConfig and ww.register take.
type Signature struct {
	Timestamp string `json:"timestamp"`
	NonceStr  string `json:"nonceStr"`
	Signature string `json:"signature"`
}

// newSignature signs a page at a time with a nonce of its own.
func newSignature(ticket secret.String, now time.Time, page string) Signature {
	var buf [nonceLen + sumLen + 20]byte
	nonce := buf[:nonceLen]
	newNonce(nonce)
	ts := strconv.AppendInt(buf[nonceLen+sumLen:nonceLen+sumLen], now.Unix(), 10)
	sum(buf[nonceLen:], ticket, nonce, ts, page)
	text := string(buf[:nonceLen+sumLen+len(ts)]) // one allocation for the three
	return Signature{
		NonceStr:  text[:nonceLen],
		Signature: text[nonceLen : nonceLen+sumLen],
		Timestamp: text[nonceLen+sumLen:],
	}
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newNonce fills dst with characters of the alphabet, each as likely as the
// others: a random byte beyond the last whole multiple of 62 is thrown away.
func newNonce(dst []byte) {
	const fair = 256 - 256%len(alphabet)
	var random [nonceLen + nonceLen/4]byte // 1 in 32 is thrown away: one read is nearly always enough
	n := 0
	for n < len(dst) {
		_, _ = rand.Read(random[:]) // never fails (crypto/rand)
		for _, b := range random {
			if int(b) < fair && n < len(dst) {
				dst[n] = alphabet[int(b)%len(alphabet)]
				n++
			}
		}
	}
}
