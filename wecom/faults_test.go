package wecom_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/wecom"
)

// fault is a way to fail. Every one of them echoes the whole request where it can.
type fault struct {
	name    string
	handler http.HandlerFunc
	class   wecom.Class
	is      error // what the error wraps
	sent    bool
}

// echo is everything that a call carried: request line, query and body, as they came and decoded.
func echo(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	return fmt.Sprintf("%s %s %s %v", r.Method, r.URL, body, r.URL.Query())
}

// raw answers with bytes that net/http would not write, and closes.
func raw(answer func(r *http.Request) string, reset bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text := answer(r)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, text)
		if reset {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		conn.Close()
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "<html>"+echo(r))
	}
}

// body answers 200 with what f makes of the echo.
func body(f func(echo string) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, f(echo(r))) }
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

var faults = []fault{
	{"closed", raw(func(*http.Request) string { return "" }, false), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"reset", raw(func(*http.Request) string { return "" }, true), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"no HTTP", raw(echo, false), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"a broken status", raw(func(r *http.Request) string { return "HTTP/1.1 " + echo(r) + "\r\n\r\n" }, false), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"a broken header", raw(func(r *http.Request) string { return "HTTP/1.1 200 OK\r\n" + echo(r) + "\r\n\r\n" }, false), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"truncated body", raw(func(r *http.Request) string {
		return "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{\"" + echo(r)
	}, false), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"broken chunks", raw(func(r *http.Request) string {
		return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + echo(r) + "\r\n"
	}, false), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"500", status(500), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"502", status(502), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"503", status(503), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"404", status(404), wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"a broken redirect", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://%zz/"+r.URL.RawQuery)
		w.WriteHeader(http.StatusFound)
	}, wecom.ClassTransient, wecom.ErrUnreachable, true},
	{"HTML", body(func(e string) string { return "<html>" + e }), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"a BOM", body(func(string) string { return "\ufeff{\"errcode\":0}" }), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"nothing", body(func(string) string { return "" }), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"null", body(func(string) string { return "null" }), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"{}", body(func(string) string { return "{}" }), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"a list", body(func(string) string { return "[{}]" }), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"a text", body(quoted), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"truncated JSON", body(func(e string) string { return `{"errcode":0,"errmsg":` + quoted(e) }), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"a key twice", body(func(e string) string { return "{" + quoted(e) + ":1," + quoted(e) + ":1}" }), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"a body of 1 MiB and more", body(func(e string) string { return "{" + quoted(e) + ":0}" + strings.Repeat(" ", 1<<20) }), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"errcode in words", body(func(e string) string { return `{"errcode":` + quoted(e) + `}` }), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"values that are none", body(func(e string) string {
		return fmt.Sprintf(`{"errcode":0,"expires_in":%q,"access_token":{%q:1},"ticket":[%q],"permanent_code":"","suite_access_token":%q,"agentid":%[1]q,"auth_corp_info":%[1]q}`, e, e, e, e+strings.Repeat("x", 512))
	}), wecom.ClassTransient, wecom.ErrMalformed, true},
	{"errcode 40014", body(func(e string) string { return `{"errcode":40014,"errmsg":` + quoted(e) + `}` }), wecom.ClassStaleToken, nil, false},
	{"errcode 60020 with the rest", body(func(e string) string {
		return `{"errcode":60020,"errmsg":` + quoted("not allow to access from your ip, hint: [123], from ip: 203.0.113.9, "+e) + `,"access_token":` + quoted(e) + `}`
	}), wecom.ClassIP, nil, false},
}

// Whatever goes wrong on whatever call: the class is right, nothing half is
// returned, and no form of printing the error shows what the call carried.
func TestNoFaultShowsASecret(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, f.handler)
			c := client(t, s.URL)
			for _, a := range apiCalls {
				if f.name == "values that are none" && a.api == wecom.APISetSessionInfo {
					continue // it asks for no value: this is success
				}
				checkFault(t, c, a, f)
			}
		})
	}
}

