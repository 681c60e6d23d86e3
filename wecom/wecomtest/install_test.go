package wecomtest_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"suitesign/wecom/wecomtest"
)

// visit opens a page as a browser does that was sent by referer.
func (w *world) visit(method, path, referer string, form url.Values) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	if referer != "" {
		r.Header.Set("Referer", referer)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(b)
}

func (w *world) installLink(change func(url.Values)) string {
	q := url.Values{"suite_id": {string(w.suite.SuiteID)}, "pre_auth_code": {w.preAuthCode()},
		"redirect_uri": {"https://isv.example/install/back?x=1"}, "state": {"State1"}}
	if change != nil {
		change(q)
	}
	return "/3rdapp/install?" + q.Encode()
}

const ourPage = "https://isv.example/install"

// The whole way: link, page, choice, redirect, exchange. Nothing is pushed.
func TestInstallPage(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	w.AddCorp(wecomtest.Corp{CorpID: "wwcorp", Name: "<b>Corp</b>"})
	res, body := w.visit("GET", w.installLink(nil), ourPage, nil)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `value="wwcorp"`) || strings.Contains(body, "<b>Corp") || !strings.Contains(body, "&lt;b&gt;Corp") {
		t.Fatalf("the page is %d %s", res.StatusCode, body)
	}
	session := regexp.MustCompile(`name="session" value="([^"]+)"`).FindStringSubmatch(body)[1]
	res, body = w.visit("POST", "/3rdapp/install", w.URL+"/3rdapp/install", url.Values{"session": {session}, "corp_id": {"wwcorp"}})
	back, err := url.Parse(res.Header.Get("Location"))
	if res.StatusCode != http.StatusSeeOther || err != nil || back.Host != "isv.example" {
		t.Fatalf("the choice is answered %d %q %s", res.StatusCode, res.Header.Get("Location"), body)
	}
	q := back.Query()
	if q.Get("x") != "1" || q.Get("state") != "State1" || q.Get("expires_in") != "600" {
		t.Errorf("sent back with %v", q)
	}
	if a := w.exchange(q.Get("auth_code")); a.text("permanent_code") == "" {
		t.Errorf("the exchange is answered %v", a)
	}
	if n := len(rc.received()); n != 0 {
		t.Errorf("%d pushes for an installation by the provider's own site", n)
	}
	if res, _ := w.visit("POST", "/3rdapp/install", "", url.Values{"session": {session}, "corp_id": {"wwcorp"}}); res.StatusCode != http.StatusForbidden {
		t.Errorf("the same page sent twice is answered %d", res.StatusCode)
	}
}

// With auto the corp says yes at once, and the pre_auth_code is used up.
func TestInstallAuto(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := w.installLink(func(q url.Values) { q.Set("auto", "wwnew") })
	res, _ := w.visit("GET", link, ourPage, nil)
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "https://isv.example/install/back?x=1&auth_code=") {
		t.Fatalf("answered %d %q", res.StatusCode, res.Header.Get("Location"))
	}
	if !w.Authorization(w.suite.SuiteID, "wwnew").Installed {
		t.Error("the corp has not installed the suite")
	}
	if res, body := w.visit("GET", link, ourPage, nil); res.StatusCode != http.StatusForbidden || !strings.Contains(body, `data-errcode="40077"`) {
		t.Errorf("a used pre_auth_code is answered %d %s", res.StatusCode, body)
	}
}

func TestInstallRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		referer string
		change  func(*world, url.Values)
		want    string
	}{
		{"pasted", "", nil, "Referer"},
		{"clicked elsewhere", "https://evil.example/", nil, "Referer"},
		{"clicked on another port", "https://isv.example:8443/", nil, "Referer"},
		{"unknown suite", ourPage, func(_ *world, q url.Values) { q.Set("suite_id", "wwnobody") }, `data-errcode="40083"`},
		{"pre_auth_code made up", ourPage, func(_ *world, q url.Values) { q.Set("pre_auth_code", "x") }, `data-errcode="40077"`},
		{"pre_auth_code missing", ourPage, func(_ *world, q url.Values) { q.Del("pre_auth_code") }, `data-errcode="40077"`},
		{"pre_auth_code expired", ourPage, func(w *world, _ url.Values) { w.clock.Advance(20 * time.Minute) }, `data-errcode="42007"`},
		{"state with other characters", ourPage, func(_ *world, q url.Values) { q.Set("state", "a-b") }, `data-errcode="84025"`},
		{"state too long", ourPage, func(_ *world, q url.Values) { q.Set("state", strings.Repeat("a", 129)) }, `data-errcode="84025"`},
		{"redirect_uri missing", ourPage, func(_ *world, q url.Values) { q.Del("redirect_uri") }, "redirect_uri"},
		{"redirect_uri no URL", ourPage, func(_ *world, q url.Values) { q.Set("redirect_uri", "javascript:alert(1)") }, "redirect_uri"},
		{"another domain than configured", ourPage, func(w *world, _ url.Values) {
			w.suite.RedirectDomain = "other.example"
			w.AddSuite(w.suite)
		}, "other.example"},
		{"unpublished without auth_type 1", ourPage, func(w *world, _ url.Values) {
			w.suite.Unpublished = true
			w.AddSuite(w.suite)
		}, "auth_type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			link := w.installLink(func(q url.Values) {
				if tt.change != nil {
					tt.change(w, q)
				}
			})
			res, body := w.visit("GET", link, tt.referer, nil)
			if res.StatusCode != http.StatusForbidden || !strings.Contains(body, tt.want) {
				t.Errorf("answered %d %s, want 403 with %q", res.StatusCode, body, tt.want)
			}
		})
	}
}

// An unpublished app can be installed with auth_type 1, said for this code.
func TestInstallUnpublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suite.Unpublished, w.suite.RedirectDomain = true, "isv.example"
	w.AddSuite(w.suite)
	link := w.installLink(func(q url.Values) {
		if a := w.setSession(q.Get("pre_auth_code"), map[string]any{"auth_type": 1}); a.code() != 0 {
			t.Fatalf("set_session_info answered %v", a)
		}
	})
	if res, body := w.visit("GET", link, ourPage, nil); res.StatusCode != http.StatusOK {
		t.Errorf("answered %d %s", res.StatusCode, body)
	}
}

func TestFrontPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if res, body := w.visit("GET", "/", "", nil); res.StatusCode != http.StatusOK || !strings.Contains(body, "/sim/openapi.yaml") {
		t.Errorf("answered %d %s", res.StatusCode, body)
	}
}
