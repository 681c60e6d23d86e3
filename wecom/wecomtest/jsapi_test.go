package wecomtest_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"suitesign/wecom/wecomtest"
)

// sign is what a service does for a page, a third time and simply.
func sign(ticket, page string) wecomtest.Check {
	const nonce, timestamp = "Wm3WZYTPz0wzccnW", "1414587457"
	h := sha1.Sum(fmt.Appendf(nil, "jsapi_ticket=%s&noncestr=%s&timestamp=%s&url=%s", ticket, nonce, timestamp, page))
	return wecomtest.Check{NonceStr: nonce, Timestamp: timestamp, Signature: hex.EncodeToString(h[:])}
}

// page is where the tests' page is.
const page = "https://app.example.com/p/?x=%E4%BD%A0&y=1"

// jsapiWorld has a corp with a suite's app and an internal one, all tickets fetched.
type jsapiWorld struct {
	*world
	agentID                      string
	corp, agent, inCorp, inAgent string // tickets
}

func newJSAPIWorld(t *testing.T, opts ...wecomtest.Option) *jsapiWorld {
	t.Helper()
	w := &jsapiWorld{world: newWorld(t, opts...)}
	w.suite.TrustedDomains = []string{"example.com"}
	w.AddSuite(w.suite)
	w.AddCorp(wecomtest.Corp{CorpID: "wwcorp", OpenCorpID: "wpcorp", Apps: []wecomtest.App{{AgentID: 77, Secret: "secret", TrustedDomains: []string{"intranet.example.net"}}}})
	token := w.token("wwcorp")
	internal := w.get("gettoken", "corpid", "wwcorp", "corpsecret", "secret").text("access_token")
	w.agentID = w.Authorization(w.suite.SuiteID, "wwcorp").Agents[0].AgentID.String()
	w.corp = w.get("get_jsapi_ticket", "access_token", token).text("ticket")
	w.agent = w.get("ticket/get", "access_token", token, "type", "agent_config").text("ticket")
	w.inCorp = w.get("get_jsapi_ticket", "access_token", internal).text("ticket")
	w.inAgent = w.get("ticket/get", "access_token", internal, "type", "agent_config").text("ticket")
	return w
}

// config and agentConfig are registrations of the suite's app, signed with a
// ticket for a page.
func (w *jsapiWorld) config(ticket, signed string) wecomtest.Check {
	c := sign(ticket, signed)
	c.Kind, c.CorpID, c.URL, c.JSAPIList = wecomtest.ConfigIdentity, "wpcorp", page, []string{"scanQRCode", "getCurExternalContact", "openUserProfile", "getChatToolbarContext"}
	return c
}

