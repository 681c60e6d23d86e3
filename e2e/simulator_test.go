package e2e

import (
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The guide's way for who has nothing but the simulator, word by word in both
// languages: one program, one tag, one call. No suitesign runs here.
func TestTheSimulatorIsEnough(t *testing.T) {
	t.Parallel()
	var b *tab
	for _, file := range []string{"h5.md", "h5.zh-CN.md"} {
		text, err := os.ReadFile("../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		find := func(pattern string) string {
			m := regexp.MustCompile(pattern).FindSubmatch(text)
			if m == nil {
				t.Fatalf("docs/%s has nothing like %s", file, pattern)
			}
			return string(m[1])
		}
		port := strconv.Itoa(freePort(t))
		args := append(strings.Fields(find(`bin/wecomsim (serve .*)`)), "--listen", "127.0.0.1:"+port)
		sim := startProcess(t, "wecomsim", nil, "wecomsim", args...)
		eventually(t, 20*time.Second, func() error {
			if !strings.Contains(sim.output(), "/sim/demo/") {
				return errors.New("it has not told yet where its pages are")
			}
			return nil
		})
		// The page of the first steps, with this tag.
		page := find("(?s)```html\n(.*?)```")
		tag := find(`(<script src="http://127\.0\.0\.1:8090/sim/sdk/suitesign\.js".*</script>)`)
		page = regexp.MustCompile(`<script src=.*</script>`).ReplaceAllLiteralString(page, tag)
		here := strings.NewReplacer("http://127.0.0.1:8090", "http://127.0.0.1:"+port)
		site := serveSite(t, map[string]string{"/": page}, here.Replace)
		if b == nil {
			b = openTab(t, chromedp.Flag("lang", "en-US"), chromedp.Flag("accept-lang", "en-US"))
		}
		inTab(b, chromedp.Navigate(strings.Replace(find(`(http://h5\.demo\.localhost:3000/)>`), ":3000", ":"+site, 1)))
		b.waitText("out", "wmSimulatedExternalContact0001$")

		// It fails as with suitesign.
		inTab(b, chromedp.Navigate("http://other.localhost:"+site+"/"))
		b.waitText("out", "^untrusted_domain: ")
		b.mu.Lock()
		b.errors = nil // the helper told the console, as it should
		b.mu.Unlock()

		// And the page with every API.
		b.open(strings.Replace(find(`(http://h5\.demo\.localhost:8090/sim/demo/)>`), ":8090", ":"+port, 1))
		b.want("corp-registration", "ok")
		b.want("agent-registration", "ok")
		b.want("flow-contact", "ok")
		b.press("scanQRCode")
		b.want("call-scanQRCode", "ok")
		b.quiet()
	}
}
