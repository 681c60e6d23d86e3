package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// begin clicks the button of an install page and answers with the cookie that was
// set and the platform's address that the click leads to.
func begin(t *testing.T, public, suite string) (*http.Cookie, *url.URL) {
	t.Helper()
	page := public + "/install/" + suite
	resp, text := newBrowser(t).do(http.MethodPost, page, page, url.Values{})
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("the click = %d\n%s", resp.StatusCode, text)
	}
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	cookies := resp.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("the click sets %d cookies, want one: %v", len(cookies), cookies)
	}
	return cookies[0], to
}

// back comes back from the platform.
func back(t *testing.T, public, suite string, q url.Values, cookie *http.Cookie, accept string) answer {
	t.Helper()
	header := map[string]string{"Accept": accept}
	if cookie != nil {
		header["Cookie"] = cookie.Name + "=" + cookie.Value
	}
	return anonymous(t, http.MethodGet, public+"/install/"+suite+"/redirect?"+q.Encode(), header)
}

func upstream(w *world) (total int) {
	w.t.Helper()
	var c struct{ Total int }
	if err := w.try(http.MethodGet, w.simURL+"/sim/calls", nil, nil, &c); err != nil {
		w.t.Fatal(err)
	}
	return c.Total
}

// The way to the platform: a public page, one call on the click and none before.
func TestContractInstallPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	s := w.suite("ww-page", "third_party", "corp.example.com")
	w.api(http.MethodPost, "/v1/suites", http.StatusCreated, map[string]any{"suite_id": "own", "kind": "internal", "name": "Our own"}, nil)
	page := r.public + "/install/" + s.ID
	before := upstream(w)
	for accept, text := range map[string]string{"en": "Install", "zh-CN": "安装"} {
		a := anonymous(t, http.MethodGet, page, map[string]string{"Accept": "text/html", "Accept-Language": accept})
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(string(a.body), text) {
			t.Errorf("the install page in %s = %s", accept, a)
		}
		if p := a.header.Get("Referrer-Policy"); p == "no-referrer" || p == "same-origin" || p == "" {
			t.Errorf("Referrer-Policy of the install page %q: the platform checks the Referer", p)
		}
		if a.header.Get("Content-Security-Policy") == "" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("header of the install page = %v", a.header)
		}
	}
	if n := upstream(w); n != before {
		t.Errorf("looking cost %d calls", n-before)
	}
	cookie, to := begin(t, r.public, s.ID)
	if n := w.calls("get_pre_auth_code", s.ID, ""); n != 1 {
		t.Errorf("the click cost %d pre_auth_codes, want one", n)
	}
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" || cookie.Secure || strings.HasPrefix(cookie.Name, "__") ||
		cookie.MaxAge < 600 || cookie.MaxAge > 1200 || len(cookie.Value) < 22 {
		t.Errorf("cookie over http = %s", cookie)
	}
	q := to.Query()
	if state := q.Get("state"); !regexp.MustCompile(`^[A-Za-z0-9]{22,128}$`).MatchString(state) || state == cookie.Value {
		t.Errorf("state = %q, want 128 random bits in letters and digits, and not the cookie", state)
	}
	if q.Get("suite_id") != s.ID || q.Get("pre_auth_code") == "" || q.Get("redirect_uri") != page+"/redirect" {
		t.Errorf("the platform is asked with %v", q)
	}
	for _, unknown := range []string{"ww-none", "own"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			wantProblem(t, method+" of "+unknown, anonymous(t, method, r.public+"/install/"+unknown, nil), http.StatusNotFound, "not_found")
		}
	}
	// Another site's form begins nothing.
	before = upstream(w)
	for _, header := range []map[string]string{{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.com"}, {"Origin": "null"}} {
		header["Accept-Language"] = "en"
		wantProblem(t, fmt.Sprint(header), call(t, http.MethodPost, page, header, "a=b"), http.StatusForbidden, "cross_origin")
	}
	if n := upstream(w); n != before {
		t.Errorf("another site's clicks cost %d calls", n-before)
	}
	// Ten a minute from one address, what led nowhere included.
	spent := 3
	eventually(t, 20*time.Second, func() error {
		a := anonymous(t, http.MethodPost, page, nil)
		if a.status != http.StatusTooManyRequests {
			spent++
			return fmt.Errorf("click %d = %s", spent, a)
		}
		wantProblem(t, "a click too many", a, http.StatusTooManyRequests, "rate_limited")
		return nil
	})
	if spent < 10 || spent > 13 { // one comes back every six seconds
		t.Errorf("%d clicks were let through at once, want ten", spent)
	}
	if n := w.calls("get_pre_auth_code", s.ID, ""); n != spent-2 {
		t.Errorf("%d clicks on this page cost %d pre_auth_codes", spent-2, n)
	}

	// Behind https the cookie is bound to the host by its name.
	secure := w.addReplica("SUITESIGN_PUBLIC_URL=https://sign.example.com")
	w.waitReady(secure)
	resp, err := ask(http.MethodPost, secure.public+"/install/"+s.ID, map[string]string{"Origin": "https://sign.example.com"}, "a=b")
	if err != nil || resp.status != http.StatusSeeOther {
		t.Fatalf("the click behind https = %s %v", resp, err)
	}
	cookie = (&http.Response{Header: resp.header}).Cookies()[0]
	if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("cookie over https = %s", cookie)
	}
	if to := resp.header.Get("Location"); !strings.Contains(to, url.QueryEscape("https://sign.example.com/install/ww-page/redirect")) {
		t.Errorf("the platform is told to lead back to %s", to)
	}
}

