package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"suitesign/ticket"
	"suitesign/wecom/wecomtest"
)

// everything is the admin API with one of each thing that it makes, and every
// operation of the contract: what is added to openapi.yaml is fuzzed without anybody naming it here.
type everything struct {
	*admin
	operations []target
	ids        map[string]string // by the path up to a parameter
}

type target struct {
	method, path string
	*openapi3.Operation
	parameters openapi3.Parameters
}

func newEverything(t testing.TB) *everything {
	t.Helper()
	sim := wecomtest.New(t)
	e := &everything{admin: newAdmin(t, withPlatform(t, sim, ticket.DefaultLimits())), ids: map[string]string{}}
	doc := contract(t)
	for _, path := range doc.Paths.InMatchingOrder() {
		if !strings.HasPrefix(path, "/v1/") {
			continue
		}
		item := doc.Paths.Value(path)
		for method, op := range item.Operations() {
			e.operations = append(e.operations, target{method, path, op, slices.Concat(item.Parameters, op.Parameters)})
		}
	}
	slices.SortFunc(e.operations, func(a, b target) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	e.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	e.call("POST", "/v1/suites", thirdParty("ww1")).want(201)
	path := e.addTenant("ours", "wwcorp")
	e.call("PUT", path+"/domains/h5.example.com", nil).want(200)
	e.call("PUT", "/v1/suites/ours/domains/h5.example.com", nil).want(200)
	e.call("PUT", path+"/aliases/wwalias", nil).want(200)
	e.event("ours", "wwcorp", "change_auth", "done", 0)
	for _, o := range e.operations { // one of whatever else can be made
		if o.method == http.MethodPost && !strings.Contains(o.path, "{") && o.RequestBody != nil {
			if media := o.RequestBody.Value.Content["application/json"]; media != nil {
				e.call(o.method, o.path, sample(media.Schema, 0))
			}
		}
	}
	e.ids["/v1/suites/"] = "ours"
	for _, o := range e.operations {
		e.pathOf(o) // while everything is there
	}
	return e
}

var parameter = regexp.MustCompile(`\{([^}]+)\}`)

// pathOf fills a path with ids of things that are there, as far as a list shows some.
func (e *everything) pathOf(o target) string {
	path := o.path
	for {
		at := parameter.FindStringSubmatchIndex(path)
		if at == nil {
			return path
		}
		before, name := path[:at[0]], path[at[2]:at[3]]
		id, known := e.ids[before]
		if !known {
			id = e.first(o, strings.TrimSuffix(before, "/"), name)
			e.ids[before] = id
		}
		path = before + url.PathEscape(id) + path[at[1]:]
	}
}

// first is the id of the first thing of a list, or the parameter's example.
func (e *everything) first(o target, list, name string) string {
	if r := e.call("GET", list, nil); r.status == http.StatusOK {
		if items, _ := r.object()["items"].([]any); len(items) > 0 {
			item, _ := items[0].(object)
			for _, field := range []string{"id", name} {
				if id, ok := item[field].(string); ok {
					return id
				}
			}
		}
	}
	schema := o.parameters.GetByInAndName(openapi3.ParameterInPath, name).Schema.Value
	return fmt.Sprint(schema.Example)
}

// sample is a body of the contract's examples.
func sample(ref *openapi3.SchemaRef, depth int) any {
	s := ref.Value
	switch {
	case s.Example != nil:
		return s.Example
	case len(s.Enum) > 0:
		return s.Enum[0]
	case depth > 6:
		return nil
	case s.Items != nil:
		return []any{sample(s.Items, depth+1)}
	case len(s.Properties) > 0:
		out := object{}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			if slices.Contains(s.Required, name) || len(s.Required) == 0 {
				out[name] = sample(s.Properties[name], depth+1)
			}
		}
		return out
	case s.Type.Is("string"):
		return "x"
	case s.Type.Is("integer"), s.Type.Is("number"):
		return 1
	case s.Type.Is("boolean"):
		return true
	}
	return nil
}

// marker is in every hostile text: an answer that has it repeats what was refused.
const marker = "h0stile"

// hostile makes requests of a seed.
type hostile struct{ *rand.Rand }

func (h hostile) text() string {
	switch h.IntN(8) {
	case 0:
		return marker + strings.Repeat("x", h.IntN(70_000))
	case 1:
		return marker + "\x00"
	case 2:
		return "" // a text that is nothing
	default:
		return marker + naughty[h.IntN(len(naughty))]
	}
}

func (h hostile) value(depth int) any {
	switch h.IntN(12) {
	case 0:
		return nil
	case 1:
		return h.IntN(2) == 0
	case 2:
		return json.Number([]string{"-1", "0", "1.5", "1e400", "9223372036854775808", "-0", "1e-400", "00"}[h.IntN(7)])
	case 3:
		nested := any(h.text())
		for range h.IntN(40) {
			nested = []any{nested}
		}
		return nested
	case 4:
		if depth < 4 {
			return object{"a": h.value(depth + 1), naughty[h.IntN(len(naughty))]: h.value(depth + 1)}
		}
	case 5:
		list := make([]any, h.IntN(600))
		for i := range list {
			list[i] = marker
		}
		return list
	}
	return h.text()
}

