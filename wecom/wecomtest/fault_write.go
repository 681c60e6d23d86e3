package wecomtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// errcode is the errcode that a fault answers with, if it does.
func (f *activeFault) errcode() (int, bool) {
	if f.fault == nil || f.Kind != Errcode {
		return 0, false
	}
	return f.code.code, true
}

// before inflicts what happens instead of the work. It reports whether the call is
// over.
func (f *activeFault) before(s *Server, w http.ResponseWriter, r *http.Request) bool {
	if !s.pause(r, f.delay) {
		cut(w)
		return true
	}
	if f.fault == nil {
		return false
	}
	switch f.Kind {
	case Errcode:
		write(w, reply{{"errcode", f.code.code}, {"errmsg", f.code.errmsg(s.now(), clientIP(r))}})
	case Status:
		http.Error(w, http.StatusText(f.n), f.n)
	case HTML:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.n)
		//nolint:gosec // a number, and the text that belongs to it
		fmt.Fprintf(w, "<html><head><title>%d</title></head><body><center><h1>%[1]d %[2]s</h1></center></body></html>\n", f.n, http.StatusText(f.n))
	case Empty:
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(http.StatusOK)
	case Redirect:
		w.Header().Set("Location", f.text("https://example.com/"))
		w.WriteHeader(http.StatusFound)
	case Drop:
		cut(w)
	case Silent:
		s.pause(r, time.Hour)
		cut(w)
	default:
		return false
	}
	return true
}

// pause waits in real time, until the client leaves or the simulator closes.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	case <-s.closing.Done():
		return false
	}
}

func (f *activeFault) text(otherwise string) string {
	var text string
	if f.Value != nil && json.Unmarshal(f.value, &text) == nil {
		return text
	}
	return otherwise
}

// write inflicts what happens to the answer.
func (f *activeFault) write(s *Server, w http.ResponseWriter, r *http.Request, out reply) {
	if f.fault == nil { // it was only late
		write(w, out)
		return
	}
	switch f.Kind {
	case ExpiresIn:
		out = out.set("expires_in", f.value)
	case SetFields:
		var m map[string]json.RawMessage
		_ = json.Unmarshal(f.value, &m) // parsed once before
		for name, v := range m {
			out = out.set(name, v)
		}
	case DuplicateKeys:
		out = out.doubled()
	case Strings:
		out = out.asStrings()
	case ContentType:
		w = otherType{w, f.text("text/html")}
	default: // writeBytes knows the others
	}
	b, err := json.Marshal(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	f.writeBytes(s, w, r, b)
}

func (f *activeFault) writeBytes(s *Server, w http.ResponseWriter, r *http.Request, b []byte) {
	switch f.Kind {
	case DropAfter:
		cut(w)
	case Malformed:
		writeBytes(w, []byte(f.text(string(b[:len(b)-1])+",")))
	case Truncated:
		n := f.n
		if n < 0 || n > len(b) {
			n = len(b) / 2
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(b))) // promised, and not kept: net/http cuts the connection
		writeBytes(w, b[:n])
	case Slow:
		f.dribble(s, w, r, b)
	case Big:
		writeBytes(w, append(b[:len(b)-1], `,"padding":"`...))
		_, _ = io.CopyN(w, endless{}, int64(f.n)) // the client may have had enough
		_, _ = io.WriteString(w, `"}`)
	case BOM:
		writeBytes(w, append([]byte("\xef\xbb\xbf"), b...))
	case Null:
		writeBytes(w, []byte("null"))
	default:
		writeBytes(w, b)
	}
}

func (f *activeFault) dribble(s *Server, w http.ResponseWriter, r *http.Request, b []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	out := http.NewResponseController(w)
	for i := range b {
		if i > 0 && !s.pause(r, f.fault.delay) { // f.delay is the latency
			return
		}
		if _, err := w.Write(b[i : i+1]); err != nil {
			return
		}
		_ = out.Flush() // the next Write tells
	}
}

// set replaces a key of the answer; null removes it.
func (r reply) set(name string, value json.RawMessage) reply {
	out := make(reply, 0, len(r)+1)
	found := false
	null := string(bytes.TrimSpace(value)) == "null"
	for _, f := range r {
		if f.name != name {
			out = append(out, f)
			continue
		}
		found = true
		if !null {
			out = append(out, field{name, value})
		}
	}
	if !found && !null {
		out = append(out, field{name, value})
	}
	return out
}

// doubled has every key twice: whoever takes the first and whoever takes the last
// see different answers.
func (r reply) doubled() reply {
	out := make(reply, 0, 2*len(r))
	for _, f := range r {
		var other any
		switch v := f.value.(type) {
		case string:
			other = "other-" + v
		case int:
			other = v + 1
		}
		out = append(out, field{f.name, other}, f)
	}
	return out
}

func (r reply) asStrings() reply {
	out := make(reply, 0, len(r))
	for _, f := range r {
		if n, isInt := f.value.(int); isInt {
			f.value = fmt.Sprint(n)
		}
		out = append(out, f)
	}
	return out
}

// otherType is a ResponseWriter that insists on its Content-Type.
type otherType struct {
	http.ResponseWriter
	contentType string
}

func (o otherType) WriteHeader(status int) {
	o.Header().Set("Content-Type", o.contentType)
	o.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (o otherType) Unwrap() http.ResponseWriter { return o.ResponseWriter }

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, strings.Repeat("x", len(p))), nil }