func (w *jsapiWorld) agentConfig(ticket, signed string) wecomtest.Check {
	c := w.config(ticket, signed)
	c.Kind, c.AgentID = wecomtest.AgentIdentity, w.agentID
	return c
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	type check = wecomtest.Check
	for _, tt := range []struct {
		name  string
		check func(*jsapiWorld) check
		code  int
		want  wecomtest.Reason
		msg   string
	}{
		{"config", func(w *jsapiWorld) check { return w.config(w.corp, page) }, 0, wecomtest.Accepted, "preVerifyJSAPI:ok"},
		{"agentConfig", func(w *jsapiWorld) check { return w.agentConfig(w.agent, page) }, 0, wecomtest.Accepted, "agentConfig:ok"},
		{"page with a fragment", func(w *jsapiWorld) check {
			c := w.config(w.corp, page)
			c.URL += "#/route?a=1"
			return c
		}, 0, wecomtest.Accepted, "preVerifyJSAPI:ok"},
		{"the corp's plain id", func(w *jsapiWorld) check {
			c := w.agentConfig(w.agent, page)
			c.CorpID = "wwcorp"
			return c
		}, 0, wecomtest.Accepted, "agentConfig:ok"},
		{"an internal app on its domain", func(w *jsapiWorld) check {
			c := w.agentConfig(w.inAgent, "https://intranet.example.net/")
			c.URL, c.AgentID = "https://intranet.example.net/", "77"
			return c
		}, 0, wecomtest.Accepted, "agentConfig:ok"},
		{"an internal app by a suite's id", func(w *jsapiWorld) check {
			c := w.agentConfig(w.inAgent, "https://intranet.example.net/")
			c.URL, c.AgentID, c.SuiteID = "https://intranet.example.net/", "77", w.suite.SuiteID
			return c
		}, 40056, wecomtest.UnknownAgent, "agentConfig:invalid agentid"},
		{"no corpId", func(w *jsapiWorld) check {
			c := w.config(w.corp, page)
			c.CorpID = ""
			return c
		}, 40013, wecomtest.MissingCorpID, "preVerifyJSAPI:invalid corpid"},
		{"corpId undefined", func(w *jsapiWorld) check {
			c := w.agentConfig(w.agent, page)
			c.CorpID = "undefined"
			return c
		}, 40013, wecomtest.MissingCorpID, "agentConfig:invalid corpid"},
		{"corpId in other case", func(w *jsapiWorld) check {
			c := w.config(w.corp, page)
			c.CorpID = "WPCORP"
			return c
		}, 40013, wecomtest.UnknownCorp, "preVerifyJSAPI:invalid corpid"},
		{"no agentId", func(w *jsapiWorld) check {
			c := w.agentConfig(w.agent, page)
			c.AgentID = ""
			return c
		}, 40056, wecomtest.MissingAgentID, "agentConfig:invalid agentid"},
		{"agentId undefined", func(w *jsapiWorld) check {
			c := w.agentConfig(w.agent, page)
			c.AgentID = "undefined"
			return c
		}, 40056, wecomtest.MissingAgentID, "agentConfig:invalid agentid"},
		{"agentId of nobody", func(w *jsapiWorld) check {
			c := w.agentConfig(w.agent, page)
			c.AgentID = "4"
			return c
		}, 40056, wecomtest.UnknownAgent, "agentConfig:invalid agentid"},
		{"another host", func(w *jsapiWorld) check {
			c := w.config(w.corp, "https://evil.test/")
			c.URL = "https://evil.test/"
			return c
		}, 40048, wecomtest.UntrustedDomain, "preVerifyJSAPI:invalid url domain"},
		{"another host, app", func(w *jsapiWorld) check {
			c := w.agentConfig(w.agent, "https://notexample.com/")
			c.URL = "https://notexample.com/"
			return c
		}, 80001, wecomtest.UntrustedDomain, "agentConfig:invalid trusted domain"},
		{"another app's host", func(w *jsapiWorld) check {
			c := w.agentConfig(w.agent, "https://intranet.example.net/")
			c.URL = "https://intranet.example.net/"
			return c
		}, 80001, wecomtest.UntrustedDomain, "agentConfig:invalid trusted domain"},
		{"no http page", func(w *jsapiWorld) check {
			c := w.config(w.corp, "file:///x")
			c.URL = "file:///x"
			return c
		}, 40048, wecomtest.BadURL, "preVerifyJSAPI:invalid url domain"},
		{"no signature", func(w *jsapiWorld) check {
			c := w.config(w.corp, page)
			c.Signature = ""
			return c
		}, 40093, wecomtest.MissingSignature, "preVerifyJSAPI:invalid signature"},
		{"milliseconds", func(w *jsapiWorld) check {
			c := w.config(w.corp, page)
			c.Timestamp += "000"
			return c
		}, 40093, wecomtest.BadTimestamp, "preVerifyJSAPI:invalid signature"},
		{"another timestamp", func(w *jsapiWorld) check {
			c := w.config(w.corp, page)
			c.Timestamp = "1414587458"
			return c
		}, 40093, wecomtest.SignatureMismatch, "preVerifyJSAPI:invalid signature"},
		{"nonce in other case", func(w *jsapiWorld) check {
			c := w.config(w.corp, page)
			c.NonceStr = "wm3wzytpz0wzccnw"
			return c
		}, 40093, wecomtest.SignatureMismatch, "preVerifyJSAPI:invalid signature"},
		{"upper-case hex", func(w *jsapiWorld) check {
			c := w.config(w.corp, page)
			c.Signature = "A" + c.Signature[1:]
			return c
		}, 40093, wecomtest.SignatureMismatch, "preVerifyJSAPI:invalid signature"},
		{"agent ticket for config", func(w *jsapiWorld) check { return w.config(w.agent, page) }, 42012, wecomtest.WrongKind, "preVerifyJSAPI:invalid jsapi_ticket"},
		{"corp ticket for agentConfig", func(w *jsapiWorld) check { return w.agentConfig(w.corp, page) }, 42012, wecomtest.WrongKind, "agentConfig:invalid jsapi_ticket"},
		{"another app's ticket", func(w *jsapiWorld) check { return w.agentConfig(w.inAgent, page) }, 42012, wecomtest.OtherApp, "agentConfig:invalid jsapi_ticket"},
		{"another app's ticket on my domain", func(w *jsapiWorld) check { return w.config(w.inCorp, page) }, 42012, wecomtest.OtherApp, "preVerifyJSAPI:invalid jsapi_ticket"},
		{"a made-up ticket", func(w *jsapiWorld) check { return w.config("ticket", page) }, 40093, wecomtest.SignatureMismatch, "preVerifyJSAPI:invalid signature"},
		{"signed with the fragment", func(w *jsapiWorld) check {
			c := w.config(w.corp, page+"#a")
			c.URL += "#a"
			return c
		}, 40093, wecomtest.URLMismatch, "preVerifyJSAPI:invalid signature"},
		{"signed without the query", func(w *jsapiWorld) check { return w.config(w.corp, "https://app.example.com/p/") }, 40093, wecomtest.URLMismatch, "preVerifyJSAPI:invalid signature"},
		{"signed up to the first &", func(w *jsapiWorld) check {
			return w.config(w.corp, "https://app.example.com/p/?x=%E4%BD%A0")
		}, 40093, wecomtest.URLMismatch, "preVerifyJSAPI:invalid signature"},
		{"signed unescaped", func(w *jsapiWorld) check { return w.config(w.corp, "https://app.example.com/p/?x=你&y=1") }, 40093, wecomtest.URLMismatch, "preVerifyJSAPI:invalid signature"},
		{"signed for http", func(w *jsapiWorld) check { return w.config(w.corp, "http"+page[5:]) }, 40093, wecomtest.URLMismatch, "preVerifyJSAPI:invalid signature"},
		{"signed for the host", func(w *jsapiWorld) check { return w.config(w.corp, "https://app.example.com") }, 40093, wecomtest.URLMismatch, "preVerifyJSAPI:invalid signature"},
		{"a multiplication sign", func(w *jsapiWorld) check {
			c := w.config(w.corp, page)
			h := sha1.Sum([]byte("jsapi_ticket=" + w.corp + "&noncestr=" + c.NonceStr + "\u00d7tamp=" + c.Timestamp + "&url=" + page))
			c.Signature = hex.EncodeToString(h[:])
			return c
		}, 40093, wecomtest.DamagedString, "preVerifyJSAPI:invalid signature"},
		{"expired", func(w *jsapiWorld) check {
			w.clock.Advance(2 * time.Hour)
			return w.config(w.corp, page)
		}, 42012, wecomtest.ExpiredTicket, "preVerifyJSAPI:invalid jsapi_ticket"},
		{"revoked", func(w *jsapiWorld) check {
			w.Revoke(w.suite.SuiteID, "wwcorp", wecomtest.AgentTicket)
			return w.agentConfig(w.agent, page)
		}, 42012, wecomtest.RevokedTicket, "agentConfig:invalid jsapi_ticket"},
		{"never fetched", func(w *jsapiWorld) check {
			other := w.AddSuite(wecomtest.Suite{})
			c := w.agentConfig("ticket", page)
			c.AgentID = w.Install(other.SuiteID, "wwcorp", wecomtest.Site).Agents[0].AgentID.String()
			return c
		}, 42012, wecomtest.NoTicket, "agentConfig:invalid jsapi_ticket"},
		{"uninstalled", func(w *jsapiWorld) check {
			w.Uninstall(w.suite.SuiteID, "wwcorp")
			return w.agentConfig(w.agent, page)
		}, 40056, wecomtest.UnknownAgent, "agentConfig:invalid agentid"},
		{"disabled", func(w *jsapiWorld) check {
			w.Disable(w.suite.SuiteID, "wwcorp", wecomtest.Disabled)
			return w.agentConfig(w.agent, page)
		}, 50003, wecomtest.AppUnavailable, "agentConfig:app is disabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newJSAPIWorld(t)
			v := w.JSAPI(tt.check(w))
			if v.Errcode != tt.code || v.Reason != tt.want || v.ErrMsg != tt.msg || v.OK != (tt.code == 0) || v.Detail == "" {
				t.Errorf("verdict %+v, want %d %s %q", v, tt.code, tt.want, tt.msg)
			}
		})
	}
}