// The way back belongs to the browser that began, once, for twenty minutes, for its suite.
func TestContractInstallState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{environ: []string{"SUITESIGN_LIMITS_INSTALLS_PER_MINUTE=0"}})
	r := w.replicas[0]
	s := w.suite("ww-state", "third_party", "corp.example.com")
	other := w.suite("ww-else", "third_party")
	var installed struct {
		AuthCode string `json:"auth_code"`
	}
	w.simulate("install", map[string]any{"suite_id": s.ID, "corp_id": "wwstate", "door": "site"}, &installed)
	cookie, to := begin(t, r.public, s.ID)
	foreign, _ := begin(t, r.public, s.ID)
	elsewhere, elsewhereTo := begin(t, r.public, other.ID)
	old, oldTo := begin(t, r.public, s.ID)
	good := func() url.Values {
		return url.Values{"auth_code": {installed.AuthCode}, "expires_in": {"600"}, "state": {to.Query().Get("state")}}
	}
	with := func(name, value string) url.Values {
		q := good()
		if q.Set(name, value); value == "" {
			q.Del(name)
		}
		return q
	}
	execute(t, w.database, `UPDATE install_states SET expires_at = now() - interval '1 second' WHERE state_digest = sha256('`+oldTo.Query().Get("state")+`')`)
	before := upstream(w)
	refuse := func(what string, a answer) {
		t.Helper()
		if a.status != http.StatusBadRequest {
			t.Errorf("%s = %s, want 400", what, a)
		}
		if a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Referrer-Policy %q, Cache-Control %q", what, a.header.Get("Referrer-Policy"), a.header.Get("Cache-Control"))
		}
		if strings.Contains(string(a.body), installed.AuthCode) {
			t.Errorf("%s: the answer shows the auth_code", what)
		}
	}
	for _, accept := range []string{"text/html", "application/json"} {
		refuse("no state", back(t, r.public, s.ID, with("state", ""), cookie, accept))
		refuse("no auth_code", back(t, r.public, s.ID, with("auth_code", ""), cookie, accept))
		refuse("two states", anonymous(t, http.MethodGet, r.public+"/install/"+s.ID+"/redirect?"+good().Encode()+"&state="+to.Query().Get("state"),
			map[string]string{"Cookie": cookie.Name + "=" + cookie.Value, "Accept": accept}))
		refuse("no cookie", back(t, r.public, s.ID, good(), nil, accept))
		refuse("another browser's cookie", back(t, r.public, s.ID, good(), foreign, accept))
		refuse("an empty cookie", back(t, r.public, s.ID, good(), &http.Cookie{Name: cookie.Name}, accept))
		refuse("a state of nobody", back(t, r.public, s.ID, with("state", strings.Repeat("A", 26)), cookie, accept))
		refuse("the cookie as state", back(t, r.public, s.ID, with("state", cookie.Value), cookie, accept))
		refuse("a state in other letters", back(t, r.public, s.ID, with("state", strings.ToLower(to.Query().Get("state"))), cookie, accept))
		refuse("a state that is none", back(t, r.public, s.ID, with("state", "../../etc"), cookie, accept))
		refuse("a state of 129 bytes", back(t, r.public, s.ID, with("state", strings.Repeat("A", 129)), cookie, accept))
		refuse("a state of another suite", back(t, r.public, s.ID, with("state", elsewhereTo.Query().Get("state")), elsewhere, accept))
		refuse("a state at another suite", back(t, r.public, other.ID, good(), cookie, accept))
		refuse("an expired state", back(t, r.public, s.ID, with("state", oldTo.Query().Get("state")), old, accept))
	}
	head := anonymous(t, http.MethodHead, r.public+"/install/"+s.ID+"/redirect?"+good().Encode(), map[string]string{"Cookie": cookie.Name + "=" + cookie.Value})
	if head.status != http.StatusMethodNotAllowed {
		t.Errorf("HEAD of the way back = %s, want 405: it must not spend the state", head)
	}
	if n := upstream(w); n != before {
		t.Errorf("refused ways back cost %d calls, want none", n-before)
	}
	if n := scalar[int](t, w.database, `SELECT count(*) FROM exchanges`); n != 0 {
		t.Errorf("refused ways back left %d exchanges", n)
	}

	// None of that has spent the state. The right way back works, once.
	a := back(t, r.public, s.ID, good(), cookie, "text/html")
	if a.status != http.StatusSeeOther || a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("the way back = %s %v, want 303 that tells nobody where it was", a, a.header)
	}
	base, _ := url.Parse(r.public + "/install/" + s.ID + "/redirect")
	clean, err := base.Parse(a.header.Get("Location"))
	if err != nil || clean.RawQuery != "" || clean.Host != base.Host || strings.Contains(clean.String(), installed.AuthCode) {
		t.Fatalf("the way back leads to %s, want a clean page of our own", clean)
	}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.MaxAge >= 0 {
			t.Errorf("the way back sets %s, want the cookie gone", c)
		}
	}
	if n := w.calls("v2/get_permanent_code", s.ID, ""); n != 1 {
		t.Errorf("the exchange was tried %d times at once, want once", n)
	}
	result := anonymous(t, http.MethodGet, clean.String(), map[string]string{"Accept": "text/html"})
	if result.status != http.StatusOK || result.header.Get("Cache-Control") != "no-store" || !strings.Contains(string(result.body), "Installed") {
		t.Errorf("the page behind it = %s", result)
	}
	var status struct {
		State string
		Final bool
	}
	if err := w.try(http.MethodGet, clean.String()+"/status", nil, nil, &status); err != nil || status.State != "done" || !status.Final {
		t.Errorf("status = %+v %v", status, err)
	}
	before = upstream(w)
	refuse("a used state", back(t, r.public, s.ID, good(), cookie, "text/html"))
	wantProblem(t, "an exchange of another suite", anonymous(t, http.MethodGet, strings.Replace(clean.String(), s.ID, other.ID, 1)+"/status", nil), http.StatusNotFound, "not_found")
	wantProblem(t, "no exchange", anonymous(t, http.MethodGet, base.String()[:len(base.String())-len("redirect")]+"result/nonsense/status", nil), http.StatusNotFound, "not_found")
	w.waitSigned(r, pageURL, s.ID, "wwstate", 5*time.Second)
	if n := w.calls("v2/get_permanent_code", s.ID, ""); n != 1 {
		t.Errorf("a used state cost an exchange: %d (%d calls before)", n, before)
	}
	for _, value := range []string{installed.AuthCode, to.Query().Get("state"), cookie.Value, to.Query().Get("pre_auth_code")} {
		if strings.Contains(r.output(), value) {
			t.Error("the log holds a code, a state or a cookie of an installation")
		}
	}
}

