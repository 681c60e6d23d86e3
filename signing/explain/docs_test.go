package explain_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"suitesign/signing/explain"
)

// docs/api.md lists every finding once, and none that there is not.
func TestEveryFindingIsDocumented(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(b), "| finding | what it says |\n|---|---|\n")
	if !found {
		t.Fatal("docs/api.md has no table of findings")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var listed []explain.Code
	for row := range strings.SplitSeq(table, "\n") {
		cell := strings.Split(row, "|")[1]
		for _, m := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllStringSubmatch(cell, -1) {
			if slices.Contains(listed, explain.Code(m[1])) {
				t.Errorf("docs/api.md lists %s twice", m[1])
			}
			listed = append(listed, explain.Code(m[1]))
		}
	}
	for _, code := range explain.Codes {
		if !slices.Contains(listed, code) {
			t.Errorf("docs/api.md does not list %s", code)
		}
	}
	for _, code := range listed {
		if !slices.Contains(explain.Codes, code) {
			t.Errorf("docs/api.md lists %s, which nothing finds", code)
		}
	}
}

// Every finding that can be made speaks both languages: it is made here of all
// that breaks a registration (TestBroken holds that each code is among them).
func TestBothLanguages(t *testing.T) {
	t.Parallel()
	for _, b := range slices.Concat(signatures, registrations) {
		q, k := asked(), world()
		b.apply(&q, &k)
		for _, f := range explain.Explain(q, k).Findings {
			for en, zh := range map[string]string{f.En.What: f.Zh.What, f.En.Why: f.Zh.Why, f.En.Do: f.Zh.Do} {
				han := func(s string) bool {
					return strings.ContainsFunc(s, func(r rune) bool {
						return unicode.Is(unicode.Han, r) && !strings.ContainsRune("你可信域名客户联系", r)
					})
				}
				if han(en) || !han(zh) {
					t.Errorf("%s: %q, %q", f.Code, en, zh)
				}
			}
		}
	}
}
