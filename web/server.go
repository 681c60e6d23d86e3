package web

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"suitesign/signing"
	"suitesign/suite"
	"suitesign/web/demo/debug"
	"suitesign/web/h5"
	"suitesign/web/jssdk"
)

// Server holds what the handlers need. Public and Admin are its two listeners.
type Server struct {
	Signer            Signer            // signs pages
	Callbacks         Callbacks         // takes what WeCom tells
	Installs          Installs          // installs suites from our own page
	VerificationFiles VerificationFiles // finds ownership files by host
	API               *API              // the admin API; not served unless set
	DemoPage          http.Handler      // everything below /demo/; not served unless set
	DebugPage         http.Handler      // everything below /demo/debug; not served unless set
	PageExplainer     PageExplainer     // answers what that page asks; not served unless set
	PageReports       PageReports       // takes what pages report; not served unless set

	Log            *slog.Logger   // slog.Default unless set
	Metrics        *Metrics       // required
	Health         *Health        // required
	Limits         Limits         // off unless set
	PublicURL      string         // how the public listener is reached; its https makes cookies __Host-
	InstallURL     string         // the platform's page that our install page leads to
	TrustedProxies []netip.Prefix // whose X-Forwarded-For and X-Request-Id are believed; nobody's unless set
	Pprof          bool           // serve /debug/pprof on the admin listener

	once        sync.Once
	pages       *limiter // per address: signatures and pages
	installs    *limiter // per address: installations begun
	forged      *limiter // per network: refused callbacks
	questions   *limiter // per address: what costs many hashes, reports of pages
	keys        *limiter // per API key: requests to the admin API
	crossOrigin *http.CrossOriginProtection
}

// Public is the handler of the listener that pages, WeCom and installers reach.
func (s *Server) Public() http.Handler {
	r := s.router()
	r.GET("/callback/:suite_id/command", s.handle(s.verifyCallback(suite.CommandDoor)))
	r.POST("/callback/:suite_id/command", s.handle(s.receiveCallback(suite.CommandDoor)))
	r.GET("/callback/:suite_id/data", s.handle(s.verifyCallback(suite.DataDoor)))
	r.POST("/callback/:suite_id/data", s.handle(s.receiveCallback(suite.DataDoor)))
	r.GET("/install/:suite_id", s.handlePage(s.installPage))
	r.POST("/install/:suite_id", s.handlePage(s.startInstall))
	r.GET("/install/:suite_id/redirect", s.handlePage(s.finishInstall))
	r.GET("/install/:suite_id/result/:exchange_id", s.handlePage(s.installResult))
	r.GET("/install/:suite_id/result/:exchange_id/status", s.handle(s.watchInstall))
	r.GET("/WW_verify_:code", s.handle(s.verificationFile))
	r.GET("/healthz", s.handle(s.healthz))
	r.GET("/readyz", s.handle(s.readyz))
	r.GET(jssdk.Path, gin.WrapH(jssdk.Handler()))
	r.GET(h5.Path, gin.WrapH(h5.Handler()))
	r.GET("/api/jssdk/apis", s.handle(s.apis))
	if s.PageReports != nil {
		r.POST("/api/jssdk/report", s.handle(s.takeReport))
		r.OPTIONS("/api/jssdk/report", s.handle(s.preflightReport))
	}
	if s.PageExplainer != nil {
		r.POST("/api/jssdk/explain", s.handle(s.explainPage))
	}
	if s.DemoPage != nil || s.DebugPage != nil {
		r.GET("/demo/*file", s.handle(s.demoPages))
	}
	if s.DemoPage != nil {
		r.GET("/demo", func(c *gin.Context) { c.Redirect(http.StatusFound, "/demo/") })
	}
	d := s.door("public", r)
	s.answerSigning(d)
	return d
}

// demoPages answers below /demo/: the debugger, or the demo page.
func (s *Server) demoPages(c *gin.Context) error {
	page := s.DemoPage
	if path := c.Request.URL.Path; s.DebugPage != nil && (path == debug.Path || strings.HasPrefix(path, debug.Path+"/")) {
		page = s.DebugPage
	}
	if page == nil {
		return errNotFound
	}
	page.ServeHTTP(c.Writer, c.Request)
	return nil
}

