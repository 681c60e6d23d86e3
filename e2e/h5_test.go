package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// site is somebody's own web server with H5 pages, at names that end in .localhost.
type site struct {
	*demoRun
	port string
}

// newSite serves pages, by path, with the addresses of this demo instead of those
// that guide and examples name. An unknown path is the page "/", as for a router.
func newSite(d *demoRun, pages map[string]string) *site {
	d.t.Helper()
	s := &site{demoRun: d}
	s.port = serveSite(d.t, pages, s.here)
	return s
}

// serveSite serves pages, each changed in a way, and answers with the port.
func serveSite(t *testing.T, pages map[string]string, change func(string) string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			page = pages["/"]
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(change(page)))
	}))
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	return port
}

// here is a text of the documentation with the addresses of this run.
func (s *site) here(text string) string {
	return strings.NewReplacer("http://127.0.0.1:8080", s.PublicURL, "http://127.0.0.1:8081", s.AdminURL,
		"http://127.0.0.1:8090", s.SimURL, "localhost:3000", "localhost:"+s.port).Replace(text)
}

func (s *site) url(host, path string) string { return "http://" + host + ":" + s.port + path }

// trust is what an admin does for a domain.
func (s *site) trust(host string) {
	s.t.Helper()
	a := call(s.t, http.MethodPut, s.AdminURL+"/v1/suites/"+s.SuiteID+"/domains/"+url.PathEscape(host+":"+s.port),
		map[string]string{"Authorization": "Bearer " + s.APIKey}, map[string]any{"allow_http": true})
	if a.status != http.StatusOK {
		s.t.Fatalf("trust %s = %s", host, a)
	}
}

// The guide's first steps, word by word, in both languages.
func TestTheGuideLeadsToAPage(t *testing.T) {
	t.Parallel()
	d := startDemo(t, t.TempDir(), "SUITESIGN_DATABASE_URL="+newDatabase(t))
	for _, tt := range []struct{ file, language string }{{"h5.md", "en-US"}, {"h5.zh-CN.md", "zh-CN"}} {
		t.Run(tt.file, func(t *testing.T) {
			text, err := os.ReadFile("../docs/" + tt.file)
			if err != nil {
				t.Fatal(err)
			}
			find := func(pattern string) string {
				m := regexp.MustCompile(pattern).FindSubmatch(text)
				if m == nil {
					t.Fatalf("docs/%s has nothing like %s", tt.file, pattern)
				}
				return string(m[1])
			}
			s := newSite(d, map[string]string{"/": find("(?s)```html\n(.*?)```")})

			// Step 2: the command that trusts the page, with the key as it finds it.
			key := find(`KEY=\$\(sed -n 's/(.*)/\\1/p' \.suitesign/demo\.json\)`)
			file, err := os.ReadFile(d.dir + "/demo.json")
			if err != nil {
				t.Fatal(err)
			}
			m := regexp.MustCompile(strings.NewReplacer(`\(`, `(`, `\)`, `)`).Replace(key)).FindSubmatch(file)
			if m == nil || string(m[1]) != d.APIKey {
				t.Fatalf("the guide's sed finds %q in demo.json, want the API key", m)
			}
			put := s.here(find(`curl -X PUT (\S+) \\\n`))
			a := call(t, http.MethodPut, put, map[string]string{"Authorization": "Bearer " + string(m[1])}, find(`-d '(\{"allow_http":true\})'`))
			if a.status != http.StatusOK {
				t.Fatalf("PUT %s = %s", put, a)
			}

			// Step 5: the page registers and calls an API.
			b := openTab(t, chromedp.Flag("lang", tt.language), chromedp.Flag("accept-lang", tt.language))
			inTab(b, chromedp.Navigate(s.here(find(`(http://h5\.demo\.localhost:3000/)>`))))
			b.waitText("out", "^"+regexp.QuoteMeta(find("`(\\S[^`]*wmSimulatedExternalContact0001)`"))+"$")
			b.quiet()

			// Step 6: it fails as the guide says.
			inTab(b, chromedp.Navigate(s.here(find(`(http://other\.localhost:3000/)>`))))
			b.waitText("out", "^"+regexp.QuoteMeta(strings.TrimSuffix(find("`(untrusted_domain: [^`]*)`"), "…")))
		})
	}
}

// waitText waits until an element says what matches.
func (b *tab) waitText(id, pattern string) {
	b.t.Helper()
	matches := `new RegExp(` + quote(pattern) + `).test(document.getElementById(` + quote(id) + `).textContent)`
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool](matches)); err != nil {
		b.t.Fatalf("#%s is %q, want %s: %v\nconsole: %v", id, b.text(id), pattern, err, b.errors)
	}
}

