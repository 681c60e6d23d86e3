package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// press runs an API on the demo page and waits for what comes of it.
func (b *tab) press(api string) {
	b.t.Helper()
	b.eval(`
		const item = document.getElementById('call-`+api+`')
		for (let e = item; e; e = e.parentElement) if (e.tagName === 'DETAILS') e.open = true
		item.querySelector('details').open = true
		item.querySelector('button').click()
		await new Promise(resolve => {
			const look = () => item.dataset.state === 'ok' || item.dataset.state === 'failed' || /listen/i.test(item.querySelector('button').textContent) ? resolve() : setTimeout(look)
			look()
		})`, nil)
}

// The demo page: every API of the catalogue can be run from it, with parameters of
// one's own, and it says what to do about what fails; in both languages, light and
// dark, at any width, for everybody.
func TestTheDemoPage(t *testing.T) {
	t.Parallel()
	d := startDemo(t, t.TempDir(), "SUITESIGN_DATABASE_URL="+newDatabase(t))
	b := openTab(t, chromedp.Flag("lang", "en-US"), chromedp.Flag("accept-lang", "en-US"))
	b.open(d.PageURL + "#/hash/route")
	b.want("agent-registration", "ok")
	b.want("flow-contact", "ok")
	b.accessible("light")
	b.view("light")

	// What was signed, in its parts: the ticket stays in the service.
	for _, part := range []string{"jsapi_ticket=… (stays in the service)", "&noncestr=", "&timestamp=", "&url=" + d.PageURL + "SHA-1"} {
		if text := b.text("agent-registration"); !strings.Contains(text, part) {
			t.Errorf("the registration shows %q, want %q in it", text, part)
		}
	}

	// Every API: those of this client answer, and nothing throws.
	var all []struct {
		Name  string
		State string
		Text  string
	}
	b.eval(`
		for (const details of document.querySelectorAll('details')) details.open = true
		const items = [...document.querySelectorAll('[id^=call-]')]
		for (const item of items) {
			const name = item.id.slice(5)
			item.querySelector('button').click()
			if (/^on[A-Z]/.test(name)) {
				const { clients } = wecomsim.catalogue.apis.find(api => api.name === name)
				if (clients && !clients.some(c => c.app === 'wecom')) continue // it would listen for ever
				await new Promise(resolve => {
					const look = () => { wecomsim.happen(name); item.dataset.state === 'pending' ? setTimeout(look) : resolve() }
					look()
				})
			} else {
				await new Promise(resolve => { const look = () => item.dataset.state === 'pending' ? setTimeout(look) : resolve(); look() })
			}
		}
		return items.map(item => ({name: item.id.slice(5), state: item.dataset.state, text: item.querySelector(':scope > pre').textContent}))`, &all)
	if len(all) < 150 {
		t.Errorf("the page has %d APIs, want all of the catalogue", len(all))
	}
	for _, api := range all {
		hinted := strings.Contains(api.Text, "function not exist") || strings.Contains(api.Text, "without context") || strings.Contains(api.Text, "no permission")
		never := strings.HasPrefix(api.Name, "on") && api.State == "pending"
		hinted = hinted && strings.Contains(api.Text, "→ ")
		if api.State != "ok" && !never && !hinted && api.Name != "getNetworkType" {
			t.Errorf("%s is %s: %s", api.Name, api.State, api.Text)
		}
	}
	b.accessible("every API run")

	// Parameters of one's own, wrong ones too.
	edit := func(api, params string) string {
		b.eval(`
			const field = document.getElementById('params-`+api+`')
			field.value = `+quote(params)+`
			field.dispatchEvent(new Event('input'))`, nil)
		b.press(api)
		return b.text("call-" + api)
	}
	if text := edit("checkJsApi", `{"jsApiList": ["scanQRCode", "hideAllNonBaseMenuItems"]}`); !strings.Contains(text, `"scanQRCode": true`) || !strings.Contains(text, `"hideAllNonBaseMenuItems": false`) {
		t.Errorf("checkJsApi with other parameters: %s", text)
	}
	if text := edit("openLocation", `{latitude: 1}`); !strings.Contains(text, "The parameters are not JSON") {
		t.Errorf("parameters that are no JSON: %s", text)
	}
	if text := edit("thirdPartyOpenPage", `{"oaType": "approval"}`); !strings.Contains(text, "→ Check the parameters.") {
		t.Errorf("oaType as the guide has it: %s", text)
	}
	if text := edit("uploadImage", `{"localId": ""}`); !strings.Contains(text, "simulated-image-") {
		t.Errorf("uploadImage does not take the picture that chooseImage answered: %s", text)
	}

	b.eval(`document.getElementById('call-thirdPartyOpenPage').scrollIntoView()`, nil)
	b.view("card")

	// The chat toolbar, from entries where there is a chat and where there is none (G8).
	for entry, want := range map[string]string{
		"group_chat_tools": `"chatId"`,
		"normal":           "so they are not called: normal",
		"contact_profile":  `"userId"`,
	} {
		b.eval(`wecomsim.set({entry: `+quote(entry)+`}); document.getElementById('again').click()
			const flow = document.getElementById('flow')
			await new Promise(resolve => { const look = () => flow.textContent.includes(`+quote(want)+`) ? resolve() : setTimeout(look); look() })`, nil)
	}

	// History routes, in the other language.
	b.eval(`history.pushState({}, '', '/demo/orders/%E5%BC%A0?id=1&x=a+b'); document.getElementById('language').click()`, nil)
	b.press("scanQRCode")
	b.want("call-scanQRCode", "ok")
	if text := b.text("agent-registration"); !strings.Contains(text, "/demo/orders/%E5%BC%A0?id=1&x=a+b") || !strings.Contains(text, "应用身份") {
		t.Errorf("after a history route the registration shows %q", text)
	}

	// Dark, narrow, with the simulator's panel open.
	b.eval(`wecomsim.set({dark: 'dark', open: true})`, nil)
	inTab(b, chromedp.EmulateViewport(320, 800))
	b.open(d.PageURL)
	var look struct {
		Mode, Back string
		Wide       bool
	}
	b.eval(`return {mode: document.documentElement.dataset.colorMode, back: getComputedStyle(document.body).backgroundColor, wide: document.documentElement.scrollWidth > innerWidth}`, &look)
	if look.Mode != "dark" || look.Back != "rgb(0, 0, 0)" || look.Wide {
		t.Errorf("dark at 320 px: %+v; want black, and no wider than the window", look)
	}
	b.eval(`document.querySelectorAll('details').forEach((d, i) => { if (i < 20) d.open = true })`, nil)
	b.accessible("dark at 320 px, with the panel")
	b.view("dark-320-panel")
	b.eval(`wecomsim.set({open: false}); document.querySelector('wecomsim-panel').shadowRoot.querySelector('#panel').hidden = true
		document.getElementById('call-getCurExternalContact').scrollIntoView()`, nil)
	b.view("dark-320")
	b.eval(`wecomsim.set({dark: 'light'})`, nil)
	var mode string
	b.eval(`return document.documentElement.dataset.colorMode`, &mode)
	if mode != "light" {
		t.Errorf("after a change event the page is %s, want light", mode)
	}
	b.quiet()
}
