package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// The user agents of the clients, as the platform documents them.
const (
	weComPhone    = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 wxwork/4.1.36 MicroMessenger/7.0.1 Language/zh ColorScheme/Light"
	weComAndroid  = "Mozilla/5.0 (Linux; Android 13; Pixel) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 wxwork/4.1.36 MicroMessenger/7.0.1 NetType/WIFI Language/zh ColorScheme/Dark"
	weComOld      = "Mozilla/5.0 (Linux; Android 8; Pixel) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 wxwork/3.0.20 MicroMessenger/7.0.1"
	weChatAndroid = "Mozilla/5.0 (Linux; Android 13; Pixel) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.42 NetType/WIFI Language/zh_CN"
)

// tab is a page in Debian's Chromium. What it says on its console is kept: an
// error there fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	errors []string
}

// openTab starts a browser of its own, with a fresh profile.
func openTab(t *testing.T, flags ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	path := os.Getenv("SUITESIGN_TEST_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); path == "" && err == nil {
			path = found
		}
	}
	if path == "" {
		t.Fatal("there is no Chromium: install the package chromium, or name the program in SUITESIGN_TEST_CHROMIUM")
	}
	o := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("no-sandbox", true), chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(60 * time.Second), chromedp.WindowSize(800, 1000),
	}
	ctx, cancelTime := context.WithTimeout(context.Background(), 3*time.Minute)
	ctx, cancelBrowser := chromedp.NewExecAllocator(ctx, append(o, flags...)...)
	ctx, cancelTab := chromedp.NewContext(ctx)
	b := &tab{t: t, ctx: ctx}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("close the browser: %v", err)
		}
		cancelTab()
		cancelBrowser()
		cancelTime()
	})
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return b
}

// listen notes what goes wrong in the page.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *cdpruntime.EventExceptionThrown:
		b.errors = append(b.errors, e.ExceptionDetails.Text+" "+fmt.Sprint(e.ExceptionDetails.Exception))
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == "error" {
			for _, arg := range e.Args {
				b.errors = append(b.errors, arg.Description+" "+string(arg.Value))
			}
		}
	}
}

// inTab does one action in a tab.
func inTab[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.screenshot("failed")
		b.t.Fatalf("in the browser: %v\nconsole: %v", err, b.errors)
	}
	return v
}

// open loads the demo page and waits until it has done everything.
func (b *tab) open(url string) {
	b.t.Helper()
	inTab(b, chromedp.Navigate(url))
	inTab(b, chromedp.WaitReady(chromedp.CSS(`body[data-ready="true"]`)))
}

// eval runs JavaScript to the end of its promise and reads its JSON value.
func (b *tab) eval(script string, out any) {
	b.t.Helper()
	text := inTab(b, chromedp.Evaluate[string](`(async () => JSON.stringify(await (async () => {`+script+`})()) || 'null')()`, chromedp.EvalAwaitPromise))
	if out != nil {
		if err := json.Unmarshal([]byte(text), out); err != nil {
			b.t.Fatalf("%s: %v", text, err)
		}
	}
}

// state is what the page shows of a registration or call: ok, failed, pending or idle.
func (b *tab) state(id string) string {
	b.t.Helper()
	var s string
	b.eval(`return document.getElementById(`+quote(id)+`).dataset.state`, &s)
	return s
}

func (b *tab) text(id string) string {
	b.t.Helper()
	var s string
	b.eval(`return document.getElementById(`+quote(id)+`).textContent`, &s)
	return s
}

func (b *tab) want(id, state string) {
	b.t.Helper()
	if got := b.state(id); got != state {
		b.screenshot(id)
		b.t.Errorf("%s is %s, want %s: %s", id, got, state, b.text(id))
	}
}

func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errors) > 0 {
		b.t.Errorf("the page said on its console: %s", strings.Join(b.errors, "\n"))
	}
}

// screenshot keeps what the whole page looks like, under e2e/out.
func (b *tab) screenshot(name string) { b.keep(name, chromedp.FullScreenshot(100)) }

// view keeps what the window shows, under e2e/out.
func (b *tab) view(name string) { b.keep(name, chromedp.CaptureScreenshot()) }

