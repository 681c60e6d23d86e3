package domaincheck_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"suitesign/migrations/pgtest"
	"suitesign/netguard"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/web/domaincheck"
	"suitesign/wecom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// names is a DNS of the test's own.
type names map[string]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if ip, ok := n[host]; ok {
		return []netip.Addr{netip.MustParseAddr(ip)}, nil
	}
	return nil, errors.New("no such host")
}

// authority signs certificates that the checker trusts.
type authority struct {
	t     *testing.T
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	roots *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, roots: x509.NewCertPool()}
	made := a.make(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.key = made.PrivateKey.(*ecdsa.PrivateKey)
	a.cert = made.Leaf
	a.roots.AddCert(made.Leaf)
	return a
}

func (a *authority) make(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// site serves one path over TLS and answers with its port.
func (a *authority) site(name string, until time.Time, handler http.HandlerFunc) int {
	a.t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{a.make(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})}}
	s.Config.ErrorLog = nil
	s.StartTLS()
	a.t.Cleanup(s.Close)
	return port(a.t, s.Listener.Addr())
}

func port(t *testing.T, addr net.Addr) int {
	t.Helper()
	_, p, err := net.SplitHostPort(addr.String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(p)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const file, content = "WW_verify_abcdefgh12345678.txt", "abcdefgh12345678"

func domain(port int) tenant.TrustedDomain {
	return tenant.TrustedDomain{Domain: tenant.Domain{Host: "h5.example.com", Port: port}, VerificationName: file, VerificationContent: content}
}

// codes are what was found, as name:state:code.
func codes(c tenant.DomainCheck) string {
	var all []string
	for _, i := range c.Items {
		all = append(all, i.Name+":"+string(i.State)+":"+i.Code)
	}
	return strings.Join(all, " ")
}

func TestOutside(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	checker := &domaincheck.Checker{Roots: a.roots, Guard: &netguard.Guard{
		Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Resolver: names{"h5.example.com": "127.0.0.1"}}}
	year := time.Now().Add(365 * 24 * time.Hour)
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/"+file {
				status, body = 404, ""
			}
			if status == 302 {
				w.Header().Set("Location", "/"+file)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, tt := range []struct {
		name, host, want string
		until            time.Time
		answer           http.HandlerFunc
	}{
		{"all is well", "h5.example.com", "dns:ok:resolved tls:ok:valid file:ok:served", year, answer(200, content+"\n")},
		{"soon out of date", "h5.example.com", "dns:ok:resolved tls:warning:expires_soon file:ok:served", time.Now().Add(24 * time.Hour), answer(200, content)},
		{"out of date", "h5.example.com", "dns:ok:resolved tls:failed:expired file:failed:unreachable", time.Now().Add(-time.Hour), answer(200, content)},
		{"of another name", "www.example.com", "dns:ok:resolved tls:failed:other_name file:failed:unreachable", year, answer(200, content)},
		{"another content", "h5.example.com", "dns:ok:resolved tls:ok:valid file:failed:differs", year, answer(200, "another12345678")},
		{"no file", "h5.example.com", "dns:ok:resolved tls:ok:valid file:failed:missing", year, answer(404, "")},
		{"a redirect, even to the file", "h5.example.com", "dns:ok:resolved tls:ok:valid file:failed:redirected", year, answer(302, "")},
		{"a page instead", "h5.example.com", "dns:ok:resolved tls:ok:valid file:failed:too_large", year, answer(200, strings.Repeat("x", 5<<10))},
	} {
		c := checker.Suite(t.Context(), domain(a.site(tt.host, tt.until, tt.answer)))
		if got := codes(c); got != tt.want || c.OK() == strings.Contains(tt.want, "failed") {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}

	// An issuer that nobody trusts, a port where nothing is, http where it is allowed.
	stranger := newAuthority(t)
	if got := codes(checker.Suite(t.Context(), domain(stranger.site("h5.example.com", year, answer(200, content))))); !strings.Contains(got, "tls:failed:untrusted_issuer") {
		t.Errorf("a strange issuer: %s", got)
	}
	plain := httptest.NewServer(answer(200, content))
	t.Cleanup(plain.Close)
	d := domain(port(t, plain.Listener.Addr()))
	if got := codes(checker.Suite(t.Context(), d)); got != "dns:ok:resolved tls:failed:no_handshake file:failed:unreachable" {
		t.Errorf("plain http that is not allowed: %s", got)
	}
	d.AllowHTTP = true
	if got := codes(checker.Suite(t.Context(), d)); got != "dns:ok:resolved tls:warning:no_handshake file:ok:served" {
		t.Errorf("plain http that is allowed: %s", got)
	}
	d = domain(0)
	d.VerificationName = ""
	d.Host = "nowhere.example.com"
	if got := codes(checker.Suite(t.Context(), d)); got != "dns:failed:unresolved tls:skipped:dns_first file:skipped:dns_first" {
		t.Errorf("an unknown name: %s", got)
	}
}

// A name that leads into our own network is not called, whatever the port.
func TestNothingPrivateIsCalled(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "10.0.0.7", "169.254.169.254", "192.168.1.1", "::1", "fd00::1", "fe80::1", "100.100.100.200", "0.0.0.0"} {
		called := false
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
		d := domain(port(t, s.Listener.Addr()))
		d.AllowHTTP = true
		checker := &domaincheck.Checker{Guard: &netguard.Guard{Resolver: names{"h5.example.com": ip}}}
		if got := codes(checker.Suite(t.Context(), d)); got != "dns:failed:not_public tls:skipped:dns_first file:skipped:dns_first" {
			t.Errorf("%s: %s, want not_public and nothing else tried", ip, got)
		}
		s.Close()
		if called {
			t.Errorf("%s was called", ip)
		}
	}
}

// apps is WeCom as far as it tells of an app.
type apps struct {
	domain string
	err    error
	token  string
}

func (a *apps) AgentGet(_ context.Context, t wecom.AccessToken, _ wecom.AgentID) (wecom.AgentDetail, error) {
	a.token = t.Reveal()
	return wecom.AgentDetail{RedirectDomain: a.domain}, a.err
}

// What WeCom has for the app is compared, with the access_token that lives.
func TestDrift(t *testing.T) {
	t.Parallel()
	pool, ring := pgtest.New(t), secrettest.New(t)
	id := uuid.New()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	sealed, err := ring.Seal(secret.New("canary-token"), secret.Binding{Table: "credentials", Column: "value_sealed", Row: id.String() + "/access_token"})
	if err != nil {
		t.Fatal(err)
	}
	exec(`INSERT INTO suites (suite_id, kind, name) VALUES ('s', 'internal', 's')`)
	exec(`INSERT INTO tenants (id, suite_id, corp_id, authorized_at) VALUES ($1, 's', 'c', now())`, id)
	exec(`INSERT INTO authorizations (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at) VALUES ($1, 's', 'c', '\x00', now())`, id)
	exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) VALUES ($1, 's', 'c', now())`, id)
	exec(`INSERT INTO credentials (tenant_id, kind, value_sealed, generation, expires_at, refreshed_at, next_at) VALUES ($1, 'access_token', $2, 1, now() + interval '1 hour', now(), now())`, id, sealed)
	of := tenant.Tenant{ID: id, Agents: []tenant.Agent{{ID: 1000002}}}
	wecomHas := &apps{}
	checker := &domaincheck.Checker{Guard: &netguard.Guard{Resolver: names{}}, Tickets: &ticket.Source{Pool: pool, Ring: ring}, WeCom: wecomHas}
	last := func() string {
		all := strings.Fields(codes(checker.Tenant(t.Context(), of, domain(0))))
		return all[len(all)-1]
	}
	for has, want := range map[string]string{
		"h5.example.com": "ok:agrees", "example.com": "ok:agrees", "https://H5.example.com/": "ok:agrees", "h5.example.com:8443": "ok:agrees",
		"www.example.com": "warning:differs", "ample.com": "warning:differs", "": "warning:none_at_wecom",
	} {
		wecomHas.domain = has
		if got := last(); got != "redirect_domain:"+want {
			t.Errorf("WeCom has %q: %s, want %s", has, got, want)
		}
	}
	if wecomHas.token != "canary-token" {
		t.Error("WeCom was not asked with the access_token that lives")
	}
	wecomHas.err = errors.New("no")
	if got := last(); got != "redirect_domain:skipped:wecom_did_not_tell" {
		t.Errorf("WeCom refuses: %s", got)
	}
	exec(`UPDATE credentials SET expires_at = now()`)
	if got := last(); got != "redirect_domain:skipped:no_access_token" {
		t.Errorf("without a live access_token: %s", got)
	}
	of.Agents = nil
	if got := last(); got != "redirect_domain:skipped:no_agent" {
		t.Errorf("without an agent: %s", got)
	}
}
