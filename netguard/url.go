package netguard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxURL is how long a URL may be.
const maxURL = 2048

// checkFor bounds the resolution that CheckURL waits for.
const checkFor = 2 * time.Second

// ParseURL reads the URL of something that is called: https or http, a host, no
// userinfo, no fragment. It asks nobody. The error never repeats the URL. ErrURL.
func ParseURL(raw string) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrURL, maxURL)
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7F }) {
		return nil, fmt.Errorf("%w: it has a space, a backslash or a control character", ErrURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: it is no URL", ErrURL)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%w: its scheme is not https", ErrURL)
	case u.User != nil:
		return nil, fmt.Errorf("%w: it has a user name or password; put a secret into the path or use the signature", ErrURL)
	case u.Hostname() == "" || u.Opaque != "":
		return nil, fmt.Errorf("%w: it has no host", ErrURL)
	case strings.Contains(raw, "#"):
		return nil, fmt.Errorf("%w: it has a fragment, which is never sent", ErrURL)
	}
	if _, err := portOf(u); err != nil {
		return nil, err
	}
	return u, nil
}

func portOf(u *url.URL) (uint16, error) {
	text := u.Port()
	switch {
	case text == "" && strings.HasSuffix(u.Host, ":"):
		return 0, fmt.Errorf("%w: it has a colon and no port", ErrURL)
	case text == "" && u.Scheme == "http":
		return 80, nil
	case text == "":
		return 443, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%w: its port is not from 1 to 65535", ErrURL)
	}
	return uint16(n), nil
}

// CheckURL reads a URL and tells whether it may be called as its name resolves
// now. A name that does not resolve, or not within two seconds, may become one
// that does: it passes, and is looked at when it is called. ErrURL, ErrForbidden.
func (g *Guard) CheckURL(ctx context.Context, raw string) (*url.URL, error) {
	u, err := ParseURL(raw)
	if err != nil {
		return nil, err
	}
	port, err := portOf(u)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	_, err = g.Resolve(ctx, u.Hostname(), port, u.Scheme == "http")
	if errors.Is(err, ErrUnresolved) {
		return u, nil
	}
	return u, err
}

// ParsePrefixes reads the networks that an operator allows: 10.0.0.0/8, or one
// address.
func ParsePrefixes(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, t := range texts {
		if addr, err := netip.ParseAddr(t); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(t)
		if err != nil || p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is not a network like 10.0.0.0/8 or 192.0.2.7/32", t)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}