func (b *tab) keep(name string, take chromedp.Action[[]byte]) {
	png, err := chromedp.Run(b.ctx, take)
	if err != nil {
		b.t.Logf("screenshot %s: %v", name, err)
		return
	}
	if err := os.MkdirAll("out", 0o755); err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join("out", strings.ReplaceAll(b.t.Name(), "/", "-")+"-"+name+".png")
	if err := os.WriteFile(file, png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// The real SDK in a real browser: in each client the registrations it knows are
// made, verified against the simulator's live tickets and the page's location,
// and APIs of both identities answer.
func TestTheSDKRegistersAndCalls(t *testing.T) {
	t.Parallel()
	d := startDemo(t, t.TempDir(), "SUITESIGN_DATABASE_URL="+newDatabase(t))
	for _, tt := range []struct {
		name, agent, client string
		flags               []chromedp.ExecAllocatorOption
		wechat, narrow      bool
	}{
		{name: "browser", client: "WeCom"},
		{name: "browser-dark-320", client: "WeCom", flags: []chromedp.ExecAllocatorOption{chromedp.Flag("force-dark-mode", true)}, narrow: true},
		{name: "wecom-iphone", agent: weComPhone, client: "WeCom 4.1.36"},
		{name: "wecom-android-dark", agent: weComAndroid, client: "WeCom 4.1.36"},
		{name: "wecom-3.0.20", agent: weComOld, client: "WeCom 3.0.20"},
		{name: "wechat", agent: weChatAndroid, client: "WeChat 8.0.42", wechat: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flags := tt.flags
			if tt.agent != "" {
				flags = append(flags, chromedp.UserAgent(tt.agent))
			}
			b := openTab(t, flags...)
			if tt.agent != "" {
				b.injectClient(d)
			}
			if tt.narrow { // a window of headless Chromium has at least 500 px
				inTab(b, chromedp.EmulateViewport(320, 800))
			}
			b.open(d.PageURL)
			b.view("page")
			b.want("corp-registration", "ok")
			if got := b.text("fact-client"); !strings.HasPrefix(got, tt.client) {
				t.Errorf("client = %q, want %s", got, tt.client)
			}
			b.press("scanQRCode")
			b.want("call-scanQRCode", "ok")
			b.press("getLocation")
			b.want("call-getLocation", "ok")
			switch {
			case tt.wechat:
				b.want("agent-registration", "idle") // WeChat has no app identity
				b.want("flow-context", "failed")
				if text := b.text("flow-context"); !strings.Contains(text, "→ ") || !strings.Contains(text, "WeCom ≥ 3.0.24") {
					t.Errorf("getContext in WeChat: %q, want what it needs", text)
				}
			case tt.agent == weComOld:
				b.want("agent-registration", "ok")
				b.want("flow-context", "failed") // getContext came with WeCom 3.0.24
			default:
				b.want("agent-registration", "ok")
				b.want("flow-context", "ok")
				b.want("flow-contact", "ok")
			}
			b.quiet()
			if strings.Contains(tt.name, "dark") {
				var mode, colour string
				b.eval(`return document.documentElement.dataset.colorMode`, &mode)
				b.eval(`return getComputedStyle(document.body).backgroundColor`, &colour)
				if mode != "dark" || colour != "rgb(0, 0, 0)" {
					t.Errorf("colour mode %s, background %s; want dark on black", mode, colour)
				}
			}
			var wide bool
			b.eval(`return document.documentElement.scrollWidth > innerWidth`, &wide)
			if wide {
				t.Error("the page is wider than its window")
			}
		})
	}
}

// injectClient puts the simulator's bridge into every page before its own
// scripts, as the client does.
func (b *tab) injectClient(d *demoRun) {
	b.t.Helper()
	a := call(b.t, "GET", d.SimURL+"/sim/bridge.js", nil, nil)
	source := `{ const base = ` + quote(d.SimURL) + `; Object.defineProperty(document, 'currentScript', { get: () => ({ src: base + '/sim/bridge.js', dataset: {} }), configurable: true });` +
		string(a.body) + `; delete document.currentScript }`
	if _, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source}); err != nil {
		b.t.Fatal(err)
	}
}

// A single-page app's routes: the SDK signs each page URL it comes to, and the
// signature holds for exactly that URL: Chinese, escaped, with a trailing slash.
func TestRoutesOfASinglePageApp(t *testing.T) {
	t.Parallel()
	d := startDemo(t, t.TempDir(), "SUITESIGN_DATABASE_URL="+newDatabase(t))
	b := openTab(t, chromedp.UserAgent(weComPhone))
	b.injectClient(d)
	b.open(d.PageURL + "?first=%E4%BD%A0&plus=a+b&amp=%26#/start")
	b.want("agent-registration", "ok")

	type registration struct {
		Page      string
		Signature string
	}
	current := func() (r struct {
		Config registration `json:"config"`
		Agent  registration `json:"agent_config"`
	}) {
		b.eval(`return window.wecomsim.registrations`, &r)
		return r
	}
	before := current()
	if want := d.PageURL + "?first=%E4%BD%A0&plus=a+b&amp=%26"; before.Agent.Page != want {
		t.Errorf("registered for %s, want %s", before.Agent.Page, want)
	}

	// A hash route is no new page.
	b.eval(`location.hash = '#/another'; await ww.getContext()`, nil)
	if after := current(); after.Agent.Signature != before.Agent.Signature {
		t.Error("a hash route asked for another signature")
	}

	// Each history route is.
	for _, route := range []string{"/demo/orders?id=1&ref=x", "/demo/订单/详情?名=张三&x=%E5%BC%A0", "/demo/trailing/", "/demo/q?u=" + url.QueryEscape("https://a.example/?b=c&d=e#f"), "/demo/a%20b?c=%2F&d='e'"} {
		b.eval(`history.pushState({}, '', `+quote(route)+`); await ww.getCurExternalContact()`, nil)
		var href string
		b.eval(`return location.href.split('#')[0]`, &href)
		after := current()
		if after.Agent.Page != href || after.Agent.Signature == before.Agent.Signature {
			t.Errorf("route %s: registered for %s with signature %s, want a new one for %s", route, after.Agent.Page, after.Agent.Signature, href)
		}
		before = after
	}
	b.quiet()
}

// What the page shows when it is not trusted, in the user's language.
func TestThePageTellsWhyItIsRefused(t *testing.T) {
	t.Parallel()
	d := startDemo(t, t.TempDir(), "SUITESIGN_DATABASE_URL="+newDatabase(t))
	b := openTab(t)
	b.open(strings.Replace(d.PageURL, "h5.demo.localhost", "other.localhost", 1))
	b.want("corp-registration", "failed")
	if text := b.text("corp-registration"); !strings.Contains(text, "untrusted_domain") {
		t.Errorf("the page says %q, want untrusted_domain and what to do", text)
	}
	b.view("refused")
}
