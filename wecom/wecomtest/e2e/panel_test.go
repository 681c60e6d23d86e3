package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// panel reaches into the panel's shadow root.
const panel = `
	const root = document.querySelector('wecomsim-panel').shadowRoot
	const toggle = root.querySelector('.toggle')
	const field = name => root.querySelector('[name=' + name + ']')
	const choose = (name, value) => { field(name).value = value; field(name).dispatchEvent(new Event('change')) }
`

// choose picks something in the panel that a page meets with its next load.
func (b *browser) choose(name, value string) {
	b.t.Helper()
	b.eval(panel+`document.documentElement.dataset.before = 1; choose(`+quote(name)+`, `+quote(value)+`); return 0`, new(int))
	for { // the page goes away under the question
		done, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`!document.documentElement.dataset.before && document.readyState === 'complete' && !!document.querySelector('wecomsim-panel')`))
		if b.ctx.Err() != nil {
			b.t.Fatalf("choose %s %s: %v", name, value, err)
		}
		if done && err == nil {
			return
		}
	}
}

// The panel: closed until it is opened, it changes what the SDK sees, and its
// choices outlive the page, whose code knows nothing of it.
func TestThePanel(t *testing.T) {
	w := newWorld(t)
	b := openBrowser(t)
	b.open(w.page)
	var closed, opened []string
	b.eval(panel+`return [root.querySelector('#panel').hidden, toggle.getAttribute('aria-expanded'), toggle.textContent].map(String)`, &closed)
	if closed[0] != "true" || closed[1] != "false" || !strings.Contains(closed[2], "single_chat_tools") {
		t.Errorf("at first: hidden, expanded, title = %v", closed)
	}
	b.eval(panel+`toggle.click(); return [root.querySelector('#panel').hidden, toggle.getAttribute('aria-expanded')].map(String)`, &opened)
	if opened[0] != "false" || opened[1] != "true" {
		t.Errorf("opened: hidden, expanded = %v", opened)
	}

	var seen map[string]any
	for _, tt := range []struct{ name, value, script, want string }{
		{"client", "wecom-android", `return { is: ww.env.isWeCom + ' ' + /Android.*wxwork/.test(navigator.userAgent) }`, "true true"},
		{"client", "wecom-windows", `return { is: navigator.platform + ' ' + ww.env.isWeCom }`, "Win32 true"},
		{"client", "wechat-ios", `return { is: /iPhone/.test(navigator.userAgent) + ' ' + ww.env.isWeCom + ' ' + ww.env.isWeChat }`, "true false true"},
		{"client", "wecom-ios", `register(); return { is: (await settle(ww.getCurExternalContact())).userId }`, "wmSimulatedExternalContact0001"},
		{"entry", "normal", `register(); return { is: (await settle(ww.getContext())).entry + ' ' + (await settle(ww.getCurExternalContact())).failed }`,
			"normal getCurExternalContact:fail without context of external contact"},
		{"entry", "contact_profile", `register(); return { is: (await settle(ww.getCurExternalContact())).userId }`, "wmSimulatedExternalContact0001"},
		{"identity", "corp", `register(); return { is: (await settle(ww.getCurExternalContact())).failed + ', ' + (await settle(ww.scanQRCode())).errMsg }`,
			"getCurExternalContact:fail no permission, scanQRCode:ok"},
	} {
		b.choose(tt.name, tt.value)
		b.eval(tt.script, &seen)
		if seen["is"] != tt.want {
			t.Errorf("%s = %s: %v, want %s", tt.name, tt.value, seen["is"], tt.want)
		}
	}
	b.open(w.page)
	b.eval(panel+`return { is: [root.querySelector('#panel').hidden, field('client').value, field('entry').value, field('identity').value].join(' ') }`, &seen)
	if seen["is"] != "false wecom-ios contact_profile corp" {
		t.Errorf("after a reload the panel shows %v", seen["is"])
	}

	// What works at once.
	b.eval(panel+`
		register()
		await ww.ensureConfigReady()
		choose('scan', 'SN-1')
		const scan = (await settle(ww.scanQRCode({ needResult: true }))).resultStr
		choose('user', 'cancels')
		const cancelled = (await settle(ww.scanQRCode())).failed
		choose('user', 'confirms')
		let told
		ww.onNetworkStatusChange(state => { told = state.networkType })
		await new Promise(resolve => { const look = () => wecomsim.log.some(c => c.listens && c.name === 'onNetworkStatusChange') ? resolve() : setTimeout(look); look() })
		choose('network', 'offline')
		const failed = await fetch('/').then(() => 'came', error => error.constructor.name)
		const xhr = await new Promise(resolve => { const x = new XMLHttpRequest(); x.open('GET', '/'); x.onload = () => resolve('came'); x.onerror = () => resolve('error'); x.send() })
		choose('network', 'online')
		const came = await fetch('/').then(() => 'came')
		return { is: [scan, cancelled, told, failed, xhr, came, toggle.textContent].join(', ') }`, &seen)
	if want := "SN-1, scanQRCode:cancel, wifi, TypeError, error, came, WeCom · contact_profile"; seen["is"] != want {
		t.Errorf("at once: %v, want %s", seen["is"], want)
	}

	// Dark mode, as the script, the style sheets and the user agent see it.
	b.eval(panel+`
		document.head.append(Object.assign(document.createElement('style'), { textContent: 'body { background: rgb(255, 255, 255) } @media (prefers-color-scheme: dark) { body { background: rgb(1, 2, 3) } }' }))
		const query = matchMedia('(prefers-color-scheme: dark)')
		const heard = []
		query.addEventListener('change', e => heard.push(e.matches))
		const colour = () => getComputedStyle(document.body).backgroundColor
		choose('dark', 'dark')
		const dark = [query.matches, colour(), /ColorScheme.Dark/.test(navigator.userAgent)]
		choose('dark', 'light')
		return { is: [...dark, query.matches, colour(), ...heard].join(' ') }`, &seen)
	if want := "true rgb(1, 2, 3) true false rgb(255, 255, 255) true false"; seen["is"] != want {
		t.Errorf("dark mode: %v, want %s", seen["is"], want)
	}

	// Events, and the list of calls.
	b.eval(panel+`
		let heard = 0
		ww.onUserCaptureScreen(() => heard++)
		await new Promise(resolve => { const look = () => wecomsim.happen('onUserCaptureScreen').length ? resolve() : setTimeout(look); look() })
		await ww.getContext()
		return { is: [heard, root.querySelector('ol summary').textContent, root.querySelectorAll('ol li').length > 5].join(' ') }`, &seen)
	if seen["is"] != "1 getContextok true" {
		t.Errorf("events and calls: %v", seen["is"])
	}
	for _, width := range []int64{800, 320} {
		if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 760, DeviceScaleFactor: 1}); err != nil {
			t.Fatal(err)
		}
		b.eval(panel+`const box = root.querySelector('#panel').getBoundingClientRect()
			return { is: box.left >= 0 && box.right <= innerWidth && box.top >= 0 && document.documentElement.scrollWidth <= innerWidth }`, &seen)
		if seen["is"] != true {
			t.Errorf("at %d px the panel does not fit", width)
		}
		b.screenshot("panel-" + map[int64]string{800: "wide", 320: "narrow"}[width])
	}
	b.eval(panel+`choose('dark', 'dark'); return 0`, new(int))
	b.screenshot("panel-dark")
	b.eval(panel+`toggle.click(); return { is: root.querySelector('#panel').hidden }`, &seen)
	if seen["is"] != true {
		t.Error("the panel does not close")
	}
}

// screenshot keeps what the page looks like, where the other tests keep theirs.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	dir := filepath.Join("..", "..", "..", "e2e", "out")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, b.t.Name()+"-"+name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
