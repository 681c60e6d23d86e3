package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/wecom"
)

// Installs lets corps install a suite from our own page; *suite.Installs does.
type Installs interface {
	// Page is the name of a suite that can be installed; suite.ErrNotFound where there is none.
	Page(ctx context.Context, id wecom.SuiteID) (name string, err error)
	// Start fetches a pre_auth_code. Its cookie is to be brought back to Finish.
	Start(ctx context.Context, id wecom.SuiteID) (suite.Start, error)
	// Finish spends the state, writes down the exchange of the auth_code and tries it at once, for 8 s at most.
	Finish(ctx context.Context, id wecom.SuiteID, state, cookie string, authCode secret.String) (uuid.UUID, error)
	// Status tells how far an exchange of this suite is.
	Status(ctx context.Context, id wecom.SuiteID, exchange uuid.UUID) (suite.Progress, error)
}

// errCrossOrigin is returned for a form that another site posts.
var errCrossOrigin = errors.New("posted by another site")

// installPage shows the one button.
func (s *Server) installPage(c *gin.Context) error {
	if err := s.limitPage(c); err != nil {
		return err
	}
	if err := s.wayBack(); err != nil {
		return err
	}
	name, err := s.Installs.Page(c.Request.Context(), suiteID(c))
	if err != nil {
		return err
	}
	language := languageOf(c.Request)
	s.showReferrer(c)
	return writePage(c, http.StatusOK, page{
		Mark:  "ask",
		Title: say(language, "Install ", "安装 ") + name,
		Lines: []string{say(language,
			"An administrator of your company confirms the installation in WeCom.",
			"请由企业管理员在企业微信中确认安装。")},
		Button: say(language, "Continue to WeCom", "前往企业微信"),
	}, "'self' "+originOfURL(s.InstallURL))
}

// startInstall leads to the platform. Each start costs a call to it, so they
// are few per address and never another site's idea.
func (s *Server) startInstall(c *gin.Context) error {
	if err := s.crossOrigin.Check(c.Request); err != nil {
		return fmt.Errorf("%w: %w", errCrossOrigin, err)
	}
	if err := s.wayBack(); err != nil {
		return err
	}
	if wait, ok := s.installs.take(visitOf(c.Request.Context()).ip); !ok {
		return tooMany(wait)
	}
	start, err := s.Installs.Start(c.Request.Context(), suiteID(c))
	if err != nil {
		return err
	}
	s.setInstallCookie(c, start.Cookie.Reveal(), start.MaxAge)
	s.showReferrer(c)
	c.Header("Cache-Control", "no-store")
	c.Redirect(http.StatusSeeOther, start.URL)
	return nil
}

// wayBack refuses to begin what could not come back: WeCom redirects to the public URL.
func (s *Server) wayBack() error {
	if s.PublicURL != "" {
		return nil
	}
	return &fault{err: errNotFound,
		en: "Nobody can install from here until the operator sets SUITESIGN_PUBLIC_URL: WeCom would not know the way back.",
		zh: "运维人员尚未设置 SUITESIGN_PUBLIC_URL，企业微信无法返回本页面，因此暂不能在此安装。"}
}

// finishInstall is the way back. The auth_code leaves the address bar at once.
func (s *Server) finishInstall(c *gin.Context) error {
	if visitOf(c.Request.Context()).method == http.MethodHead {
		return &fault{err: errMethodNotAllowed, allowed: http.MethodGet} // a link preview must not spend the state
	}
	if err := s.limitPage(c); err != nil {
		return err
	}
	q, err := callbackQuery(c.Request.URL.RawQuery, "auth_code", "state")
	if err != nil {
		return err
	}
	cookie, err := c.Request.Cookie(s.installCookieName())
	if err != nil {
		return fmt.Errorf("%w: %w", suite.ErrState, err)
	}
	id, err := s.Installs.Finish(asWeCom(c.Request.Context()), suiteID(c), q["state"], cookie.Value, secret.New(q["auth_code"]))
	if err != nil {
		return err
	}
	s.setInstallCookie(c, "", -time.Second)
	c.Header("Cache-Control", "no-store")
	c.Header("Location", "result/"+id.String()) // relative, so that it holds behind a proxy that adds a path
	c.Status(http.StatusSeeOther)
	return nil
}

// installResult shows how far an installation is, and watches it.
func (s *Server) installResult(c *gin.Context) error {
	progress, err := s.installProgress(c)
	if err != nil {
		return err
	}
	language := languageOf(c.Request)
	p := page{AgainURL: "../../" + url.PathEscape(c.Param("suite_id"))}
	switch {
	case progress.State == suite.ExchangeDone:
		p.Mark, p.Title = "good", say(language, "Installed", "安装成功")
		p.Lines = []string{say(language, "You can close this page.", "可以关闭此页面。")}
	case !progress.State.Final():
		p.Mark, p.Poll, p.Title = "wait", true, say(language, "Installing", "正在安装")
		p.Lines = []string{say(language, "WeCom is asked to confirm. This page follows by itself.", "正在与企业微信确认，本页面会自动更新。")}
	default:
		p.Mark, p.Title = "bad", say(language, "Not installed", "安装未完成")
		p.Lines = []string{say(language, "WeCom did not confirm the installation. Please install once more.", "企业微信未确认本次安装，请重新安装。")}
		p.Again = say(language, "Begin again", "重新安装")
	}
	return writePage(c, http.StatusOK, p, "")
}

// installStatus is the body of …/status.
type installStatus struct {
	State suite.ExchangeState `json:"state"`
	Ready bool                `json:"ready"` // the tenant's agents are known too
	Final bool                `json:"final"`
}

// watchInstall answers the watching page.
func (s *Server) watchInstall(c *gin.Context) error {
	p, err := s.installProgress(c)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, installStatus{State: p.State, Ready: p.Ready, Final: p.State.Final()})
	return nil
}

// installProgress finds the exchange that the path names. Its id is known to the
// browser that began it and hard to guess, and it tells no more than a state.
func (s *Server) installProgress(c *gin.Context) (suite.Progress, error) {
	if err := s.limitPage(c); err != nil {
		return suite.Progress{}, err
	}
	id, err := uuid.Parse(c.Param("exchange_id"))
	if err != nil {
		return suite.Progress{}, errNotFound
	}
	return s.Installs.Status(c.Request.Context(), suiteID(c), id)
}

func suiteID(c *gin.Context) wecom.SuiteID { return wecom.SuiteID(c.Param("suite_id")) }

// showReferrer lets the browser name this page to the platform, which checks
// that an installation comes from the provider's own domain (protocol.md 1.4).
func (s *Server) showReferrer(c *gin.Context) {
	c.Header("Referrer-Policy", "strict-origin-when-cross-origin")
}

// installCookieName is __Host- where the browser holds us to it.
func (s *Server) installCookieName() string {
	if s.https() {
		return "__Host-suitesign_install"
	}
	return "suitesign_install"
}

func (s *Server) https() bool { return strings.HasPrefix(s.PublicURL, "https://") }

func (s *Server) setInstallCookie(c *gin.Context, value string, life time.Duration) {
	http.SetCookie(c.Writer, &http.Cookie{ //nolint:gosec // Secure wherever the public URL is https; over http a browser would drop it
		Name: s.installCookieName(), Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: s.https(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// originOfURL is scheme://host[:port] of a URL of the configuration.
func originOfURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
