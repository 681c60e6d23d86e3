package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// logLines is a log that a test can read.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// requests are the log's request lines.
func (l *logLines) requests(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if m["msg"] == "request" {
			lines = append(lines, m)
		}
	}
	return lines
}

// newServer is a Server without rooms, and its log.
func newServer() (*Server, *logLines) {
	log := &logLines{}
	return &Server{
		Log:     slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: NewMetrics(),
		Health:  &Health{},
	}, log
}

// open serves routes of a test's own behind the real door and router.
func open(t *testing.T, s *Server, routes func(r *gin.Engine)) *httptest.Server {
	t.Helper()
	r := s.router()
	routes(r)
	ts := httptest.NewServer(s.door("public", r))
	t.Cleanup(ts.Close)
	return ts
}

func send(t *testing.T, method, url string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func problemOf(t *testing.T, resp *http.Response) Problem {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != problemType {
		t.Fatalf("Content-Type = %q, want %q; body %s", got, problemType, body)
	}
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("problem %s: %v", body, err)
	}
	if p.Status != resp.StatusCode || p.Type != problemURN+p.Code || p.Title == "" || p.Detail == "" {
		t.Errorf("problem of status %d = %+v, want its own status, type, title and detail", resp.StatusCode, p)
	}
	if p.RequestID == "" || p.RequestID != resp.Header.Get("X-Request-Id") {
		t.Errorf("request_id = %q, X-Request-Id = %q, want the same", p.RequestID, resp.Header.Get("X-Request-Id"))
	}
	return p
}

func TestErrorsAreProblems(t *testing.T) {
	t.Parallel()
	s, log := newServer()
	ts := open(t, s, func(r *gin.Engine) {
		r.GET("/panic", func(*gin.Context) { panic("the secret of the house") })
		r.GET("/unknown", s.handle(func(*gin.Context) error { return errors.New("password=hunter2") }))
		r.GET("/known", s.handle(func(*gin.Context) error { return fmt.Errorf("reading: %w", errMediaType) }))
		r.GET("/field", s.handle(func(*gin.Context) error { return invalid("/name", "Too long.", "过长。") }))
		r.GET("/late", s.handle(func(*gin.Context) error { return fmt.Errorf("store: %w", context.DeadlineExceeded) }))
		r.GET("/ended", s.handle(func(*gin.Context) error { return fmt.Errorf("worker: %w", context.Canceled) }))
		r.GET("/sqlstate/:code", s.handle(func(c *gin.Context) error {
			return fmt.Errorf("store: %w", &pgconn.PgError{Severity: "ERROR", Code: c.Param("code"), Message: "password=hunter2"})
		}))
		r.PUT("/body", s.handle(func(c *gin.Context) error {
			_, err := io.ReadAll(c.Request.Body)
			return err
		}))
	})
	large := bytes.Repeat([]byte("x"), maxBody+1)
	for _, tt := range []struct {
		name, method, path string
		body               io.Reader
		status             int
		code               string
	}{
		{"panic", "GET", "/panic", nil, 500, "internal"},
		{"unknown error", "GET", "/unknown", nil, 500, "internal"},
		{"known error", "GET", "/known", nil, 415, "unsupported_media_type"},
		{"field", "GET", "/field", nil, 400, "invalid_request"},
		{"deadline", "GET", "/late", nil, 503, "timeout"},
		{"cancelled, but not by its client", "GET", "/ended", nil, 500, "internal"},
		{"the database is full", "GET", "/sqlstate/53100", nil, 503, "database_unavailable"},
		{"the database was demoted", "GET", "/sqlstate/25006", nil, 503, "database_unavailable"},
		{"deadlock", "GET", "/sqlstate/40P01", nil, 503, "database_unavailable"},
		{"serialization failure", "GET", "/sqlstate/40001", nil, 503, "database_unavailable"},
		{"a statement of ours is wrong", "GET", "/sqlstate/42601", nil, 500, "internal"},
		{"no such path", "GET", "/nowhere?token=abc", nil, 404, "not_found"},
		{"trailing slash", "GET", "/known/", nil, 404, "not_found"},
		{"other method", "POST", "/known", nil, 405, "method_not_allowed"},
		{"invented method", "BREW", "/known", nil, 405, "method_not_allowed"},
		{"body too large, said so", "PUT", "/body", bytes.NewReader(large), 413, "body_too_large"},
		{"body too large, not said", "PUT", "/body", io.MultiReader(bytes.NewReader(large)), 413, "body_too_large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := send(t, tt.method, ts.URL+tt.path, tt.body)
			p := problemOf(t, resp)
			if p.Status != tt.status || p.Code != tt.code {
				t.Errorf("%s %s = %d %s, want %d %s", tt.method, tt.path, p.Status, p.Code, tt.status, tt.code)
			}
			if tt.code == "method_not_allowed" && resp.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow = %q, want GET, HEAD", resp.Header.Get("Allow"))
			}
			for _, leak := range []string{"hunter2", "secret of the house"} {
				if strings.Contains(p.Detail, leak) {
					t.Errorf("detail %q shows %q", p.Detail, leak)
				}
			}
			line := log.requests(t)[len(log.requests(t))-1]
			if line["request_id"] != p.RequestID || line["code"] != tt.code || line["status"] != float64(tt.status) {
				t.Errorf("log line %v, want request_id %s, code %s, status %d", line, p.RequestID, tt.code, tt.status)
			}
		})
	}
	if text := log.String(); strings.Contains(text, "token=abc") {
		t.Errorf("the log shows a query string:\n%s", text)
	}
	for _, want := range []string{"hunter2", "the secret of the house", "door_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not show %q, which only it may", want)
		}
	}
}