// What a registration allows follows from its identity, and from whose the app is.
func TestCheckResult(t *testing.T) {
	t.Parallel()
	w := newJSAPIWorld(t)
	internal := w.config(w.inCorp, "https://intranet.example.net/")
	internal.URL = "https://intranet.example.net/"
	for name, tt := range map[string]struct {
		check wecomtest.Check
		want  string
	}{
		"corp":          {w.config(w.corp, page), "map[getChatToolbarContext:false getCurExternalContact:false openUserProfile:false scanQRCode:true]"},
		"agent":         {w.agentConfig(w.agent, page), "map[getChatToolbarContext:false getCurExternalContact:true openUserProfile:true scanQRCode:true]"},
		"internal corp": {internal, "map[getChatToolbarContext:false getCurExternalContact:false openUserProfile:true scanQRCode:true]"},
	} {
		v := w.JSAPI(tt.check)
		if got := fmt.Sprint(v.CheckResult); got != tt.want || !v.OK {
			t.Errorf("%s: checkResult %s, want %s (%+v)", name, got, tt.want, v)
		}
	}
}

// While the grace of a replaced ticket runs, pages signed with it register.
func TestRotatedTicketOfAPage(t *testing.T) {
	t.Parallel()
	w := newJSAPIWorld(t, wecomtest.WithRotation(wecomtest.Rotating, time.Minute))
	token := w.token("wwcorp")
	fresh := w.get("get_jsapi_ticket", "access_token", token).text("ticket")
	for _, ticket := range []string{w.corp, fresh} {
		if v := w.JSAPI(w.config(ticket, page)); !v.OK {
			t.Errorf("within the grace: %+v", v)
		}
	}
	w.clock.Advance(time.Minute)
	if v := w.JSAPI(w.config(w.corp, page)); v.Reason != wecomtest.ExpiredTicket {
		t.Errorf("after the grace: %+v", v)
	}
	if v := w.JSAPI(w.config(fresh, page)); !v.OK {
		t.Errorf("the new one: %+v", v)
	}
}

