package tenant_test

import (
	"errors"
	"strings"
	"testing"

	"suitesign/tenant"
)

// trusted is the one domain that the attacks below are after.
var trusted = []tenant.TrustedDomain{{Domain: tenant.Domain{Host: "trusted.com"}}}

// TestAttackURLs: what pages of strangers try is either refused for its shape or
// not trusted; the code tells which.
func TestAttackURLs(t *testing.T) {
	t.Parallel()
	const (
		untrusted   = ""  // good shape, but a host that is not the tenant's
		trustedAsIs = "+" // harmless: a browser reports it like this
	)
	for _, tt := range []struct{ url, code string }{
		// another host behind the trusted one
		{"https://trusted.com@evil.com/", "userinfo"},
		{"https://trusted.com:443@evil.com/", "userinfo"},
		{"https://trusted.com:pw@evil.com/", "userinfo"},
		{"https://evil.com\\@trusted.com/", "backslash"},
		{"https://evil.com\\.trusted.com/", "backslash"},
		{"https://trusted.com\\@evil.com/", "backslash"},
		{"https://trusted.com:8443\\@evil.com/", "backslash"},
		{"https://trusted.com/x\\y", "backslash"},
		{"https://evil.com#@trusted.com/", untrusted},
		{"https://evil.com/#@trusted.com/", untrusted},
		{"https://evil.com?.trusted.com", untrusted},
		{"https://evil.com/.trusted.com", untrusted},
		{"https://evil.com/@trusted.com/", untrusted},
		// look-alikes
		{"https://eviltrusted.com/", untrusted},
		{"https://evil-trusted.com/", untrusted},
		{"https://trusted.com.evil.com/", untrusted},
		{"https://trusted.comevil.com", untrusted},
		{"https://com/", "single_label"},
		// not canonical
		{"https://trusted.com./", "trailing_dot"},
		{"https://trusted.com.:8443/", "trailing_dot"},
		{"https://TRUSTED.com/", "upper_case"},
		{"HTTPS://trusted.com/", "scheme"},
		{"https://trusted.com:443/", "default_port"},
		{"http://trusted.com:80/", "default_port"},
		{"https://trusted.com:80:443/", "port"},
		{"https://trusted.com:0443/", "port"},
		{"https://trusted.com:0/", "port"},
		{"https://trusted.com:/", "port"},
		{"https://trusted.com:65536/", "port"},
		{"https://trusted.com:99999/", "port"},
		{"https://trusted.com:4294967739/", "port"}, // 443 + 2^32
		{"https://trusted.com:+443/", "port"},
		{"https://trusted.com:8443", untrusted},
		{"http://trusted.com/", untrusted}, // http must be allowed first
		// characters that parsers drop, decode or fold
		{"https://trusted%2ecom/", "percent_host"},
		{"https://trusted.com%00.evil.com/", "percent_host"},
		{"https://trusted.com%09/", "percent_host"},
		{"https://trus\tted.com/", "control"},
		{"https://trusted.com\t/", "control"},
		{" https://trusted.com/", "scheme"},
		{"\u00a0https://trusted.com/", "scheme"},
		{"https://trusted.com/ ", "control"},
		{"https://trusted.com/a b", "control"},
		{"https://trusted.com\r\n/", "control"},
		{"https://trusted.com/\r\nX: y", "control"},
		{"https://trusted.com/\x00", "control"},
		{"https://trusted.com/?a=\x7f", "control"},
		{"https://trusted.com\x00.evil.com/", "control"},
		{"ht\ntps://trusted.com/", "scheme"},
		{"https://trus\u00adted.com/", "unicode_host"},
		{"https://trus\u200bted.com/", "unicode_host"},
		{"https://trusted\u3002com/", "unicode_host"},  // ideographic full stop
		{"https://trusted\uff0ecom/", "unicode_host"},  // fullwidth full stop
		{"https://\u24e3rusted.com/", "unicode_host"},  // circled t
		{"https://\uff54rusted.com/", "unicode_host"},  // fullwidth t
		{"https://fa\u00df.example/", "unicode_host"},  // sharp s
		{"https://trusted.com\u2024/", "unicode_host"}, // one dot leader
		{"https://trusted.com/\xff", "utf8"},
		{"https://trusted.com/?\xc0\xaf", "utf8"},
		{"https://trusted.com/?\xed\xa0\x80", "utf8"}, // a surrogate
		{"https://trusted_x.com/", "host_character"},
		{"https://trusted.com;evil.com/", "host_character"},
		{"https://trusted.com,evil.com/", "host_character"},
		{"https://trusted.com&evil.com/", "host_character"},
		{"https://$trusted.com/", "host_character"},
		{"https://trusted.com|evil.com/", "host_character"},
		// labels
		{"https://.trusted.com/", "label"},
		{"https://a..trusted.com/", "label"},
		{"https://-a.trusted.com/", "label"},
		{"https://a-.trusted.com/", "label"},
		{"https://" + strings.Repeat("a", 64) + ".trusted.com/", "label"},
		{"https://" + strings.Repeat("a.", 122) + "trusted.com/", "host_too_long"},
		{"https://xn--a.trusted.com/", "punycode"},
		{"https://xn--.trusted.com/", "label"},
		{"https://xn--a-.trusted.com/", "label"},
		{"https://xn--trusted-.com/", "label"},
		{"https://xn--TRUSTED.com/", "upper_case"},
		{"https://xn--fa-hia.trusted.com/", trustedAsIs}, // faß in punycode
		{"https://xn--u-ccb.trusted.com/", "punycode"},   // decodes to u and a combining mark: not NFC
		// addresses
		{"https://[::1]/", "ip_address"},
		{"https://[::ffff:1.2.3.4]/", "ip_address"},
		{"https://garbage[::1]/", "ip_address"},
		{"https://[trusted.com]/", "ip_address"},
		{"https://127.0.0.1/", "ip_address"},
		{"https://2130706433/", "ip_address"},
		{"https://0x7f.1/", "ip_address"},
		{"https://trusted.com.0x7f/", "ip_address"},
		{"https://trusted.com.0x/", "ip_address"},
		{"https://1.trusted.09/", "ip_address"},
		{"https://0177.0.0.01:8443/", "ip_address"},
		// schemes and slashes
		{"//trusted.com/", "scheme"},
		{"https:trusted.com", "scheme"},
		{"https:/trusted.com", "scheme"},
		{"https:///trusted.com", "scheme"},
		{"https://", "no_host"},
		{"https://?trusted.com", "no_host"},
		{"https://:8443/", "no_host"},
		{"https://#trusted.com", "no_host"},
		{"https://@trusted.com/", "userinfo"},
		{"https:\\\\trusted.com/", "scheme"},
		{"https:/\\trusted.com/", "scheme"},
		{"https://https://trusted.com/", "single_label"},
		{"javascript://trusted.com/%0aalert(1)", "scheme"},
		{"data:text/html,trusted.com", "scheme"},
		{"weixin://trusted.com/", "scheme"},
		{"ftp://trusted.com/", "scheme"},
		{"httpss://trusted.com/", "scheme"},
		{"trusted.com/", "scheme"},
		{"/demo/", "scheme"},
		{"", "empty"},
		{"#https://trusted.com/", "scheme"},
		{"https://trusted.com/" + strings.Repeat("a", tenant.MaxURL), "too_long"},
		{"https://trusted.com/#" + strings.Repeat("a", tenant.MaxURL), "too_long"},
	} {
		p, err := tenant.PageOf(tt.url)
		switch tt.code {
		case untrusted:
			if err != nil || tenant.Trusts(trusted, p) {
				t.Errorf("PageOf(%q) = %+v, %v, trusted %v; want a good shape that is not trusted", tt.url, p, err, tenant.Trusts(trusted, p))
			}
		case trustedAsIs:
			if err != nil || !tenant.Trusts(trusted, p) {
				t.Errorf("PageOf(%q) = %+v, %v; want it trusted", tt.url, p, err)
			}
		default:
			var se *tenant.ShapeError
			if !errors.As(err, &se) || !errors.Is(err, tenant.ErrInvalidURL) || se.Code != tt.code {
				t.Errorf("PageOf(%q) = %+v, %v; want invalid_url with code %q", tt.url, p, err, tt.code)
			}
		}
	}
}

