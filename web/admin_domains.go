package web

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/oapi-codegen/nullable"

	"suitesign/tenant"
	"suitesign/web/api"
	"suitesign/wecom"
)

// ListSuiteDomains answers GET /v1/suites/{suite_id}/domains.
func (a *admin) ListSuiteDomains(ctx context.Context, r api.ListSuiteDomainsRequestObject) (api.ListSuiteDomainsResponseObject, error) {
	ctx = requestContext(ctx)
	if _, err := a.Suites.Get(ctx, wecom.SuiteID(r.SuiteID)); err != nil {
		return nil, ofSuite(err)
	}
	domains, err := a.Tenants.ListSuiteDomains(ctx, wecom.SuiteID(r.SuiteID))
	if err != nil {
		return nil, err
	}
	list, err := pageOfDomains(domains, descends(r.Params.Sort, false), r.Params.Limit, r.Params.Cursor)
	return api.ListSuiteDomains200JSONResponse(list), err
}

// GetSuiteDomain answers GET /v1/suites/{suite_id}/domains/{domain}.
func (a *admin) GetSuiteDomain(ctx context.Context, r api.GetSuiteDomainRequestObject) (api.GetSuiteDomainResponseObject, error) {
	domain, err := a.parseDomain(r.Domain)
	if err != nil {
		return nil, err
	}
	found, err := a.Tenants.GetSuiteDomain(requestContext(ctx), wecom.SuiteID(r.SuiteID), domain)
	if err != nil {
		return nil, ofTenant(err, errDomainNotFound)
	}
	return api.GetSuiteDomain200JSONResponse{Body: showDomain(found), Headers: api.GetSuiteDomain200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// PutSuiteDomain answers PUT /v1/suites/{suite_id}/domains/{domain}.
func (a *admin) PutSuiteDomain(ctx context.Context, r api.PutSuiteDomainRequestObject) (api.PutSuiteDomainResponseObject, error) {
	ctx = requestContext(ctx)
	wanted, err := a.readDomain(r.Domain, r.Body)
	if err != nil {
		return nil, err
	}
	owner := wecom.SuiteID(r.SuiteID)
	if anyVersion(r.Params.IfMatch) {
		if _, err := a.Tenants.GetSuiteDomain(ctx, owner, wanted.Domain); err != nil {
			return nil, ofTenant(err, tenant.ErrVersion)
		}
	}
	stored, _, err := a.Tenants.PutSuiteDomain(ctx, owner, wanted, ifMatch(r.Params.IfMatch))
	if err != nil {
		return nil, ofTenant(err, errSuiteNotFound)
	}
	return api.PutSuiteDomain200JSONResponse{Body: showDomain(stored), Headers: api.PutSuiteDomain200ResponseHeaders{ETag: etag(stored.Version)}}, nil
}

// DeleteSuiteDomain answers DELETE /v1/suites/{suite_id}/domains/{domain}.
func (a *admin) DeleteSuiteDomain(ctx context.Context, r api.DeleteSuiteDomainRequestObject) (api.DeleteSuiteDomainResponseObject, error) {
	domain, err := a.parseDomain(r.Domain)
	if err != nil {
		return nil, err
	}
	if err := a.Tenants.DeleteSuiteDomain(requestContext(ctx), wecom.SuiteID(r.SuiteID), domain, ifMatch(r.Params.IfMatch)); err != nil {
		return nil, ofTenant(err, errDomainNotFound)
	}
	return api.DeleteSuiteDomain204Response{}, nil
}

// ListTenantDomains answers GET /v1/tenants/{tenant_id}/domains.
func (a *admin) ListTenantDomains(ctx context.Context, r api.ListTenantDomainsRequestObject) (api.ListTenantDomainsResponseObject, error) {
	domains, err := a.Tenants.ListTenantDomains(requestContext(ctx), r.TenantID)
	if err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	list, err := pageOfDomains(domains, descends(r.Params.Sort, false), r.Params.Limit, r.Params.Cursor)
	return api.ListTenantDomains200JSONResponse(list), err
}

// GetTenantDomain answers GET /v1/tenants/{tenant_id}/domains/{domain}.
func (a *admin) GetTenantDomain(ctx context.Context, r api.GetTenantDomainRequestObject) (api.GetTenantDomainResponseObject, error) {
	domain, err := a.parseDomain(r.Domain)
	if err != nil {
		return nil, err
	}
	found, err := a.Tenants.GetTenantDomain(requestContext(ctx), r.TenantID, domain)
	if err != nil {
		return nil, ofTenant(err, errDomainNotFound)
	}
	return api.GetTenantDomain200JSONResponse{Body: showDomain(found), Headers: api.GetTenantDomain200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// PutTenantDomain answers PUT /v1/tenants/{tenant_id}/domains/{domain}.
func (a *admin) PutTenantDomain(ctx context.Context, r api.PutTenantDomainRequestObject) (api.PutTenantDomainResponseObject, error) {
	ctx = requestContext(ctx)
	wanted, err := a.readDomain(r.Domain, r.Body)
	if err != nil {
		return nil, err
	}
	if anyVersion(r.Params.IfMatch) {
		if _, err := a.Tenants.GetTenantDomain(ctx, r.TenantID, wanted.Domain); err != nil {
			return nil, ofTenant(err, tenant.ErrVersion)
		}
	}
	stored, _, err := a.Tenants.PutTenantDomain(ctx, r.TenantID, wanted, ifMatch(r.Params.IfMatch))
	if err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	return api.PutTenantDomain200JSONResponse{Body: showDomain(stored), Headers: api.PutTenantDomain200ResponseHeaders{ETag: etag(stored.Version)}}, nil
}

// DeleteTenantDomain answers DELETE /v1/tenants/{tenant_id}/domains/{domain}.
func (a *admin) DeleteTenantDomain(ctx context.Context, r api.DeleteTenantDomainRequestObject) (api.DeleteTenantDomainResponseObject, error) {
	domain, err := a.parseDomain(r.Domain)
	if err != nil {
		return nil, err
	}
	if err := a.Tenants.DeleteTenantDomain(requestContext(ctx), r.TenantID, domain, ifMatch(r.Params.IfMatch)); err != nil {
		return nil, ofTenant(err, errDomainNotFound)
	}
	return api.DeleteTenantDomain204Response{}, nil
}

func (a *admin) parseDomain(text string) (tenant.Domain, error) {
	if a.Demo {
		return tenant.ParseDomainDemo(text)
	}
	return tenant.ParseDomain(text)
}

// readDomain reads the domain of the path and how the body wants it trusted; no body means the defaults.
func (a *admin) readDomain(text string, body *api.DomainPut) (tenant.TrustedDomain, error) {
	domain, err := a.parseDomain(text)
	if err != nil || body == nil {
		return tenant.TrustedDomain{Domain: domain}, err
	}
	file, _ := body.VerificationFile.Get() // the zero value for null
	return tenant.TrustedDomain{
		Domain: domain, Exact: deref(body.Exact), AllowHTTP: deref(body.AllowHTTP),
		VerificationName: file.Name, VerificationContent: file.Content,
	}, nil
}

// anyVersion tells whether If-Match wants no more than that the thing exists.
func anyVersion(header *api.IfMatch) bool { return header != nil && *header == "*" }

func showDomain(d tenant.TrustedDomain) api.TrustedDomain {
	return api.TrustedDomain{
		Domain:    d.String(),
		Exact:     d.Exact,
		AllowHTTP: d.AllowHTTP,
		VerificationFile: orNull(api.VerificationFile{Name: d.VerificationName, Content: d.VerificationContent},
			d.VerificationName != ""),
		Check:     showCheck(d.Check),
		CreatedAt: d.CreatedAt.UTC(),
		UpdatedAt: d.UpdatedAt.UTC(),
	}
}

// pageOfDomains pages through domains that come in the order of host and port.
// An owner has few of them, so that all are read for each page.
func pageOfDomains(domains []tenant.TrustedDomain, down bool, limit *api.Limit, cursor *api.Cursor) (api.DomainList, error) {
	var host string
	var port int
	paged, err := readCursor(cursor, "domains", &host, &port)
	if err != nil {
		return api.DomainList{}, err
	}
	sign := 1
	if down {
		slices.Reverse(domains)
		sign = -1
	}
	if paged {
		domains = slices.DeleteFunc(domains, func(d tenant.TrustedDomain) bool {
			return cmp.Or(cmp.Compare(d.Host, host), cmp.Compare(d.Port, port))*sign <= 0
		})
	}
	domains, next := pageOf(domains, limitOf(limit), func(last tenant.TrustedDomain) nullable.Nullable[api.NextCursor] {
		return nextCursor("domains", last.Host, strconv.Itoa(last.Port))
	})
	return api.DomainList{Items: convert(domains, showDomain), NextCursor: next}, nil
}
