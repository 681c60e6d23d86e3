package wecom_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/secret"
	"suitesign/wecom"
)

// A platform that accepts and stays silent costs four seconds, not more. Time is
// the bubble's.
func TestCallEndsAfterFourSeconds(t *testing.T) {
	t.Parallel()
	for _, a := range apiCalls {
		synctest.Test(t, func(t *testing.T) {
			transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, there) }() // reads all, answers nothing
				return here, nil
			}}
			c := &wecom.Client{BaseURL: "http://127.0.0.1", HTTP: &http.Client{Transport: transport}}
			start := time.Now()
			checkFault(t, c, a, fault{class: wecom.ClassTransient, is: wecom.ErrUnreachable, sent: true})
			if d := time.Since(start); d != 4*time.Second {
				t.Errorf("%s took %v, want 4 s", a.api, d)
			}
			c.CloseIdleConnections()
		})
	}
}

// One that never accepts ends as soon, and was surely not sent.
func TestDialEndsWithTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-over // net/http goes on dialling when the call has ended
			return nil, io.EOF
		}}
		c := &wecom.Client{BaseURL: "http://127.0.0.1", HTTP: &http.Client{Transport: transport}}
		start := time.Now()
		checkFault(t, c, apiCalls[4], fault{class: wecom.ClassTransient, is: wecom.ErrUnreachable, sent: false})
		if d := time.Since(start); d != 4*time.Second {
			t.Errorf("took %v, want 4 s", d)
		}
		close(over)
	})
}

// net/http repeats a GET by itself while kept connections die under it. Whoever
// counts calls would not know: one call is one request.
func TestOneCallIsOneRequest(t *testing.T) {
	t.Parallel()
	for _, a := range apiCalls {
		var good, dropped atomic.Int32
		const kept = 4
		together := make(chan struct{})
		drop := raw(func(*http.Request) string { dropped.Add(1); return "" }, false)
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			switch n := good.Add(1); {
			case n > kept:
				drop(w, r)
				return
			case n == kept:
				close(together)
			}
			select {
			case <-together: // so that each needs a connection of its own
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, a.answer)
		})
		c := client(t, s.URL)
		var wg sync.WaitGroup
		for range kept {
			wg.Go(func() {
				if _, err := a.call(t.Context(), c); err != nil {
					t.Errorf("%s: %v", a.api, err)
				}
			})
		}
		wg.Wait()
		if _, err := a.call(t.Context(), c); !errors.Is(err, wecom.ErrOutcomeUnknown) {
			t.Errorf("%s: %v, want unknown outcome", a.api, err)
		}
		if n := dropped.Load(); n != 1 {
			t.Errorf("%s: %d requests for one call", a.api, n)
		}
	}
}

// Answers are read to their end, so that one connection serves call after call,
// refused ones too.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch n.Add(1) % 3 {
		case 0:
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, strings.Repeat("x", 32<<10))
		case 1:
			_, _ = io.WriteString(w, `{"errcode":45009,"errmsg":"x"}`)
		default:
			_, _ = io.WriteString(w, `{"errcode":0,"ticket":"t","expires_in":7200}`)
		}
	})
	c := client(t, s.URL)
	dials := 0
	for range 30 {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			if !i.Reused {
				dials++
			}
		}})
		_, _ = c.JSAPITicket(ctx, canaryToken)
	}
	if dials != 1 || n.Load() != 30 {
		t.Errorf("%d connections for %d calls, want 1 for 30", dials, n.Load())
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	type seen struct {
		api  string
		code int
	}
	var got []seen
	answer := ""
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
	c := client(t, s.URL)
	c.Observe = func(api string, code int, d time.Duration) {
		if d <= 0 {
			t.Errorf("%s took %v", api, d)
		}
		got = append(got, seen{api, code})
	}
	for _, answer = range []string{`{"ticket":"t","expires_in":1}`, `{"errcode":45009}`, `{}`} {
		_, _ = c.JSAPITicket(t.Context(), canaryToken)
	}
	s.Close()
	_, _ = c.AgentTicket(t.Context(), canaryToken)
	_, _ = c.AgentTicket(t.Context(), wecom.AccessToken{}) // no call
	want := []seen{
		{wecom.APIJSAPITicket, 0}, {wecom.APIJSAPITicket, 45009}, {wecom.APIJSAPITicket, wecom.CodeMalformed},
		{wecom.APIAgentTicket, wecom.CodeUnreachable},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(seen{})); d != "" {
		t.Errorf("observed (-want +got):\n%s", d)
	}
}

