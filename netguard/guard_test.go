package netguard_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"suitesign/netguard"
)

// names answers each look-up with the next of its answers, the last one for good.
type names struct {
	asked   atomic.Int64
	answers [][]string
}

func (n *names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	i := int(n.asked.Add(1)) - 1
	if len(n.answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	var out []netip.Addr
	for _, a := range n.answers[min(i, len(n.answers)-1)] {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

func TestWhichAddressesMayBeCalled(t *testing.T) {
	t.Parallel()
	allowed, err := netguard.ParsePrefixes([]string{"10.1.0.0/16", "127.0.0.1", "fd00:1::/32"})
	if err != nil {
		t.Fatal(err)
	}
	open, closed := &netguard.Guard{Allowed: allowed, PlainHTTP: true}, &netguard.Guard{}
	for _, tt := range []struct {
		to     string
		closed bool // may be called with no setting
		open   bool // may be called with the networks above allowed
	}{
		{"8.8.8.8:443", true, true},
		{"8.8.8.8:80", true, true},
		{"8.8.8.8:8443", true, true},
		{"8.8.8.8:1024", true, true},
		{"8.8.8.8:22", false, false},
		{"8.8.8.8:25", false, false},
		{"8.8.8.8:1023", false, false},
		{"[2606:4700::1111]:443", true, true},
		// ourselves
		{"127.0.0.1:443", false, true},
		{"127.0.0.1:25", false, true}, // where the operator allows an address, every port of it
		{"127.8.8.8:443", false, false},
		{"0.0.0.0:443", false, false},
		{"[::1]:443", false, false},
		{"[::]:443", false, false},
		{"[::ffff:127.0.0.1]:443", false, true},
		{"[::ffff:127.0.0.2]:443", false, false},
		{"[::127.0.0.1]:443", false, false},
		// private
		{"10.0.0.1:443", false, false},
		{"10.1.0.1:443", false, true},
		{"[::ffff:10.1.0.1]:443", false, true},
		{"172.16.0.1:443", false, false},
		{"172.31.255.255:443", false, false},
		{"172.32.0.1:443", true, true},
		{"192.168.1.1:443", false, false},
		{"[fc00::1]:443", false, false},
		{"[fd00:1::1]:443", false, true},
		{"[fd00:ec2::254]:443", false, false}, // metadata, AWS
		{"[fec0::1]:443", false, false},
		// one link
		{"169.254.169.254:80", false, false}, // metadata: AWS, GCP, Azure, DigitalOcean
		{"169.254.0.23:80", false, false},    // metadata, Tencent Cloud
		{"[fe80::1]:443", false, false},
		{"[fe80::1%eth0]:443", false, false},
		{"[2606:4700::1111%eth0]:443", false, false},
		// carriers and clouds
		{"100.64.0.1:443", false, false},
		{"100.100.100.200:80", false, false}, // metadata, Alibaba Cloud
		{"100.127.255.255:443", false, false},
		{"100.128.0.1:443", true, true},
		{"192.0.0.192:80", false, false}, // metadata, Oracle Cloud
		{"168.63.129.16:80", false, false},
		// many, all, none
		{"224.0.0.1:443", false, false},
		{"239.255.255.255:443", false, false},
		{"255.255.255.255:443", false, false},
		{"240.0.0.1:443", false, false},
		{"[ff02::1]:443", false, false},
		{"192.0.2.1:443", false, false},
		{"198.18.0.1:443", false, false},
		{"203.0.113.1:443", false, false},
		{"[2001:db8::1]:443", false, false},
		// an IPv4 address inside
		{"[64:ff9b::7f00:1]:443", false, false},
		{"[64:ff9b:1::a00:1]:443", false, false},
		{"[2002:7f00:1::]:443", false, false},
		{"[2001:0:7f00:1::]:443", false, false},
	} {
		to := netip.MustParseAddrPort(tt.to)
		for name, c := range map[string]struct {
			guard *netguard.Guard
			ok    bool
		}{"by default": {closed, tt.closed}, "with networks allowed": {open, tt.open}} {
			err := c.guard.Check(to, false)
			if (err == nil) != c.ok || err != nil && !errors.Is(err, netguard.ErrForbidden) {
				t.Errorf("Check(%s) %s = %v, want ok %v", tt.to, name, err, c.ok)
			}
		}
	}
	if err := closed.Check(netip.AddrPort{}, false); !errors.Is(err, netguard.ErrForbidden) {
		t.Errorf("Check(no address) = %v, want ErrForbidden", err)
	}
}

func TestPlainHTTPOnlyWhereItIsMeant(t *testing.T) {
	t.Parallel()
	public, ours := netip.MustParseAddrPort("8.8.8.8:80"), netip.MustParseAddrPort("10.0.0.1:80")
	for _, tt := range []struct {
		guard netguard.Guard
		to    netip.AddrPort
		ok    bool
	}{
		{netguard.Guard{}, public, false},
		{netguard.Guard{PlainHTTP: true}, public, true},
		{netguard.Guard{PlainHTTP: true}, ours, false},
		{netguard.Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, ours, true},
		{netguard.Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, public, false},
	} {
		if err := tt.guard.Check(tt.to, true); (err == nil) != tt.ok {
			t.Errorf("Check(%s, plain) with %+v = %v, want ok %v", tt.to, tt.guard, err, tt.ok)
		}
	}
}

func TestWhichURLsAreCalled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url  string
		want error
	}{
		{"https://hooks.example.com/a?b=c", nil},
		{"https://hooks.example.com:8443/", nil},
		{"https://hooks.example.com:443", nil},
		{"https://8.8.8.8/hook", nil},
		{"https://[2606:4700::1111]/hook", nil},
		{"https://例子.example/钩", nil},
		{"http://hooks.example.com/", netguard.ErrForbidden},
		{"https://hooks.example.com:22/", netguard.ErrForbidden},
		{"https://127.0.0.1/", netguard.ErrForbidden},
		{"https://[::1]/", netguard.ErrForbidden},
		{"https://[::ffff:169.254.169.254]/", netguard.ErrForbidden},
		{"", netguard.ErrURL},
		{"hooks.example.com/a", netguard.ErrURL},
		{"//hooks.example.com/a", netguard.ErrURL},
		{"ftp://hooks.example.com/", netguard.ErrURL},
		{"file:///etc/passwd", netguard.ErrURL},
		{"gopher://hooks.example.com/", netguard.ErrURL},
		{"https://", netguard.ErrURL},
		{"https:hooks.example.com", netguard.ErrURL},
		{"https://user@hooks.example.com/", netguard.ErrURL},
		{"https://user:secret@hooks.example.com/", netguard.ErrURL},
		{"https://@hooks.example.com/", netguard.ErrURL},
		{"https://hooks.example.com:/", netguard.ErrURL},
		{"https://hooks.example.com:0/", netguard.ErrURL},
		{"https://hooks.example.com:65536/", netguard.ErrURL},
		{"https://hooks.example.com:http/", netguard.ErrURL},
		{"https://hooks.example.com/#here", netguard.ErrURL},
		{"https://hooks.example.com\\@10.0.0.1/", netguard.ErrURL},
		{"https://hooks.example.com/ a", netguard.ErrURL},
		{"https://hooks.example.com/\r\nHost: x", netguard.ErrURL},
		{"https://hooks.example.com/%zz", netguard.ErrURL},
		{"https://hooks.example.com/" + strings.Repeat("a", 2048), netguard.ErrURL},
	} {
		g := &netguard.Guard{Resolver: &names{answers: [][]string{{"8.8.4.4"}}}}
		_, err := g.CheckURL(t.Context(), tt.url)
		if !errors.Is(err, tt.want) {
			t.Errorf("CheckURL(%.60q) = %v, want %v", tt.url, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") && strings.Contains(tt.url, "secret@") && !strings.Contains(err.Error(), "put a secret") {
			t.Errorf("CheckURL(%q) repeats the URL: %v", tt.url, err)
		}
	}
}

func TestEveryAddressOfANameIsLookedAt(t *testing.T) {
	t.Parallel()
	many := make([]string, 17)
	for i := range many {
		many[i] = "8.8.8.8"
	}
	for _, tt := range []struct {
		answers []string
		want    error
	}{
		{[]string{"8.8.8.8"}, nil},
		{[]string{"8.8.8.8", "2606:4700::1111"}, nil},
		{[]string{"8.8.8.8", "10.0.0.1"}, netguard.ErrForbidden},
		{[]string{"8.8.8.8", "::1"}, netguard.ErrForbidden},
		{[]string{"8.8.8.8", "::ffff:127.0.0.1"}, netguard.ErrForbidden},
		{many, netguard.ErrForbidden},
		{[]string{}, nil}, // does not resolve now: it is looked at when it is called
	} {
		g := &netguard.Guard{Resolver: &names{answers: [][]string{tt.answers}}}
		if _, err := g.CheckURL(t.Context(), "https://hooks.example.com/"); !errors.Is(err, tt.want) {
			t.Errorf("CheckURL of a name with %v = %v, want %v", tt.answers, err, tt.want)
		}
		_, err := g.Resolve(t.Context(), "hooks.example.com", 443, false)
		if want := tt.want; len(tt.answers) == 0 {
			want = netguard.ErrUnresolved
			if !errors.Is(err, want) {
				t.Errorf("Resolve of a name without addresses = %v, want %v", err, want)
			}
		} else if !errors.Is(err, want) {
			t.Errorf("Resolve of a name with %v = %v, want %v", tt.answers, err, want)
		}
	}
}

// portOf is where a test server listens.
func portOf(t *testing.T, s *httptest.Server) string {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func get(t *testing.T, c *http.Client, url string) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	return answer.StatusCode, nil
}

func TestANameThatTurnsInwardsIsNotFollowed(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer inside.Close()
	url := "http://rebind.example.com:" + portOf(t, inside) + "/"

	// Public when it is stored, inside when it is called.
	turning := &names{answers: [][]string{{"8.8.8.8"}, {"127.0.0.1"}}}
	g := &netguard.Guard{PlainHTTP: true, Resolver: turning}
	if _, err := g.CheckURL(t.Context(), url); err != nil {
		t.Fatalf("CheckURL while the name is public = %v", err)
	}
	c := g.Client(0)
	defer c.CloseIdleConnections()
	if _, err := get(t, c, url); !errors.Is(err, netguard.ErrForbidden) {
		t.Errorf("calling the name that turned inwards = %v, want ErrForbidden", err)
	}
	if hits.Load() != 0 {
		t.Error("the server inside was called")
	}

	// What was looked at is what is called: one look-up, although a second one would lead elsewhere.
	steady := &names{answers: [][]string{{"127.0.0.1"}, {"169.254.169.254"}}}
	g = &netguard.Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Resolver: steady}
	again := g.Client(0)
	defer again.CloseIdleConnections()
	if status, err := get(t, again, url); status != http.StatusOK || err != nil {
		t.Errorf("calling an allowed address = %d, %v", status, err)
	}
	if n := steady.asked.Load(); n != 1 || hits.Load() != 1 {
		t.Errorf("%d look-ups and %d calls, want one of each", n, hits.Load())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hits.Add(1) == 1 {
			http.Redirect(w, r, "/again", http.StatusFound)
		}
	}))
	defer s.Close()
	c := (&netguard.Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).Client(0)
	defer c.CloseIdleConnections()
	if status, err := get(t, c, s.URL); status != http.StatusFound || err != nil || hits.Load() != 1 {
		t.Errorf("a redirect = %d, %v after %d calls; want 302 itself after one", status, err, hits.Load())
	}
}

func TestTheProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	var hits atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	c := (&netguard.Guard{PlainHTTP: true, Resolver: &names{answers: [][]string{{"10.0.0.1"}}}}).Client(0)
	for _, url := range []string{"http://a.example.com/", "https://a.example.com/"} {
		if _, err := get(t, c, url); !errors.Is(err, netguard.ErrForbidden) {
			t.Errorf("GET %s = %v, want ErrForbidden", url, err)
		}
	}
	if hits.Load() != 0 {
		t.Error("the proxy was asked, which resolves names by itself")
	}
}

func TestTheNextAddressIsTriedWhereOneDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	g := &netguard.Guard{
		Allowed:  []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Resolver: &names{answers: [][]string{{"127.255.255.254", "127.0.0.1"}}}, // nobody listens at the first
	}
	c := g.Client(0)
	defer c.CloseIdleConnections()
	if status, err := get(t, c, "http://two.example.com:"+portOf(t, s)+"/"); status != http.StatusOK || err != nil {
		t.Errorf("GET = %d, %v; want the second address to answer", status, err)
	}
}

func TestParsePrefixes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"10.1.2.3", "10.1.2.3/32"},
		{"::1", "::1/128"},
		{"::ffff:10.1.2.3", "10.1.2.3/32"},
		{"::ffff:10.0.0.0/104", ""}, // would be compared with nothing
		{"fe80::1%eth0", ""},
		{"10.0.0.0/33", ""},
		{"localhost", ""},
		{"", ""},
	} {
		got, err := netguard.ParsePrefixes([]string{tt.in})
		if (err != nil) != (tt.want == "") || err == nil && got[0].String() != tt.want {
			t.Errorf("ParsePrefixes(%q) = %v, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}
