package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

// installs answer whatever a test wants.
type installs struct {
	starts   int
	finish   func(state, cookie, code string) (uuid.UUID, error)
	progress suite.Progress
	startErr error
}

func (f *installs) Page(_ context.Context, id wecom.SuiteID) (string, error) {
	if id != "wwA" {
		return "", suite.ErrNotFound
	}
	return `<b>"Orders" & more</b>`, nil
}

func (f *installs) Start(context.Context, wecom.SuiteID) (suite.Start, error) {
	f.starts++
	if f.startErr != nil {
		return suite.Start{}, f.startErr
	}
	return suite.Start{URL: "https://platform.example/3rdapp/install?suite_id=wwA", Cookie: secret.New("biscuit"), MaxAge: 20 * time.Minute}, nil
}

func (f *installs) Finish(_ context.Context, _ wecom.SuiteID, state, cookie string, code secret.String) (uuid.UUID, error) {
	return f.finish(state, cookie, code.Reveal())
}

func (f *installs) Status(context.Context, wecom.SuiteID, uuid.UUID) (suite.Progress, error) {
	return f.progress, nil
}

func installServer(t *testing.T, f *installs, set func(*Server)) (url string, log *logLines) {
	t.Helper()
	s, log := newServer()
	s.Installs = f
	s.PublicURL = "https://sign.example.com"
	s.InstallURL = "https://platform.example/3rdapp/install"
	if set != nil {
		set(s)
	}
	return serve(t, s.Public()), log
}

const asBrowser = "text/html,application/xhtml+xml"

func TestInstallPage(t *testing.T) {
	t.Parallel()
	url, _ := installServer(t, &installs{}, nil)
	for _, tt := range []struct{ language, want string }{{"en", "Continue to WeCom"}, {"zh-CN", "前往企业微信"}} {
		resp := send(t, "GET", url+"/install/wwA", nil, "Accept-Language", tt.language, "Accept", asBrowser)
		body := bodyOf(t, resp)
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, tt.want) || !strings.Contains(body, `<form method="post">`) {
			t.Errorf("%s: %d %s, want %q and a form", tt.language, resp.StatusCode, body, tt.want)
		}
		if strings.Contains(body, "<b>") || !strings.Contains(body, "&lt;b&gt;") {
			t.Errorf("the suite's name is not escaped: %s", body)
		}
		// The platform checks that its visitor comes from our domain.
		if got := resp.Header.Get("Referrer-Policy"); got != "strict-origin-when-cross-origin" {
			t.Errorf("Referrer-Policy = %q hides the page from the platform", got)
		}
	}
}

// Without a public URL there is no way back, so nothing is begun, and the page says why.
func TestInstallNeedsAPublicURL(t *testing.T) {
	t.Parallel()
	url, _ := installServer(t, &installs{}, func(s *Server) { s.PublicURL = "" })
	for _, method := range []string{"GET", "POST"} {
		resp := send(t, method, url+"/install/wwA", nil, "Accept-Language", "en")
		if body := bodyOf(t, resp); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "SUITESIGN_PUBLIC_URL") {
			t.Errorf("%s = %d %s, want 404 that says what to set", method, resp.StatusCode, body)
		}
	}
}

