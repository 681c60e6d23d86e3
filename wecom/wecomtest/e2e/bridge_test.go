package e2e

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"suitesign/web/jssdk"
	"suitesign/wecom/wecomtest"
)

// world is a simulator, a corp with one app, and a page that can sign for it.
type world struct {
	*wecomtest.Sim
	suite   wecomtest.Suite
	agentID string
	page    string // http://app.localhost:…, where the pages are
	origin  string // of the pages
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Sim: wecomtest.New(t)}
	w.suite = w.AddSuite(wecomtest.Suite{TrustedDomains: []string{"app.localhost"}})
	code := w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Site)
	w.agentID = code.Agents[0].AgentID.String()
	suiteToken := w.ask(t, "service/get_suite_token", nil, map[string]string{"suite_id": string(w.suite.SuiteID), "suite_secret": w.suite.Secret, "suite_ticket": w.SuiteTicket(w.suite.SuiteID)})["suite_access_token"].(string)
	q := url.Values{"suite_access_token": {suiteToken}}
	permanentCode := w.ask(t, "service/v2/get_permanent_code", q, map[string]string{"auth_code": code.AuthCode})["permanent_code"].(string)
	token := w.ask(t, "service/get_corp_token", q, map[string]string{"auth_corpid": "wwcorp", "permanent_code": permanentCode})["access_token"].(string)
	w.ask(t, "get_jsapi_ticket", url.Values{"access_token": {token}}, nil)
	w.ask(t, "ticket/get", url.Values{"access_token": {token}, "type": {"agent_config"}}, nil)

	mux := http.NewServeMux()
	mux.Handle("GET "+jssdk.Path, jssdk.Handler())
	mux.HandleFunc("GET /sign/{kind}", w.sign)
	mux.HandleFunc("GET /", w.servePage)
	h := httptest.NewServer(mux)
	t.Cleanup(h.Close)
	u, err := url.Parse(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.origin = "http://app.localhost:" + u.Port()
	w.page = w.origin + "/page/?q=%E4%BD%A0&r=1"
	return w
}

func (w *world) ask(t *testing.T, path string, query url.Values, body any) map[string]any {
	t.Helper()
	method, in := http.MethodGet, ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		method, in = http.MethodPost, string(b)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, w.URL+"/cgi-bin/"+path+"?"+query.Encode(), strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || out["errcode"] != nil && out["errcode"] != 0.0 {
		t.Fatalf("%s answers %v, %v", path, out, err)
	}
	return out
}

// sign signs whatever it is asked to, with the corp's or the app's ticket.
func (w *world) sign(rw http.ResponseWriter, r *http.Request) {
	a, _ := w.Server.State(w.suite.SuiteID, "wwcorp").Authorization(w.suite.SuiteID, "wwcorp")
	ticket := wecomtest.Live(a.JSAPITickets)
	if r.PathValue("kind") == "agent" {
		ticket = wecomtest.Live(a.AgentTickets)
	}
	const nonce, timestamp = "Wm3WZYTPz0wzccnW", "1414587457"
	sum := sha1.Sum(fmt.Appendf(nil, "jsapi_ticket=%s&noncestr=%s&timestamp=%s&url=%s", ticket, nonce, timestamp, r.URL.Query().Get("url")))
	_, _ = fmt.Fprintf(rw, `{"timestamp":%q,"nonceStr":%q,"signature":%q}`, timestamp, nonce, hex.EncodeToString(sum[:]))
}

// servePage is a page with the bridge, as its query's "bridge" says, and the SDK.
func (w *world) servePage(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(rw, `<!doctype html><title>page</title>
<script src="`+w.URL+`/sim/bridge.js?`+r.URL.Query().Get("bridge")+`"></script>
<script src="`+jssdk.Path+`"></script>
<script>
  const sign = kind => url => fetch('/sign/' + kind + '?url=' + encodeURIComponent(url)).then(r => r.json())
  const settle = promise => promise.then(v => v, e => ({ failed: e.errMsg || e.message, errCode: e.errCode }))
  function register (options) {
    ww.register(Object.assign({ corpId: 'wwcorp', agentId: '`+w.agentID+`', jsApiList: ['getContext', 'scanQRCode', 'getLocation', 'getCurExternalContact', 'selectExternalContact',
      'selectEnterpriseContact', 'openUserProfile', 'onMenuShareAppMessage', 'getCurExternalChat'], getConfigSignature: sign('corp'), getAgentConfigSignature: sign('agent') }, options))
  }
</script>`)
}