// While the platform takes its time the browser is led to a page that watches; the
// person is told what became of it.
func TestContractInstallWatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{environ: []string{"SUITESIGN_LIMITS_INSTALLS_PER_MINUTE=0"}})
	r := w.replicas[0]
	s := w.suite("ww-watch", "third_party", "corp.example.com")
	finish := func(corp string) *url.URL {
		t.Helper()
		var installed struct {
			AuthCode string `json:"auth_code"`
		}
		w.simulate("install", map[string]any{"suite_id": s.ID, "corp_id": corp, "door": "site"}, &installed)
		cookie, to := begin(t, r.public, s.ID)
		a := back(t, r.public, s.ID, url.Values{"auth_code": {installed.AuthCode}, "expires_in": {"600"}, "state": {to.Query().Get("state")}}, cookie, "text/html")
		if a.status != http.StatusSeeOther {
			t.Fatalf("the way back = %s, want 303", a)
		}
		base, _ := url.Parse(r.public + "/install/" + s.ID + "/redirect")
		clean, err := base.Parse(a.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return clean
	}
	status := func(page *url.URL) (state string, final bool) {
		t.Helper()
		var v struct {
			State string
			Final bool
		}
		a := anonymous(t, http.MethodGet, page.String()+"/status", nil)
		if err := json.Unmarshal(a.body, &v); err != nil || a.status != http.StatusOK || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("status = %s", a)
		}
		return v.State, v.Final
	}

	// The platform is busy: tried again by itself, and the page follows.
	w.simulate("faults", map[string]any{"api": "v2/get_permanent_code", "kind": "errcode", "value": -1, "times": 1}, nil)
	page := finish("wwbusy")
	if state, final := status(page); state != "done" {
		a := anonymous(t, http.MethodGet, page.String(), map[string]string{"Accept": "text/html"})
		if final || !strings.Contains(string(a.body), "<script") || !strings.Contains(string(a.body), "http-equiv=\"refresh\"") {
			t.Errorf("while the platform is busy the page (%s) = %s, want one that polls", state, a)
		}
	}
	eventually(t, 20*time.Second, func() error {
		if state, _ := status(page); state != "done" {
			return fmt.Errorf("state = %s", state)
		}
		return nil
	})
	w.waitSigned(r, pageURL, s.ID, "wwbusy", 5*time.Second)

	// The work is done and its answer is lost: the outcome is unknown, it is asked once
	// more, and the platform says that the code is used. Nobody has the permanent_code.
	w.simulate("faults", map[string]any{"api": "v2/get_permanent_code", "kind": "drop_after", "times": 1}, nil)
	before := w.calls("v2/get_permanent_code", s.ID, "")
	page = finish("wwlost")
	eventually(t, 20*time.Second, func() error {
		state, final := status(page)
		if state == "needs_reauthorization" && final {
			return nil
		}
		return fmt.Errorf("state = %s, want needs_reauthorization", state)
	})
	if n := w.calls("v2/get_permanent_code", s.ID, "") - before; n != 2 {
		t.Errorf("an exchange of unknown outcome was tried %d times, want once more", n)
	}
	for accept, text := range map[string]string{"en": "Not installed", "zh": "未完成"} {
		a := anonymous(t, http.MethodGet, page.String(), map[string]string{"Accept": "text/html", "Accept-Language": accept})
		if a.status != http.StatusOK || !strings.Contains(string(a.body), text) || !strings.Contains(string(a.body), s.ID+`"`) || strings.Contains(string(a.body), "<script") {
			t.Errorf("the page of a lost installation in %s = %s, want it told, with a way to begin again and no polling", accept, a)
		}
	}
	if n := scalar[int](t, w.database, `SELECT count(*) FROM tenants WHERE corp_id = 'wwlost' AND status = 'active'`); n != 0 {
		t.Error("a tenant is active of whom nobody has the permanent_code")
	}
	if n := w.calls("v2/get_permanent_code", s.ID, "") - before; n != 2 {
		t.Errorf("%d calls, want no more of them", n)
	}
	// A code that the platform does not know is the same to the person.
	cookie, to := begin(t, r.public, s.ID)
	a := back(t, r.public, s.ID, url.Values{"auth_code": {strings.Repeat("x", 64)}, "expires_in": {"600"}, "state": {to.Query().Get("state")}}, cookie, "text/html")
	if a.status != http.StatusSeeOther {
		t.Errorf("an unknown auth_code = %s", a)
	}

	// Installed once more it works, at the same corp.
	page = finish("wwlost")
	eventually(t, 10*time.Second, func() error {
		if state, _ := status(page); state != "done" {
			return fmt.Errorf("state = %s", state)
		}
		return nil
	})
	w.waitSigned(r, pageURL, s.ID, "wwlost", 5*time.Second)
}

