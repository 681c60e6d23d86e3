package audit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// docs/api.md lists every action of actions.go, and none that there is not.
func TestEveryActionIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### Audit log\n")
	section, _, _ = strings.Cut(section, "\n### ")
	documented := map[string]bool{}
	for line := range strings.Lines(section) {
		if cell, ok := strings.CutPrefix(line, "| `"); ok {
			cell, _, _ = strings.Cut(cell, " | ")
			for _, m := range regexp.MustCompile(`[a-z_]+\.[a-z_]+`).FindAllString(cell, -1) {
				documented[m] = true
			}
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "actions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			action, _ := strconv.Unquote(lit.Value)
			known[action] = true
		}
		return true
	})
	if len(known) < 20 {
		t.Fatalf("actions.go has %d actions: this reads it wrongly", len(known))
	}
	for action := range known {
		if !documented[action] {
			t.Errorf("docs/api.md does not list the action %s", action)
		}
	}
	for action := range documented {
		if !known[action] {
			t.Errorf("docs/api.md lists the action %s, which is not in actions.go", action)
		}
	}
}