// answerSigning takes the signing endpoints from the router.
func (s *Server) answerSigning(d *door) {
	d.answer("/api/jssdk/config-signature", s.sign(signing.Config, "config"))
	d.answer("/api/jssdk/agent-signature", s.sign(signing.Agent, "agent"))
	d.answer("/api/jssdk/signatures", s.sign(signing.Both, "both"))
}

// Admin is the handler of the listener for operators and admins.
func (s *Server) Admin() http.Handler {
	r := s.router()
	r.UseRawPath = true // an escaped slash stays inside of its segment, and is refused there by name
	r.GET("/healthz", s.handle(s.healthz))
	r.GET("/readyz", s.handle(s.readyz))
	r.GET("/metrics", gin.WrapH(s.Metrics.handler()))
	if s.Pprof {
		r.GET("/debug/pprof/*profile", gin.WrapF(profile))
	}
	s.registerAdmin(r)
	d := s.door("admin", r)
	if s.API != nil && s.API.Imports != nil {
		d.bodies = map[string]int64{"/v1/imports": s.API.maxImport()}
	}
	return d
}

// router is gin without its own ideas: no redirects, no logger, no recovery,
// its 404 and 405 are problems, and a handler's context ends with its request.
func (s *Server) router() *gin.Engine {
	s.once.Do(s.prepare)
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.ContextWithFallback = true
	r.RedirectTrailingSlash = false
	r.HandleMethodNotAllowed = true
	r.ForwardedByClientIP = false // the door finds the client's address
	if err := r.SetTrustedProxies(nil); err != nil {
		panic(err) // an empty list is always good
	}
	r.NoRoute(s.handle(func(*gin.Context) error { return errNotFound }))
	r.NoMethod(s.handle(func(c *gin.Context) error {
		return &fault{err: errMethodNotAllowed, allowed: withHead(c.Writer.Header().Get("Allow"))}
	}))
	r.Use(noteRoute)
	return r
}

// prepare makes what both listeners share.
func (s *Server) prepare() {
	s.pages = newLimiter(s.Limits.SignPerSecond, s.Limits.SignBurst, perAddress)
	s.installs = newLimiter(s.Limits.InstallPerMinute/60, int(s.Limits.InstallPerMinute), perAddress)
	s.crossOrigin = http.NewCrossOriginProtection()
	if origin := originOfURL(s.PublicURL); s.PublicURL != "" {
		if err := s.crossOrigin.AddTrustedOrigin(origin); err != nil {
			panic(err) // the configuration has checked it
		}
	}
	s.keys = newLimiter(s.Limits.AdminPerSecond, s.Limits.AdminBurst, perAddress)
	s.questions = newLimiter(s.Limits.ReportPerMinute/60, int(s.Limits.ReportPerMinute), perAddress)
	s.forged = newLimiter(s.Limits.ForgedPerSecond, s.Limits.ForgedBurst, perNetwork)
}

// withHead adds HEAD to an Allow header that has GET: the door routes HEAD as GET.
func withHead(allow string) string {
	if slices.Contains(strings.Split(allow, ", "), http.MethodGet) {
		return allow + ", " + http.MethodHead
	}
	return allow
}

// noteRoute tells the door which route matched.
func noteRoute(c *gin.Context) {
	visitOf(c.Request.Context()).route = c.FullPath()
}

func (s *Server) door(listener string, next http.Handler) *door {
	log := s.Log
	if log == nil {
		log = slog.Default()
	}
	return &door{
		proxies: s.TrustedProxies, quick: make(map[string]quickRoute), next: next,
		reports: &reports{listener: listener, handler: log.Handler(), metrics: s.Metrics},
	}
}

// profile is net/http/pprof without its registration on http.DefaultServeMux's paths.
func profile(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimPrefix(r.URL.Path, "/debug/pprof/") {
	case "cmdline":
		pprof.Cmdline(w, r)
	case "profile":
		pprof.Profile(w, r)
	case "symbol":
		pprof.Symbol(w, r)
	case "trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r)
	}
}
