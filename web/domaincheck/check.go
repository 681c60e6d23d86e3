package domaincheck

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"suitesign/netguard"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
)

// Apps tells what WeCom knows of an app; *wecom.Client does.
type Apps interface {
	AgentGet(ctx context.Context, t wecom.AccessToken, agent wecom.AgentID) (wecom.AgentDetail, error)
}

// A Checker checks domains.
type Checker struct {
	Guard   *netguard.Guard
	Tickets *ticket.Source // has the access_token that WeCom is asked with
	WeCom   Apps
	Roots   *x509.CertPool // the system's unless set

	Now func() time.Time // time.Now unless set
}

// Apart is how long a domain is not checked again.
const Apart = 10 * time.Second

const (
	partFor = 3 * time.Second // one part of a check
	maxFile = 4 << 10
	soon    = 14 * 24 * time.Hour // a certificate that ends within it is worth a word
	maxTold = 8                   // addresses
)

// Suite checks a domain that all tenants of a suite trust.
func (c *Checker) Suite(ctx context.Context, d tenant.TrustedDomain) tenant.DomainCheck {
	return tenant.DomainCheck{CheckedAt: c.now().UTC().Truncate(time.Second), Items: c.outside(ctx, d)}
}

// Tenant checks a domain of a tenant, and what WeCom says of it.
func (c *Checker) Tenant(ctx context.Context, t tenant.Tenant, d tenant.TrustedDomain) tenant.DomainCheck {
	items := append(c.outside(ctx, d), c.redirectDomain(ctx, t, d))
	return tenant.DomainCheck{CheckedAt: c.now().UTC().Truncate(time.Second), Items: items}
}

func (c *Checker) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// outside looks at what everybody sees.
func (c *Checker) outside(ctx context.Context, d tenant.TrustedDomain) []tenant.CheckItem {
	dns := c.dns(ctx, d)
	if dns.State != tenant.CheckOK {
		return []tenant.CheckItem{dns, skipped("tls", "dns_first"), skipped("file", "dns_first")}
	}
	secure := c.tls(ctx, d)
	return []tenant.CheckItem{dns, secure, c.file(ctx, d, secure.State != tenant.CheckFailed)}
}

func item(name string, state tenant.CheckState, code, found string) tenant.CheckItem {
	return tenant.CheckItem{Name: name, State: state, Code: code, Found: found}
}

func skipped(name, code string) tenant.CheckItem { return item(name, tenant.CheckSkipped, code, "") }

func port(d tenant.TrustedDomain, otherwise uint16) uint16 {
	if d.Port != 0 {
		return uint16(d.Port) //nolint:gosec // a port by a constraint of its table
	}
	return otherwise
}

// dns asks where the name leads.
func (c *Checker) dns(ctx context.Context, d tenant.TrustedDomain) tenant.CheckItem {
	ctx, cancel := context.WithTimeout(ctx, partFor)
	defer cancel()
	addrs, err := c.Guard.Resolve(ctx, d.Host, port(d, 443), false)
	switch {
	case errors.Is(err, netguard.ErrForbidden):
		return item("dns", tenant.CheckFailed, "not_public", "")
	case err != nil:
		return item("dns", tenant.CheckFailed, "unresolved", "")
	}
	return item("dns", tenant.CheckOK, "resolved", told(addrs))
}

func told(addrs []netip.AddrPort) string {
	var texts []string
	for _, a := range addrs {
		if text := a.Addr().String(); !slices.Contains(texts, text) && len(texts) < maxTold {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, ", ")
}

// tls looks at the certificate.
func (c *Checker) tls(ctx context.Context, d tenant.TrustedDomain) tenant.CheckItem {
	ctx, cancel := context.WithTimeout(ctx, partFor)
	defer cancel()
	conn, err := c.Guard.DialContext(ctx, "tcp", net.JoinHostPort(d.Host, strconv.Itoa(int(port(d, 443)))))
	if err != nil {
		return c.insecure(d, "unreachable", nil)
	}
	defer conn.Close()
	secured := tls.Client(conn, &tls.Config{ServerName: d.Host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12})
	if err := secured.HandshakeContext(ctx); err != nil {
		code, until := certificateFault(err)
		return c.insecure(d, code, until)
	}
	until := secured.ConnectionState().PeerCertificates[0].NotAfter.UTC()
	out := item("tls", tenant.CheckOK, "valid", "")
	if until.Before(c.now().Add(soon)) {
		out.State, out.Code = tenant.CheckWarning, "expires_soon"
	}
	out.Until = &until
	return out
}

// insecure is no certificate to trust: no fault of a domain whose pages may be plain http.
func (c *Checker) insecure(d tenant.TrustedDomain, code string, until *time.Time) tenant.CheckItem {
	out := item("tls", tenant.CheckFailed, code, "")
	if d.AllowHTTP {
		out.State = tenant.CheckWarning
	}
	out.Until = until
	return out
}

// certificateFault says what is wrong with a certificate.
func certificateFault(err error) (code string, until *time.Time) {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &name):
		return "other_name", nil
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		end := invalid.Cert.NotAfter.UTC()
		return "expired", &end
	case errors.As(err, &unknown):
		return "untrusted_issuer", nil
	}
	return "no_handshake", nil
}

