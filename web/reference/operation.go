package reference

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

type operation struct {
	ID, Method, Path, Summary, Description, Scope string
	Parameters                                    []field
	Body                                          *body
	Responses                                     []response
	Curl                                          string
}

type body struct {
	Description string
	Required    bool
	Media       []string
	Schema      string // the name of a component; "" where there is none
	Example     string
}

type response struct {
	Status, Description string
	Headers             []field
	Media               []string
	Schema              string
	Example             string
}

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

func operationsOf(doc *openapi3.T, tag string) (out []operation) {
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if slices.Contains(op.Tags, tag) {
				out = append(out, operationOf(path, method, item, op))
			}
		}
	}
	slices.SortFunc(out, func(a, b operation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(slices.Index(methods, a.Method), slices.Index(methods, b.Method)))
	})
	return out
}

func operationOf(path, method string, item *openapi3.PathItem, op *openapi3.Operation) operation {
	o := operation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description}
	o.Scope, _ = op.Extensions["x-scope"].(string)
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		f := fieldOf(p.Value.Name, p.Value.Schema, p.Value.Required)
		f.In, f.Description = p.Value.In, p.Value.Description
		o.Parameters = append(o.Parameters, f)
	}
	if op.RequestBody != nil {
		b := op.RequestBody.Value
		o.Body = &body{Description: b.Description, Required: b.Required}
		o.Body.Media, o.Body.Schema, o.Body.Example = contentOf(b.Content, true)
	}
	for _, status := range sortedKeys(op.Responses.Map()) {
		o.Responses = append(o.Responses, responseOf(status, op.Responses.Value(status).Value))
	}
	o.Curl = curl(o, op)
	return o
}

func responseOf(status string, r *openapi3.Response) response {
	out := response{Status: status}
	if r.Description != nil {
		out.Description = *r.Description
	}
	for _, name := range sortedKeys(r.Headers) {
		h := r.Headers[name].Value
		f := fieldOf(name, h.Schema, h.Required)
		f.Description = h.Description
		out.Headers = append(out.Headers, f)
	}
	out.Media, out.Schema, out.Example = contentOf(r.Content, false)
	return out
}

// contentOf is how a body looks: its media types, the name of its schema, an example.
func contentOf(content openapi3.Content, request bool) (media []string, name, example string) {
	media = sortedKeys(content)
	for _, m := range media {
		c := content[m]
		if c.Schema == nil {
			continue
		}
		name = componentName(c.Schema.Ref)
		v := c.Example
		if v == nil && strings.HasSuffix(m, "json") {
			v = exampleOf(c.Schema, request, 0)
		}
		if text, ok := v.(string); ok {
			example = text
		} else if v != nil {
			b, _ := json.MarshalIndent(v, "", "  ") // of what JSON or YAML said
			example = string(b)
		}
		break
	}
	return media, name, example
}

// curl is the call as one types it, with the examples in place.
func curl(o operation, op *openapi3.Operation) string {
	path := o.Path
	for _, p := range o.Parameters {
		if p.In == openapi3.ParameterInPath {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", p.Example)
		}
	}
	var b strings.Builder
	b.WriteString("curl -s ")
	if o.Method != http.MethodGet && (o.Method != http.MethodPost || o.Body == nil) {
		b.WriteString("-X " + o.Method + " ")
	}
	b.WriteString(`"$ADMIN` + path + `"`)
	if op.Security == nil || len(*op.Security) > 0 {
		b.WriteString(` -H "Authorization: Bearer $KEY"`)
	}
	if o.Body != nil && o.Body.Example != "" && slices.ContainsFunc(o.Body.Media, func(m string) bool { return strings.HasSuffix(m, "json") }) {
		b.WriteString(" \\\n  -H 'Content-Type: application/json' \\\n  -d '" + strings.ReplaceAll(o.Body.Example, "'", `'\''`) + "'")
	}
	return b.String()
}
