package e2e

import (
	"crypto/sha256"
	_ "embed" // axe-core, which tests need without a network
	"encoding/hex"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

//go:embed testdata/axe/axe.min.js
var axeSource string

//go:embed testdata/axe/README.md
var axeReadme string

// axe-core is the published file, byte for byte.
func TestAxeIsUnmodified(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte(axeSource))
	if got := hex.EncodeToString(sum[:]); !strings.Contains(axeReadme, got) {
		t.Errorf("axe.min.js has the checksum %s, which testdata/axe/README.md does not name", got)
	}
}

// finding is a rule of axe-core that a page breaks.
type finding struct {
	Rule   string   `json:"rule"`
	Impact string   `json:"impact"`
	Help   string   `json:"help"`
	Nodes  []string `json:"nodes"`
}

// accessible looks at the page as it is now, shadow roots too: a serious or
// critical finding of axe-core fails the test.
func (b *tab) accessible(what string) {
	b.t.Helper()
	inTab(b, chromedp.Evaluate[bool](`typeof axe === 'object' || !!(0, eval)(`+quote(axeSource+"\n;true")+`)`))
	var found []finding
	b.eval(`
		const {violations} = await axe.run(document, {resultTypes: ['violations'], preload: false})
		return violations.filter(v => v.impact === 'serious' || v.impact === 'critical')
			.map(v => ({rule: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 5).map(n => n.target.join(' ') + ': ' + n.failureSummary)}))`, &found)
	for _, f := range found {
		b.t.Errorf("%s: axe-core finds %s (%s): %s\n%s", what, f.Rule, f.Impact, f.Help, strings.Join(f.Nodes, "\n"))
	}
	if len(found) > 0 {
		b.screenshot("axe-" + what)
	}
}
