package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Fields tell what a thing is, by the names that the admin API gives its fields.
type Fields map[string]any

// Marker stands for a secret, whose value never gets in.
type Marker string

// The markers.
const (
	Set     Marker = "set"     // there is one
	Changed Marker = "changed" // there is another one now
)

// SetIf marks a secret that may be there; without one it is a field of no value.
func SetIf(there bool) any {
	if there {
		return Set
	}
	return nil
}

// revealer is what secret.String is. This room cannot import it: the keyring is audited too.
type revealer interface {
	Reveal() string
	IsZero() bool
}

// masked is a value as it may be kept.
func masked(v any) any {
	switch v := v.(type) {
	case revealer:
		return SetIf(!v.IsZero())
	case []byte: // nothing that is meant to be read is bytes; what is sealed or hashed is
		return SetIf(len(v) > 0)
	}
	return v
}

// encode writes each field as JSON. One without a value is left out.
func (f Fields) encode() (map[string]json.RawMessage, error) {
	out := make(map[string]json.RawMessage, len(f))
	for name, v := range f {
		b, err := json.Marshal(masked(v))
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
		if !bytes.Equal(b, []byte("null")) {
			out[name] = b
		}
	}
	return out, nil
}

// diff keeps of two sets of fields what differs. A field that only one of them
// has differs. Neither has any: nothing does.
func diff(before, after Fields) (was, is map[string]json.RawMessage, err error) {
	if was, err = before.encode(); err != nil {
		return nil, nil, err
	}
	if is, err = after.encode(); err != nil {
		return nil, nil, err
	}
	for name, v := range was {
		if w, ok := is[name]; ok && bytes.Equal(v, w) {
			delete(was, name)
			delete(is, name)
		}
	}
	return was, is, nil
}
