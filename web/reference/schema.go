package reference

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

type schema struct {
	Name, Description string
	Self              field // of a schema that is no object
	Fields            []field
}

// field is a field of an object, a parameter, or a header.
type field struct {
	Name, In, Description string
	Required              bool
	Type                  string
	Ref                   string   // the component that says more
	Rules                 []string // what a value has to be
	Example               string
}

func schemaOf(name string, ref *openapi3.SchemaRef) schema {
	s := schema{Name: name, Description: ref.Value.Description, Self: fieldOf(name, ref, false)}
	for _, property := range sortedKeys(ref.Value.Properties) {
		s.Fields = append(s.Fields, fieldOf(property, ref.Value.Properties[property], slices.Contains(ref.Value.Required, property)))
	}
	return s
}

func fieldOf(name string, ref *openapi3.SchemaRef, required bool) field {
	f := field{Name: name, Required: required}
	if ref == nil {
		return f
	}
	v := ref.Value
	f.Description, f.Ref, f.Type = v.Description, componentName(ref.Ref), strings.Join(v.Type.Slice(), ", ")
	if v.Items != nil {
		f.Type = "array of " + strings.Join(v.Items.Value.Type.Slice(), ", ")
		f.Ref = componentName(v.Items.Ref)
	}
	f.Rules = rulesOf(v)
	if v.Example != nil && !v.WriteOnly {
		f.Example = short(v.Example)
	}
	return f
}

// rulesOf says in a few words what a schema wants of a value.
func rulesOf(v *openapi3.Schema) (rules []string) {
	add := func(format string, args ...any) { rules = append(rules, fmt.Sprintf(format, args...)) }
	if v.Format != "" {
		add("%s", v.Format)
	}
	if v.Nullable {
		add("or null")
	}
	if v.WriteOnly {
		add("write-only")
	}
	if len(v.Enum) > 0 {
		values := make([]string, len(v.Enum))
		for i, e := range v.Enum {
			values[i] = short(e)
		}
		add("one of %s", strings.Join(values, ", "))
	}
	if v.MinLength > 0 || v.MaxLength != nil {
		add("length %s", between(strconv.FormatUint(v.MinLength, 10), v.MaxLength))
	}
	if v.Min != nil {
		add("from %s", short(*v.Min))
	}
	if v.Max != nil {
		add("to %s", short(*v.Max))
	}
	if v.MaxItems != nil {
		add("at most %d items", *v.MaxItems)
	}
	if v.Pattern != "" {
		add("matches %s", v.Pattern)
	}
	if v.Default != nil {
		add("default %s", short(v.Default))
	}
	return rules
}

func between(least string, most *uint64) string {
	if most == nil {
		return least + " or more"
	}
	return fmt.Sprintf("%s to %d", least, *most)
}

// short is a value in one line.
func short(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func componentName(ref string) string {
	name, ok := strings.CutPrefix(ref, "#/components/schemas/")
	if !ok {
		return ""
	}
	return name
}

// exampleOf puts an example together of those of the fields. A request has what is
// required and a few things more; a secret is never spelt out.
func exampleOf(ref *openapi3.SchemaRef, request bool, depth int) any {
	v := ref.Value
	switch {
	case v.WriteOnly:
		return "…"
	case v.Example != nil:
		return v.Example
	case depth > 6:
		return nil
	case v.Items != nil:
		return []any{exampleOf(v.Items, request, depth+1)}
	case len(v.Properties) > 0:
		out := make(map[string]any)
		for name, property := range v.Properties {
			if request && len(v.Required) > 0 && !slices.Contains(v.Required, name) {
				continue
			}
			out[name] = exampleOf(property, request, depth+1)
		}
		return out
	case len(v.Enum) > 0:
		return v.Enum[0]
	}
	return nil
}