// like is a value of a schema with a few things wrong.
func (h hostile) like(ref *openapi3.SchemaRef, depth int) any {
	s := ref.Value
	if depth > 6 || h.IntN(6) == 0 {
		return h.value(depth)
	}
	switch {
	case len(s.Properties) > 0:
		out := object{}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			if h.IntN(5) > 0 {
				out[name] = h.like(s.Properties[name], depth+1)
			}
			if h.IntN(30) == 0 {
				out[strings.ToUpper(name)] = marker
			}
		}
		return out
	case s.Items != nil:
		list := make([]any, h.IntN(4))
		for i := range list {
			list[i] = h.like(s.Items, depth+1)
		}
		return list
	case s.WriteOnly:
		return "canary-" + marker // a secret that is stored, or refused: no answer has it
	}
	return sample(ref, depth)
}

// body is a request's body, as bytes: JSON that is like what is wanted, damaged in one of many ways.
func (h hostile) body(content openapi3.Content) (body []byte, media string) {
	names := slices.Sorted(maps.Keys(content))
	media = names[h.IntN(len(names))]
	if !strings.HasSuffix(media, "json") {
		return []byte(h.text() + ",\n\"" + h.text()), media
	}
	body, err := json.Marshal(h.like(content[media].Schema, 0))
	if err != nil {
		body = []byte(`{"name":00}`)
	}
	switch at := h.IntN(len(body) + 1); h.IntN(14) {
	case 0:
		body = body[:at]
	case 1:
		body = append(body, body...)
	case 2:
		body = slices.Concat(body[:at], []byte{0xff, 0xc0}, body[at:])
	case 3:
		if bytes.HasPrefix(body, []byte("{\"")) { // its first field, once more
			body = slices.Concat(body[:len(body)-1], []byte(","), body[1:])
		}
	case 4:
		body = []byte(strings.Repeat(`{"a":`, 5000))
	case 5:
		body = bytes.ReplaceAll(body, []byte(marker), []byte(marker+`\ud800`))
	case 6:
		media = []string{"text/xml", "application/json; charset=gbk", "", "*/*"}[h.IntN(4)]
	}
	return body, media
}

func (h hostile) query(o target) string {
	values := url.Values{}
	for _, p := range o.parameters {
		if p.Value.In != openapi3.ParameterInQuery || h.IntN(3) > 0 {
			continue
		}
		if values.Set(p.Value.Name, fmt.Sprint(sample(p.Value.Schema, 0))); h.IntN(3) == 0 {
			values.Add(p.Value.Name, marker+naughty[h.IntN(len(naughty))])
		}
	}
	if h.IntN(12) == 0 {
		values.Set(naughty[h.IntN(len(naughty))], marker)
	}
	return values.Encode()
}

// try makes one request of a seed and holds the answer to what every answer is.
func (e *everything) try(t *testing.T, which int, seed uint64, raw []byte) {
	t.Helper()
	o := e.operations[which%len(e.operations)]
	h := hostile{rand.New(rand.NewPCG(seed, uint64(which)))}
	path := e.pathOf(o)
	if o.method == http.MethodDelete || h.IntN(5) == 0 { // what is there is to stay for the others
		path = parameter.ReplaceAllStringFunc(o.path, func(string) string {
			return url.PathEscape([]string{"none", someID, marker + naughty[h.IntN(len(naughty))]}[h.IntN(3)])
		})
	}
	if q := h.query(o); q != "" {
		path += "?" + q
	}
	var headers []string
	for _, p := range o.parameters {
		if p.Value.In == openapi3.ParameterInHeader && h.IntN(4) == 0 {
			headers = append(headers, p.Value.Name, []string{marker, "*", `"1"`, `W/"` + marker + `"`, strings.Repeat("k", 2000), `"`}[h.IntN(6)])
		}
	}
	var body any
	if o.RequestBody != nil {
		made, media := h.body(o.RequestBody.Value.Content)
		if len(raw) > 0 {
			made = raw
		}
		body, headers = made, append(headers, "Content-Type", media)
	} else if len(raw) > 0 {
		body = raw
	}
	r := e.in(t).call(o.method, path, body, headers...)
	switch {
	case r.status >= 200 && r.status < 300, r.status == http.StatusNotModified:
		return
	case r.status == http.StatusServiceUnavailable && bytes.Contains(r.body, []byte(`"ticket_unavailable"`)):
		return // the platform gives this corp nothing, which is no fault of ours
	case r.status < 400 || r.status >= 500:
		t.Fatalf("%s = %d: %s\nbody %.2000q", r.call, r.status, r.body, body)
	case r.header.Get("Content-Type") != "application/problem+json":
		t.Errorf("%s = %d of type %s", r.call, r.status, r.header.Get("Content-Type"))
	}
	if bytes.Contains(r.body, []byte(marker)) {
		t.Errorf("%s repeats what it refuses: %s", r.call, r.body)
	}
}

// FuzzOperations asks every operation of the contract for everything wrong: the
// answer is 2xx or a problem of the 4xx, never a fault of ours, and repeats
// nothing that was refused. The harness holds each answer against the contract, and
// answers and log against secrets.
func FuzzOperations(f *testing.F) {
	e := newEverything(f)
	for which, o := range e.operations {
		seeds := uint64(6)
		if o.RequestBody != nil {
			seeds = 40
		}
		for seed := range seeds {
			f.Add(uint16(which), seed, []byte(nil))
		}
		for _, raw := range []string{"null", "[]", `""`, "{", "\x00", `{"__proto__":{"` + marker + `":1}}`, "\xef\xbb\xbf{}"} {
			f.Add(uint16(which), uint64(which), []byte(raw))
		}
	}
	f.Fuzz(func(t *testing.T, which uint16, seed uint64, raw []byte) { e.try(t, int(which), seed, raw) })
}
