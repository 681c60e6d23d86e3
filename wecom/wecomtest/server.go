package wecomtest

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"suitesign/wecom"
)

// Server is the simulator: a http.Handler with its state in memory. It is safe for
// concurrent use. One lock guards the state; it is held while an answer is worked
// out and never while anybody is waited for.
type Server struct {
	cfg    Config
	mux    *http.ServeMux
	client *http.Client  // for callbacks
	slots  chan struct{} // as many callbacks under way at the same time

	mu         sync.Mutex
	suites     map[wecom.SuiteID]*suite
	suiteOrder []*suite
	corps      map[wecom.CorpID]*corp // by corp_id and by open_corp_id
	corpOrder  []*corp
	providers  map[wecom.CorpID]*provider
	secrets    map[string]*app // corpsecrets of gettoken
	creds      map[string]*credential
	authCodes  map[string]*authCode
	codeQueue  []*authCode // in order of their end
	preAuth    map[string]*preAuthCode
	installs   map[string]installPage
	rates      map[string]map[string]*[2]gate // IP, then API
	wrong      map[string]*gate               // IP -> wrong secrets
	faults     []*fault
	lastFault  int64
	ledger     ledger
	violations []Violation
	pushes     *pushLog
	dirty      bool
	loading    bool // what is put in comes from the state file
	stopSave   func() bool
	saveTook   time.Duration // what the latest save kept everybody waiting

	// closing is the simulator's own life: it ends with Close. What the simulator
	// does by itself has no caller whose context it could run in.
	closing context.Context
	close   context.CancelFunc
	working sync.WaitGroup // deliveries and saves under way
	saving  sync.Mutex     // one save at a time
}

// NewServer makes a simulator. With a StateFile that exists it goes on where the
// last one ended. Close it when done.
func NewServer(cfg Config) (*Server, error) {
	if err := cfg.fill(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	closing, cancel := context.WithCancel(context.Background())
	s := &Server{cfg: cfg, client: newCallbackClient(), slots: make(chan struct{}, atOnce), closing: closing, close: cancel}
	s.empty()
	s.mux = s.routes()
	if cfg.StateFile != "" {
		if err := s.load(); err != nil {
			cancel()
			return nil, fmt.Errorf("simulator: %w", err)
		}
	}
	return s, nil
}

// empty makes the state that of a platform that nobody has met yet.
func (s *Server) empty() {
	s.suites = map[wecom.SuiteID]*suite{}
	s.suiteOrder = nil
	s.corps = map[wecom.CorpID]*corp{}
	s.corpOrder = nil
	s.providers = map[wecom.CorpID]*provider{}
	s.secrets = map[string]*app{}
	s.creds = map[string]*credential{}
	s.authCodes = map[string]*authCode{}
	s.codeQueue = nil
	s.preAuth = map[string]*preAuthCode{}
	s.installs = map[string]installPage{}
	s.rates = map[string]map[string]*[2]gate{}
	s.wrong = map[string]*gate{}
	s.faults = nil
	s.ledger = newLedger()
	s.violations = nil
	s.pushes = &pushLog{counts: map[DeliveryState]int{}}
}

// Close ends what the simulator does by itself, saves the state where there is a
// state file, and waits for callbacks under way to be given up.
func (s *Server) Close() error {
	s.mu.Lock()
	for _, su := range s.suiteOrder {
		su.stop()
	}
	if s.stopSave != nil {
		s.stopSave()
	}
	s.close()
	s.mu.Unlock()
	s.working.Wait()
	s.client.CloseIdleConnections()
	return s.Save()
}

func (s *Server) now() time.Time { return s.cfg.Clock.Now() }

// ServeHTTP is the platform, the installation page and the controls.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// route is one operation under /sim/ or of the installation page. openapi.yaml
// tells of each; a test holds the two against each other.
type route struct {
	method, path string
	handle       http.HandlerFunc
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/cgi-bin/", s.serveAPI)
	methods := map[string][]string{}
	for _, r := range s.table() {
		mux.HandleFunc(r.method+" "+r.path, r.handle)
		methods[r.path] = append(methods[r.path], r.method)
	}
	for path, known := range methods { // less specific than the patterns with a method
		mux.HandleFunc(path, wrongMethod(known))
	}
	mux.HandleFunc("/", notFound)
	return mux
}

func (s *Server) table() []route {
	return []route{
		{"GET", "/3rdapp/install", s.showInstall},
		{"POST", "/3rdapp/install", s.confirmInstall},
		{"GET", "/sim/state", control(s.getState)},
		{"GET", "/sim/calls", control(s.getCalls)},
		{"DELETE", "/sim/calls", control(s.deleteCalls)},
		{"POST", "/sim/suites", control(s.postSuite)},
		{"POST", "/sim/corps", control(s.postCorp)},
		{"POST", "/sim/install", control(s.postInstall)},
		{"POST", "/sim/uninstall", control(s.postUninstall)},
		{"POST", "/sim/change", control(s.postChange)},
		{"POST", "/sim/reset-permanent-code", control(s.postResetPermanentCode)},
		{"POST", "/sim/push-suite-ticket", control(s.postPushSuiteTicket)},
		{"POST", "/sim/push", control(s.postPush)},
		{"POST", "/sim/verify", control(s.postVerify)},
		{"POST", "/sim/revoke", control(s.postRevoke)},
		{"POST", "/sim/disable", control(s.postDisable)},
		{"POST", "/sim/faults", control(s.postFault)},
		{"GET", "/sim/faults", control(s.getFaults)},
		{"DELETE", "/sim/faults", control(s.deleteFaults)},
		{"POST", "/sim/reset", control(s.postReset)},
		{"POST", "/sim/jsapi", openToPages(control(s.postJSAPI))},
		{"OPTIONS", "/sim/jsapi", openToPages(http.HandlerFunc(noContent))},
		{"GET", "/sim/bridge.js", openToPages(serveBridge)},
		{"GET", "/sim/api/jssdk/config-signature", standIn(s.standInConfig)},
		{"GET", "/sim/api/jssdk/agent-signature", standIn(s.standInAgent)},
		{"GET", "/sim/api/jssdk/signatures", standIn(s.standInBoth)},
		{"GET", "/sim/api/jssdk/apis", openToPages(serveCatalogue)},
		{"POST", "/sim/api/jssdk/report", openToPages(s.standInReport)},
		{"GET", "/sim/openapi.yaml", openToPages(serveOpenAPI)},
		{"GET", "/sim/healthz", control(s.getHealth)},
		{"GET", "/{$}", s.showFront},
	}
}

// openToPages lets pages of any origin call an operation: the bridge lives in
// them. Only what changes nothing is open; the controls are not.
func openToPages(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Content-Type")
		h.Set("Access-Control-Allow-Private-Network", "true") // a public page may ask a loopback simulator
		h.Set("Access-Control-Max-Age", "600")
		next(w, r)
	}
}

func noContent(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
