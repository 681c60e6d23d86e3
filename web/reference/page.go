package reference

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

// Where the page and its style are served.
const (
	Path      = "/docs"
	StylePath = "/docs/reference.css"
)

//go:embed page.html
var pageHTML string

//go:embed reference.css
var style []byte

var page = template.Must(template.New("reference").Funcs(template.FuncMap{"md": markdown, "anchor": anchor}).Parse(pageHTML))

// markdown is GitHub's, without HTML of its own.
var renderer = goldmark.New(goldmark.WithExtensions(extension.Table))

func markdown(text string) (template.HTML, error) {
	var b bytes.Buffer
	if err := renderer.Convert([]byte(text), &b); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil //nolint:gosec // goldmark escapes what is HTML in its source
}

func anchor(text string) string {
	return strings.NewReplacer("/", "-", "{", "", "}", "", " ", "-").Replace(text)
}

// document is what the page shows.
type document struct {
	Title, Version, Description string
	Tags                        []tag
	Schemas                     []schema
}

type tag struct {
	Name, Description string
	Operations        []operation
}

// Render makes the page of a document.
func Render(doc *openapi3.T) ([]byte, error) {
	d := document{Title: doc.Info.Title, Version: doc.Info.Version, Description: doc.Info.Description}
	for _, t := range doc.Tags {
		d.Tags = append(d.Tags, tag{Name: t.Name, Description: t.Description, Operations: operationsOf(doc, t.Name)})
	}
	if doc.Components != nil {
		for _, name := range sortedKeys(doc.Components.Schemas) {
			d.Schemas = append(d.Schemas, schemaOf(name, doc.Components.Schemas[name]))
		}
	}
	var b bytes.Buffer
	if err := page.Execute(&b, d); err != nil {
		return nil, fmt.Errorf("reference page: %w", err)
	}
	return b.Bytes(), nil
}

// policy lets the page load its style sheet and nothing else.
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page of a document, and its style.
func Handler(doc *openapi3.T) (http.Handler, error) {
	body, err := Render(doc)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		if r.URL.Path == StylePath {
			h.Set("Content-Type", "text/css; charset=utf-8")
			_, _ = w.Write(style)
			return
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(body)
	}), nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
