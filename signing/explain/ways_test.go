package explain_test

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"suitesign/signing/explain"
	"suitesign/tenant"
)

// breaking is one way to break a registration, and the one code that names it.
type breaking struct {
	name  string
	want  explain.Code
	apply func(q *explain.Question, k *explain.Known)
}

type question = *explain.Question

// ways to break a signature: what is done to a good one.
var signatures = []breaking{
	{"fragment kept", "fragment_kept", func(q question, _ *explain.Known) {
		q.URL += "#/detail?x=1"
		q.Signature = sum(config, q.URL)
	}},
	{"fragment kept that nobody told", "fragment_kept", func(q question, _ *explain.Known) { q.Signature = sum(config, href+"#/") }},
	{"&amp; in what was signed", "html_escaped", func(q question, _ *explain.Known) { q.Signature = sum(config, strings.ReplaceAll(href, "&", "&amp;")) }},
	{"&amp; in what was told and signed", "html_escaped", func(q question, _ *explain.Known) {
		q.URL = strings.ReplaceAll(href, "&", "&amp;")
		q.Signature = sum(config, q.URL)
	}},
	{"decoded", "url_decoded", func(q question, _ *explain.Known) {
		q.Signature = sum(config, "https://h5.example.com/orders/list?id=7&q=你")
	}},
	{"told and signed decoded", "url_decoded", func(q question, _ *explain.Known) {
		q.URL = "https://h5.example.com/orders/list?id=7&q=你"
		q.Signature = sum(config, q.URL)
	}},
	{"encoded before signing", "url_encoded_twice", func(q question, _ *explain.Known) { q.Signature = sum(config, url.QueryEscape(href)) }},
	{"percent signs encoded", "url_encoded_twice", func(q question, _ *explain.Known) { q.Signature = sum(config, strings.ReplaceAll(href, "%", "%25")) }},
	{"not encoded on its way", "url_not_encoded", func(q question, _ *explain.Known) {
		q.Signature = sum(config, "https://h5.example.com/orders/list?id=7")
	}},
	{"query dropped", "query_dropped", func(q question, _ *explain.Known) { q.Signature = sum(config, "https://h5.example.com/orders/list") }},
	{"shared afterwards", "query_appended", func(q question, _ *explain.Known) { q.URL += "&from=singlemessage&isappinstalled=0" }},
	{"OAuth afterwards", "query_appended", func(q question, _ *explain.Known) {
		q.URL = "https://h5.example.com/?code=abc&state=xyz"
		q.Signature = sum(config, "https://h5.example.com/")
	}},
	{"parameters sorted", "url_rewritten", func(q question, _ *explain.Known) {
		q.URL = "https://h5.example.com/?z=1&a=2&m=3"
		q.Signature = sum(config, "https://h5.example.com/?a=2&m=3&z=1")
	}},
	{"hex digits in lower case", "url_rewritten", func(q question, _ *explain.Known) {
		q.Signature = sum(config, strings.Replace(href, "%E4%BD%A0", "%e4%bd%a0", 1))
	}},
	{"http", "scheme_differs", func(q question, _ *explain.Known) {
		q.Signature = sum(config, strings.Replace(href, "https:", "http:", 1))
	}},
	{"slash added", "trailing_slash", func(q question, _ *explain.Known) {
		q.Signature = sum(config, strings.Replace(href, "list?", "list/?", 1))
	}},
	{"bare host", "trailing_slash", func(q question, _ *explain.Known) {
		q.URL = "https://h5.example.com/"
		q.Signature = sum(config, "https://h5.example.com")
	}},
	{"bare host told and signed", "trailing_slash", func(q question, _ *explain.Known) {
		q.URL = "https://h5.example.com"
		q.Signature = sum(config, "https://h5.example.com")
	}},
	{"upper-case host", "letter_case", func(q question, _ *explain.Known) {
		q.URL = strings.Replace(href, "h5.example", "H5.Example", 1)
		q.Signature = sum(config, q.URL)
	}},
	{"lower-cased path", "letter_case", func(q question, _ *explain.Known) {
		q.URL = "https://h5.example.com/Orders/List"
		q.Signature = sum(config, "https://h5.example.com/orders/list")
	}},
	{"default port", "port_differs", func(q question, _ *explain.Known) {
		q.Signature = sum(config, strings.Replace(href, ".com/", ".com:443/", 1))
	}},
	{"another trusted host", "host_differs", func(q question, _ *explain.Known) {
		q.Signature = sum(config, strings.Replace(href, "h5.example.com", "www.example.net", 1))
	}},
	{"entry URL in WeCom", "entry_url", func(q question, _ *explain.Known) {
		q.EntryURL = "https://h5.example.com/login?next=1"
		q.Signature = sum(config, q.EntryURL)
	}},
	{"the site's first page", "entry_url", func(q question, _ *explain.Known) { q.Signature = sum(config, "https://h5.example.com/") }},
	{"current URL in WeChat", "wechat_entry_url", func(q question, _ *explain.Known) {
		q.UserAgent, q.EntryURL = iosChat, "https://h5.example.com/start"
	}},
	{"current URL in WeChat, entry not told", "wechat_entry_url", func(q question, _ *explain.Known) { q.UserAgent = iosChat }},
	{"config with the agent's ticket", "ticket_kinds_swapped", func(q question, _ *explain.Known) { q.Signature = sum(agent, href) }},
	{"agentConfig with the corp's ticket", "ticket_kinds_swapped", func(q question, _ *explain.Known) {
		q.Kind, q.Errcode, q.Error = explain.Agent, 42012, ""
	}},
	{"ticket of another app", "other_app_ticket", func(q question, _ *explain.Known) { q.Signature = sum(appConfig, href) }},
	{"ticket of another corp", "other_corp_ticket", func(q question, _ *explain.Known) { q.Signature = sum(foreignConfig, href) }},
	{"access_token", "access_token_used", func(q question, _ *explain.Known) { q.Signature = sum(accessToken, href) }},
	{"stale ticket", "stale_ticket", func(q question, _ *explain.Known) { q.Signature = sum(oldConfig, href) }},
	{"a ticket from before the one that is held", "stale_ticket", func(q question, _ *explain.Known) {
		q.Timestamp = fmt.Sprint(now.Add(-5 * time.Hour).Unix())
		q.Signature = sha("jsapi_ticket=forgotten&noncestr=" + nonce + "&timestamp=" + q.Timestamp + "&url=" + href)
	}},
	{"milliseconds", "timestamp_milliseconds", func(q question, _ *explain.Known) {
		q.Timestamp = ts + "123"
		q.Signature = sha("jsapi_ticket=" + config + "&noncestr=" + nonce + "&timestamp=" + q.Timestamp + "&url=" + href)
	}},
	{"milliseconds in the page only", "timestamp_milliseconds", func(q question, _ *explain.Known) { q.Timestamp = ts + "123" }},
	{"a date", "timestamp_not_seconds", func(q question, _ *explain.Known) { q.Timestamp = "2026-03-01T08:00:00Z" }},
	{"nonceStr in the string", "parameter_spelling", func(q question, _ *explain.Known) {
		q.Signature = sha("jsapi_ticket=" + config + "&nonceStr=" + nonce + "&timestamp=" + ts + "&url=" + href)
	}},
	{"sorted otherwise", "parameter_order", func(q question, _ *explain.Known) {
		q.Signature = sha("noncestr=" + nonce + "&jsapi_ticket=" + config + "&timestamp=" + ts + "&url=" + href)
	}},
	{"damaged string", "damaged_timestamp", func(q question, _ *explain.Known) {
		q.Signature = sha("jsapi_ticket=" + config + "&noncestr=" + nonce + string(rune(0xD7)) + "tamp=" + ts + "&url=" + href)
	}},
	{"line break", "line_break", func(q question, _ *explain.Known) {
		q.Signature = sha("jsapi_ticket=" + config + "&noncestr=" + nonce + "&timestamp=" + ts + "&url=" + href + "\n")
	}},
	{"nonce in another case", "nonce_differs", func(q question, _ *explain.Known) {
		q.Signature = sha("jsapi_ticket=" + config + "&noncestr=" + strings.ToLower(nonce) + "&timestamp=" + ts + "&url=" + href)
	}},
	{"no nonceStr", "triple_incomplete", func(q question, _ *explain.Known) { q.NonceStr = "undefined" }},
	{"nonceStr not told", "triple_incomplete", func(q question, _ *explain.Known) { q.NonceStr = "" }},
	{"SHA-256", "signature_not_sha1", func(q question, _ *explain.Known) { q.Signature += "0123456789abcdef01234567" }},
	{"upper-case signature", "signature_upper_case", func(q question, _ *explain.Known) { q.Signature = strings.ToUpper(q.Signature) }},
	{"clock ahead", "clock_skew", func(q question, _ *explain.Known) {
		q.Timestamp = fmt.Sprint(now.Add(20 * time.Minute).Unix())
		q.Signature = sha("jsapi_ticket=" + config + "&noncestr=" + nonce + "&timestamp=" + q.Timestamp + "&url=" + href)
	}},
	{"clock behind", "clock_skew", func(q question, _ *explain.Known) {
		q.Timestamp = fmt.Sprint(now.Add(-2 * time.Hour).Unix())
		q.Signature = sha("jsapi_ticket=" + config + "&noncestr=" + nonce + "&timestamp=" + q.Timestamp + "&url=" + href)
	}},
	{"revoked behind our back", "ticket_refused", func(q question, _ *explain.Known) { q.Errcode = 42012 }},
	{"another page than was told", "page_differs", func(question, *explain.Known) {}},
	{"of nobody", "signature_unexplained", func(q question, _ *explain.Known) { q.Signature = sha("anything") }},
}

