package secret

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// masterKeySize makes it AES-256.
const masterKeySize = 32

// ErrMasterKey is returned for a master key that is none.
var ErrMasterKey = errors.New("the master key is not 32 bytes in standard base64 (make one with: openssl rand -base64 32)")

// MasterKey wraps the keyset. It lives outside the database, in the environment
// or in a file, and is kept here as nothing but the cipher made of it.
type MasterKey struct{ aead tink.AEAD }

// ParseMasterKey reads 32 bytes in standard base64; white space around them, as
// the end of a file has it, is no fault. The error never quotes the key.
func ParseMasterKey(encoded String) (MasterKey, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded.Reveal()))
	if err != nil || len(raw) != masterKeySize {
		return MasterKey{}, ErrMasterKey
	}
	defer clear(raw)
	aead, err := subtle.NewAESGCM(raw)
	if err != nil {
		return MasterKey{}, ErrMasterKey
	}
	return MasterKey{aead: aead}, nil
}

// Format keeps fmt from walking into the cipher.
func (MasterKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }
