package wecomtest_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// Every refusal of the platform that the simulator knows, each provoked once.
func TestErrcodes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 513)
	type m = map[string]any
	for _, tt := range []struct {
		name string
		want int
		call func(*world) answer
	}{
		{"get_suite_token without a body", 40083, func(w *world) answer { return w.do("POST", "service/get_suite_token", nil) }},
		{"get_suite_token by GET", 40083, func(w *world) answer { return w.get("service/get_suite_token") }},
		{"get_suite_token with a form", 47001, func(w *world) answer { return w.do("POST", "service/get_suite_token", []byte("suite_id=x")) }},
		{"get_suite_token with a list", 47001, func(w *world) answer { return w.do("POST", "service/get_suite_token", []byte("[]")) }},
		{"get_suite_token with half a body", 47001, func(w *world) answer { return w.do("POST", "service/get_suite_token", []byte(`{"suite_id":`)) }},
		{"get_suite_token, body too long", 47001, func(w *world) answer {
			return w.post("service/get_suite_token", m{"suite_id": strings.Repeat("x", 1<<20)})
		}},
		{"suite_id missing", 41021, func(w *world) answer {
			return w.post("service/get_suite_token", m{"suite_secret": "x", "suite_ticket": "x"})
		}},
		{"suite_secret missing", 41024, func(w *world) answer {
			return w.post("service/get_suite_token", m{"suite_id": "x", "suite_ticket": "x"})
		}},
		{"suite_ticket missing", 41023, func(w *world) answer {
			return w.post("service/get_suite_token", m{"suite_id": "x", "suite_secret": "x"})
		}},
		{"unknown suite", 40083, func(w *world) answer { return w.suiteTokenWith("wwnobody", w.suite.Secret, "x") }},
		{"suite_id in other case", 40083, func(w *world) answer { return w.suiteTokenWith("WW1234567890ABCDEF", w.suite.Secret, "x") }},
		{"wrong suite_secret", 40080, func(w *world) answer {
			return w.suiteTokenWith(w.suite.SuiteID, "wrong", w.SuiteTicket(w.suite.SuiteID))
		}},
		{"made-up suite_ticket", 40085, func(w *world) answer { return w.suiteTokenWith(w.suite.SuiteID, w.suite.Secret, "made up") }},
		{"expired suite_ticket", 40085, func(w *world) answer {
			ticket := w.SuiteTicket(w.suite.SuiteID)
			w.clock.Advance(30 * time.Minute)
			return w.suiteTokenWith(w.suite.SuiteID, w.suite.Secret, ticket)
		}},
		{"another suite's suite_ticket", 40085, func(w *world) answer {
			other := w.AddSuite(wecomtest.Suite{})
			return w.suiteTokenWith(w.suite.SuiteID, w.suite.Secret, w.SuiteTicket(other.SuiteID))
		}},
		{"suite's IP list", 60020, func(w *world) answer {
			w.suite.AllowedIPs = []string{"203.0.113.1"}
			w.AddSuite(w.suite)
			return w.suiteTokenWith(w.suite.SuiteID, w.suite.Secret, w.SuiteTicket(w.suite.SuiteID))
		}},
		{"suite_access_token missing", 41022, func(w *world) answer { return w.get("service/get_pre_auth_code") }},
		{"suite_access_token made up", 40082, func(w *world) answer { return w.get("service/get_pre_auth_code", "suite_access_token", "x") }},
		{"suite_access_token expired", 42009, func(w *world) answer {
			token := w.suiteToken()
			w.clock.Advance(7200 * time.Second)
			return w.get("service/get_pre_auth_code", "suite_access_token", token)
		}},
		{"suite_access_token revoked", 40082, func(w *world) answer {
			token := w.suiteToken()
			w.Revoke(w.suite.SuiteID, "", wecomtest.SuiteAccessToken)
			return w.get("service/get_pre_auth_code", "suite_access_token", token)
		}},
		{"access_token as suite_access_token", 40082, func(w *world) answer {
			return w.get("service/get_pre_auth_code", "suite_access_token", w.token("wwcorp"))
		}},
		{"suite_access_token as access_token", 40014, func(w *world) answer { return w.get("get_jsapi_ticket", "access_token", w.suiteToken()) }},
		{"provider_access_token as access_token", 40014, func(w *world) answer { return w.get("get_jsapi_ticket", "access_token", w.providerToken()) }},
		{"provider_access_token as suite_access_token", 40082, func(w *world) answer {
			return w.get("service/get_pre_auth_code", "suite_access_token", w.providerToken())
		}},
		{"access_token missing", 41001, func(w *world) answer { return w.get("get_jsapi_ticket") }},
		{"access_token made up", 40014, func(w *world) answer { return w.get("get_jsapi_ticket", "access_token", "x") }},
		{"access_token expired", 42001, func(w *world) answer {
			token := w.token("wwcorp")
			w.clock.Advance(7200 * time.Second)
			return w.get("get_jsapi_ticket", "access_token", token)
		}},
		{"access_token revoked", 40014, func(w *world) answer {
			token := w.token("wwcorp")
			w.Revoke(w.suite.SuiteID, "wwcorp", wecomtest.AccessToken)
			return w.get("ticket/get", "access_token", token, "type", "agent_config")
		}},
		{"type= on get_jsapi_ticket", 91040, func(w *world) answer {
			return w.get("get_jsapi_ticket", "access_token", w.token("wwcorp"), "type", "agent_config")
		}},
		{"no type on ticket/get", 40058, func(w *world) answer { return w.get("ticket/get", "access_token", w.token("wwcorp")) }},
		{"ticket/get without an app", 40056, func(w *world) answer {
			code := w.InstallWith(wecomtest.Install{SuiteID: w.suite.SuiteID, CorpID: "wwcorp", Door: wecomtest.Site, Agents: []wecomtest.Agent{}}).AuthCode
			p := w.post("service/v2/get_permanent_code", m{"auth_code": code}, "suite_access_token", w.suiteToken()).text("permanent_code")
			return w.get("ticket/get", "access_token", w.corpToken("wwcorp", p), "type", "agent_config")
		}},
		{"auth_code missing", 41008, func(w *world) answer { return w.exchange("") }},
		{"auth_code too short", 40058, func(w *world) answer { return w.exchange("short") }},
		{"auth_code too long", 40058, func(w *world) answer { return w.exchange(long) }},
		{"auth_code made up", 40078, func(w *world) answer { return w.exchange(strings.Repeat("x", 86)) }},
		{"auth_code used twice", 40078, func(w *world) answer {
			code := w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Site).AuthCode
			w.exchange(code)
			return w.exchange(code)
		}},
		{"auth_code used at v1, then at v2", 40078, func(w *world) answer {
			code := w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Site).AuthCode
			w.post("service/get_permanent_code", m{"auth_code": code}, "suite_access_token", w.suiteToken())
			return w.exchange(code)
		}},
		{"auth_code expired", 40078, func(w *world) answer {
			code := w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Site).AuthCode
			w.clock.Advance(10 * time.Minute)
			return w.exchange(code)
		}},
		{"auth_code after uninstall", 40078, func(w *world) answer {
			code := w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Site).AuthCode
			w.Uninstall(w.suite.SuiteID, "wwcorp")
			return w.exchange(code)
		}},
		{"auth_code of another suite", 48003, func(w *world) answer {
			other := w.AddSuite(wecomtest.Suite{})
			return w.exchange(w.Install(other.SuiteID, "wwcorp", wecomtest.Site).AuthCode)
		}},
		{"pre_auth_code made up", 40077, func(w *world) answer { return w.setSession("x", m{"auth_type": 1}) }},
		{"pre_auth_code expired", 42007, func(w *world) answer {
			code := w.preAuthCode()
			w.clock.Advance(1200 * time.Second)
			return w.setSession(code, m{"auth_type": 1})
		}},
		{"pre_auth_code of another suite", 48003, func(w *world) answer {
			other := w.AddSuite(wecomtest.Suite{})
			code := w.get("service/get_pre_auth_code", "suite_access_token", w.suiteTokenOf(other)).text("pre_auth_code")
			return w.setSession(code, m{"auth_type": 1})
		}},
		{"auth_type unknown", 40058, func(w *world) answer { return w.setSession(w.preAuthCode(), m{"auth_type": 2}) }},
		{"session_info missing", 40058, func(w *world) answer { return w.setSession(w.preAuthCode(), nil) }},
		{"auth_corpid missing", 41002, func(w *world) answer { return w.getCorpToken("", "x") }},
		{"get_corp_token by GET", 41002, func(w *world) answer { return w.get("service/get_corp_token", "suite_access_token", w.suiteToken()) }},
		{"permanent_code missing", 41025, func(w *world) answer { return w.getCorpToken("wwcorp", "") }},
		{"auth_corpid unknown", 40013, func(w *world) answer { return w.getCorpToken("wwnobody", "x") }},
		{"auth_corpid in other case", 40013, func(w *world) answer { return w.getCorpToken("WWCORP", w.authorize(w.suite, "wwcorp")) }},
		{"permanent_code wrong", 40084, func(w *world) answer {
			w.authorize(w.suite, "wwcorp")
			return w.getCorpToken("wwcorp", "wrong")
		}},
		{"permanent_code of another corp", 40084, func(w *world) answer {
			w.authorize(w.suite, "wwcorp")
			return w.getCorpToken("wwcorp", w.authorize(w.suite, "wwother"))
		}},
		{"permanent_code before the exchange", 40084, func(w *world) answer {
			w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Site)
			return w.getCorpToken("wwcorp", "x")
		}},
		{"permanent_code after uninstall", 48004, func(w *world) answer {
			p := w.authorize(w.suite, "wwcorp")
			w.Uninstall(w.suite.SuiteID, "wwcorp")
			return w.getCorpToken("wwcorp", p)
		}},
		{"old permanent_code after a new installation", 40084, func(w *world) answer {
			p := w.authorize(w.suite, "wwcorp")
			w.Uninstall(w.suite.SuiteID, "wwcorp")
			w.authorize(w.suite, "wwcorp")
			return w.getCorpToken("wwcorp", p)
		}},
		{"old permanent_code of an installation in between", 40084, func(w *world) answer {
			p := w.authorize(w.suite, "wwcorp")
			w.Uninstall(w.suite.SuiteID, "wwcorp")
			w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Site)
			return w.getCorpToken("wwcorp", p)
		}},
		{"access_token after uninstall", 40014, func(w *world) answer {
			token := w.token("wwcorp")
			w.Uninstall(w.suite.SuiteID, "wwcorp")
			return w.get("get_jsapi_ticket", "access_token", token)
		}},
		{"get_corp_token of a customised app", 48002, func(w *world) answer {
			dk := w.AddSuite(wecomtest.Suite{SuiteID: "dk0001"})
			p := w.authorize(dk, "wwcorp")
			return w.post("service/get_corp_token", m{"auth_corpid": "wwcorp", "permanent_code": p}, "suite_access_token", w.suiteTokenOf(dk))
		}},
		{"get_corp_token of a disabled app", 50003, func(w *world) answer {
			p := w.authorize(w.suite, "wwcorp")
			w.Disable(w.suite.SuiteID, "wwcorp", wecomtest.Disabled)
			return w.getCorpToken("wwcorp", p)
		}},
		{"ticket of a disabled app", 50003, func(w *world) answer {
			token := w.token("wwcorp")
			w.Disable(w.suite.SuiteID, "wwcorp", wecomtest.Disabled)
			return w.get("get_jsapi_ticket", "access_token", token)
		}},
		{"ticket of an inactive app", 48006, func(w *world) answer {
			token := w.token("wwcorp")
			w.Disable(w.suite.SuiteID, "wwcorp", wecomtest.Inactive)
			return w.get("get_jsapi_ticket", "access_token", token)
		}},
		{"token of a dissolved corp", 301007, func(w *world) answer {
			p := w.authorize(w.suite, "wwcorp")
			if _, err := w.Server.Disable(wecomtest.Disable{CorpID: "wwcorp", State: wecomtest.Dissolved}); err != nil {
				t.Error(err)
			}
			return w.getCorpToken("wwcorp", p)
		}},
		{"corpid missing", 41002, func(w *world) answer { return w.get("gettoken", "corpsecret", "x") }},
		{"corpsecret missing", 41004, func(w *world) answer { return w.get("gettoken", "corpid", "wwcorp") }},
		{"corpid unknown", 40013, func(w *world) answer { return w.get("gettoken", "corpid", "wwnobody", "corpsecret", "x") }},
		{"corpsecret wrong", 40001, func(w *world) answer {
			w.AddCorp(wecomtest.Corp{CorpID: "wwcorp"})
			return w.get("gettoken", "corpid", "wwcorp", "corpsecret", "wrong")
		}},
		{"corpsecret of another corp", 40091, func(w *world) answer {
			w.AddCorp(wecomtest.Corp{CorpID: "wwcorp"})
			w.AddCorp(wecomtest.Corp{CorpID: "wwother", Apps: []wecomtest.App{{AgentID: 1000002, Secret: "secret"}}})
			return w.get("gettoken", "corpid", "wwcorp", "corpsecret", "secret")
		}},
		{"a third-party permanent_code as corpsecret", 40001, func(w *world) answer {
			return w.get("gettoken", "corpid", "wwcorp", "corpsecret", w.authorize(w.suite, "wwcorp"))
		}},
		{"gettoken after the secret was reset", 40001, func(w *world) answer {
			dk := w.AddSuite(wecomtest.Suite{SuiteID: "dk0001"})
			p := w.authorize(dk, "wwcorp")
			w.ResetPermanentCode(dk.SuiteID, "wwcorp")
			return w.get("gettoken", "corpid", "wwcorp", "corpsecret", p)
		}},
		{"gettoken after uninstall", 40001, func(w *world) answer {
			dk := w.AddSuite(wecomtest.Suite{SuiteID: "dk0001"})
			p := w.authorize(dk, "wwcorp")
			w.Uninstall(dk.SuiteID, "wwcorp")
			return w.get("gettoken", "corpid", "wwcorp", "corpsecret", p)
		}},
		{"internal app's IP list", 60020, func(w *world) answer {
			w.AddCorp(wecomtest.Corp{CorpID: "wwcorp", Apps: []wecomtest.App{{AgentID: 1000002, Secret: "secret", TrustedIPs: []string{"203.0.113.*"}}}})
			return w.get("gettoken", "corpid", "wwcorp", "corpsecret", "secret")
		}},
		{"provider's corpid missing", 41002, func(w *world) answer { return w.getProviderToken("", w.suite.ProviderSecret) }},
		{"provider_secret missing", 41004, func(w *world) answer { return w.getProviderToken(w.suite.ProviderCorpID, "") }},
		{"provider unknown", 40013, func(w *world) answer { return w.getProviderToken("wwnobody", "x") }},
		{"suite_secret as provider_secret", 40001, func(w *world) answer { return w.getProviderToken(w.suite.ProviderCorpID, w.suite.Secret) }},
		{"provider_access_token made up", 40082, func(w *world) answer { return w.toOpen("x", "wwcorp") }},
		{"provider_access_token expired", 42009, func(w *world) answer {
			token := w.providerToken()
			w.clock.Advance(7200 * time.Second)
			return w.toOpen(token, "wwcorp")
		}},
		{"corpid to convert missing", 41002, func(w *world) answer { return w.toOpen(w.providerToken(), "") }},
		{"corpid to convert unknown", 40013, func(w *world) answer { return w.toOpen(w.providerToken(), "wwnobody") }},
		{"corpid without authorization", 48001, func(w *world) answer {
			w.AddCorp(wecomtest.Corp{CorpID: "wwcorp"})
			return w.toOpen(w.providerToken(), "wwcorp")
		}},
		{"agentid missing", 41011, func(w *world) answer { return w.get("agent/get", "access_token", w.token("wwcorp")) }},
		{"agentid no number", 40056, func(w *world) answer { return w.get("agent/get", "access_token", w.token("wwcorp"), "agentid", "x") }},
		{"agentid of another app", 301002, func(w *world) answer { return w.get("agent/get", "access_token", w.token("wwcorp"), "agentid", "999") }},
		{"get_admin_list without agentid", 41011, func(w *world) answer {
			w.authorize(w.suite, "wwcorp")
			return w.post("service/get_admin_list", m{"auth_corpid": "wwcorp"}, "suite_access_token", w.suiteToken())
		}},
		{"get_admin_list of another agentid", 40056, func(w *world) answer {
			w.authorize(w.suite, "wwcorp")
			return w.post("service/get_admin_list", m{"auth_corpid": "wwcorp", "agentid": 5}, "suite_access_token", w.suiteToken())
		}},
		{"get_admin_list without authorization", 48004, func(w *world) answer {
			w.AddCorp(wecomtest.Corp{CorpID: "wwcorp"})
			return w.post("service/get_admin_list", m{"auth_corpid": "wwcorp", "agentid": 5}, "suite_access_token", w.suiteToken())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := tt.call(w)
			if a.code() != tt.want {
				t.Fatalf("answered %v, want errcode %d", a, tt.want)
			}
			form := regexp.MustCompile(`^[a-zA-Z0-9_ ,.'-]+, hint: \[\d{25}\], from ip: 127\.0\.0\.1, more info at https://open\.work\.weixin\.qq\.com/devtool/query\?e=\d+$`)
			if !form.MatchString(a.text("errmsg")) {
				t.Errorf("errmsg %q has not the platform's form", a.text("errmsg"))
			}
		})
	}
}

func (w *world) suiteTokenWith(id wecom.SuiteID, secret, ticket string) answer {
	return w.post("service/get_suite_token", map[string]any{"suite_id": id, "suite_secret": secret, "suite_ticket": ticket})
}

func (w *world) exchange(code string) answer {
	return w.post("service/v2/get_permanent_code", map[string]any{"auth_code": code}, "suite_access_token", w.suiteToken())
}

func (w *world) preAuthCode() string {
	return w.get("service/get_pre_auth_code", "suite_access_token", w.suiteToken()).text("pre_auth_code")
}

func (w *world) setSession(code string, info map[string]any) answer {
	body := map[string]any{"pre_auth_code": code}
	if info != nil {
		body["session_info"] = info
	}
	return w.post("service/set_session_info", body, "suite_access_token", w.suiteToken())
}

func (w *world) getCorpToken(corp wecom.CorpID, permanentCode string) answer {
	return w.post("service/get_corp_token", map[string]any{"auth_corpid": corp, "permanent_code": permanentCode}, "suite_access_token", w.suiteToken())
}

func (w *world) getProviderToken(corp wecom.CorpID, secret string) answer {
	return w.post("service/get_provider_token", map[string]any{"corpid": corp, "provider_secret": secret})
}

func (w *world) providerToken() string {
	w.t.Helper()
	a := w.getProviderToken(w.suite.ProviderCorpID, w.suite.ProviderSecret)
	if a.text("provider_access_token") == "" {
		w.t.Fatalf("get_provider_token answered %v", a)
	}
	return a.text("provider_access_token")
}

