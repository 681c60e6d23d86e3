package wecomtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// control makes an operation of what answers or fails.
func control(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		if err != nil {
			writeProblem(w, err)
			return
		}
		b, err := json.Marshal(out)
		if err != nil {
			writeProblem(w, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		writeBytes(w, append(b, '\n'))
	}
}

// problem is what a refused control answers with.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func writeProblem(w http.ResponseWriter, err error) {
	p := problem{Title: "internal error", Status: http.StatusInternalServerError, Detail: err.Error()}
	switch {
	case errors.Is(err, errMethod):
		p.Title, p.Status = "method not allowed", http.StatusMethodNotAllowed
	case errors.Is(err, errMediaType):
		p.Title, p.Status = "unsupported media type", http.StatusUnsupportedMediaType
	case errors.Is(err, ErrInvalid), errors.Is(err, errFault):
		p.Title, p.Status = "bad request", http.StatusBadRequest
	case errors.Is(err, ErrUnknown):
		p.Title, p.Status = "not found", http.StatusNotFound
	case errors.Is(err, ErrConflict):
		p.Title, p.Status = "conflict", http.StatusConflict
	}
	b, _ := json.Marshal(p)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n')) // the client may have left
}

// wrongMethod answers for a path whose operations have other methods.
func wrongMethod(known []string) http.HandlerFunc {
	allow := strings.Join(known, ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		writeProblem(w, fmt.Errorf("%w: %s; %s knows %s", errMethod, r.Method, r.URL.Path, allow))
	}
}

func notFound(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, fmt.Errorf("%w: there is no %s here; GET /sim/openapi.yaml lists the controls", ErrUnknown, r.URL.Path))
}

var (
	errMediaType = errors.New("unsupported media type")
	errMethod    = errors.New("method not allowed")
)

// read decodes a control's body: JSON, one object, no field that does not exist.
func read(r *http.Request, into any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return fmt.Errorf("%w: send Content-Type: application/json", errMediaType)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("%w: the body could not be read: %w", ErrInvalid, err)
	}
	if len(b) > maxBody {
		return fmt.Errorf("%w: the body is longer than %d bytes", ErrInvalid, maxBody)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		return fmt.Errorf("%w: the body must be a JSON object", ErrInvalid)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: body: %s", ErrInvalid, strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: body: something follows the JSON object", ErrInvalid)
	}
	return nil
}

// filter reads the query parameters that an operation knows.
func filter(r *http.Request, known ...string) (map[string]string, error) {
	out := map[string]string{}
	for name, v := range r.URL.Query() {
		found := false
		for _, k := range known {
			found = found || k == name
		}
		if !found || len(v) != 1 {
			return nil, fmt.Errorf("%w: query parameter %q: known, and once each, are: %s", ErrInvalid, name, strings.Join(known, ", "))
		}
		out[name] = v[0]
	}
	return out, nil
}
