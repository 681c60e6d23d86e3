package tenant

import (
	"regexp"
	"strings"
	"time"
)

// A Trust is what signing asks of a trusted domain: which pages it covers.
type Trust struct {
	Domain
	Exact     bool // sub-domains are not covered
	AllowHTTP bool // pages over plain http are covered as well
}

// Covers reports whether a page lies on the domain. Without a port the domain
// means the scheme's default port; with one, exactly that port.
func (t Trust) Covers(p Page) bool {
	if p.Scheme != "https" && !t.AllowHTTP {
		return false
	}
	if t.Port != p.Port && (t.Port == 0 || t.Port != p.effectivePort()) {
		return false
	}
	if t.Exact {
		return p.Host == t.Host
	}
	// equal, or below it: the byte before the suffix must be a dot
	cut := len(p.Host) - len(t.Host)
	return t.Host != "" && strings.HasSuffix(p.Host, t.Host) && (cut == 0 || p.Host[cut-1] == '.')
}

func (p Page) effectivePort() int {
	if p.Port == 0 {
		return defaultPort(p.Scheme)
	}
	return p.Port
}

// A TrustedDomain is a domain as it is stored: for one tenant, or for every
// tenant of a suite.
type TrustedDomain struct {
	Domain
	Exact     bool // sub-domains are not covered
	AllowHTTP bool // pages over plain http are covered as well

	// The ownership file that is answered at the domain's root; empty without one.
	VerificationName    string
	VerificationContent string

	Check *DomainCheck // the last one; nil: there was none

	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Trust is the part of it that signing asks for.
func (d TrustedDomain) Trust() Trust {
	return Trust{Domain: d.Domain, Exact: d.Exact, AllowHTTP: d.AllowHTTP}
}

// Covers reports whether a page lies on the domain; see [Trust.Covers].
func (d TrustedDomain) Covers(p Page) bool { return d.Trust().Covers(p) }

// Trusts reports whether one of the domains covers the page: several entries unite.
func Trusts(ds []TrustedDomain, p Page) bool {
	for _, d := range ds {
		if d.Covers(p) {
			return true
		}
	}
	return false
}

// Covers reports whether one of the trusts covers the page.
func Covers(ts []Trust, p Page) bool {
	for i := range ts {
		if ts[i].Covers(p) {
			return true
		}
	}
	return false
}

var (
	verificationName    = regexp.MustCompile(`^WW_verify_[A-Za-z0-9]{8,32}\.txt$`)
	verificationContent = regexp.MustCompile(`^[A-Za-z0-9]{8,32}$`)
)

// CheckVerificationFile refuses a name or a content that no ownership file of
// WeCom has. Both empty is no file, and in order.
func CheckVerificationFile(name, content string) error {
	switch {
	case name == "" && content == "":
		return nil
	case !verificationName.MatchString(name):
		return &ShapeError{Err: ErrInvalidFile, Code: "name", Reason: "its name must be WW_verify_, 8 to 32 letters or digits, and .txt"}
	case !verificationContent.MatchString(content):
		return &ShapeError{Err: ErrInvalidFile, Code: "content", Reason: "its content must be 8 to 32 letters or digits"}
	}
	return nil
}

// Ports are the ports of trusted domains that mean the page's port: 0 and the
// scheme's default one, or the one that the page names.
func (p Page) Ports() []int {
	if p.Port == 0 {
		return []int{0, defaultPort(p.Scheme)}
	}
	return []int{p.Port}
}