func (w *world) toOpen(token string, corp wecom.CorpID) answer {
	return w.post("service/corpid_to_opencorpid", map[string]any{"corpid": corp}, "provider_access_token", token)
}

// The keys of every successful answer: what the platform leaves out is left out.
func TestReplyShapes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddCorp(wecomtest.Corp{CorpID: "wwplain", OpenCorpID: "wpopen", Name: "Corp", Apps: []wecomtest.App{{AgentID: 1000001, Secret: "secret"}}})
	dk := w.AddSuite(wecomtest.Suite{SuiteID: "dk0001"})
	st, dkToken := w.suiteToken(), w.suiteTokenOf(dk)
	body := func(code string) map[string]any { return map[string]any{"auth_code": code} }
	install := func(id wecom.SuiteID, state string) string {
		return w.InstallWith(wecomtest.Install{SuiteID: id, CorpID: "wwplain", Door: wecomtest.Site, State: state}).AuthCode
	}
	v1 := w.post("service/get_permanent_code", body(install(w.suite.SuiteID, "state1")), "suite_access_token", st)
	v1dk := w.post("service/get_permanent_code", body(install(dk.SuiteID, "")), "suite_access_token", dkToken)
	v2dk := w.post("service/v2/get_permanent_code", body(install(dk.SuiteID, "state2")), "suite_access_token", dkToken)
	v2 := w.post("service/v2/get_permanent_code", body(install(w.suite.SuiteID, "state3")), "suite_access_token", st)
	auth := map[string]any{"auth_corpid": "wpopen", "permanent_code": v2["permanent_code"]}
	info1 := w.post("service/get_auth_info", auth, "suite_access_token", st)
	info2 := w.post("service/v2/get_auth_info", auth, "suite_access_token", st)
	corp := w.post("service/get_corp_token", auth, "suite_access_token", st)
	token := corp.text("access_token")
	agentID := w.Authorization(w.suite.SuiteID, "wwplain").Agents[0].AgentID

	for name, tt := range map[string]struct {
		got  answer
		want string
	}{
		"get_suite_token":         {w.suiteTokenWith(w.suite.SuiteID, w.suite.Secret, w.SuiteTicket(w.suite.SuiteID)), "expires_in suite_access_token"},
		"get_provider_token":      {w.getProviderToken(w.suite.ProviderCorpID, w.suite.ProviderSecret), "errcode errmsg expires_in provider_access_token"},
		"get_pre_auth_code":       {w.get("service/get_pre_auth_code", "suite_access_token", st), "errcode errmsg expires_in pre_auth_code"},
		"set_session_info":        {w.setSession(w.preAuthCode(), map[string]any{"auth_type": 1}), "errcode errmsg"},
		"get_permanent_code":      {v1, "access_token auth_corp_info auth_info auth_user_info expires_in permanent_code state"},
		"get_permanent_code dk":   {v1dk, "auth_corp_info auth_info auth_user_info permanent_code"},
		"v2/get_permanent_code":   {v2, "auth_corp_info auth_user_info errcode errmsg permanent_code"},
		"v2 with a template code": {v2dk, "auth_corp_info auth_user_info errcode errmsg permanent_code state"},
		"get_auth_info":           {info1, "auth_corp_info auth_info errcode errmsg"},
		"v2/get_auth_info":        {info2, "auth_corp_info auth_info errcode errmsg"},
		"get_corp_token":          {corp, "access_token expires_in"},
		"gettoken":                {w.get("gettoken", "corpid", "wwplain", "corpsecret", "secret"), "access_token errcode errmsg expires_in"},
		"gettoken dk":             {w.get("gettoken", "corpid", "wpopen", "corpsecret", v2dk.text("permanent_code")), "access_token errcode errmsg expires_in"},
		"get_jsapi_ticket":        {w.get("get_jsapi_ticket", "access_token", token), "errcode errmsg expires_in ticket"},
		"ticket/get":              {w.get("ticket/get", "access_token", token, "type", "agent_config"), "errcode errmsg expires_in ticket"},
		"agent/list":              {w.get("agent/list", "access_token", token), "agentlist errcode errmsg"},
		"agent/get": {w.get("agent/get", "access_token", token, "agentid", agentID.String()),
			"agentid allow_partys allow_tags allow_userinfos close description errcode errmsg home_url isreportenter name redirect_domain report_location_flag square_logo_url"},
		"get_admin_list":       {w.post("service/get_admin_list", map[string]any{"auth_corpid": "wpopen", "agentid": agentID}, "suite_access_token", st), "admin errcode errmsg"},
		"agent/get_admin_list": {w.post("agent/get_admin_list", map[string]any{}, "access_token", token), "admin errcode errmsg"},
		"agent/get_permissions": {w.post("agent/get_permissions", map[string]any{}, "access_token", token),
			"app_permissions errcode errmsg"},
		"getcallbackip":        {w.get("getcallbackip", "access_token", token), "errcode errmsg ip_list"},
		"get_api_domain_ip":    {w.get("get_api_domain_ip", "access_token", token), "errcode errmsg ip_list"},
		"corpid_to_opencorpid": {w.toOpen(w.providerToken(), "wwplain"), "errcode errmsg open_corpid"},
	} {
		var keys []string
		for k := range tt.got {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		if got := strings.Join(keys, " "); got != tt.want || tt.got.code() != 0 {
			t.Errorf("%s has the keys %q (errcode %d), want %q", name, got, tt.got.code(), tt.want)
		}
	}

	if got, want := v2["auth_corp_info"], map[string]any{"corpid": "wpopen", "corp_name": "Corp"}; !cmp.Equal(got, any(want)) {
		t.Errorf("v2/get_permanent_code: auth_corp_info %v, want %v", got, want)
	}
	if _, has := info1["auth_corp_info"].(map[string]any)["corp_wxqrcode"]; !has {
		t.Error("get_auth_info has no corp_wxqrcode")
	}
	if _, has := info2["auth_corp_info"].(map[string]any)["corp_wxqrcode"]; has {
		t.Error("v2/get_auth_info has a corp_wxqrcode")
	}
	agents := info2["auth_info"].(map[string]any)["agent"].([]any)
	if len(agents) != 1 || agents[0].(map[string]any)["agentid"] != float64(agentID) || agents[0].(map[string]any)["is_customized_app"] != false {
		t.Errorf("v2/get_auth_info has the agents %v, want one with agentid %d", agents, agentID)
	}
	if got := w.toOpen(w.providerToken(), "wwplain").text("open_corpid"); got != "wpopen" {
		t.Errorf("open_corpid = %q, want wpopen", got)
	}
}

func TestUnknownAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if status, b := w.raw(http.MethodGet, "/cgi-bin/nothing", nil); status != http.StatusNotFound {
		t.Errorf("an unknown API answered %d %s, want 404", status, b)
	}
}

// A customised app: its secret is the permanent_code, and it may be reset.
func TestCustomizedApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dk := w.AddSuite(wecomtest.Suite{SuiteID: "dk0001"})
	first := w.authorize(dk, "wwcorp")
	if a := w.get("gettoken", "corpid", "wwcorp", "corpsecret", first); a.text("access_token") == "" {
		t.Fatalf("gettoken answered %v", a)
	}
	code := w.ResetPermanentCode(dk.SuiteID, "wwcorp").AuthCode
	second := w.post("service/v2/get_permanent_code", map[string]any{"auth_code": code}, "suite_access_token", w.suiteTokenOf(dk)).text("permanent_code")
	if second == "" || second == first {
		t.Fatalf("the new permanent_code is %q, the old was %q", second, first)
	}
	a := w.get("gettoken", "corpid", "wwcorp", "corpsecret", second)
	if a.text("access_token") == "" {
		t.Fatalf("gettoken with the new secret answered %v", a)
	}
	if got := w.get("agent/get", "access_token", a.text("access_token"), "agentid", w.Authorization(dk.SuiteID, "wwcorp").Agents[0].AgentID.String()); got.num("customized_publish_status") != 1 {
		t.Errorf("agent/get = %v, want a customized_publish_status", got)
	}
}

// Whatever was used before, an app that comes back has its agentid.
func TestReinstallKeepsAgentID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Site).Agents
	w.Uninstall(w.suite.SuiteID, "wwcorp")
	second := w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Site).Agents
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("agents after a new installation (-before +after):\n%s", diff)
	}
	other := w.AddSuite(wecomtest.Suite{})
	if got := w.Install(other.SuiteID, "wwcorp", wecomtest.Site).Agents[0].AgentID; got == first[0].AgentID {
		t.Errorf("two suites have the agentid %d in one corp", got)
	}
}
