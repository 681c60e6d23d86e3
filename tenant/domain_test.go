package tenant_test

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"testing"

	"suitesign/tenant"
)

func TestParseDomain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want, code string }{
		{in: "app.example.com", want: "app.example.com"},
		{in: "App.Example.COM", want: "app.example.com"},
		{in: "example.com:8443", want: "example.com:8443"},
		{in: "example.com:443", want: "example.com:443"},
		{in: "example.com:1", want: "example.com:1"},
		{in: "中文.com", want: "xn--fiq228c.com"},
		{in: "中文.com:8443", want: "xn--fiq228c.com:8443"},
		{in: "h5。example．com", want: "h5.example.com"},
		{in: "ｅxample.com", want: "example.com"},
		{in: "xn--fiq228c.com", want: "xn--fiq228c.com"},
		{in: "XN--FIQ228C.com", want: "xn--fiq228c.com"},
		{in: "faß.example", want: "xn--fa-hia.example"},
		{in: "r3---sn.example.com", want: "r3---sn.example.com"},
		{in: "corp.internal", want: "corp.internal"},
		{in: "bucket-125.cos.ap-guangzhou.myqcloud.com", want: "bucket-125.cos.ap-guangzhou.myqcloud.com"},
		{in: "env-1.tcloudbaseapp.com", want: "env-1.tcloudbaseapp.com"},
		{in: "bucket.oss-cn-hangzhou.aliyuncs.com", want: "bucket.oss-cn-hangzhou.aliyuncs.com"},
		{in: "corp.github.io", want: "corp.github.io"},
		{in: "corp.vercel.app", want: "corp.vercel.app"},
		{in: "mp.weixin.qq.com", want: "mp.weixin.qq.com"},

		{in: "", code: "empty"},
		{in: ":8443", code: "empty"},
		{in: " example.com", code: "space"},
		{in: "example.com\n", code: "space"},
		{in: "exa\u00a0mple.com", code: "space"},
		{in: "example.com\x00", code: "space"},
		{in: "example.com\xff", code: "utf8"},
		{in: "https://example.com", code: "scheme"},
		{in: "example.com/", code: "scheme"},
		{in: "example.com/path", code: "scheme"},
		{in: "example.com\\x", code: "scheme"},
		{in: "example.com?x", code: "scheme"},
		{in: "example.com#x", code: "scheme"},
		{in: "user@example.com", code: "userinfo"},
		{in: "*.example.com", code: "wildcard"},
		{in: "example.com.", code: "trailing_dot"},
		{in: "example.com.:443", code: "trailing_dot"},
		{in: "example。com。", code: "trailing_dot"},
		{in: ".example.com", code: "label"},
		{in: "a..example.com", code: "label"},
		{in: "-a.example.com", code: "label"},
		{in: "a-.example.com", code: "label"},
		{in: "a_b.example.com", code: "label"},
		{in: "a%2eb.example.com", code: "label"},
		{in: strings.Repeat("a", 64) + ".example.com", code: "label"},
		{in: strings.Repeat("a.", 130) + "example.com", code: "label"},
		{in: strings.Repeat("a", 2000) + ".example.com", code: "too_long"},
		{in: "xn--a.example.com", code: "idna"},
		{in: "a\u200b中.example.com", want: "xn--a-lq6a.example.com"}, // UTS 46 ignores U+200B
		{in: "\u0300.example.com", code: "idna"},
		{in: "example.com:0", code: "port"},
		{in: "example.com:", code: "port"},
		{in: "example.com:99999", code: "port"},
		{in: "example.com:0443", code: "port"},
		{in: "example.com:+443", code: "port"},
		{in: "example.com:４４３", code: "port"},
		{in: "example.com:443:443", code: "ip_address"},
		{in: "127.0.0.1", code: "ip_address"},
		{in: "127.0.0.1:8443", code: "ip_address"},
		{in: "127.1", code: "ip_address"},
		{in: "0x7f.1", code: "ip_address"},
		{in: "1.0x7f", code: "ip_address"},
		{in: "2130706433", code: "ip_address"},
		{in: "0177.0.0.01", code: "ip_address"},
		{in: "１２７.0.0.1", code: "ip_address"},
		{in: "①②⑦.0.0.1", code: "ip_address"},
		{in: "::1", code: "ip_address"},
		{in: "[::1]", code: "ip_address"},
		{in: "[::1]:443", code: "ip_address"},
		{in: "::ffff:1.2.3.4", code: "ip_address"},
		{in: "localhost", code: "single_label"},
		{in: "example", code: "single_label"},
		{in: "com", code: "single_label"},
		{in: "h5.demo.localhost", code: "localhost"},
		{in: "demo.localhost:8080", code: "localhost"},
		{in: "com.cn", code: "public_suffix"},
		{in: "co.uk", code: "public_suffix"},
		{in: "公司.cn", code: "public_suffix"},
		{in: "github.io", code: "public_suffix"},
		{in: "vercel.app", code: "public_suffix"},
		{in: "GitHub.IO:8443", code: "public_suffix"},
		{in: "kobe.jp", code: "public_suffix"}, // *.kobe.jp
		{in: "c.kobe.jp", code: "public_suffix"},
		{in: "compute.amazonaws.com", code: "public_suffix"}, // *.compute.amazonaws.com
		{in: "myqcloud.com", code: "shared_suffix"},
		{in: "MyQCloud.com:8443", code: "shared_suffix"},
		{in: "cos.ap-guangzhou.myqcloud.com", code: "shared_suffix"},
		{in: "tcloudbaseapp.com", code: "shared_suffix"},
		{in: "aliyuncs.com", code: "shared_suffix"},
		{in: "oss-cn-hangzhou.aliyuncs.com", code: "shared_suffix"},
		{in: "oss-cn-hangzhou-internal.aliyuncs.com", code: "shared_suffix"},
		{in: "amazonaws.com", code: "shared_suffix"},
		{in: "core.windows.net", code: "shared_suffix"},
		{in: "qq.com", code: "shared_suffix"},
		{in: "weixin.qq.com", code: "shared_suffix"},
		{in: "natappfree.cc", code: "shared_suffix"},
	} {
		got, err := tenant.ParseDomain(tt.in)
		if tt.code == "" {
			if err != nil || got.String() != tt.want {
				t.Errorf("ParseDomain(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
			}
			if again, err := tenant.ParseDomain(tt.want); err != nil || again != got {
				t.Errorf("ParseDomain(%q) = %q, %v; want %q again", tt.want, again, err, got)
			}
			continue
		}
		var se *tenant.ShapeError
		if !errors.As(err, &se) || !errors.Is(err, tenant.ErrInvalidDomain) || se.Code != tt.code || got != (tenant.Domain{}) {
			t.Errorf("ParseDomain(%q) = %q, %v; want invalid domain with code %q", tt.in, got, err, tt.code)
		}
	}
}

