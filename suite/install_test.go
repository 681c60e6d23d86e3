package suite_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// click begins an installation and sends the browser through the platform's page,
// which lets corp say yes. It answers with what the way back carries.
func (h *house) click(corp wecom.CorpID) (suite.Start, url.Values) {
	h.t.Helper()
	start, err := h.installs.Start(h.t.Context(), suiteID)
	must(h.t, err)
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, start.URL+"&auto="+string(corp), nil)
	must(h.t, err)
	req.Header.Set("Referer", "https://sign.example.com/install/"+string(suiteID))
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	must(h.t, err)
	must(h.t, res.Body.Close())
	back, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("the platform's page answered %d, %v", res.StatusCode, err)
	}
	if got, want := back.Scheme+"://"+back.Host+back.Path, "https://sign.example.com/install/"+string(suiteID)+"/redirect"; got != want {
		h.t.Fatalf("the way back is %s, want %s", got, want)
	}
	return start, back.Query()
}

func TestInstallPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.addSuite(suiteID, func(s *wecomtest.Suite) { s.RedirectDomain = "sign.example.com" })
	h.pushTicket(suiteID)
	name, err := h.installs.Page(t.Context(), suiteID)
	must(t, err)
	if name != "Suite" {
		t.Errorf("Page = %q", name)
	}
	h.wantCalls("get_pre_auth_code", 0) // looking costs nothing
	start, q := h.click(acme)
	h.wantCalls("get_pre_auth_code", 1)
	h.wantCalls("set_session_info", 0)

	id, err := h.installs.Finish(t.Context(), suiteID, q.Get("state"), start.Cookie.Reveal(), secret.New(q.Get("auth_code")))
	must(t, err)
	h.wantAuthorized(suiteID, acme, 1)
	p, err := h.installs.Status(t.Context(), suiteID, id)
	must(t, err)
	if p.State != suite.ExchangeDone || !p.Ready {
		t.Errorf("Status = %+v, want done and ready", p)
	}
	_, err = h.installs.Status(t.Context(), template, id)
	wantErr(t, err, suite.ErrNotFound)
	_, err = h.installs.Status(t.Context(), suiteID, uuid.New())
	wantErr(t, err, suite.ErrNotFound)
}

func TestInstallInTestMode(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.addSuite(suiteID, func(s *wecomtest.Suite) { s.Unpublished = true })
	h.pushTicket(suiteID)
	on := true
	_, err := h.store.Update(t.Context(), suiteID, suite.Patch{InstallTestMode: &on})
	must(t, err)
	start, q := h.click(acme)
	h.wantCalls("set_session_info", 1)
	_, err = h.installs.Finish(t.Context(), suiteID, q.Get("state"), start.Cookie.Reveal(), secret.New(q.Get("auth_code")))
	must(t, err)
	h.wantAuthorized(suiteID, acme, 1)
}

