package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"suitesign/signing"
	"suitesign/tenant"
	"suitesign/ticket"
)

// signerFunc is a Signer.
type signerFunc func(signing.Request) (signing.Signed, error)

func (f signerFunc) Sign(_ context.Context, r signing.Request) (signing.Signed, error) { return f(r) }

// likeSigning refuses a url and an Origin as the real Signer does, and signs the rest.
func likeSigning(r signing.Request) (signing.Signed, error) {
	page, err := tenant.PageOf(r.URL)
	switch {
	case err != nil:
		return signing.Signed{}, err
	case r.Origin != nil && *r.Origin != page.Origin:
		return signing.Signed{}, signing.ErrOriginMismatch
	}
	agent := int64(1000002)
	return signing.Signed{
		CorpID: "wpCorp", SuiteID: "wwSuite", AgentID: &agent,
		Config: &signing.Signature{Timestamp: "1414587457", NonceStr: "configNonce", Signature: "0f9de62fce790f9a083d5c99e95740ceb90c27ed"},
		Agent:  &signing.Signature{Timestamp: "1414587457", NonceStr: "agentNonce", Signature: "f4d90daf4b3bca3078ab155816175ba34c443a7b"},
	}, nil
}

func signServer(t *testing.T, sign signerFunc, set func(*Server)) (url string, s *Server) {
	t.Helper()
	s, _ = newServer()
	s.Signer = sign
	if set != nil {
		set(s)
	}
	return serve(t, s.Public()), s
}

func TestSignatureShapes(t *testing.T) {
	t.Parallel()
	base, _ := signServer(t, func(r signing.Request) (signing.Signed, error) {
		signed, err := likeSigning(r)
		if strings.Contains(r.URL, "noagent") {
			signed.Agent, signed.AgentID = nil, nil
		}
		if strings.Contains(r.URL, "odd") {
			signed.CorpID = "a\"b\\c\n你\u2028"
		}
		return signed, err
	}, nil)
	const config = `{"timestamp":"1414587457","nonceStr":"configNonce","signature":"0f9de62fce790f9a083d5c99e95740ceb90c27ed"}`
	const agent = `{"timestamp":"1414587457","nonceStr":"agentNonce","signature":"f4d90daf4b3bca3078ab155816175ba34c443a7b"}`
	for _, tt := range []struct{ path, page, want string }{
		{"config-signature", "https://a.com/", config},
		{"agent-signature", "https://a.com/", agent},
		{"signatures", "https://a.com/", `{"corpId":"wpCorp","agentId":1000002,"suiteId":"wwSuite","config":` + config + `,"agent":` + agent + `}`},
		{"signatures", "https://a.com/noagent", `{"corpId":"wpCorp","agentId":null,"suiteId":"wwSuite","config":` + config + `,"agent":null}`},
		{"signatures", "https://a.com/odd", `{"corpId":"a\"b\\c\n你\u2028","agentId":1000002,"suiteId":"wwSuite","config":` + config + `,"agent":` + agent + `}`},
	} {
		resp := send(t, "GET", base+"/api/jssdk/"+tt.path+"?url="+url.QueryEscape(tt.page), nil)
		if got := bodyOf(t, resp); resp.StatusCode != http.StatusOK || got != tt.want+"\n" {
			t.Errorf("%s %s = %d %s, want %s", tt.path, tt.page, resp.StatusCode, got, tt.want)
		}
		h := resp.Header
		if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || !slices.Contains(h.Values("Vary"), "Origin") || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", tt.path, h)
		}
		head := send(t, "HEAD", base+"/api/jssdk/"+tt.path+"?url="+url.QueryEscape(tt.page), nil)
		if got := bodyOf(t, head); head.StatusCode != http.StatusOK || got != "" || head.ContentLength != int64(len(tt.want)+1) {
			t.Errorf("HEAD %s = %d %q, length %d", tt.path, head.StatusCode, got, head.ContentLength)
		}
	}
}

