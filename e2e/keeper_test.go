package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// keeper holds every exchange of the e2e client with an admin listener against the
// OpenAPI file: an answer has the documented status, headers and body, and what was
// accepted was documented to be. What is not fails the call, whatever the test is about.
type keeper struct {
	next   http.RoundTripper
	admins sync.Map // by host:port
}

var contractKeeper = &keeper{next: http.DefaultTransport}

// watch tells that an admin listener is at an address.
func (k *keeper) watch(address string) {
	if u, err := url.Parse(address); err == nil {
		k.admins.Store(u.Host, true)
	}
}

// contract is the file; TestContractServed holds that the binary serves it.
type contract struct {
	doc    *openapi3.T
	router routers.Router
}

var theContract = sync.OnceValues(func() (contract, error) {
	data, err := os.ReadFile("../web/api/openapi.yaml")
	if err != nil {
		return contract{}, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return contract{}, err
	}
	openapi3filter.RegisterBodyDecoder("application/merge-patch+json", openapi3filter.JSONBodyDecoder)
	router, err := legacy.NewRouter(doc)
	return contract{doc, router}, err
})

// RoundTrip exchanges and looks.
func (k *keeper) RoundTrip(r *http.Request) (*http.Response, error) {
	// A port may be somebody else's later on; what is under /v1 is the admin API's.
	if _, ok := k.admins.Load(r.URL.Host); !ok || r.URL.Path != "/v1" && !strings.HasPrefix(r.URL.Path, "/v1/") {
		return k.next.RoundTrip(r)
	}
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := k.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(got))
	c, err := theContract()
	if err == nil {
		err = c.check(r, sent, resp, got)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s = %d, which is not as documented: %w\n%.1000s", r.Method, r.URL.Path, resp.StatusCode, err, got)
	}
	return resp, nil
}

func (c contract) check(r *http.Request, sent []byte, resp *http.Response, got []byte) error {
	if id := resp.Header.Get("X-Request-Id"); id == "" {
		return errors.New("no X-Request-Id")
	}
	asked, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), bytes.NewReader(sent))
	if err != nil {
		return err
	}
	asked.Header = r.Header.Clone()
	route, params, err := c.router.FindRoute(asked)
	if err != nil || strings.HasSuffix(r.URL.Path, "/") { // no operation
		if resp.StatusCode < http.StatusBadRequest {
			return errors.New("no operation of the contract")
		}
		var v any
		if err := json.Unmarshal(got, &v); err != nil {
			return err
		}
		return c.doc.Components.Schemas["Problem"].Value.VisitJSON(v)
	}
	in := &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route, Options: &openapi3filter.Options{
		MultiError: true, SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: !isJSON(r.Header)}}
	if resp.StatusCode/100 == 2 {
		if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
			return fmt.Errorf("the request was accepted: %w", err)
		}
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(got)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true, ExcludeResponseBody: !isJSON(resp.Header)},
	})
}

func isJSON(h http.Header) bool {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && strings.HasSuffix(media, "json") && !strings.HasSuffix(media, "ndjson")
}

// The file that the answers are held against is the one that the binary serves, and no
// operation of it is without a route: each answers something else than the router's own 404 and 405.
func TestContractServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../web/api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	admin := w.replicas[0].admin
	if a := call(t, http.MethodGet, admin+"/openapi.yaml", nil, nil); !bytes.Equal(a.body, data) {
		t.Error("/openapi.yaml is not the file")
	}
	for path, item := range c.doc.Paths.Map() {
		for method := range item.Operations() {
			at := strings.NewReplacer("{", "", "}", "").Replace(path)
			a := call(t, method, admin+at, map[string]string{"Authorization": "Bearer " + w.apiKey}, nil)
			if a.code() == "not_found" || a.code() == "method_not_allowed" || a.status >= 500 {
				t.Errorf("%s %s is an operation without a route: %s", method, at, a)
			}
		}
	}
	if a := call(t, http.MethodGet, admin+"/docs", nil, nil); a.status != http.StatusOK || !strings.Contains(string(a.body), "createSuite") {
		t.Errorf("/docs = %d", a.status)
	}
}

// The keeper notices: an answer, a header and a request that are not as documented.
func TestTheKeeperNotices(t *testing.T) {
	t.Parallel()
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	good := `{"items":[],"next_cursor":null}`
	for name, tt := range map[string]struct {
		method, path, sent string
		status             int
		media, got         string
		ok                 bool
	}{
		"as documented":        {"GET", "/v1/suites?limit=1", "", 200, "application/json", good, true},
		"another field":        {"GET", "/v1/suites", "", 200, "application/json", `{"items":[],"next_cursor":null,"total":3}`, false},
		"another status":       {"GET", "/v1/suites", "", 206, "application/json", good, false},
		"no operation":         {"GET", "/v1/others", "", 200, "application/json", good, false},
		"a query that is none": {"GET", "/v1/suites?limit=500", "", 200, "application/json", good, false},
		"no ETag":              {"PATCH", "/v1/suites/x", `{"name":"x"}`, 200, "application/json", `{}`, false},
		"no problem":           {"GET", "/v1/nothing", "", 404, "text/plain", "not found", false},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, "http://127.0.0.1:1"+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp := &http.Response{StatusCode: tt.status, Header: http.Header{"Content-Type": {tt.media}, "X-Request-Id": {"x"}}}
		if tt.sent != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		if err := c.check(r, []byte(tt.sent), resp, []byte(tt.got)); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
