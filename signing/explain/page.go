package explain

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"suitesign/tenant"
)

// A page is a URL as it was told and as the browser on that page would report it.
type page struct {
	said     string // as told, but for spaces around it
	url      string // as location.href has it, up to its fragment
	fragment string // with its #; "" without one
	faults   []fault
	parsed   tenant.Page
	err      error // why no browser reports it; the page cannot be signed
}

// A fault is what had to be mended in a URL that was told.
type fault struct {
	code          Code
	mended, found string
}

// readPage mends what people do to a URL between the browser and here, and says
// what that was. What cannot be mended is refused as the signing endpoints do.
func readPage(said string) page {
	p := page{said: strings.TrimSpace(said)}
	text := p.said
	mend := func(code Code, mended string) {
		if mended != text {
			p.faults = append(p.faults, fault{code, mended, text})
			text = mended
		}
	}
	if low := strings.ToLower(text); strings.HasPrefix(low, "https%3a") || strings.HasPrefix(low, "http%3a") {
		if decoded, err := url.PathUnescape(text); err == nil {
			mend(URLEncodedTwice, decoded)
		}
	}
	if i := strings.IndexByte(text, '#'); i >= 0 {
		text, p.fragment = text[:i], text[i:]
	}
	mend(HTMLEscaped, strings.ReplaceAll(text, "&amp;", "&"))
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		_, p.err = tenant.PageOf(text)
		return p
	}
	host, tail := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, tail = rest[:i], rest[i:]
	}
	lower := func(s string) string { return asciiLower(s) }
	mend(LetterCase, lower(scheme)+"://"+lower(host)+tail)
	scheme, host = lower(scheme), lower(host)
	if bare := strings.TrimSuffix(host, ":"+defaultPort(scheme)); bare != host {
		host = bare
		mend(PortDiffers, scheme+"://"+host+tail)
	}
	if !strings.HasPrefix(tail, "/") {
		tail = "/" + tail
		mend(TrailingSlash, scheme+"://"+host+tail)
	}
	mend(URLDecoded, scheme+"://"+host+percentEncoded(tail))
	p.url = text
	if p.parsed, p.err = tenant.PageOf(text); p.err != nil {
		p.url = ""
	}
	return p
}

// asciiLower leaves what is not ASCII as it is: that is another mistake.
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// percentEncoded encodes what a browser encodes in path and query.
func percentEncoded(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c == ' ' || c >= utf8.RuneSelf || c == '"' || c == '<' || c == '>' {
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)|0x100, 16)[1:]))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// host is the URL's authority.
func (p *page) host() string {
	_, rest, _ := strings.Cut(p.url, "://")
	return rest[:len(rest)-len(p.tail())]
}

// tail is the URL from its path on.
func (p *page) tail() string { return p.url[len(p.parsed.Origin):] }

// split takes path and query apart; query has its question mark, or is "".
func (p *page) split() (path, query string) {
	path = p.tail()
	if i := strings.IndexByte(path, '?'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// PageURL is the URL of a page as a browser reports it, of what was told of it;
// whether that is one at all is asked of [tenant.PageOf].
func PageURL(said string) string {
	if p := readPage(said); p.err == nil {
		return p.url
	}
	return said
}