// Whatever is wrong with the way back, nobody is asked about it.
func TestForgedWaysBack(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.addSuite(template)
	h.pushTicket(template)
	start, q := h.click(acme)
	other, otherQuery := h.click("wwother")
	state, cookie, code := q.Get("state"), start.Cookie.Reveal(), q.Get("auth_code")
	for _, tt := range []struct {
		name                string
		id                  wecom.SuiteID
		state, cookie, code string
		want                error
	}{
		{"no state", suiteID, "", cookie, code, suite.ErrState},
		{"no cookie", suiteID, state, "", code, suite.ErrState},
		{"another browser's cookie", suiteID, state, other.Cookie.Reveal(), code, suite.ErrState},
		{"another browser's state", suiteID, otherQuery.Get("state"), cookie, code, suite.ErrState},
		{"a made-up state", suiteID, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", cookie, code, suite.ErrState},
		{"a state in other letters", suiteID, strings.ToLower(state), cookie, code, suite.ErrState},
		{"a state with a dash", suiteID, state + "-", cookie, code, suite.ErrState},
		{"a long state", suiteID, strings.Repeat("A", 129), cookie, code, suite.ErrState},
		{"another suite", template, state, cookie, code, suite.ErrState},
		{"no code", suiteID, state, cookie, "", suite.ErrCode},
		{"a code with a line break", suiteID, state, cookie, "a\nb", suite.ErrCode},
		{"a long code", suiteID, state, cookie, strings.Repeat("c", 513), suite.ErrCode},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := h.installs.Finish(t.Context(), tt.id, tt.state, tt.cookie, secret.New(tt.code))
			wantErr(t, err, tt.want)
		})
	}
	if n := len(h.exchanges()); n != 0 {
		t.Errorf("exchanges = %d, want none", n)
	}
	h.wantCalls(apiPermanent, 0)

	finish := func() error {
		_, err := h.installs.Finish(t.Context(), suiteID, state, cookie, secret.New(code))
		return err
	}
	h.exec(`UPDATE install_states SET expires_at = expires_at - interval '21 minutes'`)
	wantErr(t, finish(), suite.ErrState)
	h.exec(`UPDATE install_states SET expires_at = expires_at + interval '21 minutes'`)
	must(t, finish()) // a wrong code did not use the state up
	wantErr(t, finish(), suite.ErrState)
	h.wantCalls(apiPermanent, 1)
}

// State and cookie are kept as digests only.
func TestStatesAreKeptAsDigests(t *testing.T) {
	t.Parallel()
	h := ready(t)
	start, q := h.click(acme)
	dump := value[string](h, `SELECT string_agg(i::text, ' ') FROM install_states i`)
	for _, v := range []string{q.Get("state"), start.Cookie.Reveal()} {
		if len(v) < 26 {
			t.Errorf("%q has less than 128 bits", v)
		}
		if strings.Contains(dump, v) {
			t.Error("a state or cookie is readable in the database")
		}
	}
}

// The exchange fails: the way back still leads to a page, and a worker goes on.
func TestFinishDoesNotWaitForSuccess(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.sim.Fault(wecomtest.Fault{API: apiPermanent, Kind: wecomtest.Status})
	start, q := h.click(acme)
	id, err := h.installs.Finish(t.Context(), suiteID, q.Get("state"), start.Cookie.Reveal(), secret.New(q.Get("auth_code")))
	must(t, err)
	p, err := h.installs.Status(t.Context(), suiteID, id)
	must(t, err)
	if p.State != suite.ExchangePending || p.Ready {
		t.Errorf("Status = %+v, want pending", p)
	}
	h.due()
	h.work()
	if p, err = h.installs.Status(t.Context(), suiteID, id); err != nil || !p.Ready {
		t.Errorf("Status = %+v, %v; want ready", p, err)
	}
}

func TestStartWithoutASuite(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.installs.Start(t.Context(), "wwnobody")
	wantErr(t, err, suite.ErrNotFound)
	_, err = h.installs.Page(t.Context(), "wwnobody")
	wantErr(t, err, suite.ErrNotFound)
	_, err = h.store.Create(t.Context(), newSuite("own", suite.Internal))
	must(t, err)
	_, err = h.installs.Page(t.Context(), "own")
	wantErr(t, err, suite.ErrNotFound)
	_, err = h.installs.Start(t.Context(), "own")
	wantErr(t, err, suite.ErrNotFound)
	h.addSuite(suiteID)
	_, err = h.installs.Start(t.Context(), suiteID)
	wantErr(t, err, suite.ErrNoSuiteTicket)
	if n := value[int](h, `SELECT count(*) FROM install_states`); n != 0 {
		t.Errorf("%d states were made", n)
	}
}

func TestStartWithAStaleToken(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.token(h.replica)
	h.sim.Revoke(suiteID, "", wecomtest.SuiteAccessToken)
	h.click(acme)
	h.wantCalls(apiSuiteToken, 2)
	h.wantCalls("get_pre_auth_code", 2)
}
