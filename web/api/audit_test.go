package api_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryChangeNamesItsAuditEntry walks every operation that is no GET: its
// x-audit lists what the audit log calls it, and none for one that changes nothing.
// e2e/audit_test.go wants a case for each of them.
func TestEveryChangeNamesItsAuditEntry(t *testing.T) {
	t.Parallel()
	actions, err := os.ReadFile("../../audit/actions.go")
	if err != nil {
		t.Fatal(err)
	}
	known := regexp.MustCompile(`"[a-z_]+\.[a-z_]+"`).FindAllString(string(actions), -1)
	for path, item := range load(t).Paths.Map() {
		for method, op := range item.Operations() {
			names, ok := op.Extensions["x-audit"].([]any)
			if method == http.MethodGet {
				continue
			}
			if !ok {
				t.Errorf("%s %s: name its audit entries, `x-audit: [kind.verb]`, or none, `x-audit: []`; write them with audit.Append", method, path)
			}
			for _, name := range names {
				if action, _ := name.(string); !strings.Contains(strings.Join(known, " "), `"`+action+`"`) {
					t.Errorf("%s %s: x-audit names %v, which audit/actions.go does not know", method, path, name)
				}
			}
		}
	}
}
