package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"

	"suitesign/secret"
)

const (
	// scheme is how every key begins. The secret scanner's rule is
	// suitesign_[0-9A-Za-z]{49}.
	scheme = "suitesign_"

	randomBytes   = 32 // 256 bits
	randomDigits  = 43 // of base 62: the fewest that hold 256 bits
	checkDigits   = 6  // of base 62: the fewest that hold a CRC-32
	visibleDigits = 8  // of the random part are shown later: 208 bits stay unseen
	length        = len(scheme) + randomDigits + checkDigits
	digits        = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// generate makes a key.
func generate() secret.String {
	random := make([]byte, randomBytes)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the program instead
	body := scheme + base62(new(big.Int).SetBytes(random), randomDigits)
	return secret.New(body + checksum(body))
}

// checksum is what a key with this body ends with.
func checksum(body string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))), checkDigits)
}

// base62 writes n with exactly width digits.
func base62(n *big.Int, width int) string {
	out := make([]byte, width)
	base, digit := big.NewInt(int64(len(digits))), new(big.Int)
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = digits[digit.Int64()]
	}
	return string(out)
}

// WellFormed tells whether v could be a key: what fails here is refused
// without asking the database.
func WellFormed(v secret.String) bool {
	key := v.Reveal()
	if len(key) != length || !strings.HasPrefix(key, scheme) {
		return false
	}
	body, check := key[:length-checkDigits], key[length-checkDigits:]
	if strings.Trim(body[len(scheme):], digits) != "" {
		return false
	}
	return check == checksum(body)
}

// prefixOf is the part of a key that is shown later, to know it by.
func prefixOf(v secret.String) string { return v.Reveal()[:len(scheme)+visibleDigits] }

// hashOf is what is stored of a key.
func hashOf(v secret.String) []byte {
	sum := sha256.Sum256([]byte(v.Reveal()))
	return sum[:]
}
