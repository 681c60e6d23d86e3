package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the addresses whose X-Forwarded-For and X-Request-Id are
// believed. Nobody else's are: gin believes everybody's until it is told.
type proxies []netip.Prefix

func (p proxies) trust(ip netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// client finds the address of the client and tells whether the peer is a
// trusted proxy. Through trusted proxies the client is the rightmost address of
// X-Forwarded-For that is not itself a trusted proxy: what stands further left
// was written by the client.
func (p proxies) client(r *http.Request) (ip netip.Addr, trusted bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	ip = peer.Addr().Unmap().WithZone("")
	if err != nil {
		// A unix socket's peer has no address; whoever may open the socket is our proxy.
		trusted = r.RemoteAddr == "" || r.RemoteAddr == "@"
	} else {
		trusted = p.trust(ip)
	}
	if !trusted {
		return ip, false
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break
		}
		ip = hop
		if !p.trust(ip) {
			break
		}
	}
	return ip, true
}

// parseHop reads one address of X-Forwarded-For; some proxies write the port too.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Unmap().WithZone(""), true
	}
	if peer, err := netip.ParseAddrPort(s); err == nil {
		return peer.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// wellFormedID reports whether a request id that a proxy sends can stand in a log line.
func wellFormedID(id string) bool {
	if len(id) < 8 || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return true
}
