package wecomtest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"suitesign/wecom"
)

// Sim is a simulator on an HTTP server of its own, for one test. Its methods are
// the controls under /sim/; what a control refuses fails the test.
type Sim struct {
	*Server
	URL string // of the platform: what a client takes for https://qyapi.weixin.qq.com
	t   testing.TB
}

// Option configures the simulator of a test.
type Option func(*options)

type options struct {
	Config
	violations bool
}

// WithConfig replaces the whole configuration; options after it still apply.
func WithConfig(c Config) Option { return func(o *options) { o.Config = c } }

// WithClock lets the simulator live in another time.
func WithClock(c Clock) Option { return func(o *options) { o.Clock = c } }

// WithLifetimes shortens what the simulator hands out; zero is the platform's.
func WithLifetimes(l Lifetimes) Option { return func(o *options) { o.Lifetimes = l } }

// WithRotation says what repeated fetches answer with; grace is how long a
// replaced credential still works with Rotating.
func WithRotation(r Rotation, grace time.Duration) Option {
	return func(o *options) { o.Rotation, o.Grace = r, grace }
}

// WithLimits changes the published limits.
func WithLimits(l Limits) Option { return func(o *options) { o.Limits = l } }

// WithPushInterval changes the 10 minutes between two suite_tickets.
func WithPushInterval(d time.Duration) Option { return func(o *options) { o.PushInterval = d } }

// WithLog lets the simulator tell what it does.
func WithLog(l *slog.Logger) Option { return func(o *options) { o.Log = l } }

// AllowViolations lets the test exceed limits. Without it a test that exceeds a
// published limit fails, whatever else it shows.
func AllowViolations() Option { return func(o *options) { o.violations = true } }

// New starts a simulator that ends with the test.
func New(t testing.TB, opts ...Option) *Sim {
	t.Helper()
	var o options
	for _, f := range opts {
		f(&o)
	}
	s, err := NewServer(o.Config)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.CloseClientConnections() // silent faults may hold some
		_ = s.Close()              // writes the state file, if there is one: no test depends on it
		h.Close()
		if o.violations {
			return
		}
		for _, v := range s.State("", "").Violations {
			t.Errorf("a limit of the platform was exceeded: %s", v)
		}
	})
	return &Sim{Server: s, URL: h.URL, t: t}
}

// AddSuite makes a suite, or changes one. Callback URLs are verified with the
// first push.
func (s *Sim) AddSuite(in Suite) Suite {
	s.t.Helper()
	out, err := s.PutSuite(in)
	s.must(err)
	return out
}

// AddCorp makes a corp, or changes one.
func (s *Sim) AddCorp(in Corp) Corp {
	s.t.Helper()
	out, err := s.PutCorp(in)
	s.must(err)
	return out
}

// Install lets a corp install a suite by a door; a corp that is not known yet is made.
func (s *Sim) Install(suite wecom.SuiteID, corp wecom.CorpID, door Door) InstallResult {
	s.t.Helper()
	return s.InstallWith(Install{SuiteID: suite, CorpID: corp, Door: door})
}

// InstallWith is Install with everything there is to say about it.
func (s *Sim) InstallWith(in Install) InstallResult {
	s.t.Helper()
	out, err := s.Server.Install(context.Background(), in)
	s.must(err)
	return out
}

// Uninstall lets a corp remove the app; the delivery is that of cancel_auth.
func (s *Sim) Uninstall(suite wecom.SuiteID, corp wecom.CorpID) Delivery {
	s.t.Helper()
	d, err := s.Server.Uninstall(context.Background(), Target{SuiteID: suite, CorpID: corp})
	s.must(err)
	return *d
}

// Change alters an authorization; the delivery is that of change_auth.
func (s *Sim) Change(c Change) Delivery {
	s.t.Helper()
	d, err := s.Server.Change(context.Background(), c)
	s.must(err)
	if d == nil {
		return Delivery{}
	}
	return *d
}

// ResetPermanentCode resets the secret of a customised app.
func (s *Sim) ResetPermanentCode(suite wecom.SuiteID, corp wecom.CorpID) InstallResult {
	s.t.Helper()
	out, err := s.Server.ResetPermanentCode(context.Background(), Target{SuiteID: suite, CorpID: corp})
	s.must(err)
	return out
}

// PushSuiteTicket pushes a new suite_ticket now.
func (s *Sim) PushSuiteTicket(suite wecom.SuiteID) Delivery {
	s.t.Helper()
	d, err := s.Server.PushSuiteTicket(context.Background(), suite)
	s.must(err)
	return d
}

// SuiteTicket answers with a suite_ticket that works, pushed or not.
func (s *Sim) SuiteTicket(suite wecom.SuiteID) string {
	s.t.Helper()
	v, err := s.Server.SuiteTicket(suite)
	s.must(err)
	return v
}

// Push pushes any event.
func (s *Sim) Push(in Push) []Delivery {
	s.t.Helper()
	d, err := s.Server.Push(context.Background(), in)
	s.must(err)
	return d
}

// Seal puts a message into an envelope as a push does, without sending it: the
// body, and msg_signature, timestamp and nonce. corp matters at the data door.
func (s *Sim) Seal(suite wecom.SuiteID, door PushDoor, corp wecom.CorpID, message string) ([]byte, url.Values) {
	s.t.Helper()
	s.mu.Lock()
	su := s.suites[suite]
	s.mu.Unlock()
	if su == nil {
		s.t.Fatalf("there is no suite %q", suite)
	}
	body, query, err := s.seal(su, door, corp, []byte(message))
	s.must(err)
	return body, query
}

// Fault makes calls fail.
func (s *Sim) Fault(f Fault) {
	s.t.Helper()
	_, err := s.AddFault(f)
	s.must(err)
}

// ClearFaults ends all faults.
func (s *Sim) ClearFaults() { s.Server.ClearFaults("") }

// Calls tells what was asked since the start, or since ForgetCalls.
func (s *Sim) Calls() Calls { return s.Server.Calls("", "", "") }

// State is everything the simulator knows.
func (s *Sim) State() State { return s.Server.State("", "") }

// Authorization is what a corp gave a suite, and what the suite was given.
func (s *Sim) Authorization(suite wecom.SuiteID, corp wecom.CorpID) AppState {
	s.t.Helper()
	a, ok := s.Server.State(suite, corp).Authorization(suite, corp)
	if !ok {
		s.t.Fatalf("corp %s never installed suite %s", corp, suite)
	}
	return a
}

// Revoke ends the live credentials of one kind of an authorization, or with
// suite_access_token and provider_access_token the suite's (corp is then ignored).
func (s *Sim) Revoke(suite wecom.SuiteID, corp wecom.CorpID, kind Kind) int {
	s.t.Helper()
	n, err := s.Server.Revoke(Revoke{SuiteID: suite, CorpID: corp, Kind: kind})
	s.must(err)
	return n
}

// Disable changes the state of a corp's app of a suite.
func (s *Sim) Disable(suite wecom.SuiteID, corp wecom.CorpID, state AppTrouble) {
	s.t.Helper()
	_, err := s.Server.Disable(Disable{SuiteID: suite, CorpID: corp, State: state})
	s.must(err)
}

func (s *Sim) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("simulator: %v", err)
	}
}
