package explain

import (
	"strconv"
	"strings"

	"suitesign/tenant"
)

// explainDomain asks whether the page lies on a domain that its tenant trusts,
// and by how little it does not.
func (e *explainer) explainDomain() {
	if e.current.err != nil {
		return
	}
	p := e.current.parsed
	if e.k.App == nil {
		if e.k.Lookup == NobodyTrusts {
			e.find(UntrustedDomain, Error, args{"host": p.Host, "domain": domainOf(p)}, fact("host", "", p.Host))
		}
		return
	}
	if tenant.Trusts(e.k.App.Trusts, p) {
		return
	}
	code, by := UntrustedDomain, tenant.TrustedDomain{}
	for _, d := range e.k.App.Trusts {
		if c := almost(d.Trust(), p); c != UntrustedDomain {
			code, by = c, d
			break
		}
	}
	a := args{"host": p.Host, "domain": domainOf(p), "tenant_id": e.k.App.ID.String(), "by": by.String()}
	e.find(code, Error, a, fact("host", domains(e.k.App.Trusts), strings.TrimPrefix(p.Origin, p.Scheme+"://")))
}

// almost says which one condition of a trusted domain a page does not meet.
func almost(t tenant.Trust, p tenant.Page) Code {
	http, port, exact := t, t, t
	http.AllowHTTP, port.Port, exact.Exact = true, p.Port, false
	switch {
	case http.Covers(p):
		return HTTPNotTrusted
	case port.Covers(p):
		return PortNotTrusted
	case exact.Covers(p):
		return SubdomainNotTrusted
	}
	return UntrustedDomain
}

// domainOf is the page's host and port as a trusted domain is written.
func domainOf(p tenant.Page) string {
	if p.Port == 0 {
		return p.Host
	}
	return p.Host + ":" + strconv.Itoa(p.Port)
}

// maxDomains bounds how many domains a finding lists.
const maxDomains = 20

func domains(ds []tenant.TrustedDomain) string {
	names := make([]string, 0, len(ds))
	for _, d := range ds {
		if len(names) == maxDomains {
			names = append(names, "…")
			break
		}
		names = append(names, d.String())
	}
	return strings.Join(names, ", ")
}
