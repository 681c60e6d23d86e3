package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"suitesign/suite"
	"suitesign/wecom"
)

// callbacks answer whatever a test wants.
type callbacks struct {
	verify  func(id wecom.SuiteID, door suite.Door, q wecom.Query, echostr string) ([]byte, error)
	receive func(ctx context.Context, id wecom.SuiteID, door suite.Door, q wecom.Query, body []byte) error
	known   wecom.SuiteID
}

func (c callbacks) Known(id wecom.SuiteID) bool { return id == c.known }

func (c callbacks) Verify(_ context.Context, id wecom.SuiteID, door suite.Door, q wecom.Query, echostr string) ([]byte, error) {
	return c.verify(id, door, q, echostr)
}

func (c callbacks) Receive(ctx context.Context, id wecom.SuiteID, door suite.Door, q wecom.Query, body []byte) error {
	return c.receive(ctx, id, door, q, body)
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	ts := httptest.NewServer(h)
	t.Cleanup(ts.Close)
	return ts.URL
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCallbackIsPassedOnAsItCame(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	var seen string
	s.Callbacks = callbacks{
		verify: func(id wecom.SuiteID, door suite.Door, q wecom.Query, echostr string) ([]byte, error) {
			seen = fmt.Sprint(id, " ", door, " ", q, " ", echostr)
			return []byte("1234567890"), nil
		},
		receive: func(_ context.Context, id wecom.SuiteID, door suite.Door, q wecom.Query, body []byte) error {
			seen = fmt.Sprint(id, " ", door, " ", q, " ", string(body))
			return nil
		},
	}
	url := serve(t, s.Public())
	for _, tt := range []struct {
		method, path, body, seen, answer string
	}{
		{"GET", "/callback/wwA/command?msg_signature=ab&timestamp=01&nonce=n%2B1&echostr=x%2By%2Fz%3D", "",
			"wwA command {ab 01 n+1} x+y/z=", "1234567890"},
		{"GET", "/callback/wwA/data?msg_signature=ab&timestamp=01&nonce=n+1&echostr=x+y/z=&corpid=wp1", "",
			"wwA data {ab 01 n+1} x+y/z=", "1234567890"},
		{"POST", "/callback/dkB/command?msg_signature=ab&timestamp=01&nonce=n", "<xml/>", "dkB command {ab 01 n} <xml/>", "success"},
		{"POST", "/callback/dkB/data?nonce=n&timestamp=01&msg_signature=ab", "", "dkB data {ab 01 n} ", "success"},
	} {
		seen = ""
		resp := send(t, tt.method, url+tt.path, strings.NewReader(tt.body))
		if got := bodyOf(t, resp); resp.StatusCode != http.StatusOK || got != tt.answer || resp.Header.Get("Content-Type") != typePlain {
			t.Errorf("%s %s = %d %q as %s, want 200 %q as text", tt.method, tt.path, resp.StatusCode, got, resp.Header.Get("Content-Type"), tt.answer)
		}
		if seen != tt.seen {
			t.Errorf("%s %s passed on %q, want %q", tt.method, tt.path, seen, tt.seen)
		}
	}
}

func TestCallbackRefusals(t *testing.T) {
	t.Parallel()
	const query = "?msg_signature=ab&timestamp=1&nonce=n"
	for _, tt := range []struct {
		name, query string
		err         error
		status      int
		code        string
	}{
		{"forged", query, fmt.Errorf("%w: bad padding", suite.ErrForged), 403, "callback_refused"},
		{"forged otherwise", query, fmt.Errorf("%w: wrong receiveid", suite.ErrForged), 403, "callback_refused"},
		{"no such suite", query, suite.ErrNotFound, 404, "not_found"},
		{"no callback", query, suite.ErrMalformedCallback, 400, "callback_malformed"},
		{"database away", query, errors.New("connection refused"), 500, "callback_not_stored"},
		{"too slow", query, fmt.Errorf("insert: %w", context.DeadlineExceeded), 500, "callback_not_stored"},
		{"repeated parameter", query + "&nonce=m", nil, 400, "invalid_request"},
		{"missing parameter", "?timestamp=1&nonce=n", nil, 400, "invalid_request"},
		{"no parameters", "", nil, 400, "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, log := newServer()
			s.Callbacks = callbacks{
				verify:  func(wecom.SuiteID, suite.Door, wecom.Query, string) ([]byte, error) { return nil, tt.err },
				receive: func(context.Context, wecom.SuiteID, suite.Door, wecom.Query, []byte) error { return tt.err },
			}
			url := serve(t, s.Public())
			echo := tt.query
			if echo != "" {
				echo += "&echostr=e"
			}
			for method, q := range map[string]string{"POST": tt.query, "GET": echo} {
				p := problemOf(t, send(t, method, url+"/callback/wwA/command"+q, nil))
				if p.Status != tt.status || p.Code != tt.code {
					t.Errorf("%s = %d %s, want %d %s", method, p.Status, p.Code, tt.status, tt.code)
				}
				for _, inside := range []string{"padding", "receiveid", "connection", "insert"} {
					if strings.Contains(p.Detail, inside) {
						t.Errorf("%s: detail %q tells %q", method, p.Detail, inside)
					}
				}
			}
			if tt.err != nil && errors.Is(tt.err, suite.ErrForged) && !strings.Contains(log.String(), tt.err.Error()) {
				t.Errorf("the log does not tell %q", tt.err)
			}
		})
	}
}

