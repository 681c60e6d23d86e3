package web_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"suitesign/netguard"
	"suitesign/web"
	"suitesign/web/domaincheck"
)

// privateNames is a resolver that leads every name into our own network.
type privateNames struct{}

func (privateNames) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
}

// A domain is looked at on demand; what was found is stored with it and shown.
func TestDomainsAreChecked(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, func(api *web.API) {
		api.Domains = &domaincheck.Checker{Guard: &netguard.Guard{Resolver: privateNames{}}, Tickets: api.Known.Tickets}
	})
	a.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	_, one := a.authorize("ww1", "wp1")
	for _, owner := range []string{"/v1/suites/ww1", one} {
		at := owner + "/domains/h5.example.com"
		a.call("POST", at+"/check", nil).refused(404, "domain_not_found")
		a.call("PUT", at, object{"verification_file": object{"name": "WW_verify_abcdefgh12345678.txt", "content": "abcdefgh12345678"}}).want(200)
		if got := a.call("GET", at, nil).want(200).object(); got["check"] != nil {
			t.Errorf("%s: check = %v before the first, want null", at, got["check"])
		}
		checked := a.call("POST", at+"/check", nil).want(200).object()["check"].(map[string]any)
		if checked["ok"] != false || checked["checked_at"] == nil {
			t.Errorf("%s: %v, want that it failed", at, checked)
		}
		var codes []string
		for _, item := range checked["items"].([]any) {
			i := item.(map[string]any)
			codes = append(codes, i["name"].(string)+":"+i["code"].(string))
			if i["en"] == "" || i["zh"] == "" {
				t.Errorf("%s: %v has no words", at, i)
			}
		}
		want := []string{"dns:not_public", "tls:dns_first", "file:dns_first"}
		if owner == one {
			want = append(want, "redirect_domain:no_agent")
		}
		if !slices.Equal(codes, want) {
			t.Errorf("%s: %v, want %v", at, codes, want)
		}
		if got := a.call("GET", at, nil).want(200).object()["check"]; got == nil {
			t.Errorf("%s: what was found is not shown", at)
		}
		a.call("POST", at+"/check", nil).refused(429, "domain_checked_lately")
	}
	a.call("POST", "/v1/tenants/"+someID+"/domains/h5.example.com/check", nil).refused(404, "tenant_not_found")
	a.call("POST", "/v1/suites/ww1/domains/192.0.2.1/check", nil).refused(400, "invalid_domain")
}
