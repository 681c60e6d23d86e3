package tenant

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// maxDomain bounds what ParseDomain reads: a name of 253 bytes can be typed with more.
const maxDomain = 1024

// A Domain is a host that an admin trusts, in lower-case punycode, with a port
// or without one.
type Domain struct {
	Host string
	Port int // 0 = the scheme's default
}

// String is host or host:port, as ParseDomain reads it.
func (d Domain) String() string {
	if d.Port == 0 {
		return d.Host
	}
	return d.Host + ":" + strconv.Itoa(d.Port)
}

var (
	errDomainEmpty    = badDomain("empty", "it is empty; write host or host:port, for example h5.example.com")
	errDomainTooLong  = badDomain("too_long", "it is too long for a domain name")
	errDomainScheme   = badDomain("scheme", "it has a scheme or a path; write host or host:port only, for example h5.example.com")
	errDomainUserinfo = badDomain("userinfo", "it has an @ sign; write host or host:port only")
	errDomainWildcard = badDomain("wildcard", "it has a *; a trusted domain covers its sub-domains unless exact is set")
	errDomainSpace    = badDomain("space", "it has a space or a control character")
	errDomainUTF8     = badDomain("utf8", "it is not valid UTF-8")
	errDomainIP       = badDomain("ip_address", "it is an IP address; WeCom trusts domain names only")
	errDomainDot      = badDomain("trailing_dot", "it ends with a dot; leave that out")
	errDomainSingle   = badDomain("single_label", "it is a single label; a trusted domain has at least two, for example example.com")
	errDomainLocal    = badDomain("localhost", "names under localhost are trusted in the demo only")
	errDomainPort     = badDomain("port", "its port is not a number from 1 to 65535 without leading zeros")
	errDomainLabel    = badDomain("label", "it has an empty label, or one that is too long, starts or ends with a hyphen, or has a character that no host name has")
	errDomainIDNA     = badDomain("idna", "it is not a valid internationalised domain name")
	errDomainSuffix   = badDomain("public_suffix", "it is a public suffix, under which anybody can register a name; trust your own name below it")
	errDomainShared   = badDomain("shared_suffix", "it is a suffix of a hosting service, under which its customers have their names; trust your own name below it")
)

// toASCII is how browsers bring a host to ASCII (UTS 46, non-transitional, with
// the checks for bidirectional text and joiners; https://url.spec.whatwg.org/#idna),
// and stricter in two things: STD3 rules and DNS lengths. Hyphens are not looked
// at in third and fourth place, for there are hosts like r3---sn.example.com.
var toASCII = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(false),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.Transitional(false))

// ParseDomain reads a trusted domain as an admin types it: host or host:port. The
// host comes back in lower-case punycode. What would trust strangers is refused
// with a [ShapeError] that wraps ErrInvalidDomain: public suffixes of both
// sections of the public suffix list, hosting suffixes that the list lacks, IP
// addresses in any spelling, single labels, names under localhost.
func ParseDomain(s string) (Domain, error) { return parseDomain(s, false) }

// ParseDomainDemo is ParseDomain for the demo: names under localhost, which
// browsers lead to the machine itself, may be trusted as well.
func ParseDomainDemo(s string) (Domain, error) { return parseDomain(s, true) }

func parseDomain(s string, demo bool) (Domain, error) {
	if err := typable(s); err != nil {
		return Domain{}, err
	}
	host, port, hasPort := strings.Cut(s, ":")
	d := Domain{}
	if hasPort {
		if _, err := netip.ParseAddr(s); err == nil || strings.Contains(port, ":") {
			return Domain{}, errDomainIP
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] < '1' || port[0] > '9' {
			return Domain{}, errDomainPort
		}
		d.Port = int(n)
	}
	var err error
	if d.Host, err = parseHost(host); err != nil {
		return Domain{}, err
	}
	if strings.HasSuffix(d.Host, ".localhost") {
		if !demo {
			return Domain{}, errDomainLocal
		}
		return d, nil
	}
	if err := trustable(d.Host); err != nil {
		return Domain{}, err
	}
	return d, nil
}

// typable refuses what is not a host and a port at all, with the reason that
// helps most.
func typable(s string) error {
	switch {
	case s == "":
		return errDomainEmpty
	case len(s) > maxDomain:
		return errDomainTooLong
	case !utf8.ValidString(s):
		return errDomainUTF8
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errDomainSpace
	case strings.Contains(s, "://") || strings.ContainsAny(s, `/\?#`):
		return errDomainScheme
	case strings.Contains(s, "@"):
		return errDomainUserinfo
	case strings.Contains(s, "*"):
		return errDomainWildcard
	case strings.ContainsAny(s, "[]"):
		return errDomainIP
	}
	return nil
}

// parseHost brings a host to ASCII and checks its labels.
func parseHost(s string) (string, error) {
	if s == "" {
		return "", errDomainEmpty
	}
	if strings.HasSuffix(s, ".") {
		return "", errDomainDot
	}
	host, err := toASCII.ToASCII(s)
	if err != nil {
		if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) || hasPuny(s) {
			return "", errDomainIDNA
		}
		return "", errDomainLabel
	}
	if strings.HasSuffix(host, ".") {
		return "", errDomainDot // typed as an ideographic full stop
	}
	last := host
	for label := range strings.SplitSeq(host, ".") {
		if !ldh(label) || strings.ContainsFunc(label, notLDH) {
			return "", errDomainLabel
		}
		last = label
	}
	switch {
	case endsInNumber(last):
		return "", errDomainIP
	case last == host:
		return "", errDomainSingle
	case hasPuny(host) && !validPunycode(host):
		return "", errDomainIDNA
	}
	return host, nil
}

// trustable refuses a host under which strangers have names.
func trustable(host string) error {
	if suffix, _ := publicsuffix.PublicSuffix(host); suffix == host {
		return errDomainSuffix
	}
	// A wildcard rule (*.kobe.jp) makes every name below a public suffix, and
	// so the name itself no better than one.
	child := "suitesign-probe." + host
	if suffix, _ := publicsuffix.PublicSuffix(child); suffix == child {
		return errDomainSuffix
	}
	if sharedSuffix(host) {
		return errDomainShared
	}
	return nil
}

func notLDH(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}

func isPuny(label string) bool { return strings.HasPrefix(label, "xn--") }

func hasPuny(host string) bool {
	return isPuny(host) || strings.Contains(host, ".xn--")
}

// validPunycode reports whether a host with xn-- labels is what browsers would
// make of the name that it stands for.
func validPunycode(host string) bool {
	u, err := toASCII.ToUnicode(host)
	if err != nil {
		return false
	}
	a, err := toASCII.ToASCII(u)
	return err == nil && a == host
}