// TestParseDomainDemo: under demo, names below localhost are trusted as well, and nothing else.
func TestParseDomainDemo(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"h5.demo.localhost":      "h5.demo.localhost",
		"H5.demo.localhost:8080": "h5.demo.localhost:8080",
		"demo.localhost":         "demo.localhost",
		"localhost":              "",
		"localhost.com":          "localhost.com",
		"evillocalhost":          "",
		"127.0.0.1":              "",
		"com.cn":                 "",
	} {
		got, err := tenant.ParseDomainDemo(in)
		if got.String() != want || (err != nil) != (want == "") {
			t.Errorf("ParseDomainDemo(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

// TestPublicSuffixes runs the public suffix list's own test vectors
// (https://github.com/publicsuffix/list/blob/main/tests/tests.txt, CC0): a name
// without a registrable domain is refused.
func TestPublicSuffixes(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/psl_tests.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		in, registrable, ok := strings.Cut(sc.Text(), " ")
		if !ok || strings.HasPrefix(in, "//") {
			continue
		}
		n++
		_, err := tenant.ParseDomain(in)
		if (err == nil) != (registrable != "null") {
			t.Errorf("ParseDomain(%q): %v; its registrable domain is %s", in, err, registrable)
		}
	}
	if n < 78 {
		t.Errorf("%d vectors, want 78", n)
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	type dom = tenant.TrustedDomain
	host := func(h string, port int) tenant.Domain { return tenant.Domain{Host: h, Port: port} }
	for _, tt := range []struct {
		name string
		ds   []dom
		page string
		want bool
	}{
		{"the host itself", []dom{{Domain: host("example.com", 0)}}, "https://example.com/", true},
		{"a sub-domain", []dom{{Domain: host("example.com", 0)}}, "https://a.b.example.com/", true},
		{"exact, the host", []dom{{Domain: host("example.com", 0), Exact: true}}, "https://example.com/", true},
		{"exact, a sub-domain", []dom{{Domain: host("example.com", 0), Exact: true}}, "https://a.example.com/", false},
		{"a parent", []dom{{Domain: host("a.example.com", 0)}}, "https://example.com/", false},
		{"a name with the same end", []dom{{Domain: host("example.com", 0)}}, "https://evilexample.com/", false},
		{"http is not allowed", []dom{{Domain: host("example.com", 0)}}, "http://example.com/", false},
		{"http is allowed", []dom{{Domain: host("example.com", 0), AllowHTTP: true}}, "http://example.com/", true},
		{"https where http is allowed", []dom{{Domain: host("example.com", 0), AllowHTTP: true}}, "https://example.com/", true},
		{"another port", []dom{{Domain: host("example.com", 0)}}, "https://example.com:8443/", false},
		{"the port", []dom{{Domain: host("example.com", 8443)}}, "https://example.com:8443/", true},
		{"the port of a sub-domain", []dom{{Domain: host("example.com", 8443)}}, "https://a.example.com:8443/", true},
		{"the default where a port is named", []dom{{Domain: host("example.com", 8443)}}, "https://example.com/", false},
		{"443 is https's default", []dom{{Domain: host("example.com", 443)}}, "https://example.com/", true},
		{"443 is not http's default", []dom{{Domain: host("example.com", 443), AllowHTTP: true}}, "http://example.com/", false},
		{"http on 443", []dom{{Domain: host("example.com", 443), AllowHTTP: true}}, "http://example.com:443/", true},
		{"80 is http's default", []dom{{Domain: host("example.com", 80), AllowHTTP: true}}, "http://example.com/", true},
		{"https on 80", []dom{{Domain: host("example.com", 80)}}, "https://example.com:80/", true},
		{"several entries unite", []dom{{Domain: host("example.com", 0), Exact: true}, {Domain: host("a.example.com", 8443)}}, "https://x.a.example.com:8443/", true},
		{"http of one and the port of another do not", []dom{{Domain: host("example.com", 0), AllowHTTP: true}, {Domain: host("example.com", 8443)}}, "http://example.com:8443/", false},
		{"no entry", nil, "https://example.com/", false},
		{"an empty entry", []dom{{}}, "https://example.com/", false},
		{"the demo", []dom{{Domain: host("demo.localhost", 8080), AllowHTTP: true}}, "http://h5.demo.localhost:8080/demo/", true},
	} {
		p, err := tenant.PageOf(tt.page)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := tenant.Trusts(tt.ds, p); got != tt.want {
			t.Errorf("%s: Trusts = %v, want %v", tt.name, got, tt.want)
		}
		var trusts []tenant.Trust
		for _, d := range tt.ds {
			trusts = append(trusts, d.Trust())
		}
		if got := tenant.Covers(trusts, p); got != tt.want {
			t.Errorf("%s: Covers = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestCheckVerificationFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, content string
		ok            bool
	}{
		{"WW_verify_AbCdEf0123456789.txt", "AbCdEf0123456789", true},
		{"WW_verify_12345678.txt", "12345678", true},
		{"", "", true},
		{"WW_verify_1234567.txt", "12345678", false},
		{"WW_verify_" + strings.Repeat("a", 33) + ".txt", "12345678", false},
		{"WW_verify_12345678.txt\n", "12345678", false},
		{"../WW_verify_12345678.txt", "12345678", false},
		{"WW_verify_1234567_.txt", "12345678", false},
		{"ww_verify_12345678.txt", "12345678", false},
		{"WW_verify_12345678.txt", "", false},
		{"", "12345678", false},
		{"WW_verify_12345678.txt", "<script>alert(1)</script>", false},
		{"WW_verify_12345678.txt", "12345678\n", false},
	} {
		err := tenant.CheckVerificationFile(tt.name, tt.content)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, tenant.ErrInvalidFile) {
			t.Errorf("CheckVerificationFile(%q, %q) = %v, want ok %v", tt.name, tt.content, err, tt.ok)
		}
	}
}