func TestProblemsNameTheField(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	ts := open(t, s, func(r *gin.Engine) {
		r.GET("/", s.handle(func(*gin.Context) error { return invalid("/name", "Too long.", "过长。") }))
	})
	for _, tt := range []struct{ accept, language, detail string }{
		{"", "en", "Too long."},
		{"zh-CN,zh;q=0.9,en;q=0.8", "zh", "过长。"},
		{"en-US,zh;q=0.5", "en", "Too long."},
		{"fr, zh;q=0.3, en;q=0.2", "zh", "过长。"},
		{"zh;q=0, en", "en", "Too long."},
		{"ZH-hant", "zh", "过长。"},
		{"zh;q=nonsense", "en", "Too long."},
		{"*", "en", "Too long."},
	} {
		resp := send(t, "GET", ts.URL+"/", nil, "Accept-Language", tt.accept)
		p := problemOf(t, resp)
		if p.Detail != tt.detail || resp.Header.Get("Content-Language") != tt.language {
			t.Errorf("Accept-Language %q: %q in %q, want %q in %q", tt.accept, p.Detail, resp.Header.Get("Content-Language"), tt.detail, tt.language)
		}
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/name" {
			t.Errorf("errors = %+v, want one that points to /name", p.Errors)
		}
	}
}

func TestHEADIsRoutedAsGET(t *testing.T) {
	t.Parallel()
	s, log := newServer()
	ts := open(t, s, func(r *gin.Engine) {
		r.GET("/thing", func(c *gin.Context) { c.String(http.StatusOK, "twelve bytes") })
	})
	resp := send(t, "HEAD", ts.URL+"/thing", nil)
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK || len(body) != 0 || resp.ContentLength != 12 {
		t.Errorf("HEAD = %d, %d bytes, Content-Length %d; want 200, 0, 12", resp.StatusCode, len(body), resp.ContentLength)
	}
	if line := log.requests(t)[0]; line["method"] != "HEAD" || line["route"] != "/thing" {
		t.Errorf("log line %v, want method HEAD, route /thing", line)
	}
}

func TestPanicAfterTheAnswerBeganCutsTheConnection(t *testing.T) {
	t.Parallel()
	s, log := newServer()
	ts := open(t, s, func(r *gin.Engine) {
		r.GET("/half", func(c *gin.Context) {
			c.String(http.StatusOK, "half of")
			c.Writer.Flush()
			panic("the other half is missing")
		})
	})
	resp := send(t, "GET", ts.URL+"/half", nil)
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the body ended well, want a cut connection")
	}
	if !strings.Contains(log.String(), "the other half is missing") {
		t.Errorf("the log does not show the panic:\n%s", log)
	}
}

func TestEveryAnswerCarriesTheDoorsHeaders(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	ts := open(t, s, func(r *gin.Engine) { r.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "ok") }) })
	for _, path := range []string{"/", "/nowhere"} { // signatures, for programs only, are not sniffed, and that is all
		h := send(t, "GET", ts.URL+path, nil).Header
		for name, want := range map[string]string{
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s = %q, want %q", path, name, h.Get(name), want)
			}
		}
	}
}

func TestRequestIDComesFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, tt := range []struct {
		name    string
		trusted []netip.Prefix
		sent    string
		kept    bool
	}{
		{"stranger", nil, "0123456789abcdef", false},
		{"trusted", loopback, "0123456789abcdef", true},
		{"trusted, a uuid", loopback, "019a9e2e-0b53-7c35-a4a6-5d2b6f0d8f11", true},
		{"too short", loopback, "abc", false},
		{"too long", loopback, strings.Repeat("a", 129), false},
		{"would forge a log line", loopback, "12345678 level=ERROR", false},
	} {
		s, log := newServer()
		s.TrustedProxies = tt.trusted
		ts := open(t, s, func(*gin.Engine) {})
		got := send(t, "GET", ts.URL, nil, "X-Request-Id", tt.sent).Header.Get("X-Request-Id")
		if (got == tt.sent) != tt.kept {
			t.Errorf("%s: X-Request-Id = %q, kept = %v, want %v", tt.name, got, got == tt.sent, tt.kept)
		}
		if id, err := uuid.Parse(got); !tt.kept && (err != nil || id.Version() != 7) {
			t.Errorf("%s: X-Request-Id = %q, want a UUIDv7", tt.name, got)
		}
		if line := log.requests(t)[0]; line["request_id"] != got {
			t.Errorf("%s: logged %v, want %s", tt.name, line["request_id"], got)
		}
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusted := proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		peer, forwarded, want string
		trusted               bool
	}{
		{"203.0.113.9:4711", "", "203.0.113.9", false},
		{"203.0.113.9:4711", "198.51.100.1", "203.0.113.9", false}, // no proxy of ours
		{"10.1.2.3:4711", "198.51.100.1", "198.51.100.1", true},
		{"10.1.2.3:4711", "192.0.2.66, 198.51.100.1, 10.9.9.9", "198.51.100.1", true}, // the left one is the client's invention
		{"10.1.2.3:4711", "10.1.1.1, 10.2.2.2", "10.1.1.1", true},
		{"10.1.2.3:4711", "", "10.1.2.3", true},
		{"10.1.2.3:4711", "unknown", "10.1.2.3", true},
		{"10.1.2.3:4711", "192.0.2.66, nonsense, 10.2.2.2", "10.2.2.2", true},
		{"10.1.2.3:4711", "198.51.100.1:51234", "198.51.100.1", true},
		{"10.1.2.3:4711", "[2001:db8::7]:443", "2001:db8::7", true},
		{"[fd00::1%eth0]:4711", "2001:db8::7", "2001:db8::7", true},
		{"[::ffff:10.1.2.3]:4711", "::ffff:198.51.100.1", "198.51.100.1", true},
		{"@", "198.51.100.1", "198.51.100.1", true}, // a unix socket
		{"nonsense", "198.51.100.1", "invalid IP", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		ip, ok := trusted.client(r)
		if ip.String() != tt.want || ok != tt.trusted {
			t.Errorf("peer %s, X-Forwarded-For %q: %s, %v; want %s, %v", tt.peer, tt.forwarded, ip, ok, tt.want, tt.trusted)
		}
	}
}

func TestMetricsCountByRouteAndStatus(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	ts := open(t, s, func(r *gin.Engine) { r.GET("/thing/:id", func(c *gin.Context) { c.String(http.StatusOK, "ok") }) })
	for range 3 {
		send(t, "GET", ts.URL+"/thing/wwcorp12345", nil)
	}
	send(t, "BREW", ts.URL+"/etc/passwd", nil)
	admin := httptest.NewServer(s.Admin())
	t.Cleanup(admin.Close)
	body, err := io.ReadAll(send(t, "GET", admin.URL+"/metrics", nil).Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`suitesign_http_requests_total{listener="public",method="GET",route="/thing/:id",status="200"} 3`,
		`suitesign_http_requests_total{listener="public",method="other",route="none",status="404"} 1`,
		`suitesign_http_request_duration_seconds_count{listener="public",method="GET",route="/thing/:id"} 3`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	for _, leak := range []string{"wwcorp12345", "passwd"} {
		if strings.Contains(string(body), leak) {
			t.Errorf("/metrics shows %q", leak)
		}
	}
}

func TestPprofIsOffUnlessAsked(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		s, _ := newServer()
		s.Pprof = on
		ts := httptest.NewServer(s.Admin())
		t.Cleanup(ts.Close)
		if got := send(t, "GET", ts.URL+"/debug/pprof/cmdline", nil).StatusCode; (got == http.StatusOK) != on {
			t.Errorf("Pprof %v: status %d", on, got)
		}
	}
}
