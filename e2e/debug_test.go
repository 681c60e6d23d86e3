package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The debugger page, from what a developer pastes to the character that is wrong,
// light and dark, in both languages, and on a narrow phone.
func TestTheDebugger(t *testing.T) {
	t.Parallel()
	d := startDemo(t, t.TempDir(), "SUITESIGN_DATABASE_URL="+newDatabase(t))
	page := d.PageURL + "orders?id=7&name=%E5%BC%A0"
	a := call(t, http.MethodGet, d.PublicURL+"/api/jssdk/config-signature?"+url.Values{"url": {page}, "suite_id": {d.SuiteID}, "corp_id": {d.CorpID}}.Encode(), nil, nil)
	var s signature
	if err := json.Unmarshal(a.body, &s); err != nil || a.status != http.StatusOK {
		t.Fatalf("config-signature = %s", a)
	}
	triple, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, language string
		flags          []chromedp.ExecAllocatorOption
		narrow, dark   bool
		what           string
	}{
		{name: "light-en", language: "en-US", what: "The cause: "},
		{name: "dark-zh-320", language: "zh-CN", flags: []chromedp.ExecAllocatorOption{chromedp.Flag("force-dark-mode", true)}, narrow: true, dark: true, what: "原因："},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := openTab(t, append(tt.flags, chromedp.Flag("lang", tt.language), chromedp.Flag("accept-lang", tt.language))...)
			if tt.narrow {
				inTab(b, chromedp.EmulateViewport(320, 800))
			}
			b.open(strings.TrimSuffix(d.PageURL, "/") + "/debug")
			b.accessible(tt.name + "-empty")
			b.screenshot("empty")

			// What is pasted is taken apart; a parameter that was appended after signing is found.
			ask := func(fields map[string]string) (codes []string) {
				b.eval(`
					document.getElementById('form').reset()
					const paste = document.getElementById('paste')
					paste.value = `+quote(string(triple))+`
					paste.dispatchEvent(new Event('input'))
					const fields = `+jsObject(fields)+`
					for (const name of Object.keys(fields)) document.getElementById(name).value = fields[name]
					document.getElementById('go').click()
					await new Promise(resolve => { const look = () => document.getElementById('answer').getAttribute('aria-busy') === 'false' && document.getElementById('verdict').textContent ? resolve() : setTimeout(look, 20); look() })
					return [...document.querySelectorAll('#findings > li')].map(li => li.dataset.code)`, &codes)
				return codes
			}
			base := map[string]string{"url": page + "&from=timeline", "kind": "config", "suite_id": d.SuiteID, "corp_id": d.CorpID, "error": "config:fail, invalid signature"}
			if codes := ask(base); len(codes) == 0 || codes[0] != "query_appended" {
				t.Fatalf("findings = %v, want query_appended first; the page says %q", codes, b.text("answer"))
			}
			if got := b.text("verdict-text"); !strings.HasPrefix(got, tt.what) {
				t.Errorf("verdict = %q, want it in %s", got, tt.language)
			}
			var marked []string
			b.eval(`return [...document.querySelectorAll('#part-url mark')].map(m => m.textContent)`, &marked)
			if len(marked) != 1 || marked[0] != "&" {
				t.Errorf("marked in the URL: %q, want the & that was appended", marked)
			}
			if got := b.text("part-jsapi_ticket"); !strings.HasPrefix(got, "jsapi_ticket=***") {
				t.Errorf("the ticket's part = %q, want a mask", got)
			}
			b.screenshot("answer")
			b.accessible(tt.name + "-answer")
			var wide bool
			b.eval(`return document.documentElement.scrollWidth > innerWidth`, &wide)
			if wide {
				t.Error("the page is wider than its window")
			}
			var background string
			b.eval(`return getComputedStyle(document.body).backgroundColor`, &background)
			if (background == "rgb(0, 0, 0)") != tt.dark {
				t.Errorf("background = %s, want dark %v", background, tt.dark)
			}

			// Nothing of other corps, or of what is configured, is told.
			base["url"], base["corp_id"], base["kind"] = "https://evil.example.org/", "ww-nobody", ""
			if codes := ask(base); len(codes) == 0 || codes[0] != "corp_id_unknown" {
				t.Errorf("an unknown corp: findings = %v", codes)
			}
			delete(base, "corp_id")
			base["url"] = "https://user@evil.example.org/"
			if codes := ask(base); len(codes) == 0 || codes[0] != "invalid_url" {
				t.Errorf("no page's URL: findings = %v", codes)
			}
			b.eval(`document.getElementById('language').click()`, nil)
			var lang string
			b.eval(`return document.documentElement.lang`, &lang)
			if lang == tt.language || lang == "en" && tt.language == "en-US" {
				t.Errorf("the page stays in %s when the language is switched", lang)
			}
			b.quiet()
		})
	}
}

func jsObject(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