// barePage loads the helper and keeps what the page is warned of and what nobody handled.
const barePage = `<!doctype html><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
<script>
	var warnings = [], unhandled = [], warn = console.warn
	console.warn = text => { warnings.push(String(text)); warn(text) }
	addEventListener('unhandledrejection', e => unhandled.push(String(e.reason)))
	var options = {corpId: 'ww1demo0corp000000', suiteId: 'ww5ui7e51gndem0000', agentId: 1000002, jsApiList: ['getContext', 'scanQRCode', 'getCurExternalContact']}
	var asked = () => performance.getEntriesByType('resource').map(e => e.name).filter(n => n.includes('/api/jssdk/')).map(n => n.split('/api/jssdk/')[1])
	var seen = e => ({name: e.name, code: e.code, status: e.status, requestId: e.requestId, hint: e.hint, message: e.message})
</script>
<script src="http://127.0.0.1:8080/sdk/suitesign.js"></script>`

// outcome is what a page tells of a registration.
type outcome struct {
	Identity  string
	URL       string
	Results   []string
	Name      string
	Code      string
	Status    int
	RequestID string
	Hint      struct{ ZH, EN string }
	Message   string
	Asked     []string
	Warnings  []string
	Unhandled []string
}

// kinds are the signatures that were asked for.
func (o outcome) kinds() []string {
	var kinds []string
	for _, request := range o.Asked {
		kind, _, _ := strings.Cut(request, "-signature?")
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// run runs a script that returns an object, and adds what the page has seen.
func (b *tab) run(script string) (o outcome) {
	b.t.Helper()
	b.eval(`const o = await (async () => {`+script+`})(); return Object.assign({asked: asked(), warnings, unhandled}, o)`, &o)
	return o
}

func TestTheHelper(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	d := startDemo(t, t.TempDir(), "SUITESIGN_DATABASE_URL="+database)
	example, err := os.ReadFile("../web/h5/examples/plain.html")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(d, map[string]string{"/": barePage, "/example": string(example)})
	for _, host := range []string{"h5.demo.localhost", "elsewhere.localhost"} { // the second is trusted here, but not by WeCom
		s.trust(host)
	}
	open := func(t *testing.T, agent, host, path string) *tab {
		b := openTab(t, chromedp.UserAgent(agent))
		b.injectClient(d)
		inTab(b, chromedp.Navigate(s.url(host, path)))
		return b
	}

	for _, tt := range []struct {
		name, agent, options, identity string
		kinds                          []string
	}{
		{"asks in WeCom for the app's signature alone", weComPhone, "", "agent", []string{"agent"}},
		{"asks in WeCom on Android for the app's signature alone", weComAndroid, "", "agent", []string{"agent"}},
		{"asks in WeCom without an app for the corp's alone", weComPhone, "delete options.agentId", "corp", []string{"config"}},
		{"asks in WeCom before 3.0.24 for both", weComOld, "", "agent", []string{"agent", "config"}},
		{"asks in WeChat for the corp's alone", weChatAndroid, "", "corp", []string{"config"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, tt.agent, "h5.demo.localhost", "/orders?name=%E5%BC%A0&x=a+b&y=%26#/route")
			o := b.run(tt.options + `
				const [registered, ...calls] = await Promise.all([suitesign.registerSuite(options), suitesign.registerSuite(options)])
				const results = (await Promise.all([ww.getContext().catch(e => e), ww.scanQRCode({needResult: true})])).map(r => r.errMsg)
				return {identity: registered.identity, url: registered.url, results}`)
			if o.Identity != tt.identity || !slices.Equal(o.kinds(), tt.kinds) {
				t.Errorf("identity %s by %v, want %s by %v", o.Identity, o.Asked, tt.identity, tt.kinds)
			}
			if want := s.url("h5.demo.localhost", "/orders?name=%E5%BC%A0&x=a+b&y=%26"); o.URL != want {
				t.Errorf("registered %s, want %s", o.URL, want)
			}
			want := []string{"getContext:ok", "scanQRCode:ok"}
			if tt.agent == weComOld || tt.agent == weChatAndroid {
				want[0] = "getContext:function not exist" // it came with WeCom 3.0.24
			}
			if !slices.Equal(o.Results, want) {
				t.Errorf("calls = %v, want %v", o.Results, want)
			}
			if tt.options != "" { // without an app: told now, not when the API is called
				if len(o.Warnings) != 1 || !strings.Contains(o.Warnings[0], "needs_agent") || !strings.Contains(o.Warnings[0], "getCurExternalContact") {
					t.Errorf("warnings %v, want one that names what needs the app's identity", o.Warnings)
				}
				o.Warnings = nil
			}
			if len(o.Warnings)+len(o.Unhandled) > 0 {
				t.Errorf("warnings %v, unhandled %v, want none", o.Warnings, o.Unhandled)
			}
			b.quiet()
		})
	}

	t.Run("follows hash and history routes", func(t *testing.T) {
		b := open(t, weComPhone, "h5.demo.localhost", "/#/start")
		o := b.run(`
			await suitesign.registerSuite(options)
			location.hash = '#/second'
			await suitesign.registerSuite(options)
			await ww.getContext()
			const results = [asked().length]
			for (const route of ['/orders?id=1&ref=x', '/订单/详情?名=张三&x=%E5%BC%A0', '/trailing/', '/#/start']) {
				history.pushState({}, '', route)
				const registered = await suitesign.registerSuite(options)
				await ww.getCurExternalContact()
				results.push(registered.url === location.href.split('#')[0], asked().length)
			}
			history.pushState({}, '', '/first')
			const moving = suitesign.registerSuite(options)
			history.replaceState({}, '', '/moved')
			const {url} = await moving
			return {url, results: results.map(String)}`)
		if want := []string{"1", "true", "2", "true", "3", "true", "4", "true", "5"}; !slices.Equal(o.Results, want) {
			t.Errorf("requests after each route = %v, want %v", o.Results, want)
		}
		if want := s.url("h5.demo.localhost", "/moved"); o.URL != want {
			t.Errorf("a route that changed at once: registered %s, want %s", o.URL, want)
		}
		if len(o.Unhandled) > 0 {
			t.Errorf("unhandled: %v", o.Unhandled)
		}
		b.quiet()
	})

	t.Run("is refused once, however often the page calls", func(t *testing.T) {
		b := open(t, weComPhone, "nobody.localhost", "/")
		o := b.run(`
			const error = await suitesign.registerSuite(options).catch(e => e)
			let same = true
			for (let i = 0; i < 30; i++) same = same && error === await ww.scanQRCode().catch(e => e)
			suitesign.registerSuite(options) // whoever ignores it
			await suitesign.registerSuite(options).catch(() => {})
			// The browser tells of unhandled rejections in their order: ours comes last.
			await new Promise(resolve => {
				addEventListener('unhandledrejection', resolve)
				Promise.reject('the last')
			})
			return Object.assign(seen(error), {results: [String(same), String(error instanceof suitesign.SuitesignError)]})`)
		if o.Name != "SuitesignError" || o.Code != "untrusted_domain" || o.Status != http.StatusForbidden || o.RequestID == "" {
			t.Errorf("error = %+v, want untrusted_domain, 403, a request id", o)
		}
		if !strings.Contains(o.Hint.ZH, "域名") || !strings.Contains(o.Hint.EN, "allow_http") {
			t.Errorf("hint = %+v, want what to do in both languages", o.Hint)
		}
		if !slices.Equal(o.Results, []string{"true", "true"}) || len(o.Asked) != 1 || !slices.Equal(o.Unhandled, []string{"the last"}) {
			t.Errorf("31 calls: same error %v, requests %v, unhandled %v; want one error, one request, and nothing unhandled but the last", o.Results, o.Asked, o.Unhandled)
		}
	})

	t.Run("tells which list the domain is missing from", func(t *testing.T) {
		b := open(t, weComPhone, "elsewhere.localhost", "/")
		o := b.run(`return seen(await suitesign.registerSuite(options).catch(e => e))`)
		if o.Code != "client_refused" || !strings.Contains(o.Hint.EN, "WeCom console") {
			t.Errorf("error = %+v, want client_refused that names WeCom's console", o)
		}
	})

	t.Run("heals a ticket that WeCom revoked", func(t *testing.T) {
		for _, tt := range []struct{ agent, kind string }{{weComPhone, "agent_config"}, {weChatAndroid, "jsapi_ticket"}} {
			scalar[int](t, database, `WITH u AS (UPDATE refreshes SET refetch_after = NULL RETURNING 1) SELECT count(*) FROM u`) // as if it were the first
			a := call(t, http.MethodPost, d.SimURL+"/sim/revoke", nil, map[string]any{"suite_id": d.SuiteID, "corp_id": d.CorpID, "kind": tt.kind})
			if a.status != http.StatusOK || !strings.Contains(string(a.body), `"count":1`) {
				t.Fatalf("revoke = %s", a)
			}
			b := open(t, tt.agent, "h5.demo.localhost", "/orders?id=7#/route")
			o := b.run(`
				const errors = []
				const {identity, url} = await suitesign.registerSuite(Object.assign(options, {onError: e => errors.push(e.message)}))
				const {errMsg} = await ww.scanQRCode({needResult: true})
				return {identity, url, results: [errMsg, ...errors]}`)
			if want := []string{"scanQRCode:ok"}; !slices.Equal(o.Results, want) {
				t.Errorf("%s: %v, want a call that succeeds and no error", tt.kind, o.Results)
			}
			reports := slices.DeleteFunc(slices.Clone(o.Asked), func(a string) bool { return a != "report" })
			if len(reports) != 1 || len(o.Asked) != 3 || len(o.Unhandled) > 0 {
				t.Errorf("%s: asked %v, unhandled %v; want two signatures and one report", tt.kind, o.Asked, o.Unhandled)
			}
			b.quiet()
		}
	})

	t.Run("tells of a service that is not there", func(t *testing.T) {
		b := open(t, weComPhone, "h5.demo.localhost", "/")
		o := b.run(`options.endpoint = 'http://127.0.0.1:1'; return seen(await suitesign.registerSuite(options).catch(e => e))`)
		if o.Code != "unreachable" || o.Status != 0 || len(o.Unhandled) > 0 {
			t.Errorf("error = %+v, want unreachable", o)
		}
		o = b.run(`options.endpoint = location.origin; return seen(await suitesign.registerSuite(options).catch(e => e))`)
		if o.Code != "bad_answer" {
			t.Errorf("error = %+v, want bad_answer", o)
		}
		// A page at no domain: the service refuses it, but the browser hides the answer.
		inTab(b, chromedp.Navigate(s.url("localhost", "/")))
		o = b.run(`return seen(await suitesign.registerSuite(options).catch(e => e))`)
		if o.Code != "invalid_url" || len(o.Asked) != 1 {
			t.Errorf("at localhost: %+v, want invalid_url after one request", o)
		}
	})

	t.Run("warns of a ticket in the page", func(t *testing.T) {
		b := open(t, weComPhone, "h5.demo.localhost", "/")
		o := b.run(`
			const {ww} = await suitesign.registerSuite(options)
			const {signature} = ww.getSignature({ticket: 'T1', nonceStr: 'N1', timestamp: 1700000000, url: 'https://a.example.com/'})
			return {results: [signature]}`)
		if !slices.Equal(o.Results, []string{"ebe7e3e4a806c5a45bf3c9252870ee4a6e9bba80"}) { // protocol.md J7
			t.Errorf("ww.getSignature = %v", o.Results)
		}
		if len(o.Warnings) != 1 || !strings.Contains(o.Warnings[0], "ww.getSignature") || !strings.Contains(o.Warnings[0], "registerSuite") {
			t.Errorf("warnings = %q, want one that names ww.getSignature and registerSuite", o.Warnings)
		}
	})

	t.Run("configures wx", func(t *testing.T) {
		b := open(t, weComPhone, "h5.demo.localhost", "/orders?id=7#/route")
		o := b.run(miniWx + `
			const results = []
			for (const route of ['/orders?id=7#/route', '/next']) {
				history.replaceState({}, '', route)
				const {identity} = await suitesign.configureWx(wx, options)
				results.push(identity, Object.keys(wecomsim.registrations).map(k => wecomsim.registrations[k].page).join(' '))
			}
			return {results}`)
		first, next := s.url("h5.demo.localhost", "/orders?id=7"), s.url("h5.demo.localhost", "/next")
		if want := []string{"agent", first + " " + first, "agent", next + " " + next}; !slices.Equal(o.Results, want) {
			t.Errorf("configured = %v, want %v", o.Results, want)
		}
		if want := []string{"agent", "agent", "config", "config"}; !slices.Equal(o.kinds(), want) {
			t.Errorf("asked for %v, want %v", o.Asked, want)
		}
		b.quiet()
	})

	t.Run("is shown by the example", func(t *testing.T) {
		b := openTab(t) // an ordinary browser: the simulator's bridge comes with the tag
		inTab(b, chromedp.Navigate(s.url("h5.demo.localhost", "/example")))
		b.waitText("out", "^registered: agent$")
		b.eval(`document.getElementById('scan').click()`, nil)
		b.waitText("out", "scanned=here")
		b.quiet()
	})
}

// miniWx is the part of jweixin that configureWx uses; with jweixin itself it is
// tested in web/h5/test/wx.test.ts.
const miniWx = `
	const state = {}
	const wx = {
		config(o) {
			WeixinJSBridge.invoke('preVerifyJSAPI', {appId: o.appId, verifyAppId: o.appId, verifySignType: 'sha1', verifyTimestamp: o.timestamp,
				verifyNonceStr: o.nonceStr, verifySignature: o.signature, verifyJsApiList: o.jsApiList}, r => {
				if (!/:ok$/.test(r.err_msg)) state.error(r)
				state.ready && state.ready()
				state.done = true
			})
		},
		ready(f) { state.done ? f() : state.ready = f },
		error(f) { state.error = f },
		checkJsApi(o) { WeixinJSBridge.invoke('checkJsApi', {jsApiList: o.jsApiList}, o.complete) },
		invoke(name, params, f) { WeixinJSBridge.invoke(name, params, f) }
	}
`
