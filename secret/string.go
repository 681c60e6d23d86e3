package secret

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every printing path of a String shows.
const redacted = "[REDACTED]"

// String is a value that must not be seen: a secret, a token, a ticket. However
// it is printed, logged or marshalled it shows [REDACTED]; Reveal is the one way
// out. The zero String is the empty value.
type String struct{ v string }

// New makes a String of v.
func New(v string) String { return String{v: v} }

// Reveal answers with the value itself. Call it where the bytes leave: in a
// request to the platform, in a signature, under a seal.
func (s String) Reveal() string { return s.v }

// IsZero reports whether there is no value.
func (s String) IsZero() bool { return s.v == "" }

// Equal compares in time that does not depend on the contents.
func (s String) Equal(t String) bool {
	return subtle.ConstantTimeCompare([]byte(s.v), []byte(t.v)) == 1
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

// UnmarshalJSON reads a JSON string into the value.
func (s *String) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &s.v) }

// UnmarshalText reads text, for configuration, into the value.
func (s *String) UnmarshalText(b []byte) error {
	s.v = string(b)
	return nil
}