// A call with an empty credential would count as one with a wrong secret, and
// enough of those get the address banned. It is not made.
func TestEmptyCredentialsAreNotSent(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	c := client(t, s.URL)
	ctx := t.Context()
	none := secret.String{}
	for name, err := range map[string]error{
		"suite_id":            second(c.SuiteToken(ctx, "", canarySuiteSecret, canaryTicket)),
		"suite_secret":        second(c.SuiteToken(ctx, "s", none, canaryTicket)),
		"suite_ticket":        second(c.SuiteToken(ctx, "s", canarySuiteSecret, wecom.SuiteTicket{})),
		"provider_secret":     second(c.ProviderToken(ctx, "ww1", none)),
		"suite_access_token":  second(c.PreAuthCode(ctx, wecom.SuiteAccessToken{})),
		"auth_code":           second(c.PermanentCode(ctx, canarySuiteToken, none)),
		"auth_corpid":         second(c.CorpToken(ctx, canarySuiteToken, "", canaryPermanent)),
		"permanent_code":      second(c.CorpToken(ctx, canarySuiteToken, "ww1", none)),
		"corpid":              second(c.AppToken(ctx, "", canaryPermanent)),
		"corpsecret":          second(c.AppToken(ctx, "ww1", none)),
		"access_token":        second(c.JSAPITicket(ctx, wecom.AccessToken{})),
		"pre_auth_code":       c.SetSessionInfo(ctx, canarySuiteToken, wecom.PreAuthCode{}, 0),
		"provider_access_tok": second(c.OpenCorpID(ctx, wecom.ProviderAccessToken{}, "ww1")),
	} {
		if !errors.Is(err, wecom.ErrRequest) || errors.Is(err, wecom.ErrOutcomeUnknown) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want ErrRequest that names it", name, err)
		}
	}
	bad := &wecom.Client{BaseURL: "http://user:CANARY@platform.example"}
	if _, err := bad.JSAPITicket(ctx, canaryToken); !errors.Is(err, wecom.ErrRequest) || strings.Contains(printsChain(err), canary) {
		t.Errorf("a bad base URL: %v", err)
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func second[T any](_ T, err error) error { return err }

// failing is a transport that fails with err, in the words of net/http and worse.
type failing struct{ err error }

func (f failing) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: f.err}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Err: canary, Name: canary, IsTimeout: true}, "name resolution failed"},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "connection refused"},
		{&net.OpError{Op: "dial", Err: syscall.ENETUNREACH}, "network unreachable"},
		{&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, "host unreachable"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "connection reset"},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, "connection reset"},
		{&net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}, "timeout"},
		{&net.OpError{Op: "remote error", Err: errors.New(canary)}, "TLS: refused by the server"},
		{&net.OpError{Op: "proxyconnect", Err: syscall.ECONNREFUSED}, "connection refused, at the proxy"},
		{&net.OpError{Op: "proxyconnect", Err: errors.New("http://user:" + canary + "@proxy")}, "the connection failed, at the proxy"},
		{x509.UnknownAuthorityError{}, "TLS: certificate of an unknown authority"},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: canary}, "TLS: certificate of another host"},
		{x509.CertificateInvalidError{Detail: canary}, "TLS: certificate invalid or expired"},
		{http.ErrSchemeMismatch, "TLS: the server does not speak it"},
		{context.DeadlineExceeded, "timeout"},
		{context.Canceled, "cancelled"},
		{io.EOF, "connection closed before the answer"},
		{io.ErrUnexpectedEOF, "connection closed within the answer"},
		{errors.New("something with " + canary), "the connection failed"},
	} {
		c := &wecom.Client{BaseURL: "https://platform.example", HTTP: &http.Client{Transport: failing{tt.err}}}
		_, err := c.JSAPITicket(t.Context(), canaryToken)
		var e *wecom.CallError
		if !errors.As(err, &e) || e.Reason != tt.want {
			t.Errorf("%v: %v, want reason %q", tt.err, err, tt.want)
		}
		if e != nil && !e.Sent {
			t.Errorf("%v: a transport that reports nothing may have sent the request", tt.err)
		}
		if text := printsChain(err); strings.Contains(text, canary) {
			t.Errorf("%v shows a secret: %s", tt.err, text)
		}
	}
}

func TestOwnTransport(t *testing.T) {
	t.Parallel()
	tr := wecom.NewTransport()
	if tr.TLSClientConfig.MinVersion < 0x0303 || tr.TLSClientConfig.InsecureSkipVerify {
		t.Errorf("TLS from %x, unverified %v", tr.TLSClientConfig.MinVersion, tr.TLSClientConfig.InsecureSkipVerify)
	}
	if tr.MaxIdleConnsPerHost < 100 || tr.IdleConnTimeout <= 0 || !tr.DisableCompression {
		t.Errorf("not made for hundreds of calls a second: %d idle connections", tr.MaxIdleConnsPerHost)
	}
}
