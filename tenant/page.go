package tenant

import (
	"strings"
	"unicode/utf8"
)

// MaxURL is the length in bytes up to which a page's URL is read, its fragment included.
const MaxURL = 8192

// A Page is what a page's URL names. Its texts are parts of the text that was
// read, so making one allocates nothing.
type Page struct {
	URL    string // what is signed: the text up to its first #, unchanged
	Scheme string // "https" or "http"
	Host   string // lower-case LDH labels, at least two
	Port   int    // 0 = the scheme's default
	Origin string // scheme://host[:port], as a browser's Origin header has it
}

// Why a URL is refused. Made once, so that refusing costs as little as accepting.
var (
	errURLEmpty     = badURL("empty", "it is empty; send the page's location.href, encoded with encodeURIComponent")
	errURLTooLong   = badURL("too_long", "it is longer than 8192 bytes")
	errURLNoScheme  = badURL("scheme", "it must start with https:// or http://, in lower case, as location.href does")
	errURLUserinfo  = badURL("userinfo", "it has a user name before the host (an @ sign); location.href never does")
	errURLBackslash = badURL("backslash", "it has a backslash before its query; location.href never does")
	errURLControl   = badURL("control", "it has a space, a tab, a line break or another control character; percent-encode it as location.href does")
	errURLUTF8      = badURL("utf8", "it is not valid UTF-8; decode the url parameter exactly once")
	errURLPercent   = badURL("percent_host", "it has a percent sign in its host; decode the url parameter exactly once, or write the host plainly")
	errURLUpper     = badURL("upper_case", "its host has upper-case letters; send location.href, whose host is in lower case")
	errURLUnicode   = badURL("unicode_host", "its host has characters outside ASCII; send location.href, whose host is in punycode (xn--…)")
	errURLIP        = badURL("ip_address", "its host is an IP address; WeCom trusts domain names only")
	errURLNoHost    = badURL("no_host", "it has no host after the //")
	errURLLabel     = badURL("label", "its host has an empty label, or one that is too long or starts or ends with a hyphen")
	errURLDot       = badURL("trailing_dot", "its host ends with a dot")
	errURLSingle    = badURL("single_label", "its host is a single label; a trusted domain has at least two")
	errURLHostLong  = badURL("host_too_long", "its host is longer than 253 bytes")
	errURLHostChar  = badURL("host_character", "its host has a character other than letters, digits, hyphens and dots")
	errURLPunycode  = badURL("punycode", "its host has an xn-- label that is not valid punycode of an internationalised name")
	errURLPort      = badURL("port", "its port is not a number from 1 to 65535 without leading zeros")
	errURLDefault   = badURL("default_port", "it names its scheme's default port; location.href leaves that out")
)

// PageOf reads a page's URL. It accepts only the shape of a browser's
// location.href, and beside that a bare https://host and https://host?query,
// whose host nobody can misread. Anything else is refused with a [ShapeError]
// that wraps ErrInvalidURL: parsers disagree on such texts, and where they
// disagree, the host that is checked and the page that uses the signature can be
// two different ones. Whether the page is trusted is not asked here; see [Trusts].
//
// Nothing is unescaped, lower-cased or normalised. Beyond the authority only what
// no location.href can hold is refused: control characters, spaces, a backslash
// before the query, broken UTF-8.
func PageOf(raw string) (Page, error) {
	if raw == "" {
		return Page{}, errURLEmpty
	}
	if len(raw) > MaxURL {
		return Page{}, errURLTooLong
	}
	url := raw
	if i := strings.IndexByte(raw, '#'); i >= 0 {
		url = raw[:i] // WeCom signs the URL up to its fragment
	}
	p := Page{URL: url}
	var start int
	switch {
	case strings.HasPrefix(url, "https://"):
		p.Scheme, start = url[:5], len("https://")
	case strings.HasPrefix(url, "http://"):
		p.Scheme, start = url[:4], len("http://")
	default:
		return Page{}, errURLNoScheme
	}
	hostEnd, err := scanHost(url, start)
	if err != nil {
		return Page{}, err
	}
	p.Host = url[start:hostEnd]
	end := hostEnd
	if end < len(url) && url[end] == ':' {
		if p.Port, end, err = scanPort(url, end+1, p.Scheme); err != nil {
			return Page{}, err
		}
	}
	p.Origin = url[:end]
	if err := checkRest(url[end:]); err != nil {
		return Page{}, err
	}
	return p, nil
}