func TestTrustedDomains(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		domains []string
		exact   bool
		page    string
		want    bool
	}{
		{nil, false, "https://anywhere.test/", true}, // none named: not checked
		{[]string{}, false, "https://anywhere.test/", false},
		{[]string{"example.com"}, false, "https://example.com/", true},
		{[]string{"Example.COM"}, false, "https://example.com/", true},
		{[]string{"example.com"}, false, "https://a.b.example.com/", true},
		{[]string{"example.com"}, true, "https://a.example.com/", false},
		{[]string{"example.com"}, true, "https://example.com/", true},
		{[]string{"example.com"}, false, "https://badexample.com/", false},
		{[]string{"example.com"}, false, "https://example.com.evil.test/", false},
		{[]string{"example.com"}, false, "https://example.com:8443/", true}, // the platform's have no port
		{[]string{"example.com:8443"}, false, "https://example.com:8443/", true},
		{[]string{"example.com:8443"}, false, "https://example.com/", false},
		{[]string{"other.test", "example.com"}, false, "http://example.com/", true},
	} {
		w := newWorld(t)
		w.AddCorp(wecomtest.Corp{CorpID: "wwcorp"})
		w.suite.ExactDomains = tt.exact
		w.AddSuite(w.suite)
		w.InstallWith(wecomtest.Install{SuiteID: w.suite.SuiteID, CorpID: "wwcorp", Door: wecomtest.Site, TrustedDomains: tt.domains})
		ticket := w.get("get_jsapi_ticket", "access_token", w.token("wwcorp")).text("ticket")
		c := sign(ticket, tt.page)
		c.Kind, c.CorpID, c.URL = wecomtest.ConfigIdentity, "wwcorp", tt.page
		if v := w.JSAPI(c); v.OK != tt.want {
			t.Errorf("%v (exact %v) and %s: %+v, want %v", tt.domains, tt.exact, tt.page, v, tt.want)
		}
	}
}
