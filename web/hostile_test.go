package web

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"suitesign/suite"
	"suitesign/wecom"
)

// openHouse is the public listener in front of rooms that let everything pass.
func openHouse(t *testing.T) (http.Handler, *logLines) {
	t.Helper()
	s, log := newServer()
	s.PublicURL = "https://sign.example.com"
	s.Signer = signerFunc(likeSigning)
	s.Callbacks = callbacks{
		verify:  func(wecom.SuiteID, suite.Door, wecom.Query, string) ([]byte, error) { return []byte("echo"), nil },
		receive: func(context.Context, wecom.SuiteID, suite.Door, wecom.Query, []byte) error { return nil },
	}
	s.Installs = &installs{finish: func(string, string, string) (uuid.UUID, error) { return uuid.Nil, suite.ErrState }}
	s.VerificationFiles = files{}
	return s.Public(), log
}

// Whatever comes over the wire, the answer is HTTP, never a fault of ours, and
// an error of ours is a problem.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	h, log := openHouse(t)
	ts := httptest.NewUnstartedServer(nil)
	ts.Config, ts.Listener = newHTTPServer(h, nil), lazyListener{ts.Listener}
	ts.Start()
	t.Cleanup(ts.Close)
	for _, tt := range []struct {
		name, raw string
		status    int
	}{
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		{"absolute form", "GET http://evil.example/healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"authority form", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 404},
		{"trace", "TRACE /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		{"double slash", "GET //healthz HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		{"dots", "GET /install/../healthz HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		{"upper case", "GET /API/JSSDK/SIGNATURES?url=https://a.com/ HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		{"trailing slash", "GET /api/jssdk/signatures/?url=https://a.com/ HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		{"escaped path", "GET /api/jssdk/%73ignatures?url=https://a.com/ HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"escaped slash in an id", "GET /install/ww%2F..%2Fx HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		{"NUL in an id", "GET /install/ww%00 HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		{"broken UTF-8 in an id", "GET /install/%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		{"broken UTF-8 in a url", "GET /api/jssdk/signatures?url=https://a.com/%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"NUL in a url", "GET /api/jssdk/signatures?url=https://a.com/%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"line break in a url", "GET /api/jssdk/signatures?url=https://a.com/%0d%0aX:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"line break in a name", "GET /api/jssdk/signatures?url=https://a.com/&x%0d%0aSet-Cookie:a=b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"override", "POST /healthz HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n", 405},
		{"body that is said to be huge", "POST /install/wwA HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413},
		{"forged log line", "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\tmsg=admin\r\n\r\n", 200},
		{"forwarded", "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Prefix: //evil.example\r\n\r\n", 200},
		{"both lengths", "POST /install/wwA HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 303},
		{"no host", "GET /healthz HTTP/1.1\r\n\r\n", 400},
		{"two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"header too large", "GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", ts.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.raw); err != nil && tt.status != 431 {
				t.Fatal(err)
			}
			method, _, _ := strings.Cut(tt.raw, " ")
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.status)
			}
			ours := resp.Header.Get("X-Request-Id") != ""
			if ours && resp.StatusCode >= 400 && resp.Header.Get("Content-Type") != problemType {
				t.Errorf("an error of type %q", resp.Header.Get("Content-Type"))
			}
			if len(resp.Cookies()) > 0 && tt.status >= 400 {
				t.Errorf("cookies %v", resp.Cookies())
			}
		})
	}
	for _, line := range log.requests(t) {
		if line["ip"] != "127.0.0.1" {
			t.Errorf("logged ip %v, want the peer's", line["ip"])
		}
	}
}

// No method, path or query makes a fault of ours, and no error goes out as
// anything but a problem.
func TestAnyRequestHasAnAnswer(t *testing.T) {
	t.Parallel()
	h, _ := openHouse(t)
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"api", "jssdk", "signatures", "config-signature", "agent-signature", "callback", "command", "data",
			"install", "redirect", "result", "status", "healthz", "WW_verify_abcdefgh.txt", "wwA", "..", ".", "", uuid.NewString()}),
		rapid.String(),
	)
	parameter := rapid.OneOf(
		rapid.SampledFrom([]string{"url", "suite_id", "corp_id", "agent_id", "_", "msg_signature", "timestamp", "nonce", "echostr", "auth_code", "state"}),
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		method := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X"}).Draw(t, "method")
		u := &url.URL{Scheme: "http", Host: "a", Path: "/" + strings.Join(rapid.SliceOfN(piece, 0, 5).Draw(t, "path"), "/")}
		var query []string
		for range rapid.IntRange(0, 5).Draw(t, "parameters") {
			query = append(query, parameter.Draw(t, "name")+"="+rapid.OneOf(rapid.Just("https%3A%2F%2Fa.com%2F"), rapid.String()).Draw(t, "value"))
		}
		u.RawQuery = strings.Join(query, "&")
		r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(rapid.String().Draw(t, "body")))
		r.Method, r.URL = method, u
		r.Header["Origin"] = rapid.SliceOfN(rapid.OneOf(rapid.Just("https://a.com"), rapid.String()), 0, 2).Draw(t, "origin")
		r.Header["Accept"] = []string{rapid.SampledFrom([]string{"", "text/html", "*/*"}).Draw(t, "accept")}
		r.Header["Accept-Language"] = []string{rapid.String().Draw(t, "language")}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 || w.Code < 200 {
			t.Fatalf("%s %s = %d %s", method, u, w.Code, w.Body)
		}
		kind := w.Header().Get("Content-Type")
		if w.Code >= 400 && kind != problemType && !strings.HasPrefix(kind, "text/html") {
			t.Fatalf("%s %s = %d as %q", method, u, w.Code, kind)
		}
	})
}