// TestPageOf: what a browser's location.href holds is read, unchanged, and the
// bare forms of WeCom's own samples too.
func TestPageOf(t *testing.T) {
	t.Parallel()
	long := "https://trusted.com/?" + strings.Repeat("q", 2000)
	host253 := strings.Repeat("a.", 126) + "b"
	for _, tt := range []struct {
		raw          string
		url          string // "" = raw
		host, origin string
		port         int
	}{
		{raw: "https://a.b.trusted.com/x?y=%E4%BD%A0&z=\\", host: "a.b.trusted.com", origin: "https://a.b.trusted.com"},
		{raw: long, host: "trusted.com", origin: "https://trusted.com"},
		{raw: "https://xn--fiq228c.trusted.com/", host: "xn--fiq228c.trusted.com", origin: "https://xn--fiq228c.trusted.com"},
		{raw: "http://mp.weixin.qq.com?params=value", host: "mp.weixin.qq.com", origin: "http://mp.weixin.qq.com"},
		{raw: "http://mp.weixin.qq.com", host: "mp.weixin.qq.com", origin: "http://mp.weixin.qq.com"},
		{raw: "https://trusted.com", host: "trusted.com", origin: "https://trusted.com"},
		{raw: "https://trusted.com#/route", url: "https://trusted.com", host: "trusted.com", origin: "https://trusted.com"},
		{raw: "https://trusted.com/a#b#c", url: "https://trusted.com/a", host: "trusted.com", origin: "https://trusted.com"},
		{raw: "https://trusted.com/a?b#\x00 \xff\\", url: "https://trusted.com/a?b", host: "trusted.com", origin: "https://trusted.com"},
		{raw: "https://trusted.com:8443/", host: "trusted.com", port: 8443, origin: "https://trusted.com:8443"},
		{raw: "https://trusted.com:8443", host: "trusted.com", port: 8443, origin: "https://trusted.com:8443"},
		{raw: "https://trusted.com:65535?x", host: "trusted.com", port: 65535, origin: "https://trusted.com:65535"},
		{raw: "https://trusted.com:80/", host: "trusted.com", port: 80, origin: "https://trusted.com:80"},
		{raw: "http://trusted.com:443/", host: "trusted.com", port: 443, origin: "http://trusted.com:443"},
		{raw: "http://h5.demo.localhost:8080/demo/", host: "h5.demo.localhost", port: 8080, origin: "http://h5.demo.localhost:8080"},
		{raw: "https://r3---sn-4g5e.trusted.com/", host: "r3---sn-4g5e.trusted.com", origin: "https://r3---sn-4g5e.trusted.com"},
		{raw: "https://1.2.trusted.com/", host: "1.2.trusted.com", origin: "https://1.2.trusted.com"},
		{raw: "https://" + host253 + "/", host: host253, origin: "https://" + host253},
		{raw: "https://trusted.com/路径?名=值", host: "trusted.com", origin: "https://trusted.com"},
		{raw: "https://trusted.com/a?b=https://evil.com/@\\x", host: "trusted.com", origin: "https://trusted.com"},
		{raw: "https://trusted.com/%zz%", host: "trusted.com", origin: "https://trusted.com"},
		{raw: "https://trusted.com/?", host: "trusted.com", origin: "https://trusted.com"},
		{raw: "https://trusted.com//x/../y;a=[1]\"<>`{}|^'", host: "trusted.com", origin: "https://trusted.com"},
	} {
		p, err := tenant.PageOf(tt.raw)
		if tt.url == "" {
			tt.url = tt.raw
		}
		if err != nil || p.URL != tt.url || p.Host != tt.host || p.Port != tt.port || p.Origin != tt.origin || !strings.HasPrefix(p.Origin, p.Scheme+"://") {
			t.Errorf("PageOf(%q) = %+v, %v; want url %q, host %q, port %d, origin %q", tt.raw, p, err, tt.url, tt.host, tt.port, tt.origin)
		}
		if h, err := tenant.PageHost(tt.raw); h != tt.host || err != nil {
			t.Errorf("PageHost(%q) = %q, %v; want %q", tt.raw, h, err, tt.host)
		}
	}
}

// TestPageOfAllocatesNothing: the answer is made of parts of what was asked.
func TestPageOfAllocatesNothing(t *testing.T) {
	for _, raw := range []string{
		"https://h5.example.com:8443/app/index.html?from=singlemessage&id=42#/home",
		"https://EXAMPLE.com/", // a refusal is as cheap
		"https://evil.com\\@trusted.com/",
	} {
		n := testing.AllocsPerRun(100, func() {
			p, err := tenant.PageOf(raw)
			if err == nil && p.Host != "h5.example.com" {
				t.Errorf("PageOf(%q).Host = %q", raw, p.Host)
			}
		})
		if n != 0 {
			t.Errorf("PageOf(%q) allocates %v times, want 0", raw, n)
		}
	}
}

func BenchmarkPageOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tenant.PageOf("https://h5.example.com/app/index.html?from=singlemessage&id=42#/home"); err != nil {
			b.Fatal(err)
		}
	}
}
