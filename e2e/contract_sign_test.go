package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// signWorld is a world with tenants for everything that a page can ask.
type signWorld struct {
	*world
	r             *replica
	alpha         string // id of the tenant ww-con/wwalpha
	config, agent string // alpha's tickets
}

// newSignWorld installs, all without limits per address:
//
//	ww-con/wwalpha   one agent; trusts trusted.com and a domain of every sort
//	ww-con/wwbeta    agents 1000031 and 1000032; trusts beta.example.com and shared.example.com
//	ww-con/wwgamma   no agent; trusts gamma.example.com and shared.example.com
//	ww-con/wwoff     disabled; trusts off.example.com
//	ww-solo/wwalpha  the only tenant of its suite; trusts solo.example.org
func newSignWorld(t *testing.T) *signWorld {
	t.Helper()
	w := &signWorld{world: newWorld(t, options{environ: []string{"SUITESIGN_LIMITS_PER_IP=0", "SUITESIGN_LIMITS_PER_TENANT=0"}})}
	w.r = w.replicas[0]
	w.suite("ww-con", "third_party")
	w.suite("ww-solo", "third_party")
	add := func(suite, corp string, agents []map[string]any, domains ...string) string {
		if agents == nil {
			agents = []map[string]any{{"agent_id": 1000021}}
		}
		w.install(suite, corp, "", "agents", agents)
		var id string
		eventually(t, 10*time.Second, func() error {
			var list struct{ Items []struct{ ID string } }
			w.api(http.MethodGet, "/v1/tenants?"+url.Values{"suite_id": {suite}, "corp_id": {corp}}.Encode(), http.StatusOK, nil, &list)
			if len(list.Items) != 1 {
				return fmt.Errorf("%d tenants %s/%s", len(list.Items), suite, corp)
			}
			id = list.Items[0].ID
			return nil
		})
		for _, d := range domains {
			w.trust(id, d, nil)
		}
		// Not waitSigned: with several agents a page has to name one.
		eventually(t, 10*time.Second, func() error {
			return w.try(http.MethodGet, w.r.signURL("config-signature", "https://"+domains[0]+"/", suite, corp), nil, nil, nil)
		})
		return id
	}
	w.alpha = add("ww-con", "wwalpha", nil, "trusted.com", "port.example.org:8443", "中文.com")
	w.trust(w.alpha, "exact.example.net", map[string]any{"exact": true})
	w.trust(w.alpha, "plain.example.net", map[string]any{"allow_http": true})
	w.api(http.MethodPut, "/v1/tenants/"+w.alpha+"/aliases/wpAlphaEncrypted", http.StatusOK, nil, nil)
	add("ww-con", "wwbeta", []map[string]any{{"agent_id": 1000031}, {"agent_id": 1000032}}, "beta.example.com", "shared.example.com")
	add("ww-con", "wwgamma", []map[string]any{}, "gamma.example.com", "shared.example.com")
	off := add("ww-con", "wwoff", nil, "off.example.com")
	w.api(http.MethodPatch, "/v1/tenants/"+off, http.StatusOK, map[string]any{"status": "disabled"}, nil)
	add("ww-solo", "wwalpha", nil, "solo.example.org")
	w.waitSigned(w.r, "https://solo.example.org/", "ww-solo", "wwalpha", 5*time.Second)
	s := w.waitSigned(w.r, "https://trusted.com/", "ww-con", "wwalpha", 5*time.Second)
	if s.Agent == nil {
		t.Fatalf("signed = %+v, want an agent's signature, too", s)
	}
	for what, page := range map[string]string{"exact": "https://exact.example.net/", "http": "http://plain.example.net/", "disabled": ""} {
		eventually(t, 2*time.Second, func() error {
			a, err := ask(http.MethodGet, w.r.signURL("config-signature", page, "ww-con", "wwalpha"), nil, nil)
			if page == "" {
				a, err = ask(http.MethodGet, w.r.signURL("config-signature", "https://off.example.com/", "ww-con", "wwoff"), nil, nil)
				if a.status == http.StatusForbidden {
					return err
				}
			} else if a.status == http.StatusOK {
				return err
			}
			return fmt.Errorf("%s: %s %w", what, a, err)
		})
	}
	w.config, w.agent = w.tickets("ww-con", "wwalpha")
	return w
}

