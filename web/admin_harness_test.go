package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/audit"
	"suitesign/migrations/pgtest"
	"suitesign/netguard"
	"suitesign/reach"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/signing"
	"suitesign/signing/explain/known"
	"suitesign/signing/pagereport"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/web"
	"suitesign/web/api"
	"suitesign/web/apikey"
	"suitesign/web/domaincheck"
	"suitesign/web/idempotency"
	"suitesign/web/imports"
	"suitesign/web/webhook"
)

const (
	adminKey  = "bootstrap-0123456789abcdef0123456789"
	publicURL = "https://sign.example.com"
)

// admin is the admin API on a database of its own.
type admin struct {
	t    testing.TB
	pool *pgxpool.Pool
	api  *web.API
	ring *secret.Keyring
	base string
	http *http.Client
	log  *syncBuffer
}

func newAdmin(t testing.TB, change ...func(*web.API)) *admin {
	t.Helper()
	return newAdminOn(t, func(*web.Server) {}, change...)
}

// newAdminOn is newAdmin with a change of the server, too.
func newAdminOn(t testing.TB, serve func(*web.Server), change ...func(*web.API)) *admin {
	t.Helper()
	pool := pgtest.New(t)
	narrowed := reach.Narrow(pool)
	tenants := &tenant.Store{Pool: narrowed}
	a := &admin{t: t, pool: pool, ring: secrettest.New(t), log: &syncBuffer{}}
	a.api = &web.API{
		Gate:    &apikey.Gate{Store: &apikey.Store{Pool: narrowed}, Bootstrap: secret.New(adminKey)},
		Suites:  &suite.Store{Pool: narrowed, Ring: a.ring, Tenants: tenants},
		Tenants: tenants,
	}
	a.api.Idempotency = &idempotency.Store{Pool: pool, Ring: a.ring}
	a.api.Audit = &audit.Log{Pool: narrowed}
	a.api.Known = &known.Reader{Suites: a.api.Suites, Tenants: tenants, Tickets: &ticket.Source{Pool: narrowed, Ring: a.ring},
		Directory: &signing.Directory{Pool: pool, Sealer: a.ring}}
	a.api.Domains = &domaincheck.Checker{Guard: &netguard.Guard{Resolver: noNames{}}, Tickets: &ticket.Source{Pool: narrowed, Ring: a.ring}}
	a.api.Reports = &pagereport.Desk{Pool: narrowed, Known: a.api.Known}
	a.api.Stats = web.Stats{Pool: pool, Backlog: func(context.Context) (ticket.Backlog, error) {
		return ticket.Backlog{Due: 7, PerSecond: 2}, nil
	}}
	// No test asks a name server: every name is a public address, and only this machine is called.
	a.api.Webhooks = &webhook.Store{Pool: pool, Ring: a.ring, Guard: &netguard.Guard{
		Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Resolver: somewhere{}}}
	a.api.WebhookTests = &webhook.Deliverer{Store: a.api.Webhooks, Log: slog.New(slog.DiscardHandler)}
	t.Cleanup(a.api.WebhookTests.Wait)
	a.api.Imports = &imports.Store{Pool: pool, Ring: a.ring, Suites: a.api.Suites, Tenants: tenants}
	for _, f := range change {
		f(a.api)
	}
	s := &web.Server{Log: slog.New(slog.NewJSONHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: web.NewMetrics(), Health: &web.Health{}, PublicURL: publicURL, API: a.api}
	serve(s)
	ts := httptest.NewServer(s.Admin())
	t.Cleanup(func() {
		ts.Close()
		if strings.Contains(a.log.String(), "canary") {
			t.Error("the log holds a secret")
		}
	})
	a.base = ts.URL
	a.http = &http.Client{Transport: &contractKeeper{t: t, next: ts.Client().Transport, router: contractRouter(t)}}
	return a
}

// Exports are lines of text to the validator.
func init() {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.PlainBodyDecoder)
}

// somewhere resolves every name to a public address, but one to a private one.
type somewhere struct{}

func (somewhere) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if host == "inside.example.com" {
		return []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("10.0.0.1")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
}

// noNames is a resolver that knows no name: tests do not ask the net.
type noNames struct{}

func (noNames) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errors.New("no such host")
}

// syncBuffer is a log that a test can read.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// theContract is read once: nobody changes it.
var theContract = sync.OnceValues(api.Load)

