package web

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// The contract names every code that the admin API answers, with its status, and no other.
func TestTheContractNamesEveryCode(t *testing.T) {
	t.Parallel()
	status := map[string]string{}
	for _, line := range problems {
		status[line.code] = strconv.Itoa(line.status)
	}
	text := string(api.YAML)
	for _, line := range adminProblems {
		if !strings.Contains(text, "`"+line.code+"`") {
			t.Errorf("openapi.yaml does not name %s", line.code)
		}
	}
	named := regexp.MustCompile("`([a-z_]+)` ([45][0-9][0-9])").FindAllStringSubmatch(text, -1)
	if len(named) < 20 {
		t.Fatalf("openapi.yaml names %d codes with their status, want them with every operation", len(named))
	}
	for _, m := range named {
		if status[m[1]] != m[2] {
			t.Errorf("openapi.yaml names %s with status %s, the error table has %q", m[1], m[2], status[m[1]])
		}
	}
}