// PageHost is the host of a page's URL, under the rules of [PageOf].
func PageHost(raw string) (string, error) {
	p, err := PageOf(raw)
	return p.Host, err
}

// scanHost reads the host that starts at url[start] and answers with the index
// of the byte after it: the end, or one of / ? and :.
func scanHost(url string, start int) (int, error) {
	label, dots, puny := start, 0, false
	i := start
scan:
	for ; i < len(url); i++ {
		switch c := url[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-':
		case c == '.':
			if !ldh(url[label:i]) {
				return 0, errURLLabel
			}
			puny = puny || isPuny(url[label:i])
			dots++
			label = i + 1
		case c == '/' || c == '?' || c == ':':
			break scan
		default:
			return 0, hostFault(url[start:], c)
		}
	}
	last := url[label:i]
	switch {
	case i == start && i < len(url) && url[i] == '/':
		return 0, errURLNoScheme // https:///host: a browser would skip the slashes
	case i == start:
		return 0, errURLNoHost
	case hasUserinfo(url[i:]):
		return 0, errURLUserinfo
	case last == "":
		return 0, errURLDot
	case !ldh(last):
		return 0, errURLLabel
	case endsInNumber(last):
		return 0, errURLIP // in one of the many spellings of an IPv4 address
	case dots == 0:
		return 0, errURLSingle
	case i-start > 253:
		return 0, errURLHostLong
	case (puny || isPuny(last)) && !validPunycode(url[start:i]):
		return 0, errURLPunycode
	}
	return i, nil
}

// hostFault names what is wrong with a host in which the byte c was found.
func hostFault(rest string, c byte) error {
	switch {
	case c == '\\':
		return errURLBackslash
	case c <= 0x20 || c == 0x7F:
		return errURLControl
	case c == '@' || hasUserinfo(rest):
		return errURLUserinfo
	case c == '[':
		return errURLIP
	case c == '%':
		return errURLPercent
	case c >= 'A' && c <= 'Z':
		return errURLUpper
	case c >= utf8.RuneSelf:
		return errURLUnicode
	}
	return errURLHostChar
}

// hasUserinfo reports an @ before the authority ends: user:password@host.
func hasUserinfo(rest string) bool {
	for i := range len(rest) {
		switch rest[i] {
		case '@':
			return true
		case '/', '?', '\\':
			return false
		}
	}
	return false
}

// scanPort reads the port that starts at url[start], up to / or ? or the end.
func scanPort(url string, start int, scheme string) (port, end int, err error) {
	for end = start; end < len(url) && url[end] != '/' && url[end] != '?'; end++ {
		c := url[end]
		if c == '\\' {
			return 0, 0, errURLBackslash
		}
		if c < '0' || c > '9' || end-start >= 5 {
			return 0, 0, errURLPort
		}
		port = port*10 + int(c-'0')
	}
	switch {
	case end == start || url[start] == '0' || port > 65535:
		return 0, 0, errURLPort
	case port == defaultPort(scheme):
		return 0, 0, errURLDefault
	}
	return port, end, nil
}

// checkRest looks at path and query.
func checkRest(s string) error {
	ascii, query := true, false
	for i := range len(s) {
		switch c := s[i]; {
		case c <= 0x20 || c == 0x7F:
			return errURLControl
		case c == '?':
			query = true
		case c == '\\' && !query:
			return errURLBackslash
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii && !utf8.ValidString(s) {
		return errURLUTF8
	}
	return nil
}

// ldh reports whether a label of letters, digits and hyphens has a legal length and ends.
func ldh(label string) bool {
	n := len(label)
	return n >= 1 && n <= 63 && label[0] != '-' && label[n-1] != '-'
}

// endsInNumber reports whether a host with this last label is an IPv4 address to
// a browser, which reads 127.1, 0x7f.1 and 2130706433 as addresses
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func endsInNumber(last string) bool {
	digits, hex := last, false
	if strings.HasPrefix(last, "0x") {
		digits, hex = last[2:], true
	}
	for i := range len(digits) {
		if c := digits[i]; (c < '0' || c > '9') && (!hex || c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func defaultPort(scheme string) int {
	if scheme == "https" {
		return 443
	}
	return 80
}