func TestSignatureRequestIsPassedOnAsItCame(t *testing.T) {
	t.Parallel()
	var seen string
	base, _ := signServer(t, func(r signing.Request) (signing.Signed, error) {
		seen = fmt.Sprintf("%s suite=%s corp=%s want=%d", r.URL, r.SuiteID, r.CorpID, r.Want)
		if r.AgentID != nil {
			seen += fmt.Sprintf(" agent=%d", *r.AgentID)
		}
		if r.Origin != nil {
			seen += fmt.Sprintf(" origin=%q", *r.Origin)
		}
		return signing.Signed{}, signing.ErrUntrusted
	}, nil)
	for _, tt := range []struct{ path, origin, want string }{
		{"config-signature?url=https%3A%2F%2Fa.com%2F%3Fx%3D1%26y%3D%25E4%23frag&suite_id=wwA&corp_id=wpB", "-",
			"https://a.com/?x=1&y=%E4#frag suite=wwA corp=wpB want=0"},
		{"agent-signature?url=https://a.com/&agent_id=7&_=99", "https://a.com", `https://a.com/ suite= corp= want=1 agent=7 origin="https://a.com"`},
		{"signatures?url=https://a.com/", "null", `https://a.com/ suite= corp= want=2 origin="null"`},
		{"signatures?url=https://a.com/", "", `https://a.com/ suite= corp= want=2 origin=""`},
	} {
		var header []string
		if tt.origin != "-" {
			header = []string{"Origin", tt.origin}
		}
		send(t, "GET", base+"/api/jssdk/"+tt.path, nil, header...)
		if seen != tt.want {
			t.Errorf("%s: signed %s, want %s", tt.path, seen, tt.want)
		}
	}
}

func TestSignatureRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
		code   string
		retry  string
	}{
		{fmt.Errorf("x: %w", tenant.ErrInvalidURL), 400, "invalid_url", ""},
		{signing.ErrOriginMismatch, 403, "origin_mismatch", ""},
		{signing.ErrTenantNotFound, 404, "tenant_not_found", ""},
		{signing.ErrTenantAmbiguous, 409, "tenant_ambiguous", ""},
		{signing.ErrTenantInactive, 403, "tenant_inactive", ""},
		{signing.ErrUntrusted, 403, "untrusted_domain", ""},
		{signing.ErrAgentNotFound, 404, "agent_not_found", ""},
		{signing.ErrAgentAmbiguous, 409, "agent_ambiguous", ""},
		{signing.ErrRateLimited, 429, "rate_limited", "1"},
		{fmt.Errorf("tenant: %w: %w", ticket.ErrNone, context.DeadlineExceeded), 503, "ticket_unavailable", "5"},
		{signing.ErrStale, 503, "database_unavailable", "5"},
		{errors.New("SELECT ticket FROM"), 500, "internal", ""},
	} {
		base, s := signServer(t, func(signing.Request) (signing.Signed, error) { return signing.Signed{}, tt.err }, nil)
		resp := send(t, "GET", base+"/api/jssdk/signatures?url=https://a.com/", nil, "Origin", "https://a.com")
		p := problemOf(t, resp)
		if p.Status != tt.status || p.Code != tt.code || resp.Header.Get("Retry-After") != tt.retry {
			t.Errorf("%v = %d %s, Retry-After %q; want %d %s, %q", tt.err, p.Status, p.Code, resp.Header.Get("Retry-After"), tt.status, tt.code, tt.retry)
		}
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "https://a.com" {
			t.Errorf("%s: Allow-Origin = %q, want the page's", tt.code, got)
		}
		if text := bodyOf(t, send(t, "GET", serve(t, s.Admin())+"/metrics", nil)); !strings.Contains(text, fmt.Sprintf(`suitesign_signatures_total{kind="both",outcome=%q} 1`, tt.code)) {
			t.Errorf("%s is not counted", tt.code)
		}
	}
}