// A page's policy admits exactly the style and the script that it carries.
func TestPagesHoldTheirOwnPolicy(t *testing.T) {
	t.Parallel()
	url, _ := installServer(t, &installs{progress: suite.Progress{State: suite.ExchangePending}}, nil)
	for _, path := range []string{"/install/wwA", "/install/wwA/result/" + uuid.NewString()} {
		resp := send(t, "GET", url+path, nil)
		policy, body := resp.Header.Get("Content-Security-Policy"), bodyOf(t, resp)
		for _, m := range regexp.MustCompile(`(?s)<(style|script)>(.*?)</`).FindAllStringSubmatch(body, -1) {
			if want := m[1] + "-src " + sourceHash(m[2]); !strings.Contains(policy, want) {
				t.Errorf("%s: policy %q lacks %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
	if policy := send(t, "GET", url+"/install/wwA", nil).Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self' https://platform.example") {
		t.Errorf("policy %q does not let the form lead to the platform", policy)
	}
}

func TestInstallStartsOnTheClick(t *testing.T) {
	t.Parallel()
	f := &installs{}
	url, _ := installServer(t, f, nil)
	send(t, "GET", url+"/install/wwA", nil)
	send(t, "HEAD", url+"/install/wwA", nil)
	if f.starts != 0 {
		t.Fatalf("showing the page fetched %d pre_auth_codes, want 0", f.starts)
	}
	resp := send(t, "POST", url+"/install/wwA", nil)
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "https://platform.example/3rdapp/install?suite_id=wwA" {
		t.Errorf("POST = %d to %s, want 303 to the platform", resp.StatusCode, resp.Header.Get("Location"))
	}
	if got, want := resp.Header.Get("Set-Cookie"), "__Host-suitesign_install=biscuit; Path=/; Max-Age=1200; HttpOnly; Secure; SameSite=Lax"; got != want {
		t.Errorf("Set-Cookie = %q, want %q", got, want)
	}
	if got := resp.Header.Get("Referrer-Policy"); got == "no-referrer" {
		t.Error("the redirect hides its page from the platform")
	}
	plain, _ := installServer(t, f, func(s *Server) { s.PublicURL = "http://127.0.0.1:8080" })
	if got, want := send(t, "POST", plain+"/install/wwA", nil).Header.Get("Set-Cookie"), "suitesign_install=biscuit; Path=/; Max-Age=1200; HttpOnly; SameSite=Lax"; got != want {
		t.Errorf("over http: Set-Cookie = %q, want %q", got, want)
	}
}

func TestInstallStartRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		err    error
		header []string
		code   string
		status int
		starts int
	}{
		{"another site's form", nil, []string{"Sec-Fetch-Site", "cross-site"}, "cross_origin", 403, 0},
		{"another site's form, old browser", nil, []string{"Origin", "https://evil.example"}, "cross_origin", 403, 0},
		{"our own form behind a proxy", nil, []string{"Origin", "https://sign.example.com"}, "", 303, 1},
		{"our own form", nil, []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://sign.example.com"}, "", 303, 1},
		{"no suite_ticket", suite.ErrNoSuiteTicket, nil, "suite_ticket_missing", 503, 1},
		{"blocked", suite.ErrSuiteBlocked, nil, "suite_blocked", 503, 1},
		{"no token", fmt.Errorf("%w: %w", suite.ErrSuiteUnavailable, context.DeadlineExceeded), nil, "suite_unavailable", 503, 1},
		{"platform says no", &wecom.Error{API: "get_pre_auth_code", Code: 40083, Hint: "123"}, nil, "wecom_error", 502, 1},
		{"platform away", fmt.Errorf("call: %w", wecom.ErrUnreachable), nil, "wecom_unreachable", 502, 1},
	} {
		f := &installs{startErr: tt.err}
		url, _ := installServer(t, f, nil)
		resp := send(t, "POST", url+"/install/wwA", nil, tt.header...)
		if resp.StatusCode != tt.status || f.starts != tt.starts {
			t.Errorf("%s: %d after %d starts, want %d after %d", tt.name, resp.StatusCode, f.starts, tt.status, tt.starts)
		}
		if tt.code == "" {
			continue
		}
		p := problemOf(t, resp)
		if p.Code != tt.code {
			t.Errorf("%s: %s, want %s", tt.name, p.Code, tt.code)
		}
		if tt.code == "wecom_error" && (p.WeCom == nil || p.WeCom.ErrCode != 40083 || p.WeCom.Hint != "123") {
			t.Errorf("%s: wecom = %+v, want errcode 40083, hint 123", tt.name, p.WeCom)
		}
	}
}

func TestInstallStartsAreFewPerAddress(t *testing.T) {
	t.Parallel()
	f := &installs{}
	url, _ := installServer(t, f, func(s *Server) { s.Limits = Limits{InstallPerMinute: 10} })
	for range 12 {
		send(t, "POST", url+"/install/wwA", nil)
	}
	if f.starts != 10 {
		t.Errorf("12 clicks at once made %d starts, want 10", f.starts)
	}
}

func TestWayBackFromAnInstallation(t *testing.T) {
	t.Parallel()
	exchange := uuid.Must(uuid.NewV7())
	var got []string
	f := &installs{finish: func(state, cookie, code string) (uuid.UUID, error) {
		got = []string{state, cookie, code}
		return exchange, nil
	}}
	url, log := installServer(t, f, nil)
	resp := send(t, "GET", url+"/install/wwA/redirect?auth_code=CANARY%2B1&expires_in=600&state=S1", nil, "Cookie", "__Host-suitesign_install=biscuit")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "result/"+exchange.String() {
		t.Errorf("%d to %q, want 303 to result/%s", resp.StatusCode, resp.Header.Get("Location"), exchange)
	}
	if want := []string{"S1", "biscuit", "CANARY+1"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Finish got %q, want %q", got, want)
	}
	h := resp.Header
	if h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("Referrer-Policy %q, Cache-Control %q; want no-referrer, no-store", h.Get("Referrer-Policy"), h.Get("Cache-Control"))
	}
	if !strings.Contains(h.Get("Set-Cookie"), "__Host-suitesign_install=;") || !strings.Contains(h.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("Set-Cookie = %q, want the cookie gone", h.Get("Set-Cookie"))
	}
	if strings.Contains(log.String(), "CANARY") {
		t.Errorf("the log shows the auth_code:\n%s", log)
	}
	resp.Request.URL.RawQuery = ""
	if at, err := resp.Request.URL.Parse(h.Get("Location")); err != nil || at.Path != "/install/wwA/result/"+exchange.String() {
		t.Errorf("the browser goes to %s, %v", at, err)
	}
}

func TestWayBackRefusals(t *testing.T) {
	t.Parallel()
	const cookie, good = "__Host-suitesign_install=biscuit", "?auth_code=c&state=S1"
	for _, tt := range []struct {
		name, method, query, cookie string
		err                         error
		status                      int
		code                        string
		finished                    int
	}{
		{"no cookie", "GET", good, "", nil, 400, "install_state_invalid", 0},
		{"a cookie of another name", "GET", good, "suitesign_install=biscuit", nil, 400, "install_state_invalid", 0},
		{"unknown state", "GET", good, cookie, suite.ErrState, 400, "install_state_invalid", 1},
		{"no auth_code", "GET", good, cookie, suite.ErrCode, 400, "install_code_invalid", 1},
		{"no state", "GET", "?auth_code=c", cookie, nil, 400, "invalid_request", 0},
		{"two states", "GET", good + "&state=S2", cookie, nil, 400, "invalid_request", 0},
		{"two codes", "GET", good + "&auth_code=d", cookie, nil, 400, "invalid_request", 0},
		{"a link preview", "HEAD", good, cookie, nil, 405, "method_not_allowed", 0},
	} {
		finished := 0
		f := &installs{finish: func(string, string, string) (uuid.UUID, error) {
			finished++
			return uuid.Nil, tt.err
		}}
		url, _ := installServer(t, f, nil)
		resp := send(t, tt.method, url+"/install/wwA/redirect"+tt.query, nil, "Cookie", tt.cookie)
		if resp.StatusCode != tt.status || finished != tt.finished {
			t.Errorf("%s: %d after %d, want %d after %d", tt.name, resp.StatusCode, finished, tt.status, tt.finished)
		}
		if tt.method == "HEAD" {
			continue
		}
		if p := problemOf(t, resp); p.Code != tt.code {
			t.Errorf("%s: %s, want %s", tt.name, p.Code, tt.code)
		}
		page := send(t, tt.method, url+"/install/wwA/redirect"+tt.query, nil, "Cookie", tt.cookie, "Accept", asBrowser, "Accept-Language", "zh")
		body := bodyOf(t, page)
		if page.StatusCode != tt.status || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(body, page.Header.Get("X-Request-Id")) {
			t.Errorf("%s: a browser gets %d %s, want a page with the request's id", tt.name, page.StatusCode, body)
		}
	}
}

func TestInstallResult(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state suite.ExchangeState
		final bool
		shows string
	}{
		{suite.ExchangePending, false, "Installing"},
		{suite.ExchangeExchanged, false, "Installing"},
		{suite.ExchangeDone, true, "Installed"},
		{suite.ExchangeFailed, true, "Begin again"},
		{suite.ExchangeLost, true, "Begin again"},
	} {
		url, _ := installServer(t, &installs{progress: suite.Progress{State: tt.state}}, nil)
		at := url + "/install/wwA/result/" + uuid.NewString()
		resp := send(t, "GET", at, nil)
		body := bodyOf(t, resp)
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, tt.shows) || strings.Contains(body, "<script>") == tt.final {
			t.Errorf("%s: %d %s; want %q, and a script only while it watches", tt.state, resp.StatusCode, body, tt.shows)
		}
		if got := resp.Header.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("%s: Referrer-Policy = %q, want no-referrer", tt.state, got)
		}
		var status installStatus
		if err := json.NewDecoder(send(t, "GET", at+"/status", nil).Body).Decode(&status); err != nil {
			t.Fatal(err)
		}
		if status.State != tt.state || status.Final != tt.final {
			t.Errorf("status = %+v, want %s, final %v", status, tt.state, tt.final)
		}
	}
	url, _ := installServer(t, &installs{}, nil)
	if p := problemOf(t, send(t, "GET", url+"/install/wwA/result/x/status", nil)); p.Code != "not_found" {
		t.Errorf("no uuid: %s, want not_found", p.Code)
	}
	if p := problemOf(t, send(t, "GET", url+"/install/wwB", nil)); p.Code != "not_found" {
		t.Errorf("no suite: %s, want not_found", p.Code)
	}
}