func TestRegistrationsAndAPIs(t *testing.T) {
	w := newWorld(t)
	b := openBrowser(t)
	b.open(w.page)
	var out struct {
		UserAgent               string
		Config, Agent           map[string]any
		Context, Scan, Location map[string]any
		Contact, Contacts       map[string]any
		Enterprise, Chat        map[string]any
		Unlisted                map[string]any
	}
	b.eval(`
		register()
		const out = { userAgent: navigator.userAgent }
		out.config = (await settle(ww.ensureCorpConfigReady())).result
		out.agent = (await settle(ww.ensureAgentConfigReady())).result
		out.context = await settle(ww.getContext())
		out.scan = await settle(ww.scanQRCode({ needResult: true }))
		out.location = await settle(ww.getLocation({ type: 'gcj02' }))
		out.contact = await settle(ww.getCurExternalContact())
		out.contacts = await settle(ww.selectExternalContact())
		out.enterprise = await settle(ww.selectEnterpriseContact({ mode: 'multi', type: ['department', 'user'] }))
		out.chat = await settle(ww.getCurExternalChat())
		out.unlisted = await settle(ww.chooseImage())
		return out`, &out)
	if !strings.Contains(out.UserAgent, "wxwork/5.0.9") {
		t.Errorf("navigator.userAgent is %q", out.UserAgent)
	}
	for what, tt := range map[string]struct {
		got   map[string]any
		key   string
		value any
	}{
		"config":        {out.Config, "errMsg", "preVerifyJSAPI:ok"},
		"agentConfig":   {out.Agent, "errMsg", "agentConfig:ok"},
		"context":       {out.Context, "entry", "single_chat_tools"},
		"scan":          {out.Scan, "errMsg", "scanQRCode:ok"},
		"location":      {out.Location, "latitude", 23.1291},
		"contact":       {out.Contact, "userId", "wmSimulatedExternalContact0001"},
		"contacts":      {out.Contacts, "errMsg", "selectExternalContact:ok"},
		"no group":      {out.Chat, "failed", "getCurExternalChat:fail without context of external contact"},
		"not in a list": {out.Unlisted, "failed", "chooseImage:nopermission"},
	} {
		if tt.got[tt.key] != tt.value {
			t.Errorf("%s: %v, want %s %v", what, tt.got, tt.key, tt.value)
		}
	}
	allowed, _ := out.Agent["checkResult"].(map[string]any)
	if allowed["getCurExternalContact"] != true || out.Config["checkResult"].(map[string]any)["getCurExternalContact"] != false {
		t.Errorf("getCurExternalContact is allowed to the corp: %v, to the app: %v", out.Config["checkResult"], allowed)
	}
	result, _ := out.Enterprise["result"].(map[string]any)
	if users, _ := result["userList"].([]any); len(users) != 2 || users[0].(map[string]any)["id"] != "zhangsan" || users[0].(map[string]any)["name"] != nil {
		t.Errorf("selectEnterpriseContact: %v, want two members without names, for a suite's app", out.Enterprise)
	}
}

// With the corp's identity only, what needs the app's is forbidden.
func TestIdentity(t *testing.T) {
	w := newWorld(t)
	b := openBrowser(t)
	b.open(w.page)
	var out []map[string]any
	b.eval(`register({ getAgentConfigSignature: undefined })
		return [await settle(ww.scanQRCode()), await settle(ww.getCurExternalContact()), await settle(ww.openUserProfile({ type: 1, userid: 'a' }))]`, &out)
	for i, want := range []any{nil, "getCurExternalContact:fail no permission", "openUserProfile:fail no permission"} {
		if out[i]["failed"] != want {
			t.Errorf("call %d: %v, want the failure %v", i, out[i], want)
		}
	}
}

// What a wrong registration tells the page.
func TestRefusedRegistrations(t *testing.T) {
	w := newWorld(t)
	b := openBrowser(t)
	for name, tt := range map[string]struct{ options, want string }{
		"wrong kind":    {`{ getAgentConfigSignature: sign('corp') }`, "agentConfig:invalid jsapiticket 42012"},
		"no agentId":    {`{ agentId: undefined }`, "agentConfig:invalid agentid 40056"},
		"another corp":  {`{ corpId: 'wwother' }`, "agentConfig:invalid corpid 40013"},
		"another URL":   {`{ getAgentConfigSignature: url => sign('agent')(url + '&more=1') }`, "agentConfig:invalid signature 40093"},
		"with the hash": {`{ getAgentConfigSignature: () => sign('agent')(location.href) }`, "agentConfig:invalid signature 40093"},
	} {
		b.open("about:blank") // another fragment alone would not load the page again
		b.open(w.page + "#here")
		var got string
		b.eval(`register(`+tt.options+`)
			const answer = await settle(ww.ensureAgentConfigReady())
			return answer.failed + ' ' + answer.errCode`, &got)
		if got != tt.want {
			t.Errorf("%s: the page is told %q, want %q", name, got, tt.want)
		}
	}
}

