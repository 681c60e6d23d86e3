package explain

import (
	"bytes"
	"encoding/json"
)

// plain writes JSON without escapes for HTML, which make a URL hard to read; who
// wants them (json.Marshal) escapes afterwards.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// MarshalJSON writes the report as POST /v1/explain answers it.
func (r Report) MarshalJSON() ([]byte, error) {
	return plain(struct {
		OK        bool      `json:"ok"`
		URL       *string   `json:"url"`
		Canonical *string   `json:"canonical"`
		SignedBy  *SignedBy `json:"signed_by"`
		Findings  []Finding `json:"findings"`
	}{r.OK, orNil(r.Page), orNil(r.Canonical), r.SignedBy, append([]Finding{}, r.Findings...)})
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// MarshalJSON writes a position that means nothing as null.
func (e Evidence) MarshalJSON() ([]byte, error) {
	position := &e.Position
	if e.Position < 0 {
		position = nil
	}
	return plain(struct {
		Field    string `json:"field"`
		Position *int   `json:"position"`
		Expected string `json:"expected"`
		Found    string `json:"found"`
	}{e.Field, position, e.Expected, e.Found})
}
