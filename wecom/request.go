package wecom

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"

	"suitesign/secret"
)

// request is one call: what goes into the query and what into the body. Values
// are secret.String, text or numbers; a nil body makes a GET.
type request struct {
	api   string
	query fields
	body  fields
}

// field is a parameter. The order is kept, so that a call always looks the same.
type field struct {
	name  string
	value any // secret.String, string, int64, fields
}

type fields []field

// http writes the request down. It is the one place where secrets are revealed.
func (r request) http(ctx context.Context, base *url.URL) (*http.Request, error) {
	u := *base
	u.Path += "/cgi-bin/" + r.api
	q := url.Values{}
	for _, f := range r.query {
		q.Set(f.name, reveal(f.value).(string))
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "suitesign")
	req.Header.Set("Accept", "application/json")
	if r.body == nil {
		// net/http repeats a GET by itself when a kept connection dies, as often as
		// there are kept ones. A body that it cannot wind back forbids that: calls
		// are counted, and whoever counts them decides about another one.
		req.Body = io.NopCloser(noBody{})
		req.ContentLength = -1 // it looks, finds nothing and sends none
		return req, nil
	}
	b, err := json.Marshal(r.body)
	if err != nil {
		return nil, err
	}
	// A POST is repeated by net/http only if nothing of it was written.
	req.Method = http.MethodPost
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	req.Header.Set("Content-Type", "application/json") // a form is 47001
	return req, nil
}

type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }

// MarshalJSON writes an object in the order of the fields, secrets revealed.
func (fs fields) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range fs {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(f.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(reveal(f.value))
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

func reveal(v any) any {
	if s, ok := v.(secret.String); ok {
		return s.Reveal()
	}
	return v
}

// missing names the first parameter that is empty. The platform would count such
// a call as one with a wrong secret.
func (r request) missing() string {
	for _, f := range slices.Concat(r.query, r.body) {
		if v, ok := reveal(f.value).(string); ok && v == "" {
			return f.name
		}
	}
	return ""
}

// secrets are the values that must not be seen in what the platform says about the call.
func (r request) secrets() []secret.String {
	var all []secret.String
	for _, f := range slices.Concat(r.query, r.body) {
		if s, ok := f.value.(secret.String); ok {
			all = append(all, s)
		}
	}
	return all
}