// ways to break everything else.
var registrations = []breaking{
	{"no URL of a page", "invalid_url", func(q question, _ *explain.Known) { q.URL = "https://user@h5.example.com/" }},
	{"suite unknown", "suite_id_unknown", func(q question, k *explain.Known) {
		q.SuiteID, k.Lookup, k.App = "WWsuite", explain.NoSuite, nil
	}},
	{"no corpId", "corp_id_missing", func(q question, k *explain.Known) {
		q.CorpID, k.Lookup, k.App = "undefined", explain.NoTenant, nil
	}},
	{"suite_id as corpId", "corp_id_is_suite_id", func(q question, k *explain.Known) {
		q.CorpID, k.Lookup, k.App = "wwsuite", explain.NoTenant, nil
	}},
	{"the provider's corpId", "corp_id_is_provider", func(q question, k *explain.Known) {
		q.CorpID, k.Lookup, k.App = "wwprovider", explain.NoTenant, nil
	}},
	{"corpId in another case", "corp_id_spelling", func(q question, k *explain.Known) {
		q.CorpID, k.Lookup, k.App = "WPCORPB", explain.NoTenant, nil
	}},
	{"corpId of nobody", "corp_id_unknown", func(q question, k *explain.Known) {
		q.CorpID, k.Lookup, k.App = "wpNobody", explain.NoTenant, nil
	}},
	{"the plain form", "corp_id_form", func(q question, _ *explain.Known) { q.CorpID, q.Errcode = "wwplaincorp", 40013 }},
	{"several tenants", "tenant_ambiguous", func(q question, k *explain.Known) {
		q.CorpID, k.Lookup, k.App = "", explain.SeveralFit, nil
	}},
	{"uninstalled", "tenant_cancelled", func(_ question, k *explain.Known) { k.App.Status, k.App.Tickets = tenant.Cancelled, nil }},
	{"disabled", "tenant_disabled", func(_ question, k *explain.Known) { k.App.Status = tenant.Disabled }},
	{"no ticket", "ticket_missing", func(q question, k *explain.Known) {
		k.App.Tickets, k.App.Health, q.Signature, q.NonceStr, q.Timestamp = nil, tenant.Failing, "", "", ""
	}},
	{"another host", "untrusted_domain", func(q question, _ *explain.Known) { move(q, "https://evil.example.org/") }},
	{"a host of nobody", "untrusted_domain", func(q question, k *explain.Known) {
		q.URL, q.CorpID, q.SuiteID, k.Lookup, k.App = "https://evil.example.org/", "", "", explain.NobodyTrusts, nil
	}},
	{"plain http", "http_not_trusted", func(q question, _ *explain.Known) { move(q, "http://h5.example.com/") }},
	{"another port", "port_not_trusted", func(q question, _ *explain.Known) { move(q, "https://h5.example.com:8443/") }},
	{"below an exact domain", "subdomain_not_trusted", func(q question, k *explain.Known) {
		k.App.Trusts[0].Exact = true
		move(q, "https://a.h5.example.com/")
	}},
	{"ownership not proved", "domain_unverified", func(q question, _ *explain.Known) { q.Errcode, q.Error = 85005, "" }},
	{"refused by WeCom", "domain_refused", func(q question, _ *explain.Known) { q.Errcode, q.Error = 0, "preVerifyJSAPI:fail, invalid url domain" }},
	{"app disabled", "app_unavailable", func(q question, _ *explain.Known) { q.Errcode, q.Error = 0, "agentConfig:fail 50003 app disabled" }},
	{"asked from another origin", "origin_mismatch", func(q question, _ *explain.Known) { q.Errcode, q.Error = 0, "403 origin_mismatch" }},
	{"refused by the signing endpoint", "url_not_encoded", func(q question, _ *explain.Known) {
		*q = explain.Question{URL: href, Error: "invalid_request: The parameter q is not known here.", SuiteID: "wwsuite", CorpID: "wpCorpA"}
	}},
	{"no agentId", "agent_id_missing", func(q question, _ *explain.Known) { asAgent(q).AgentID = "undefined" }},
	{"no agentId, and an errcode", "agent_id_missing", func(q question, _ *explain.Known) { asAgent(q).AgentID, q.Errcode = "", 40056 }},
	{"agentId of another corp", "agent_id_unknown", func(q question, _ *explain.Known) { asAgent(q).AgentID = "1000004" }},
	{"no agent", "agent_none", func(q question, k *explain.Known) {
		asAgent(q)
		k.App.Agents = nil
	}},
	{"a browser", "not_in_wecom", func(q question, _ *explain.Known) { q.UserAgent, q.Error, q.Errcode = browser, "", 0 }},
	{"agentConfig in WeChat", "agent_in_wechat", func(q question, _ *explain.Known) { asAgent(q).UserAgent = iosChat }},
	{"an old client", "old_client", func(q question, _ *explain.Known) {
		asAgent(q).UserAgent, q.Error, q.Errcode = oldWeCom, "agentConfig:fail", 0
	}},
	{"no callback", "callback_missing", func(q question, _ *explain.Known) {
		q.Errcode, q.Error = 0, "SDK Error: Missing getAgentConfigSignature"
	}},
	{"router", "registration_aborted", func(q question, _ *explain.Known) { q.Errcode, q.Error = 0, "SDK Error: Aborted" }},
	{"an API that does not exist", "api_misnamed", func(q question, _ *explain.Known) { called(q, "ww.getChatToolbarContext") }},
	{"an API in another case", "api_misnamed", func(q question, _ *explain.Known) { called(q, "scanQrCode") }},
	{"an API of nobody", "api_unknown", func(q question, _ *explain.Known) { called(q, "makeCoffee") }},
	{"an API of self-built apps", "api_wrong_kind", func(q question, _ *explain.Known) { called(asAgent(q), "createTodo") }},
	{"an API of the app's identity", "api_needs_agent", func(q question, _ *explain.Known) { called(q, "selectExternalContact") }},
	{"a list with one", "api_needs_agent", func(q question, _ *explain.Known) {
		q.JSAPIList, q.Error, q.Errcode = []string{"scanQRCode", "sendChatMessage"}, "no permission", 0
	}},
	{"not in jsApiList", "api_not_listed", func(q question, _ *explain.Known) {
		called(q, "scanQRCode")
		q.JSAPIList = []string{"getLocation"}
	}},
	{"wrong entry", "api_entry", func(q question, _ *explain.Known) {
		called(asAgent(q), "getCurExternalContact")
		q.Entry = "normal"
	}},
	{"phones only", "api_client", func(q question, _ *explain.Known) {
		called(asAgent(q), "navigateToAddCustomer")
		q.UserAgent = pcWeCom
	}},
	{"a later client", "api_client_too_old", func(q question, _ *explain.Known) {
		called(q, "getContext")
		q.UserAgent = oldWeCom
	}},
	{"no permission", "no_permission", func(q question, _ *explain.Known) {
		called(asAgent(q), "selectExternalContact")
		q.JSAPIList = []string{"selectExternalContact"}
	}},
}

// move takes the page, rightly signed, somewhere else.
func move(q question, to string) { q.URL, q.Signature = to, sum(config, to) }

// asAgent makes it a good registration with the app's identity.
func asAgent(q question) question {
	q.Kind, q.Signature, q.Errcode, q.Error = explain.Agent, sum(agent, href), 0, ""
	return q
}

// called has the page call an API after a good registration.
func called(q question, api string) {
	q.API, q.Errcode, q.Error = api, 0, api+":fail no permission"
}
