package wecom

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// netReason says in our own words what went wrong on the way. It looks at types
// only: texts of net/http carry the URL, a malformed header line, a proxy's
// password. What it does not know it calls a failed connection.
func netReason(err error) string {
	reason := "the connection failed"
	for _, k := range netKinds {
		if k.is(err) {
			reason = k.reason
			break
		}
	}
	if op := asError[*net.OpError](err); op != nil && (*op).Op == "proxyconnect" {
		reason += ", at the proxy"
	}
	return reason
}

var netKinds = []struct {
	is     func(error) bool
	reason string
}{
	{isError(context.Canceled), "cancelled"},
	{isError(context.DeadlineExceeded), "timeout"},
	{isType[*net.DNSError], "name resolution failed"},
	{isError(syscall.ECONNREFUSED), "connection refused"},
	{isError(syscall.ENETUNREACH), "network unreachable"},
	{isError(syscall.EHOSTUNREACH), "host unreachable"},
	{isType[x509.UnknownAuthorityError], "TLS: certificate of an unknown authority"},
	{isType[x509.HostnameError], "TLS: certificate of another host"},
	{isType[x509.CertificateInvalidError], "TLS: certificate invalid or expired"},
	{isType[*tls.CertificateVerificationError], "TLS: certificate not accepted"},
	{isError(http.ErrSchemeMismatch), "TLS: the server does not speak it"},
	{isType[tls.RecordHeaderError], "TLS: the server does not speak it"},
	{isType[tls.AlertError], "TLS: refused by the server"},
	{func(err error) bool { // remote alerts of TLS 1.2 have no type of their own
		op := asError[*net.OpError](err)
		return op != nil && (*op).Op == "remote error"
	}, "TLS: refused by the server"},
	{isTimeout, "timeout"},
	{isError(syscall.ECONNRESET), "connection reset"},
	{isError(syscall.EPIPE), "connection reset"},
	{isError(io.EOF), "connection closed before the answer"},
	{isError(io.ErrUnexpectedEOF), "connection closed within the answer"},
}

func isError(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func isType[T error](err error) bool { return asError[T](err) != nil }

// asError is errors.As with the target inside.
func asError[T error](err error) *T {
	var target T
	if errors.As(err, &target) {
		return &target
	}
	return nil
}

func isTimeout(err error) bool {
	t := asError[net.Error](err)
	return t != nil && (*t).Timeout()
}