// encodeURIComponent is the browser's: net/url would make a plus of a space.
func encodeURIComponent(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// raw asks a signing endpoint with a query as it is written.
func (w *signWorld) raw(endpoint, query string, header map[string]string) answer {
	w.t.Helper()
	return anonymous(w.t, http.MethodGet, w.r.public+"/api/jssdk/"+endpoint+"?"+query, header)
}

const named = "&suite_id=ww-con&corp_id=wwalpha"

func TestContractSigning(t *testing.T) {
	t.Parallel()
	w := newSignWorld(t)
	for name, test := range map[string]func(*testing.T, *signWorld){
		"urls that are signed":        urlsThatAreSigned,
		"urls that are refused":       urlsThatAreRefused,
		"domains that are refused":    domainsThatAreRefused,
		"decoded exactly once":        decodedExactlyOnce,
		"parameters":                  parameters,
		"tenants":                     tenantsOfPages,
		"agents":                      agentsOfPages,
		"order of refusals":           orderOfRefusals,
		"values":                      values,
		"origins":                     origins,
		"preflight and other methods": preflightAndMethods,
		"languages":                   languages,
		"ownership files":             ownershipFiles,
		"health and unknown paths":    healthAndUnknownPaths,
	} {
		t.Run(name, func(t *testing.T) {
			inner := *w.world
			inner.t = t
			test(t, &signWorld{world: &inner, r: w.r, alpha: w.alpha, config: w.config, agent: w.agent})
		})
	}
}

func urlsThatAreSigned(t *testing.T, w *signWorld) {
	long := "https://trusted.com/?" + strings.Repeat("q", 8192-len("https://trusted.com/?"))
	chinese := "https://trusted.com/?" + strings.Repeat("你", (8192-len("https://trusted.com/?"))/3)
	for _, page := range []string{
		"https://trusted.com/", "https://trusted.com", "https://trusted.com?a=b", "https://trusted.com/a/b.html",
		`https://a.b.trusted.com/x?y=%E4%BD%A0&z=\`, "https://trusted.com/?" + strings.Repeat("k=v&", 500),
		"https://xn--fiq228c.trusted.com/", "https://xn--fiq228c.com/", "https://sub.xn--fiq228c.com/",
		"https://trusted.com/%7e%7E/a%2fb%2F?a=1;b=2&&c", "https://trusted.com//double//?x=%", "https://trusted.com/?next=https://evil.com/",
		"https://trusted.com/路径/?名=值", "https://trusted.com/?emoji=😀", "https://trusted.com/?a=b+c%2Bd", "https://trusted.com/@user:pass",
		"https://trusted.com/a%00b%0d%0a", "https://trusted.com/?&timestamp=1&noncestr=x", "https://trusted.com/;a=b'()*!~",
		"https://1.2.3.trusted.com/", "https://0x7f.trusted.com/", "https://a--b.trusted.com/", "https://r3---sn.trusted.com/",
		"https://port.example.org:8443/", "https://port.example.org:8443", "https://sub.port.example.org:8443/x",
		"https://exact.example.net/", "http://plain.example.net/", "https://plain.example.net/", "http://sub.plain.example.net/?a",
		long, chinese,
	} {
		a := w.raw("config-signature", "url="+encodeURIComponent(page)+named, nil)
		var s signature
		if a.status != http.StatusOK || json.Unmarshal(a.body, &s) != nil {
			t.Errorf("%.80s = %s, want a signature", page, a)
			continue
		}
		wantSignature(t, page[:min(len(page), 80)], w.config, page, s)
	}
}

func urlsThatAreRefused(t *testing.T, w *signWorld) {
	bad := []string{ // no browser's location.href
		"https://trusted.com@evil.com/", `https://evil.com\@trusted.com/`, `https://evil.com\.trusted.com/`, "https://user:pw@trusted.com/",
		`https:\\trusted.com\`, `https://trusted.com\`, `https://trusted.com/a\b`, "https://@trusted.com/", "https://trusted.com:@evil.com/",
		"https://trusted.com./", "https://TRUSTED.com/", "https://Trusted.com/", "https://trusted.com:443/", "https://trusted.com:80:443/",
		"https://trusted.com:0443/", "https://trusted.com:/", "https://trusted.com:0/", "https://trusted.com:65536/", "https://trusted.com:8a/",
		"http://plain.example.net:80/", "https://trusted%2ecom/", "https://trusted.com%00.evil.com/", "https://trusted.com%09/", "https://%74rusted.com/",
		"https://trus\tted.com/", " https://trusted.com/", "https://trusted.com/ ", "https://trusted.com/a b", "https://trusted.com/\r\n", "\nhttps://trusted.com/",
		"https://trusted.com/\x00", "https://trusted.com/\x7f", "https://trus\u00adted.com/", "https://trus\u200bted.com/", "https://trusted。com/",
		"https://ⓣrusted.com/", "https://faß.example/", "https://ｔrusted.com/", "https://中文.com/", "https://xn--/", "https://xn--a.trusted.com/", "https://xn--zzzzzz99999.com/",
		"https://[::1]/", "https://[::ffff:1.2.3.4]/", "https://garbage[::1]/", "https://[trusted.com]/", "https://2130706433/", "https://0x7f.1/", "https://127.0.0.1/",
		"https://1.2.3.4.5/", "https://trusted.com.1/", "https://trusted.0x1/", "https://0300.0.0.1/",
		"//trusted.com/", "https:trusted.com", "https:/trusted.com", "https:///trusted.com", "https:////trusted.com/", "HTTPS://trusted.com/", "Https://trusted.com/",
		"javascript://trusted.com/%0aalert(1)", "data:text/html,https://trusted.com/", "weixin://trusted.com/", "ftp://trusted.com/", "wss://trusted.com/", "file:///trusted.com/",
		"trusted.com", "/", "#https://trusted.com/", "https://", "https://#trusted.com/", "https://?trusted.com/", "https://localhost/", "https://trusted/",
		"https://.trusted.com/", "https://a..trusted.com/", "https://-a.trusted.com/", "https://a-.trusted.com/", "https://a_b.trusted.com/", "https://*.trusted.com/",
		"https://" + strings.Repeat("a", 64) + ".trusted.com/", "https://" + strings.Repeat("a.", 125) + "trusted.com/", "https://trusted.com,evil.com/", "https://trusted.com;evil.com/",
		"https://trusted.com\xff/", "https://trusted.com/\xff", "https://trusted.com/?\xc3\x28", "https://trusted.com/?" + strings.Repeat("q", 8192),
	}
	strange := []string{ // good shape, and not the tenant's
		"https://evil.com#@trusted.com/", "https://evil.com?.trusted.com", "https://evil.com/?https://trusted.com/", "https://evil.com/trusted.com", "https://evil.com/.trusted.com",
		"https://eviltrusted.com/", "https://evil-trusted.com/", "https://trusted.com.evil.com/", "https://trusted.comevil.com", "https://trusted.co/", "https://rusted.com/",
		"https://trusted.com:8443/", "https://trusted.com:80/", "http://trusted.com/", "http://trusted.com:443/", "https://port.example.org/", "https://port.example.org:8444/",
		"https://sub.exact.example.net/", "http://exact.example.net/", "http://plain.example.net:8080/", "https://com.example/",
		"https://xn--fiq228c.net/", "https://beta.example.com/", "https://xn--fa-hia.example/",
	}
	for code, list := range map[string][]string{"invalid_url": bad, "untrusted_domain": strange} {
		status := map[string]int{"invalid_url": http.StatusBadRequest, "untrusted_domain": http.StatusForbidden}[code]
		for _, page := range list {
			what := fmt.Sprintf("%.80q", page)
			wantProblem(t, what+" of a named tenant", w.raw("config-signature", "url="+encodeURIComponent(page)+named, nil), status, code)
			if page == "https://beta.example.com/" {
				continue // without a name it is beta's
			}
			wantProblem(t, what, w.raw("signatures", "url="+encodeURIComponent(page), nil), status, code)
		}
	}
}

// What an admin may not trust: it would trust strangers.
func domainsThatAreRefused(t *testing.T, w *signWorld) {
	for _, d := range []string{
		"127.0.0.1", "2130706433", "0x7f.1", "[::1]", "com", "intranet", "localhost", "h5.demo.localhost", "com.cn", "github.io", "myqcloud.com", "tcloudbaseapp.com",
		"aliyuncs.com", "oss-cn-hangzhou.aliyuncs.com", "vercel.app", "co.uk", "*.example.com", "example.com:0", "example.com:99999",
		"user@example.com", "example.com.", "exa mple.com",
	} {
		a := call(t, http.MethodPut, w.r.admin+"/v1/tenants/"+w.alpha+"/domains/"+url.PathEscape(d),
			map[string]string{"Authorization": "Bearer " + w.apiKey, "Accept-Language": "en"}, map[string]any{})
		wantProblem(t, "trusting "+d, a, http.StatusBadRequest, "invalid_domain")
	}
	// The suffix itself is refused, not names below it.
	for d, stored := range map[string]string{"mine.myqcloud.com": "mine.myqcloud.com", "App.例子.COM": "app.xn--fsqu00a.com", "mine.github.io:8443": "mine.github.io:8443"} {
		var got struct {
			Domain string `json:"domain"`
			Exact  bool   `json:"exact"`
			HTTP   bool   `json:"allow_http"`
		}
		w.api(http.MethodPut, "/v1/tenants/"+w.alpha+"/domains/"+url.PathEscape(d), http.StatusOK, map[string]any{}, &got)
		if got.Domain != stored || got.Exact || got.HTTP {
			t.Errorf("trusted %s = %+v, want it stored as %s, with sub-domains and without http", d, got, stored)
		}
		w.api(http.MethodDelete, "/v1/tenants/"+w.alpha+"/domains/"+url.PathEscape(stored), http.StatusNoContent, nil, nil)
	}
}

func decodedExactlyOnce(t *testing.T, w *signWorld) {
	const base = "https%3A%2F%2Ftrusted.com%2F"
	for query, page := range map[string]string{
		"url=" + base + "%3Fa%3D%252B":               "https://trusted.com/?a=%2B",
		"url=" + base + "%3Fa%3D%2B":                 "https://trusted.com/?a=+",
		"url=" + base + "%3Fa%3D+":                   "https://trusted.com/?a=+",
		"url=" + base + "%3Fa%3D%2520b":              "https://trusted.com/?a=%20b",
		"url=" + base + "%23frag":                    "https://trusted.com/",
		"url=" + base + "%3Fa%3D1%23%2Froute%3Fx%3D": "https://trusted.com/?a=1",
		"url=https://trusted.com/?a=1":               "https://trusted.com/?a=1",
		"url=https://trusted.com/%25zz":              "https://trusted.com/%zz",
		"url=" + base + "%e4%bd%a0":                  "https://trusted.com/你",
		"u%72l=" + base:                              "https://trusted.com/",
		"url=" + base + "%3Fu%3D%252525":             "https://trusted.com/?u=%2525",
	} {
		var s signature
		a := w.raw("config-signature", query+named, nil)
		if a.status != http.StatusOK || json.Unmarshal(a.body, &s) != nil {
			t.Errorf("%s = %s, want a signature", query, a)
			continue
		}
		wantSignature(t, query, w.config, page, s)
	}
	for query, code := range map[string]string{
		"url=" + base + "%zz": "invalid_request", "url=" + base + "%4": "invalid_request", "url=" + base + "%": "invalid_request",
		"url=" + base + "&corp_id=%zz":             "invalid_request",
		"url=https%253A%252F%252Ftrusted.com%252F": "invalid_url", "url=" + base + "%20": "invalid_url", "url=" + base + "%00": "invalid_url",
		"url=" + base + "%ff": "invalid_url", "url=" + base + "%3Fa%3D%E4%BD": "invalid_url",
	} {
		wantProblem(t, query, w.raw("config-signature", query, nil), http.StatusBadRequest, code)
	}
}

func parameters(t *testing.T, w *signWorld) {
	const page = "url=https%3A%2F%2Ftrusted.com%2F"
	for _, language := range []string{"en", "zh-CN"} {
		for _, query := range []string{
			page + named + "&x=1", page + named + "&x", page + "&url=https%3A%2F%2Ftrusted.com%2F", page + named + "&corp_id=wwalpha", page + named + "&suite_id=ww-con",
			"url=https://trusted.com/?a=1&b=2", page + named + "&noncestr=n%26timestamp%3D1%26url%3Dhttps%3A%2F%2Fevil%2F%3F", page + named + "&nonceStr=n", page + named + "&timestamp=1",
			page + named + "&URL=x", page + named + "&Corp_Id=wwalpha", page + named + "&jsapi_ticket=t", page + named + "&callback=f", page + named + "&__=1",
			page + named + "&agent_id=1000021", // of no use to the corp's signature
		} {
			p := wantProblem(t, query, w.raw("config-signature", query, map[string]string{"Accept-Language": language}), http.StatusBadRequest, "invalid_request")
			if !strings.Contains(p.Detail, "encodeURIComponent") {
				t.Errorf("%s: detail %q does not name encodeURIComponent", query, p.Detail)
			}
		}
	}
	for _, query := range []string{"", named[1:], page + "&corp_id=", page + "&suite_id="} {
		wantProblem(t, "?"+query, w.raw("config-signature", query, nil), http.StatusBadRequest, "invalid_request")
	}
	for _, id := range []string{"", "0", "-1", "1.5", "1e6", "%2B1000021", "01000021", "0x10", "abc", "9223372036854775808", "1000021%20", "1000021,2"} {
		wantProblem(t, "agent_id="+id, w.raw("signatures", page+named+"&agent_id="+id, nil), http.StatusBadRequest, "invalid_request")
	}
	for _, query := range []string{page + named + "&_=1700000000", page + "&_&_=2", "_=x&" + page, "&&" + page + "&"} {
		if a := w.raw("signatures", query, nil); a.status != http.StatusOK {
			t.Errorf("%s = %s, want a signature", query, a)
		}
	}
}
