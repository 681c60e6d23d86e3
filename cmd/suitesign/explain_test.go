package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"suitesign/signing/explain"
)

// A report for people: the words, the evidence with a mark under the first
// character that differs, and the string to sign. What a page said does not
// move the terminal's cursor.
func TestWriteReport(t *testing.T) {
	t.Parallel()
	r := explain.Report{Canonical: "jsapi_ticket=***&noncestr=N&timestamp=1&url=https://a.example.com/", Findings: []explain.Finding{
		{Code: "trailing_slash", Severity: explain.Error, En: explain.Words{What: "What.", Why: "Why.", Do: "Do."}, Zh: explain.Words{What: "什么。", Why: "为何。", Do: "怎么办。"},
			Evidence: []explain.Evidence{
				{Field: "url", Position: 21, Expected: "https://a.example.com/", Found: "https://a.example.com"},
				{Field: "host", Position: -1, Found: "a\x1b[2Jb"},
			}},
		{Code: "more_needed", Severity: explain.Info, En: explain.Words{What: "A.", Why: "B.", Do: "C."}, Zh: explain.Words{What: "甲。", Why: "乙。", Do: "丙。"}},
	}}
	for lang, want := range map[string]string{
		"en": `error: trailing_slash
  What.
  Why.
  → Do.
    url expected https://a.example.com/
    url found    https://a.example.com
                                      ^ character 21
    host found a` + "\uFFFD" + `[2Jb

info: more_needed
  A.
  B.
  → C.

jsapi_ticket=***&noncestr=N&timestamp=1&url=https://a.example.com/
`,
		"zh": `error: trailing_slash
  什么。
  为何。
  → 怎么办。
    url expected https://a.example.com/
    url found    https://a.example.com
                                      ^ character 21
    host found a` + "\uFFFD" + `[2Jb

info: more_needed
  甲。
  乙。
  → 丙。

jsapi_ticket=***&noncestr=N&timestamp=1&url=https://a.example.com/
`,
	} {
		var b bytes.Buffer
		if err := writeReport(&b, r, lang); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", lang, diff)
		}
	}
}