// A page that is on no trusted domain, and one whose URL changes by the history API.
func TestPlacesOfAPage(t *testing.T) {
	w := newWorld(t)
	b := openBrowser(t)
	b.open(strings.Replace(w.page, "app.localhost", "elsewhere.localhost", 1))
	var got string
	b.eval(`register(); const answer = await settle(ww.ensureAgentConfigReady()); return answer.failed + ' ' + answer.errCode`, &got)
	if got != "agentConfig:invalid trusted domain 80001" {
		t.Errorf("on another domain the page is told %q", got)
	}

	b.open(w.page)
	var routes struct {
		Before, Raw, After, Hash map[string]any
		Registrations            int
	}
	b.eval(`
		register()
		const out = { before: await settle(ww.getContext()) }
		const agentConfigs = () => wecomsim.log.filter(c => c.name === 'agentConfig').length
		history.pushState({}, '', '/page/two?a=1')
		out.raw = await new Promise(resolve => WeixinJSBridge.invoke('getContext', {}, resolve))
		out.after = await settle(ww.getContext())
		location.hash = 'three'
		out.hash = await settle(ww.getContext())
		out.registrations = agentConfigs()
		return out`, &routes)
	if routes.Before["entry"] == nil || routes.After["entry"] == nil || routes.Hash["entry"] == nil || routes.Registrations != 2 {
		t.Errorf("over routes: %+v, want two registrations", routes)
	}
	if routes.Raw["err_msg"] != "getContext:permission denied" {
		t.Errorf("after pushState, before a new registration: %v", routes.Raw)
	}
}

// WeChat: no agentConfig, and the URL that the page was opened with.
func TestWeChat(t *testing.T) {
	w := newWorld(t)
	b := openBrowser(t)
	b.open(w.page + "&bridge=ua%3Dwechat")
	var out struct {
		UserAgent           string
		Corp, Agent, Routed map[string]any
	}
	b.eval(`
		register()
		const out = { userAgent: navigator.userAgent, corp: (await settle(ww.ensureCorpConfigReady())).result, agent: await settle(ww.ensureAgentConfigReady()) }
		history.pushState({}, '', '/page/two')
		out.routed = await settle(ww.scanQRCode())
		return out`, &out)
	if strings.Contains(out.UserAgent, "wxwork") || !strings.Contains(out.UserAgent, "MicroMessenger") {
		t.Errorf("navigator.userAgent is %q", out.UserAgent)
	}
	if out.Corp["errMsg"] != "preVerifyJSAPI:ok" || out.Agent["failed"] != "agentConfig:function not exist" || out.Routed["errMsg"] != "scanQRCode:ok" {
		t.Errorf("in WeChat: %+v", out)
	}
}

// The options of the script, its events, and a bridge that is there already.
func TestBridgeOptions(t *testing.T) {
	w := newWorld(t)
	b := openBrowser(t)
	b.open(w.page + "&bridge=" + url.QueryEscape("entry=group_chat_tools"))
	var out struct {
		Chat, Share, Check map[string]any
		Same               bool
	}
	b.eval(`
		register()
		const out = { chat: await settle(ww.getCurExternalChat()), check: await settle(ww.checkJsApi({ jsApiList: ['getLocation', 'nothing'] })) }
		const shared = new Promise(resolve => ww.onMenuShareAppMessage({ title: 'T', success: resolve }))
		await ww.ensureConfigReady()
		await new Promise(resolve => setTimeout(resolve))
		wecomsim.emit('menu:share:appmessage')
		out.share = await shared
		const bridge = WeixinJSBridge
		await new Promise(resolve => document.head.append(Object.assign(document.createElement('script'), { src: '`+w.URL+`/sim/bridge.js', onload: resolve })))
		out.same = bridge === WeixinJSBridge
		return out`, &out)
	if out.Chat["chatId"] == nil || out.Share["errMsg"] != "sendAppMessage:ok" || !out.Same {
		t.Errorf("options and events: %+v", out)
	}
	if r, _ := out.Check["checkResult"].(map[string]any); r["getLocation"] != true || r["nothing"] != false {
		t.Errorf("checkJsApi: %v", out.Check)
	}

	b.open(w.page + "&bridge=ua%3Dkeep")
	var agent string
	b.eval(`return navigator.userAgent`, &agent)
	if strings.Contains(agent, "MicroMessenger") {
		t.Errorf("with ua=keep navigator.userAgent is %q", agent)
	}
}
