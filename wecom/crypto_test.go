package wecom_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"sort"
	"strings"
	"testing"

	"suitesign/wecom"
)

// signed makes a valid signature over any text, as a holder of the token could.
func signed(token, timestamp, nonce, encrypt string) wecom.Query {
	parts := []string{token, timestamp, nonce, encrypt}
	sort.Strings(parts)
	h := sha1.Sum([]byte(strings.Join(parts, "")))
	return wecom.Query{Signature: hex.EncodeToString(h[:]), Timestamp: timestamp, Nonce: nonce}
}

// encryptRaw encrypts whole blocks as they are: padding and lengths are the caller's.
func encryptRaw(t testing.TB, encodingAESKey, plain string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	b := []byte(plain)
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(b, b)
	return base64.StdEncoding.EncodeToString(b)
}