// file fetches the ownership file and compares it with what is stored.
func (c *Checker) file(ctx context.Context, d tenant.TrustedDomain, secure bool) tenant.CheckItem {
	if d.VerificationName == "" {
		return skipped("file", "no_file")
	}
	scheme := "https"
	if !secure || d.AllowHTTP && !c.reaches(ctx, d) {
		scheme = "http"
	}
	if scheme == "http" && !d.AllowHTTP {
		return item("file", tenant.CheckFailed, "unreachable", "")
	}
	ctx, cancel := context.WithTimeout(ctx, partFor)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+d.String()+"/"+d.VerificationName, nil)
	if err != nil {
		return item("file", tenant.CheckFailed, "unreachable", "")
	}
	client := c.client()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return item("file", tenant.CheckFailed, "unreachable", "")
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return item("file", tenant.CheckFailed, "redirected", strconv.Itoa(resp.StatusCode))
	case resp.StatusCode != http.StatusOK:
		return item("file", tenant.CheckFailed, "missing", strconv.Itoa(resp.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFile+1))
	switch {
	case err != nil:
		return item("file", tenant.CheckFailed, "unreachable", "")
	case len(body) > maxFile:
		return item("file", tenant.CheckFailed, "too_large", "")
	case strings.TrimSpace(string(body)) != d.VerificationContent:
		return item("file", tenant.CheckFailed, "differs", "")
	}
	return item("file", tenant.CheckOK, "served", "")
}

// reaches reports whether the domain's certificate is good.
func (c *Checker) reaches(ctx context.Context, d tenant.TrustedDomain) bool {
	return c.tls(ctx, d).State == tenant.CheckOK
}

// client is the guard's, with our roots.
func (c *Checker) client() *http.Client {
	plain := *c.Guard
	plain.PlainHTTP = true // asked for only where the admin allows http
	client := plain.Client(partFor)
	if c.Roots == nil {
		return client
	}
	return &http.Client{Timeout: partFor, CheckRedirect: client.CheckRedirect, Transport: &http.Transport{
		DialContext: plain.DialContext, TLSClientConfig: &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12}}}
}

// redirectDomain asks WeCom for the one trusted domain that it tells of an app.
func (c *Checker) redirectDomain(ctx context.Context, t tenant.Tenant, d tenant.TrustedDomain) tenant.CheckItem {
	const name = "redirect_domain"
	if len(t.Agents) == 0 {
		return skipped(name, "no_agent")
	}
	token, ok := c.token(ctx, t.ID)
	if !ok {
		return skipped(name, "no_access_token")
	}
	ctx, cancel := context.WithTimeout(ctx, partFor)
	defer cancel()
	app, err := c.WeCom.AgentGet(ctx, token, t.Agents[0].ID)
	switch {
	case err != nil:
		return skipped(name, "wecom_did_not_tell")
	case app.RedirectDomain == "":
		return item(name, tenant.CheckWarning, "none_at_wecom", "")
	case !covers(app.RedirectDomain, d):
		return item(name, tenant.CheckWarning, "differs", app.RedirectDomain)
	}
	return item(name, tenant.CheckOK, "agrees", app.RedirectDomain)
}

// covers reports whether WeCom's domain is the host or one above it. It has no port.
func covers(redirect string, d tenant.TrustedDomain) bool {
	redirect = strings.ToLower(strings.TrimSuffix(redirect, "/"))
	if _, rest, ok := strings.Cut(redirect, "://"); ok {
		redirect = rest
	}
	redirect, _, _ = strings.Cut(redirect, ":")
	return d.Host == redirect || strings.HasSuffix(d.Host, "."+redirect)
}

// token is the tenant's access_token, if it lives.
func (c *Checker) token(ctx context.Context, id uuid.UUID) (wecom.AccessToken, bool) {
	held, err := c.Tickets.Held(ctx, []uuid.UUID{id})
	if err != nil {
		return wecom.AccessToken{}, false
	}
	for _, h := range held {
		if h.Kind == ticket.AccessToken && h.Live {
			return wecom.AccessToken{String: h.Value}, true
		}
	}
	return wecom.AccessToken{}, false
}
