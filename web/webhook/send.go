package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"suitesign/netguard"
)

const (
	userAgent   = "suitesign-webhooks/1"
	maxResponse = 1024 // bytes of an answer that are kept; the rest is not read
	maxError    = 300
	saveFor     = 5 * time.Second
)

// attempt is what became of one call.
type attempt struct {
	at         time.Time
	took       time.Duration
	status     int    // 0: no answer
	err        string // in words; "" where there was an answer that means delivered
	response   string // how the answer begins
	retryAfter time.Duration
	final      bool // it is not tried again
}

func (a attempt) delivered() bool { return a.status >= 200 && a.status < 300 && a.err == "" }

// attempt makes one call. It never fails by itself: what went wrong is the outcome.
func (d *Deliverer) attempt(ctx context.Context, c claimed) (a attempt) {
	ctx, cancel := context.WithTimeout(ctx, nonZero(d.SendFor, defaultSend))
	defer cancel()
	a.at = time.Now()
	defer func() { a.took = time.Since(a.at) }()
	request, err := c.request(ctx, a.at)
	if err != nil {
		a.err = describe(err)
		return a
	}
	answer, err := d.client.Do(request)
	if err != nil {
		a.err = describe(err)
		return a
	}
	defer answer.Body.Close()
	a.status = answer.StatusCode
	a.retryAfter = askedFor(answer.Header, a.at)
	begin, err := io.ReadAll(io.LimitReader(answer.Body, maxResponse))
	a.response = readable(begin)
	switch {
	case a.status >= 300 && a.status < 400:
		a.err = "it redirects, which is not followed"
	case a.status < 200 || a.status >= 300:
		a.err = "it answered " + strconv.Itoa(a.status)
	case err != nil && len(begin) == 0 && ctx.Err() != nil:
		a.err = describe(err) // the answer never came to its end
	}
	return a
}

// request makes the signed request of an attempt that begins at the time at.
func (c claimed) request(ctx context.Context, at time.Time) (*http.Request, error) {
	if c.fault != nil {
		return nil, c.fault
	}
	body := []byte(c.Payload)
	signature, err := sign(c.secrets, c.EventID.String(), at, body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, strings.NewReader(c.Payload))
	if err != nil {
		return nil, netguard.ErrURL // the error would repeat the URL
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set("webhook-id", c.EventID.String())
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	return r, nil
}

// describe says what went wrong, without the URL that net/http puts into its errors.
func describe(err error) string {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	var network net.Error
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, netguard.ErrUnresolved):
		return "its name does not resolve"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there: connection refused"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "the call was cut short"
	case errors.As(err, &unknown):
		return "its certificate is signed by nobody we know"
	case errors.As(err, &hostname), errors.As(err, &invalid):
		return "its certificate is not valid for it"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "it closed the connection without an answer"
	}
	return readable([]byte(err.Error()[:min(len(err.Error()), maxError)]))
}

// readable is text that PostgreSQL stores and a terminal survives.
func readable(b []byte) string {
	text := strings.ToValidUTF8(string(b), "\uFFFD")
	// The limit may have cut a character in two.
	text = strings.TrimRight(text, string(utf8.RuneError))
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}
