package netguard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Errors of the package.
var (
	// ErrForbidden is returned for an address or port that must not be called.
	ErrForbidden = errors.New("address must not be called")
	// ErrURL is returned for a URL that is not of a shape that is called.
	ErrURL = errors.New("URL cannot be called")
	// ErrUnresolved is returned for a name that has no address at the moment.
	ErrUnresolved = errors.New("name does not resolve")
)

// Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Guard decides what may be called, and calls it. Its fields are not changed after
// the first use; the zero value allows public addresses only.
type Guard struct {
	Allowed   []netip.Prefix // may be called although they are not public
	PlainHTTP bool           // http to public addresses is meant, too
	Resolver  Resolver       // net.DefaultResolver unless set
	Connect   time.Duration  // for one connection, its resolution included; 0: 5 s
}

const (
	defaultConnect = 5 * time.Second
	maxAddrs       = 16 // of a name; a name with more is nobody's receiver
	firstOwnPort   = 1024
)

// wellKnown are the ports below 1024 that speak HTTP.
var wellKnown = []uint16{80, 443}

// public knows which addresses are. What looks public and is a cloud's own
// service is added: 168.63.129.16 is the host of a virtual machine of Azure
// (learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
var public = ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32")))

// Check tells whether an address and port may be called, in plain http or not. ErrForbidden.
func (g *Guard) Check(to netip.AddrPort, plain bool) error {
	addr := to.Addr()
	if addr.Zone() != "" || !addr.IsValid() {
		return fmt.Errorf("%w: %s is of one link only", ErrForbidden, addr)
	}
	addr = addr.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1
	if slices.ContainsFunc(g.Allowed, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return nil
	}
	if err := public.SafeAddr(addr); err != nil {
		return fmt.Errorf("%w: %s is not a public address", ErrForbidden, addr)
	}
	if port := to.Port(); port < firstOwnPort && !slices.Contains(wellKnown, port) {
		return fmt.Errorf("%w: port %d is not one that webhooks use", ErrForbidden, port)
	}
	if plain && !g.PlainHTTP {
		return fmt.Errorf("%w: plain http to a public address", ErrForbidden)
	}
	return nil
}

// Resolve finds every address of a host, a name or an address, and answers with
// them only if each may be called. ErrForbidden, ErrUnresolved.
func (g *Guard) Resolve(ctx context.Context, host string, port uint16, plain bool) ([]netip.AddrPort, error) {
	addrs, err := g.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	out := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		out[i] = netip.AddrPortFrom(a.Unmap(), port)
		if err := g.Check(netip.AddrPortFrom(a, port), plain); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (g *Guard) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	var resolver Resolver = net.DefaultResolver
	if g.Resolver != nil {
		resolver = g.Resolver
	}
	addrs, err := resolver.LookupNetIP(ctx, "ip", host)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnresolved, err)
	case len(addrs) == 0:
		return nil, ErrUnresolved
	case len(addrs) > maxAddrs:
		return nil, fmt.Errorf("%w: the name has %d addresses", ErrForbidden, len(addrs))
	}
	return addrs, nil
}

// DialContext connects to host:port; it fits net.Dialer's and http.Transport's
// place for https. The addresses that were looked at are those that are tried.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dial(ctx, network, address, false)
}

func (g *Guard) dialPlain(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dial(ctx, network, address, true)
}

func (g *Guard) dial(ctx context.Context, network, address string, plain bool) (net.Conn, error) {
	connect := g.Connect
	if connect == 0 {
		connect = defaultConnect
	}
	ctx, cancel := context.WithTimeout(ctx, connect)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%w: no such port", ErrURL)
	}
	addrs, err := g.Resolve(ctx, host, uint16(n), plain)
	if err != nil {
		return nil, err
	}
	// The socket is looked at once more, below everything that could be wrong above.
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrForbidden, err)
		}
		return g.Check(to, plain)
	}}
	var faults []error
	for i, to := range addrs {
		conn, err := dialOne(ctx, &d, network, to, len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

// dialOne gives one of so many addresses its share of the time that is left.
func dialOne(ctx context.Context, d *net.Dialer, network string, to netip.AddrPort, left int) (net.Conn, error) {
	if end, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(left))
		defer cancel()
	}
	return d.DialContext(ctx, network, to.String())
}
