package web

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// docs/api.md lists every code with its status, and no code that there is not.
func TestEveryCodeIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9]{3}) \\|").FindAllStringSubmatch(string(text), -1) {
		if documented[m[1]] != "" {
			t.Errorf("docs/api.md lists %s twice", m[1])
		}
		documented[m[1]] = m[2]
	}
	known := map[string]bool{}
	for _, line := range append(problems, internal) {
		known[line.code] = true
		if got := documented[line.code]; got != strconv.Itoa(line.status) {
			t.Errorf("docs/api.md lists %s with status %q, want %d", line.code, got, line.status)
		}
	}
	for code := range documented {
		if !known[code] {
			t.Errorf("docs/api.md lists %s, which no error carries", code)
		}
	}
}

// Every row says in two languages what to do.
func TestEveryRowSpeaksTwoLanguages(t *testing.T) {
	t.Parallel()
	for _, line := range append(problems, internal) {
		han := strings.ContainsFunc(line.zh, func(r rune) bool { return unicode.Is(unicode.Han, r) })
		if line.title == "" || !strings.HasSuffix(line.en, ".") || !strings.HasSuffix(line.zh, "。") || !han {
			t.Errorf("%s: title %q, %q, %q", line.code, line.title, line.en, line.zh)
		}
		if retryable := line.status == 429 || line.status == 503; retryable && line.retry == 0 {
			t.Errorf("%s: status %d without a Retry-After", line.code, line.status)
		}
	}
}