// Every answer to the page's own Origin, and none to another, may be read by it.
func TestWhoMayReadAnAnswer(t *testing.T) {
	t.Parallel()
	base, _ := signServer(t, likeSigning, nil)
	for _, tt := range []struct {
		name, method, query, origin string
		status                      int
		readable                    bool
	}{
		{"the page", "GET", "url=https://a.com/p", "https://a.com", 200, true},
		{"the page, its port", "GET", "url=https://a.com:8443/p", "https://a.com:8443", 200, true},
		{"same origin", "GET", "url=https://a.com/p", "-", 200, false},
		{"another page", "GET", "url=https://a.com/p", "https://b.com", 403, false},
		{"another port", "GET", "url=https://a.com:8443/p", "https://a.com", 403, false},
		{"another scheme", "GET", "url=https://a.com/p", "http://a.com", 403, false},
		{"a longer name", "GET", "url=https://a.com.evil.com/p", "https://a.com", 403, false},
		{"a shorter name", "GET", "url=https://a.com/p", "https://a.co", 403, false},
		{"sandboxed", "GET", "url=https://a.com/p", "null", 403, false},
		{"empty", "GET", "url=https://a.com/p", "", 403, false},
		{"its own upper case", "GET", "url=https://A.com/p", "https://A.com", 400, false},
		{"null twice", "GET", "url=null/", "null", 400, false},
		{"unencoded url", "GET", "url=https://a.com/p?x=1&y=2", "https://a.com", 400, true},
		{"unencoded url, another page", "GET", "url=https://a.com/p?x=1&y=2", "https://b.com", 400, false},
		{"no url", "GET", "", "https://a.com", 400, false},
		{"userinfo", "GET", "url=https://a.com@b.com/", "https://a.com", 400, false},
		{"fragment", "GET", "url=https%3A%2F%2Fa.com%23%40b.com", "https://a.com", 200, true},
		{"method", "POST", "url=https://a.com/p", "https://a.com", 405, true},
		{"preflight", "OPTIONS", "url=https://a.com/p", "https://a.com", 204, true},
		{"preflight of an unencoded url", "OPTIONS", "url=https://a.com/p?x=1&y=2", "https://a.com", 204, true},
		{"preflight of another page", "OPTIONS", "url=https://a.com/p", "https://b.com", 403, false},
		{"preflight of a bad url", "OPTIONS", "url=https://A.com/p", "https://a.com", 400, false},
		{"preflight without Origin", "OPTIONS", "url=https://a.com/p", "-", 204, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var header []string
			if tt.origin != "-" {
				header = []string{"Origin", tt.origin}
			}
			resp := send(t, tt.method, base+"/api/jssdk/config-signature?"+tt.query, nil, header...)
			allowed := resp.Header.Get("Access-Control-Allow-Origin")
			if resp.StatusCode != tt.status || (allowed != "") != tt.readable || tt.readable && allowed != tt.origin {
				t.Errorf("status %d, Allow-Origin %q; want %d, readable %v", resp.StatusCode, allowed, tt.status, tt.readable)
			}
			if got := resp.Header.Get("Access-Control-Expose-Headers"); tt.readable && got != "Retry-After, X-Request-Id" {
				t.Errorf("Expose-Headers = %q", got)
			}
			if !slices.Contains(resp.Header.Values("Vary"), "Origin") || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Vary %q, Cache-Control %q; want Origin, no-store", resp.Header.Values("Vary"), resp.Header.Get("Cache-Control"))
			}
			if resp.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are allowed")
			}
			switch tt.status {
			case 204:
				if got := resp.Header.Get("Access-Control-Allow-Methods"); got != signMethods {
					t.Errorf("Allow-Methods = %q, want %q", got, signMethods)
				}
			case 405:
				if got := resp.Header.Get("Allow"); got != signMethods {
					t.Errorf("Allow = %q, want %q", got, signMethods)
				}
			case 400, 403:
				problemOf(t, resp)
			}
		})
	}
}

func TestSeveralOriginsMatchNoPage(t *testing.T) {
	t.Parallel()
	base, _ := signServer(t, likeSigning, nil)
	resp := send(t, "GET", base+"/api/jssdk/config-signature?url=https://a.com/", nil, "Origin", "https://a.com", "Origin", "https://b.com")
	if p := problemOf(t, resp); p.Code != "origin_mismatch" {
		t.Errorf("two Origins = %s, want origin_mismatch", p.Code)
	}
}

