package wecomtest

import (
	"crypto/rand"
	"encoding/base64"
	"math/big"
	"strconv"
	"time"
)

const alphanumerics = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// opaque is a value of n random bytes as base64url: its alphabet is wider than
// letters and digits, as the platform promises none.
func opaque(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// letters is n random letters and digits.
func letters(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = alphanumerics[int(b[i])%len(alphanumerics)]
	}
	return string(b)
}

// newAESKey is an EncodingAESKey: 43 letters and digits, most of which have bits
// set behind the 256th, as real ones do.
func newAESKey() string { return letters(43) }

// hint is the number in an errmsg that the platform's staff ask for.
func hint(now time.Time) string {
	n, _ := rand.Int(rand.Reader, big.NewInt(1_000_000_000_000_000)) // never fails
	s := n.String()
	for len(s) < 15 {
		s = "0" + s
	}
	return strconv.FormatInt(now.Unix(), 10) + s
}