// Whatever makes an envelope bad, the answer is one and the same.
func TestForgeriesCannotBeToldApart(t *testing.T) {
	t.Parallel()
	var answers []string
	for _, why := range []string{"signature", "padding", "length"} {
		s, _ := newServer()
		s.Callbacks = callbacks{receive: func(context.Context, wecom.SuiteID, suite.Door, wecom.Query, []byte) error {
			return fmt.Errorf("%w: %s", suite.ErrForged, why)
		}}
		p := problemOf(t, send(t, "POST", serve(t, s.Public())+"/callback/wwA/data?msg_signature=a&timestamp=1&nonce=n", nil))
		p.RequestID = ""
		answers = append(answers, fmt.Sprintf("%+v", p))
	}
	for _, a := range answers[1:] {
		if a != answers[0] {
			t.Errorf("answers differ: %s and %s", answers[0], a)
		}
	}
}

func TestCallbackHasADeadline(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	s.Callbacks = callbacks{receive: func(ctx context.Context, _ wecom.SuiteID, _ suite.Door, _ wecom.Query, _ []byte) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	resp := send(t, "POST", serve(t, s.Public())+"/callback/wwA/data?msg_signature=a&timestamp=1&nonce=n", nil)
	if p := problemOf(t, resp); p.Status != 500 || p.Code != "callback_not_stored" {
		t.Errorf("a callback without end = %d %s, want 500 callback_not_stored", p.Status, p.Code)
	}
}

func TestCallbackBodies(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	s.Callbacks = callbacks{receive: func(context.Context, wecom.SuiteID, suite.Door, wecom.Query, []byte) error { return nil }}
	url := serve(t, s.Public()) + "/callback/wwA/command?msg_signature=a&timestamp=1&nonce=n"
	if got := send(t, "POST", url, bytes.NewReader(make([]byte, maxBody))).StatusCode; got != 200 {
		t.Errorf("64 KiB = %d, want 200", got)
	}
	if p := problemOf(t, send(t, "POST", url, io.MultiReader(bytes.NewReader(make([]byte, maxBody+1))))); p.Code != "body_too_large" {
		t.Errorf("more than 64 KiB = %s, want body_too_large", p.Code)
	}
	if p := problemOf(t, send(t, "POST", url, strings.NewReader("x"), "Content-Encoding", "gzip")); p.Code != "unsupported_media_type" {
		t.Errorf("gzip = %s, want unsupported_media_type", p.Code)
	}
	if p := problemOf(t, send(t, "PUT", url, nil)); p.Code != "method_not_allowed" {
		t.Errorf("PUT = %s, want method_not_allowed", p.Code)
	}
}

// A source that keeps forging is refused before any work is done for it; a
// source that does not is never counted.
func TestForgeriesSpendABudget(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	s.Limits = Limits{ForgedPerSecond: 0.001, ForgedBurst: 3}
	asked := 0
	forged := true
	s.Callbacks = callbacks{receive: func(context.Context, wecom.SuiteID, suite.Door, wecom.Query, []byte) error {
		asked++
		if forged {
			return suite.ErrForged
		}
		return nil
	}}
	url := serve(t, s.Public()) + "/callback/wwA/command?msg_signature=a&timestamp=1&nonce=n"
	forged = false
	for range 10 {
		if got := send(t, "POST", url, nil).StatusCode; got != 200 {
			t.Fatalf("a good callback = %d, want 200", got)
		}
	}
	forged, asked = true, 0
	var last Problem
	for range 5 {
		resp := send(t, "POST", url, nil)
		last = problemOf(t, resp)
		if last.Status == 429 && resp.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	if asked != 3 || last.Code != "rate_limited" {
		t.Errorf("5 forgeries: %d looked at, the last %s; want 3, rate_limited", asked, last.Code)
	}
	forged = false
	if got := send(t, "POST", strings.Replace(url, "/wwA/", "/wwB/", 1), nil).StatusCode; got != 200 {
		t.Errorf("another suite's callback from the same source = %d, want 200", got)
	}
}

// Made-up suites share one budget, however many ids are made up; a suite that is
// known is answered to the same source all the same.
func TestUnknownSuitesSpendABudget(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	s.Limits = Limits{ForgedPerSecond: 0.001, ForgedBurst: 3}
	asked := 0
	s.Callbacks = callbacks{known: "wwreal", receive: func(_ context.Context, id wecom.SuiteID, _ suite.Door, _ wecom.Query, _ []byte) error {
		asked++
		if id == "wwreal" {
			return nil
		}
		return suite.ErrNotFound
	}}
	url := serve(t, s.Public())
	const query = "/command?msg_signature=a&timestamp=1&nonce=n"
	var last Problem
	for i := range 5 {
		last = problemOf(t, send(t, "POST", fmt.Sprintf("%s/callback/ww%d%s", url, i, query), nil))
	}
	if asked != 3 || last.Code != "rate_limited" {
		t.Errorf("5 made-up suites: %d looked up, the last %s; want 3, rate_limited", asked, last.Code)
	}
	if got := send(t, "POST", url+"/callback/wwreal"+query, nil).StatusCode; got != 200 {
		t.Errorf("a suite that exists = %d, want 200", got)
	}
}

// Nothing of a callback's query reaches the log, whatever its level.
func TestCallbackQueriesAreNotLogged(t *testing.T) {
	t.Parallel()
	s, log := newServer()
	s.Callbacks = callbacks{receive: func(context.Context, wecom.SuiteID, suite.Door, wecom.Query, []byte) error { return nil }}
	s.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
	send(t, "POST", serve(t, s.Public())+"/callback/wwA/command?msg_signature=CANARY1&timestamp=1&nonce=CANARY2", strings.NewReader("CANARY3"))
	if text := log.String(); strings.Contains(text, "CANARY") || !strings.Contains(text, "/callback/:suite_id/command") {
		t.Errorf("log = %s, want the route and no canary", text)
	}
}