// The rate comes before everything, parameters before what signing refuses.
func TestOrderOfRefusals(t *testing.T) {
	t.Parallel()
	asked := 0
	base, _ := signServer(t, func(r signing.Request) (signing.Signed, error) {
		asked++
		return likeSigning(r)
	}, func(s *Server) { s.Limits = Limits{SignPerSecond: 0.001, SignBurst: 2} })
	at := base + "/api/jssdk/config-signature?url=https://a.com/"
	if p := problemOf(t, send(t, "GET", at+"&x=1", nil, "Origin", "https://b.com")); p.Code != "invalid_request" {
		t.Errorf("bad parameter and bad Origin = %s, want invalid_request", p.Code)
	}
	if p := problemOf(t, send(t, "GET", at, nil, "Origin", "https://b.com")); p.Code != "origin_mismatch" {
		t.Errorf("bad Origin = %s, want origin_mismatch", p.Code)
	}
	resp := send(t, "GET", at+"&x=1", nil, "Origin", "https://a.com")
	if p := problemOf(t, resp); p.Code != "rate_limited" || resp.Header.Get("Retry-After") == "" {
		t.Errorf("beyond the rate, with a bad parameter = %s, want rate_limited with Retry-After", p.Code)
	}
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "https://a.com" {
		t.Errorf("beyond the rate: Allow-Origin = %q, want the page's", got)
	}
	if asked != 1 {
		t.Errorf("signing was asked %d times, want once", asked)
	}
}

// A URL of the longest legal length comes through however it is encoded.
func TestLongestURLFits(t *testing.T) {
	t.Parallel()
	got := 0
	s, _ := newServer()
	s.Signer = signerFunc(func(r signing.Request) (signing.Signed, error) {
		got = len(r.URL)
		return likeSigning(r)
	})
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = newHTTPServer(s.Public(), nil)
	ts.Start()
	t.Cleanup(ts.Close)
	page := "https://a.com/?"
	page += strings.Repeat("你", (tenant.MaxURL-len(page))/3)
	if resp := send(t, "GET", ts.URL+"/api/jssdk/config-signature?url="+url.QueryEscape(page), nil); resp.StatusCode != http.StatusOK || got != len(page) {
		t.Errorf("a URL of %d bytes = %d, signed %d bytes", len(page), resp.StatusCode, got)
	}
	resp := send(t, "GET", ts.URL+"/api/jssdk/config-signature?url="+url.QueryEscape(page+"你"), nil)
	if p := problemOf(t, resp); p.Code != "invalid_url" {
		t.Errorf("a longer URL = %s, want invalid_url", p.Code)
	}
}

// discard is a ResponseWriter without a connection.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkSign is the whole public path in process, log and metrics on, with a
// signer that does nothing.
func BenchmarkSign(b *testing.B) {
	s, _ := newServer()
	s.Log = slog.New(slog.NewJSONHandler(io.Discard, nil))
	s.Limits = Limits{SignPerSecond: 1e9, SignBurst: 1e9}
	signed, _ := likeSigning(signing.Request{URL: "https://a.com/"})
	s.Signer = signerFunc(func(signing.Request) (signing.Signed, error) { return signed, nil })
	h := s.Public()
	r := httptest.NewRequest(http.MethodGet, "/api/jssdk/config-signature?url=https%3A%2F%2Fh5.example.com%2Forders%3Fid%3D7&corp_id=wpCorp", nil)
	r.Header.Set("Origin", "https://h5.example.com")
	w := &discard{h: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		h.ServeHTTP(w, r)
	}
}

// A page may read that something broke, too.
func TestPanicWhileSigningIsReadable(t *testing.T) {
	t.Parallel()
	base, _ := signServer(t, func(signing.Request) (signing.Signed, error) { panic("the secret of the house") }, nil)
	for origin, want := range map[string]string{"https://a.example.com": "https://a.example.com", "https://evil.example.com": ""} {
		resp := send(t, "GET", base+"/api/jssdk/signatures?url=https%3A%2F%2Fa.example.com%2F", nil, "Origin", origin)
		if p := problemOf(t, resp); p.Status != 500 || p.Code != "internal" {
			t.Errorf("a panic = %d %s, want 500 internal", p.Status, p.Code)
		}
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("Origin %s: Access-Control-Allow-Origin = %q, want %q", origin, got, want)
		}
	}
}
