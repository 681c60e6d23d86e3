package web

import (
	"slices"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"suitesign/web/api"
	"suitesign/web/apikey"
)

// The contract and the router know the same: no route without an operation, no
// operation without a route.
func TestRoutesAndContractAgree(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	s.API = &API{Gate: &apikey.Gate{}}
	var documented, served []string
	doc, err := api.Load()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+ginPath(path))
		}
	}
	for _, route := range s.Admin().(*door).next.(*gin.Engine).Routes() {
		served = append(served, route.Method+" "+route.Path)
	}
	slices.Sort(documented)
	slices.Sort(served)
	if diff := cmp.Diff(documented, served); diff != "" {
		t.Errorf("operations (-) and routes (+) differ:\n%s", diff)
	}
}
