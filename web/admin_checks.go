package web

import (
	"context"
	"time"

	"github.com/oapi-codegen/nullable"

	"suitesign/tenant"
	"suitesign/web/api"
	"suitesign/web/domaincheck"
	"suitesign/wecom"
)

// checkFor is how long all parts of a check may take together.
const checkFor = 12 * time.Second

// CheckTenantDomain answers POST /v1/tenants/{tenant_id}/domains/{domain}/check.
func (a *admin) CheckTenantDomain(ctx context.Context, r api.CheckTenantDomainRequestObject) (api.CheckTenantDomainResponseObject, error) {
	ctx = requestContext(ctx)
	domain, err := a.parseDomain(r.Domain)
	if err != nil {
		return nil, err
	}
	of, err := a.Tenants.Get(ctx, r.TenantID)
	if err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	found, err := a.Tenants.BeginTenantDomainCheck(ctx, r.TenantID, domain, domaincheck.Apart)
	if err != nil {
		return nil, ofTenant(err, errDomainNotFound)
	}
	limited, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	stored, err := a.Tenants.SaveTenantDomainCheck(ctx, r.TenantID, domain, a.Domains.Tenant(limited, of, found))
	if err != nil {
		return nil, ofTenant(err, errDomainNotFound)
	}
	return api.CheckTenantDomain200JSONResponse{Body: showDomain(stored), Headers: api.CheckTenantDomain200ResponseHeaders{ETag: etag(stored.Version)}}, nil
}

// CheckSuiteDomain answers POST /v1/suites/{suite_id}/domains/{domain}/check.
func (a *admin) CheckSuiteDomain(ctx context.Context, r api.CheckSuiteDomainRequestObject) (api.CheckSuiteDomainResponseObject, error) {
	ctx = requestContext(ctx)
	domain, err := a.parseDomain(r.Domain)
	if err != nil {
		return nil, err
	}
	owner := wecom.SuiteID(r.SuiteID)
	found, err := a.Tenants.BeginSuiteDomainCheck(ctx, owner, domain, domaincheck.Apart)
	if err != nil {
		return nil, ofTenant(err, errDomainNotFound)
	}
	limited, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	stored, err := a.Tenants.SaveSuiteDomainCheck(ctx, owner, domain, a.Domains.Suite(limited, found))
	if err != nil {
		return nil, ofTenant(err, errDomainNotFound)
	}
	return api.CheckSuiteDomain200JSONResponse{Body: showDomain(stored), Headers: api.CheckSuiteDomain200ResponseHeaders{ETag: etag(stored.Version)}}, nil
}

// checkWords say what was found and what to do, by name and code.
var checkWords = map[string]struct{ en, zh string }{
	"dns/resolved":   {"The name leads to public addresses.", "域名解析到公网地址。"},
	"dns/unresolved": {"The name does not resolve. Make a record for it, or wait until it has spread.", "域名无法解析，请添加解析记录或等待生效。"},
	"dns/not_public": {"The name leads to an address that is not public, where WeCom cannot reach it and this service does not go.", "域名解析到非公网地址，企业微信无法访问，本服务也不会访问。"},

	"tls/valid":            {"The certificate is for the name and in date.", "证书与域名一致且在有效期内。"},
	"tls/expires_soon":     {"The certificate ends within two weeks: renew it.", "证书将在两周内到期，请续期。"},
	"tls/expired":          {"The certificate is out of date: renew it.", "证书已过期，请更换。"},
	"tls/other_name":       {"The certificate is for another name.", "证书与域名不一致。"},
	"tls/untrusted_issuer": {"The certificate is of an issuer that clients do not trust, or its chain is incomplete.", "证书颁发者不受信任，或证书链不完整。"},
	"tls/no_handshake":     {"There is no TLS 1.2 or later at the port.", "该端口不支持 TLS 1.2 及以上版本。"},
	"tls/unreachable":      {"Nothing answers at the port within three seconds.", "该端口三秒内无响应。"},
	"tls/dns_first":        {"Looked at when the name resolves.", "域名可解析后才会检查。"},

	"file/served":      {"The ownership file is there as it is stored.", "校验文件可访问，内容一致。"},
	"file/missing":     {"The domain does not answer the ownership file with 200. Let this service answer it (/WW_verify_….txt), or put it there.", "无法以 200 访问校验文件，请将 /WW_verify_….txt 转发到本服务，或放到网站根目录。"},
	"file/redirected":  {"The domain redirects the ownership file; WeCom wants it at the root itself.", "校验文件被重定向，企业微信要求在域名根目录直接返回。"},
	"file/differs":     {"The domain answers another content than the stored one.", "域名返回的内容与已保存的不同。"},
	"file/too_large":   {"The domain answers a page instead of the file.", "域名返回的是网页而不是校验文件。"},
	"file/unreachable": {"The domain does not answer within three seconds.", "域名三秒内无响应。"},
	"file/no_file":     {"No ownership file is stored for this domain.", "该域名没有保存校验文件。"},
	"file/dns_first":   {"Looked at when the name resolves.", "域名可解析后才会检查。"},

	"redirect_domain/agrees":             {"WeCom has this domain, or one above it, for the app.", "与企业微信中该应用的可信域名一致。"},
	"redirect_domain/differs":            {"WeCom has another domain for the app. It may have more than the one that it tells; see its console.", "企业微信中该应用的可信域名不同；接口只返回其中一个，请在后台核对。"},
	"redirect_domain/none_at_wecom":      {"WeCom has no trusted domain for the app: enter it in its console.", "企业微信中该应用未设置可信域名，请在后台设置。"},
	"redirect_domain/no_agent":           {"The tenant has no app to ask about.", "该企业没有可查询的应用。"},
	"redirect_domain/no_access_token":    {"The tenant has no live access_token to ask with.", "该企业暂无有效的 access_token，无法查询。"},
	"redirect_domain/wecom_did_not_tell": {"WeCom does not tell it for this app, or did not answer.", "企业微信未返回该应用的可信域名。"},
}

func showCheck(c *tenant.DomainCheck) nullable.Nullable[api.DomainCheck] {
	if c == nil {
		return nullable.NewNullNullable[api.DomainCheck]()
	}
	return nullable.NewNullableWithValue(api.DomainCheck{CheckedAt: c.CheckedAt.UTC(), Ok: c.OK(), Items: convert(c.Items, showCheckItem)})
}

func showCheckItem(i tenant.CheckItem) api.DomainCheckItem {
	words := checkWords[i.Name+"/"+i.Code]
	return api.DomainCheckItem{
		Name: api.DomainCheckItemName(i.Name), State: api.DomainCheckItemState(i.State), Code: i.Code,
		Found: orNull(i.Found, i.Found != ""), Until: timeOrNull(i.Until), En: words.en, Zh: words.zh,
	}
}