// By the market it is the same: the event tells that it failed, and a reset by the
// corp's admin recovers. A replica that dies in the middle leaves its intent behind.
func TestContractExchangeOutcomeUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	r := w.replicas[0]
	s := w.suite("dk-unknown", "customized", "corp.example.com")
	w.simulate("faults", map[string]any{"api": "v2/get_permanent_code", "kind": "slow", "value": 1000, "times": 1}, nil) // done, and its answer takes for ever
	w.install(s.ID, "wwunknown", "")
	eventually(t, 10*time.Second, func() error {
		if w.calls("v2/get_permanent_code", s.ID, "") == 0 {
			return fmt.Errorf("the exchange has not begun")
		}
		return nil
	})
	w.restart(r) // kill -9, with the call under way
	var e storedEvent
	eventually(t, 45*time.Second, func() error { // a lease has to end
		list := w.events(s.ID, "create_auth")
		if len(list) != 1 || list[0].State != "failed" {
			return fmt.Errorf("create_auth = %+v, want it failed", list)
		}
		e = list[0]
		return nil
	})
	if e.Error == nil || *e.Error == "" {
		t.Errorf("the event does not tell why: %+v", e)
	}
	if n := w.calls("v2/get_permanent_code", s.ID, ""); n != 2 {
		t.Errorf("%d exchanges, want the one that was cut and one more", n)
	}
	if n := scalar[int](t, w.database, `SELECT count(*) FROM tenants WHERE status = 'active'`); n != 0 {
		t.Error("a zombie tenant is active")
	}
	w.simulate("reset-permanent-code", map[string]any{"suite_id": s.ID, "corp_id": "wwunknown"}, nil)
	w.waitSigned(r, pageURL, s.ID, "wwunknown", 10*time.Second)
	if n := w.calls("v2/get_permanent_code", s.ID, ""); n != 3 {
		t.Errorf("%d exchanges, want a third one", n)
	}
}
