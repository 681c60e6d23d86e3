package web

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"suitesign/web/api"
	"suitesign/web/apikey"
)

// Every operation under /v1 says which scope it needs, and the contract's list of
// scopes is the one that keys are made with.
func TestEveryOperationHasAScope(t *testing.T) {
	t.Parallel()
	for name, route := range adminContract() {
		scope, _ := route.Operation.Extensions["x-scope"].(string)
		keyed := strings.HasPrefix(route.Path, "/v1/")
		switch {
		case keyed != (route.Operation.Security == nil):
			t.Errorf("%s: under /v1 is %v, needs a key is %v", name, keyed, route.Operation.Security == nil)
		case keyed && (!apikey.Scope(scope).Known() || scope == "*"):
			t.Errorf("%s: x-scope is %q; want one of %v", name, scope, apikey.Scopes()[1:])
		case !keyed && scope != "":
			t.Errorf("%s needs no key and names the scope %s", name, scope)
		case keyed && strings.HasPrefix(name, "GET ") && !strings.HasSuffix(scope, ":read"):
			t.Errorf("%s only reads and wants %s", name, scope)
		}
	}
	doc, err := api.Load()
	if err != nil {
		t.Fatal(err)
	}
	var listed []apikey.Scope
	for _, v := range doc.Components.Schemas["Scope"].Value.Enum {
		listed = append(listed, apikey.Scope(v.(string)))
	}
	want := apikey.Scopes()
	slices.Sort(listed)
	slices.Sort(want)
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("scopes of the contract (-want +got):\n%s", diff)
	}
}
