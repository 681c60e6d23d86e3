package wecomtest

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"suitesign/wecom"
)

//go:embed install.html front.html
var pages embed.FS

var templates = template.Must(template.ParseFS(pages, "*.html"))

// installPage is an installation that somebody is looking at: what the link
// carried, kept until the corp is chosen.
type installPage struct {
	suite       *suite
	preAuthCode string
	redirectURI string
	state       string
	expires     time.Time
}

const (
	shownCorps   = 50
	pageLifetime = 20 * time.Minute
)

// pageError is what the platform's own page tells an administrator.
type pageError struct {
	code int // of the errcode that belongs to it, or 0
	text string
}

// checkInstall reads the link to the installation page as the platform does.
func (s *Server) checkInstall(r *http.Request) (installPage, *pageError) {
	q := r.URL.Query()
	su := s.suites[wecom.SuiteID(q.Get("suite_id"))]
	if su == nil {
		return installPage{}, &pageError{40083, "There is no suite " + q.Get("suite_id") + "."}
	}
	p, refused := s.preAuthCodeOf(su, q.Get("pre_auth_code"))
	if refused != nil {
		return installPage{}, &pageError{refused.code, "pre_auth_code: " + refused.short() + "."}
	}
	if su.Unpublished && p.authType != 1 {
		return installPage{}, &pageError{40077, "The app is not published: set_session_info must say auth_type 1 for this pre_auth_code."}
	}
	if !stateOK(q.Get("state")) {
		return installPage{}, &pageError{84025, "state may be at most 128 letters and digits."}
	}
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || back.Host == "" || back.Scheme != "http" && back.Scheme != "https" {
		return installPage{}, &pageError{0, "redirect_uri is no absolute URL."}
	}
	if su.RedirectDomain != "" && !strings.EqualFold(back.Host, su.RedirectDomain) && !strings.EqualFold(back.Hostname(), su.RedirectDomain) {
		return installPage{}, &pageError{0, "redirect_uri is not on the suite's configured domain " + su.RedirectDomain + "."}
	}
	from, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || !strings.EqualFold(from.Host, back.Host) {
		return installPage{}, &pageError{0, "Click the link on a page of " + back.Host + ": its Referer must be on the host of redirect_uri, and was " +
			or(from.Host, "absent") + ". A pasted link does not work."}
	}
	return installPage{su, p.value, back.String(), q.Get("state"), s.now().Add(pageLifetime)}, nil
}

type installView struct {
	Error     string
	Errcode   int
	Suite     Suite
	Session   string
	Corps     []Corp
	MoreCorps int
	State     string
	Back      string
}

// showInstall is the page on which an administrator says yes. With auto=<corp_id>
// that corp does at once.
func (s *Server) showInstall(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	page, wrong := s.checkInstall(r)
	if wrong != nil {
		s.mu.Unlock()
		showError(w, wrong)
		return
	}
	session := letters(32)
	for k, p := range s.installs {
		if s.now().After(p.expires) {
			delete(s.installs, k)
		}
	}
	s.installs[session] = page
	v := installView{Suite: page.suite.Suite, Session: session, State: page.state, Back: page.redirectURI}
	for _, co := range s.corpOrder {
		if len(v.Corps) == shownCorps {
			v.MoreCorps = len(s.corpOrder) - shownCorps
			break
		}
		v.Corps = append(v.Corps, co.Corp)
	}
	s.mu.Unlock()
	if auto := r.URL.Query().Get("auto"); auto != "" {
		s.finishInstall(w, r, session, wecom.CorpID(auto))
		return
	}
	show(w, http.StatusOK, "install.html", v)
}

func (s *Server) confirmInstall(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	corpID := wecom.CorpID(or(strings.TrimSpace(r.PostFormValue("other_corp_id")), r.PostFormValue("corp_id")))
	s.finishInstall(w, r, r.PostFormValue("session"), corpID)
}

// finishInstall consumes the pre_auth_code and sends the browser back.
func (s *Server) finishInstall(w http.ResponseWriter, r *http.Request, session string, corpID wecom.CorpID) {
	s.mu.Lock()
	page, ok := s.installs[session]
	delete(s.installs, session)
	if !ok || s.now().After(page.expires) {
		s.mu.Unlock()
		showError(w, &pageError{0, "This page is too old. Go back and click the link again."})
		return
	}
	p, refused := s.preAuthCodeOf(page.suite, page.preAuthCode)
	if refused == nil {
		p.used = true
	}
	s.mu.Unlock()
	if refused != nil {
		showError(w, &pageError{refused.code, "pre_auth_code: " + refused.short() + "."})
		return
	}
	out, err := s.Install(context.WithoutCancel(r.Context()), Install{SuiteID: page.suite.SuiteID, CorpID: corpID, Door: Site, State: page.state, RedirectURI: page.redirectURI})
	if err != nil {
		showError(w, &pageError{0, err.Error() + "."})
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, out.RedirectURL, http.StatusSeeOther)
}

// showFront is what a browser sees at /.
func (s *Server) showFront(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	v := struct{ Suites, Corps int }{len(s.suiteOrder), len(s.corpOrder)}
	s.mu.Unlock()
	show(w, http.StatusOK, "front.html", v)
}

func showError(w http.ResponseWriter, e *pageError) {
	show(w, http.StatusForbidden, "install.html", installView{Error: e.text, Errcode: e.code})
}

func show(w http.ResponseWriter, status int, name string, data any) {
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	fmt.Fprint(w, b.String())
}