func checkFault(t *testing.T, c *wecom.Client, a apiCall, f fault) {
	t.Helper()
	v, err := a.call(t.Context(), c)
	if err == nil {
		t.Errorf("%s: no error", a.api)
		return
	}
	if d := cmp.Diff(a.zero, v); d != "" {
		t.Errorf("%s: half an answer beside the error (-want +got):\n%s", a.api, d)
	}
	if text := printsChain(err); strings.Contains(text, canary) {
		t.Errorf("%s shows a secret: %s", a.api, text)
	}
	if !strings.HasPrefix(err.Error(), "wecom "+a.api+": ") {
		t.Errorf("%s: %v does not begin with the call", a.api, err)
	}
	if got := wecom.Classify(err); got != f.class {
		t.Errorf("%s: class %v of %v, want %v", a.api, got, err, f.class)
	}
	if f.is != nil && !errors.Is(err, f.is) {
		t.Errorf("%s: %v is not %v", a.api, err, f.is)
	}
	if got := errors.Is(err, wecom.ErrOutcomeUnknown); got != f.sent {
		t.Errorf("%s: outcome unknown is %v of %v, want %v", a.api, got, err, f.sent)
	}
}

// The same where no request arrives. What is not sent has no effect, and says so.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	plain := serve(t, answers("{}"))
	unknownCA, oldTLS := serveTLS(t, tls.VersionTLS13), serveTLS(t, tls.VersionTLS11)
	gone := httptest.NewServer(answers("{}"))
	gone.Close()
	for _, tt := range []struct{ name, base, reason string }{
		{"refused", gone.URL, "connection refused"},
		{"unknown authority", unknownCA.URL, "TLS: certificate of an unknown authority"},
		{"TLS 1.1", oldTLS.URL, "TLS: refused by the server"},
		{"no TLS", "https" + strings.TrimPrefix(plain.URL, "http"), "TLS: the server does not speak it"},
	} {
		c := client(t, tt.base)
		for _, a := range apiCalls {
			checkFault(t, c, a, fault{class: wecom.ClassTransient, is: wecom.ErrUnreachable, sent: false})
			_, err := a.call(t.Context(), c)
			var e *wecom.CallError
			if !errors.As(err, &e) || e.Reason != tt.reason || e.Sent {
				t.Errorf("%s: %v, want reason %q, not sent", tt.name, err, tt.reason)
			}
		}
	}
}

// serveTLS starts a TLS server that speaks no newer version than newest.
func serveTLS(t *testing.T, newest uint16) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(answers("{}"))
	s.TLS = &tls.Config{MaxVersion: newest}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	for _, code := range []int{301, 302, 303, 307, 308} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", other.URL+r.URL.RequestURI())
			w.WriteHeader(code)
		})
		own := client(t, s.URL)
		given := &wecom.Client{BaseURL: s.URL, HTTP: &http.Client{Transport: wecom.NewTransport()}}
		t.Cleanup(given.CloseIdleConnections)
		for _, a := range apiCalls {
			f := fault{class: wecom.ClassTransient, is: wecom.ErrUnreachable, sent: true}
			checkFault(t, own, a, f)
			checkFault(t, given, a, f)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d calls reached another host", n)
	}
}

// A caller that goes away ends the call, and finds its own error in ours.
func TestCallerEndsTheCall(t *testing.T) {
	t.Parallel()
	arrived := make(chan context.CancelFunc, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		(<-arrived)()
		<-r.Context().Done()
	})
	c := client(t, s.URL)
	for _, a := range apiCalls {
		ctx, cancel := context.WithCancel(t.Context())
		arrived <- cancel
		_, err := a.call(ctx, c)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, wecom.ErrUnreachable) || !errors.Is(err, wecom.ErrOutcomeUnknown) {
			t.Errorf("%s: %v, want a cancelled call of unknown outcome", a.api, err)
		}
		if text := printsChain(err); strings.Contains(text, canary) {
			t.Errorf("%s shows a secret: %s", a.api, text)
		}
		// And one that never began.
		_, err = a.call(ctx, c)
		if !errors.Is(err, context.Canceled) || errors.Is(err, wecom.ErrOutcomeUnknown) {
			t.Errorf("%s: %v, want a cancelled call that was not sent", a.api, err)
		}
		late, stop := context.WithDeadline(t.Context(), time.Unix(1, 0))
		_, err = a.call(late, c)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, wecom.ErrOutcomeUnknown) {
			t.Errorf("%s: %v, want a late call that was not sent", a.api, err)
		}
		stop()
		cancel()
	}
}
