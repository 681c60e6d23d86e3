package e2e

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const pageURL = "https://h5.corp.example.com/app/?from=工作台&x=%E4%BD%A0"

// The main job by the first door: the market sends create_auth, and within five
// seconds every replica signs.
func TestInstallFromTheMarket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suite("ww-market", "third_party", "corp.example.com")
	w.simulate("install", map[string]any{"suite_id": "ww-market", "corp_id": "wwcorp1", "door": "market"}, nil)
	for _, r := range w.replicas {
		s := w.waitSigned(r, pageURL, "ww-market", "wwcorp1", 5*time.Second)
		if s.CorpID != "wwcorp1" || s.SuiteID != "ww-market" || s.AgentID == nil || s.Agent == nil {
			t.Errorf("signed = %+v, want the corp, its suite and its agent", s)
		}
	}
	for _, api := range []string{"v2/get_permanent_code", "get_corp_token", "get_jsapi_ticket", "ticket/get"} {
		if n := w.calls(api, "ww-market", "wwcorp1"); n != 1 {
			t.Errorf("%s was called %d times by two replicas, want once", api, n)
		}
	}
	if tenant := w.tenant("ww-market", "wwcorp1"); tenant.Status != "active" || len(tenant.Agents) != 1 {
		t.Errorf("tenant = %+v, want it active with its agent", tenant)
	}
}

// The second door: an administrator on the install page. No create_auth is sent;
// the browser brings the auth_code.
func TestInstallFromOurOwnPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suite("ww-site", "third_party", "corp.example.com")
	w.simulate("corps", map[string]any{"corp_id": "wwcorp2", "name": "Corp 2"}, nil)
	r := w.replicas[0]
	browser := newBrowser(t)

	install := r.public + "/install/ww-site"
	body, _ := browser.get(install, "")
	if !strings.Contains(body, "<form") {
		t.Fatalf("the install page has no form:\n%s", body)
	}
	if n := w.calls("get_pre_auth_code", "ww-site", ""); n != 0 {
		t.Errorf("looking at the install page cost %d pre_auth_codes, want none before the click", n)
	}
	platform := browser.submit(install)
	if !strings.HasPrefix(platform, w.simURL+"/3rdapp/install?") {
		t.Fatalf("the click leads to %s, want the platform's install page", platform)
	}
	back := browser.redirect(platform+"&auto=wwcorp2", install)
	if !strings.HasPrefix(back, r.public+"/install/ww-site/redirect?") {
		t.Fatalf("the platform leads back to %s", back)
	}
	clean := browser.redirect(back, platform)
	if strings.Contains(clean, "auth_code") || strings.Contains(clean, "state=") {
		t.Errorf("the page behind the redirect still shows the code: %s", clean)
	}
	w.waitSigned(r, pageURL, "ww-site", "wwcorp2", 5*time.Second)
	w.waitSigned(w.replicas[1], pageURL, "ww-site", "wwcorp2", 5*time.Second)
	if n := w.calls("v2/get_permanent_code", "ww-site", ""); n != 1 {
		t.Errorf("the auth_code was exchanged %d times, want once", n)
	}

	// The same redirect again, from the same browser and from another one: used up, and nothing is called.
	for name, b := range map[string]*browserLike{"again": browser, "another browser": newBrowser(t)} {
		if status := b.status(back); status != http.StatusBadRequest {
			t.Errorf("the redirect %s = %d, want 400", name, status)
		}
	}
	if n := w.calls("v2/get_permanent_code", "ww-site", ""); n != 1 {
		t.Errorf("the used redirect cost a call: %d exchanges", n)
	}
}

// A code of both doors is exchanged once.
func TestBothDoorsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suite("ww-both", "third_party", "corp.example.com")
	for i := range 20 {
		w.simulate("install", map[string]any{"suite_id": "ww-both", "corp_id": fmt.Sprintf("wwboth%d", i), "door": "market", "async": true}, nil)
	}
	for i := range 20 {
		w.waitSigned(w.replicas[i%2], pageURL, "ww-both", fmt.Sprintf("wwboth%d", i), 15*time.Second)
	}
	for _, api := range []string{"v2/get_permanent_code", "get_corp_token", "get_jsapi_ticket", "ticket/get"} {
		if n := w.calls(api, "ww-both", ""); n != 20 {
			t.Errorf("%s was called %d times for 20 corps by two replicas, want 20", api, n)
		}
	}
	if n := w.calls("get_suite_token", "", ""); n != 1 {
		t.Errorf("get_suite_token was called %d times, want once", n)
	}
}

// browserLike keeps cookies and sends a Referer, like the administrator's browser.
type browserLike struct {
	t *testing.T
	c *http.Client
}

func newBrowser(t *testing.T) *browserLike {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browserLike{t, &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: client.CheckRedirect}}
}

func (b *browserLike) do(method, target, referer string, form url.Values) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		u, _ := url.Parse(referer)
		req.Header.Set("Origin", u.Scheme+"://"+u.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if referer != "" {
		req.Header.Set("Referer", referer)
	}
	resp, err := b.c.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body strings.Builder
	buf := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buf)
		body.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return resp, body.String()
}

func (b *browserLike) get(target, referer string) (string, *http.Response) {
	resp, body := b.do(http.MethodGet, target, referer, nil)
	if resp.StatusCode != http.StatusOK {
		b.t.Fatalf("GET %s = %d\n%s", target, resp.StatusCode, body)
	}
	return body, resp
}

func (b *browserLike) status(target string) int {
	resp, _ := b.do(http.MethodGet, target, "", nil)
	return resp.StatusCode
}

var actionOf = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)

// submit clicks the button of the form on a page and answers where that leads.
func (b *browserLike) submit(pageURL string) string {
	b.t.Helper()
	body, _ := b.get(pageURL, "")
	target := pageURL
	if m := actionOf.FindStringSubmatch(body); m != nil && m[1] != "" {
		base, _ := url.Parse(pageURL)
		to, err := base.Parse(m[1])
		if err != nil {
			b.t.Fatal(err)
		}
		target = to.String()
	}
	resp, answer := b.do(http.MethodPost, target, pageURL, url.Values{})
	if resp.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("POST %s = %d, want 303\n%s", target, resp.StatusCode, answer)
	}
	return resp.Header.Get("Location")
}

// redirect follows one redirect.
func (b *browserLike) redirect(target, referer string) string {
	b.t.Helper()
	resp, body := b.do(http.MethodGet, target, referer, nil)
	if resp.StatusCode/100 != 3 {
		b.t.Fatalf("GET %s = %d, want a redirect\n%s", target, resp.StatusCode, body)
	}
	to, err := resp.Request.URL.Parse(resp.Header.Get("Location"))
	if err != nil {
		b.t.Fatal(err)
	}
	return to.String()
}
