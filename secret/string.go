package secret

import (
	"crypto/subtle"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every printing path of a String shows.
const redacted = "[REDACTED]"

// errUnsealed keeps a value from being stored, or its redaction from being stored in its place.
var errUnsealed = errors.New("secret: a String is stored sealed, or not at all")

// String is a value that must not be seen: a secret, a token, a ticket. However
// it is printed, logged or marshalled it shows [REDACTED]; Reveal is the one way
// out. The zero String is the empty value.
//
// The value stands behind a pointer because fmt calls no methods on unexported
// fields: of a struct that holds a String in one it prints what it finds, and
// that is then an address. Strings are compared by Equal; == does not compile.
type String struct {
	_ [0]func()
	v *string
}

// New makes a String of v.
func New(v string) String {
	if v == "" {
		return String{}
	}
	return String{v: &v}
}

// Reveal answers with the value itself. Call it where the bytes leave: in a
// request to the platform, in a signature, under a seal.
func (s String) Reveal() string {
	if s.v == nil {
		return ""
	}
	return *s.v
}

// IsZero reports whether there is no value.
func (s String) IsZero() bool { return s.v == nil }

// Equal compares in time that does not depend on the contents.
func (s String) Equal(t String) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// String shows [REDACTED], so that no fmt verb or concatenation shows the value.
func (s String) String() string { return redacted }

// GoString is String for %#v.
func (s String) GoString() string { return redacted }

// Format is what every fmt verb uses, so that no verb, not even %x or %d, reaches the value.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is what slog prints.
func (s String) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON shows [REDACTED] in JSON.
func (s String) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText shows [REDACTED] in text formats, YAML among them.
func (s String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Value refuses to be a parameter of an SQL statement.
func (s String) Value() (driver.Value, error) { return nil, errUnsealed }

// UnmarshalJSON reads a JSON string into the value.
func (s *String) UnmarshalJSON(b []byte) error {
	var v string
	if err := json.Unmarshal(b, &v); err != nil {
		return errors.New("secret: not a JSON string") // the decoder's own error may quote what it read
	}
	*s = New(v)
	return nil
}

// UnmarshalText reads text, for configuration, into the value.
func (s *String) UnmarshalText(b []byte) error {
	*s = New(string(b))
	return nil
}
