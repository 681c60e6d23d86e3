package tenant_test

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	whatwg "github.com/nlnwa/whatwg-url/url"

	"suitesign/tenant"
)

// corpusDir is the folder of test data that comes with the WHATWG parser: the
// web platform tests' urltestdata.json, and Unicode's IdnaTestV2 in their form.
var corpusDir = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/nlnwa/whatwg-url").Output()
	return filepath.Join(strings.TrimSpace(string(out)), "testdata"), err
})

// corpus reads one file of the corpus, a JSON list in which texts are comments.
func corpus[T any](t *testing.T, file string) []T {
	t.Helper()
	dir, err := corpusDir()
	if err != nil {
		t.Fatalf("find the module github.com/nlnwa/whatwg-url: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	var out []T
	for _, r := range raw {
		if r[0] != '{' {
			continue
		}
		var v T
		if err := json.Unmarshal(r, &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// TestWebPlatformURLs: whatever browsers are tested with is refused, or read with
// the browsers' host; and what a browser itself reports of a page with a DNS name
// is never refused.
func TestWebPlatformURLs(t *testing.T) {
	t.Parallel()
	type wptCase struct {
		Input, Href, Hostname, Port string
		Base                        *string
		Failure                     bool
	}
	cases := corpus[wptCase](t, "urltestdata.json")
	if len(cases) < 600 {
		t.Fatalf("corpus has %d cases, want at least 600", len(cases))
	}
	accepted, canonical := 0, 0
	for _, c := range cases {
		for _, in := range []string{c.Input, c.Href} {
			p, err := tenant.PageOf(in)
			if err != nil {
				continue
			}
			accepted++
			if c.Failure {
				t.Errorf("PageOf(%q) = %+v; browsers refuse it", in, p)
			}
			if p.Host != c.Hostname || portText(p.Port) != c.Port {
				t.Errorf("PageOf(%q) = host %q port %q; browsers: %q %q", in, p.Host, portText(p.Port), c.Hostname, c.Port)
			}
		}
		if !c.Failure && isPage(c.Href, c.Hostname) {
			canonical++
			if _, err := tenant.PageOf(c.Href); err != nil {
				t.Errorf("PageOf(%q): %v; it is what a browser reports", c.Href, err)
			}
		}
	}
	if accepted == 0 || canonical < 50 {
		t.Errorf("%d accepted, %d canonical: the corpus tests nothing", accepted, canonical)
	}
}

// isPage reports an href of a page that has a DNS name of two labels or more, of
// letters, digits and hyphens, and whose path holds what location.href can.
func isPage(href, host string) bool {
	if !strings.HasPrefix(href, "https://") && !strings.HasPrefix(href, "http://") {
		return false
	}
	u, err := whatwg.NewParser().Parse(href)
	if err != nil || u.Username() != "" || u.Password() != "" || net.ParseIP(strings.Trim(host, "[]")) != nil || !strings.Contains(host, ".") {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// TestIDNA: an internationalised name is refused, or becomes what browsers make
// of it, in a page's URL as in a trusted domain.
func TestIDNA(t *testing.T) {
	t.Parallel()
	type idnaCase struct {
		Input  string
		Output *string
	}
	agree := 0
	for _, c := range corpus[idnaCase](t, "IdnaTestV2.json") {
		want := ""
		if c.Output != nil {
			want = *c.Output
		}
		if p, err := tenant.PageOf("https://" + c.Input + "/"); err == nil && p.Host != want {
			t.Errorf("PageOf with host %q has host %q; browsers: %q", c.Input, p.Host, want)
		}
		d, err := tenant.ParseDomain(c.Input)
		if err == nil && d.String() != want {
			t.Errorf("ParseDomain(%q) = %q; browsers: %q", c.Input, d, want)
		}
		if err == nil {
			agree++
		}
	}
	if agree < 100 {
		t.Errorf("only %d names were accepted: the corpus tests nothing", agree)
	}
}

// TestOpenRedirects: the shapes of public open-redirect payloads, for every
// placing of a trusted and a hostile host: what is trusted has a trusted host to
// a browser too.
func TestOpenRedirects(t *testing.T) {
	t.Parallel()
	marks := []string{"", "/", "//", "\\", "\\\\", "/\\", "@", ":", ":@", "#", "#@", "?", "?@", ".", "..", "%2f", "%2e", "%00", "%09", "%0d%0a", ";", ",", "&", "|",
		"\t", "\n", "\r", " ", "\x00", "\u3002", "\uff0f", "\u2044", "\u00ad", "\u200b", "[", "]", "(", "\"", "'", "<", "`", "{", "^", "!", "$", "*", "+", "=", "~", "_", "-", ":443", ":80", ":8443", "xn--"}
	prefixes := []string{"https://", "http://", "https:", "https:/", "https:///", "//", "/\\", "https:\\\\", "HTTPS://", " https://", "https://https://", "https://x:y@", "https://\u200b"}
	n, trustedPages := 0, 0
	for _, prefix := range prefixes {
		for _, m1 := range marks {
			for _, m2 := range marks {
				for _, raw := range []string{
					prefix + "trusted.com" + m1 + "evil.com" + m2,
					prefix + "evil.com" + m1 + "trusted.com" + m2,
					prefix + m1 + "trusted.com" + m2 + "/evil.com",
					prefix + "evil.com" + m1 + m2 + "trusted.com/",
				} {
					n++
					if sameAsBrowser(t, raw) {
						trustedPages++
					}
				}
			}
		}
	}
	if trustedPages == 0 {
		t.Errorf("of %d payloads none was trusted: the test tests nothing", n)
	}
}

// sameAsBrowser checks one text against the WHATWG parser, and reports whether the page is trusted.
func sameAsBrowser(t *testing.T, raw string) bool {
	t.Helper()
	p, err := tenant.PageOf(raw)
	if err != nil {
		return false
	}
	u, err := whatwg.NewParser().Parse(raw)
	if err != nil {
		t.Errorf("PageOf(%q) = %+v; a browser refuses it: %v", raw, p, err)
		return false
	}
	if u.Hostname() != p.Host || u.Port() != portText(p.Port) || u.Scheme() != p.Scheme || u.Username() != "" {
		t.Errorf("PageOf(%q) = %+v; a browser reads host %q port %q scheme %q user %q", raw, p, u.Hostname(), u.Port(), u.Scheme(), u.Username())
	}
	if g, err := url.Parse(p.URL); err == nil && (g.Host != strings.TrimPrefix(p.Origin, p.Scheme+"://") || g.Scheme != p.Scheme || g.User != nil) {
		t.Errorf("PageOf(%q) = %+v; net/url reads host %q", raw, p, g.Host)
	}
	return tenant.Trusts(trusted, p)
}

// FuzzPageOf: whatever is accepted is read by a browser and by net/url as it was
// read here, and what is signed is the text itself up to its fragment.
func FuzzPageOf(f *testing.F) {
	for _, s := range []string{
		"https://trusted.com/a?b#c", "http://mp.weixin.qq.com?params=value", "https://evil.com\\@trusted.com/", "https://trusted.com@evil.com/",
		"https://trusted.com:8443/", "https://xn--fiq228c.trusted.com/", "https://0x7f.1/", "https://[::1]/", "https://trusted.com/路径?名=值", "https:/trusted.com", "https://a.b#\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		sameAsBrowser(t, raw)
		p, err := tenant.PageOf(raw)
		if err != nil {
			if p != (tenant.Page{}) {
				t.Errorf("PageOf(%q) = %+v beside %v", raw, p, err)
			}
			return
		}
		before, _, _ := strings.Cut(raw, "#")
		if p.URL != before || !strings.HasPrefix(p.URL, p.Origin) {
			t.Errorf("PageOf(%q) signs %q of origin %q, want %q", raw, p.URL, p.Origin, before)
		}
		again, err := tenant.PageOf(p.URL)
		if err != nil || again != p {
			t.Errorf("PageOf(%q) = %+v, %v; want %+v again", p.URL, again, err, p)
		}
	})
}

func portText(port int) string {
	return strings.TrimPrefix(tenant.Domain{Port: port}.String(), ":")
}