// files are ownership files by host and name.
type files map[string]string

func (f files) VerificationFile(_ context.Context, host, name string) (string, error) {
	if content, ok := f[host+"/"+name]; ok {
		return content, nil
	}
	return "", fmt.Errorf("file: %w", tenant.ErrNotFound)
}

func TestVerificationFiles(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	s.VerificationFiles = files{"h5.example.com/WW_verify_abcdefgh.txt": "content1"}
	s.Limits = Limits{SignPerSecond: 0.001, SignBurst: 5}
	url := serve(t, s.Public())
	get := func(host, path string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	resp := get("h5.example.com", "/WW_verify_abcdefgh.txt")
	if body := bodyOf(t, resp); resp.StatusCode != http.StatusOK || body != "content1" || resp.Header.Get("Content-Type") != typePlain || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %q %v, want the file as text, not sniffed", resp.StatusCode, body, resp.Header)
	}
	for _, tt := range []struct{ host, path string }{
		{"other.example.com", "/WW_verify_abcdefgh.txt"},
		{"h5.example.com", "/WW_verify_zzzzzzzz.txt"},
		{"h5.example.com", "/WW_verify_"},
		{"h5.example.com", "/WW_verify_..%2f..%2fetc%2fpasswd"},
	} {
		if p := problemOf(t, get(tt.host, tt.path)); p.Code != "not_found" {
			t.Errorf("%s%s = %s, want not_found", tt.host, tt.path, p.Code)
		}
	}
	for range 3 {
		resp = get("h5.example.com", "/WW_verify_abcdefgh.txt")
	}
	if p := problemOf(t, resp); p.Code != "rate_limited" {
		t.Errorf("beyond the rate: %s, want rate_limited", p.Code)
	}
}