func contract(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func contractRouter(t testing.TB) routers.Router {
	t.Helper()
	router, err := legacy.NewRouter(contract(t))
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// contractKeeper holds every answer against the contract: it has the documented
// status, headers and body. What no operation answers is a problem of the
// contract's shape. And whatever a test sends as a secret has "canary" in it:
// no answer may have.
type contractKeeper struct {
	t      testing.TB
	next   http.RoundTripper
	router routers.Router
}

func (k *contractKeeper) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := k.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err := k.check(r, resp, body); err != nil {
		k.t.Errorf("%s %s = %d, which is not as documented: %v\n%.500s", r.Method, r.URL.Path, resp.StatusCode, err, body)
	}
	return resp, nil
}

func (k *contractKeeper) check(r *http.Request, resp *http.Response, body []byte) error {
	if resp.StatusCode >= http.StatusBadRequest && r.URL.Path != "/readyz" && resp.Header.Get("Content-Type") != "application/problem+json" {
		return fmt.Errorf("an error of type %q", resp.Header.Get("Content-Type"))
	}
	if resp.StatusCode >= http.StatusInternalServerError && resp.StatusCode != http.StatusServiceUnavailable {
		return errors.New("a fault on our side")
	}
	secretsAsked := r.URL.Path == "/v1/exports/tenants" && r.URL.Query().Get("include") == "secrets" // whose purpose they are
	if !secretsAsked && bytes.Contains(body, []byte("canary")) {
		return errors.New("the answer holds a secret")
	}
	asked := r.Clone(r.Context())
	asked.URL.Scheme, asked.URL.Host, asked.Host = "", "", "" // the contract's server is "/"
	route, params, err := k.router.FindRoute(asked)
	if err != nil || strings.HasSuffix(r.URL.Path, "/") { // no operation: the router's own 404, 405 and 401
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			return err
		}
		return k.problem().VisitJSON(v)
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route},
		Status:                 resp.StatusCode,
		Header:                 resp.Header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
}

func (k *contractKeeper) problem() *openapi3.Schema {
	return contract(k.t).Components.Schemas["Problem"].Value
}

// answer is what a call was answered.
type answer struct {
	t      testing.TB
	call   string
	status int
	header http.Header
	body   []byte
}

// call sends body (nil: none; []byte and string as they are; else as JSON) with
// the admin's key; headers come in pairs, and an empty value takes one away.
func (a *admin) call(method, path string, body any, headers ...string) *answer {
	a.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			a.t.Fatal(err)
		}
		reader = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.base+path, reader)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Del(headers[i])
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := a.http.Do(req)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	out := &answer{t: a.t, call: method + " " + path, status: resp.StatusCode, header: resp.Header}
	if out.body, err = io.ReadAll(resp.Body); err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	return out
}

// in is a for one of a fuzz test's inputs.
func (a *admin) in(t testing.TB) *admin {
	again := *a
	again.t = t
	return &again
}

// want fails the test where the status is another.
func (r *answer) want(status int) *answer {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s = %d, want %d: %s", r.call, r.status, status, r.body)
	}
	return r
}

// refused wants a problem of this status and code, and returns it.
func (r *answer) refused(status int, code string) web.Problem {
	r.t.Helper()
	var p web.Problem
	r.want(status).into(&p)
	if p.Code != code {
		r.t.Errorf("%s = code %q, want %q: %s", r.call, p.Code, code, r.body)
	}
	return p
}

func (r *answer) into(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%s: %v: %s", r.call, err, r.body)
	}
}

// object reads a JSON object.
func (r *answer) object() map[string]any {
	r.t.Helper()
	var m map[string]any
	r.into(&m)
	return m
}

type object = map[string]any

// internalSuite is a suite without callbacks.
func internalSuite(id string) object {
	return object{"suite_id": id, "kind": "internal", "name": "Ours"}
}

// thirdParty is a suite with all it needs.
func thirdParty(id string) object {
	return object{"suite_id": id, "kind": "third_party", "name": "Theirs", "suite_secret": "canary-suite-secret-1",
		"callback_token": "canaryToken1", "encoding_aes_key": "canaryAESKeyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
}

// addTenant makes an internal tenant and answers its path.
func (a *admin) addTenant(suiteID, corpID string) string {
	a.t.Helper()
	r := a.call("POST", "/v1/tenants", object{"suite_id": suiteID, "corp_id": corpID, "agent_id": 1000002, "secret": "canary-app-secret"}).want(201)
	return r.header.Get("Location")
}
