package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestConventions walks every operation under /v1: what the API promises of all of
// them is declared by each. A message here says what to add to openapi.yaml.
func TestConventions(t *testing.T) {
	t.Parallel()
	for path, item := range load(t).Paths.Map() {
		if !strings.HasPrefix(path, "/v1/") {
			continue
		}
		reads := item.Get != nil && header(item.Get, http.StatusOK, "ETag") != nil
		for method, op := range item.Operations() {
			o := operation{t, method + " " + path, op}
			for _, status := range []int{400, 401, 403, 429, 500, 503} {
				o.answers(status)
			}
			if op.RequestBody != nil {
				o.answers(413)
				o.answers(415)
			}
			switch {
			case method == http.MethodGet:
				o.read()
			case method == http.MethodPost:
				o.takes("header", "Idempotency-Key")
				o.answers(409)
				o.answers(422)
			case reads:
				o.takes("header", "If-Match")
				o.answers(412)
			}
		}
	}
}

type operation struct {
	t    *testing.T
	name string
	*openapi3.Operation
}

func (o operation) answers(status int) {
	if o.Responses.Status(status) == nil {
		o.t.Errorf("%s does not declare its answer %d", o.name, status)
	}
}

func (o operation) takes(in, name string) {
	if o.Parameters.GetByInAndName(in, name) == nil {
		o.t.Errorf("%s does not declare the %s parameter %s", o.name, in, name)
	}
}

// read holds a GET to what lists, and what things, have.
func (o operation) read() {
	schema := jsonOf(o.Operation, http.StatusOK)
	if schema == nil {
		return // an export, or a file
	}
	if schema.Properties["items"] == nil {
		o.takes("header", "If-None-Match")
		o.answers(304)
		if header(o.Operation, http.StatusOK, "ETag") == nil {
			o.t.Errorf("%s does not declare an ETag with its 200", o.name)
		}
		return
	}
	if schema.Properties["next_cursor"] == nil {
		o.t.Errorf("%s is a list without next_cursor", o.name)
	}
	if o.Parameters.GetByInAndName("query", "cursor") == nil {
		return // all on one page
	}
	o.takes("query", "limit")
	if header(o.Operation, http.StatusOK, "Link") == nil {
		o.t.Errorf("%s does not declare a Link with its 200", o.name)
	}
}

func header(op *openapi3.Operation, status int, name string) *openapi3.HeaderRef {
	if r := op.Responses.Status(status); r != nil {
		return r.Value.Headers[name]
	}
	return nil
}

// jsonOf is the schema of an operation's JSON answer; nil where it answers none.
func jsonOf(op *openapi3.Operation, status int) *openapi3.Schema {
	r := op.Responses.Status(status)
	if r == nil || r.Value.Content["application/json"] == nil {
		return nil
	}
	return r.Value.Content["application/json"].Schema.Value
}
