package wecom

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// DefaultBaseURL is where the platform's server API lives.
const DefaultBaseURL = "https://qyapi.weixin.qq.com"

// ErrBaseURL is returned for a base URL that must not be used.
var ErrBaseURL = errors.New("invalid platform URL")

// baseURLError says what is wrong without the URL itself: it may hold a password.
type baseURLError string

func (e baseURLError) Error() string { return ErrBaseURL.Error() + ": " + string(e) }
func (e baseURLError) Unwrap() error { return ErrBaseURL }

// CheckBaseURL says whether s may be the platform's base URL. Tokens travel in
// query strings, so it must be https; plain http is for a simulator on loopback.
func CheckBaseURL(s string) error {
	_, err := parseBaseURL(s)
	return err
}

func parseBaseURL(s string) (*url.URL, error) {
	if s == "" {
		s = DefaultBaseURL
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, baseURLError("not a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "" || u.Hostname() == "":
		return nil, baseURLError("it must be https://host[:port], or http:// on loopback")
	case u.User != nil:
		return nil, baseURLError("it must not hold a user or a password")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return nil, baseURLError("it must not hold a query or a fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, baseURLError("plain http is for loopback only: tokens would travel in the clear")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
