package reference_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"suitesign/web/api"
	"suitesign/web/reference"
)

func get(t *testing.T, doc *openapi3.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := reference.Handler(doc)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// Everything of the file is on the page, every link leads somewhere on it, and
// nothing comes from elsewhere.
func TestThePageIsWhole(t *testing.T) {
	t.Parallel()
	doc, err := api.Load()
	if err != nil {
		t.Fatal(err)
	}
	w := get(t, doc, reference.Path)
	html := w.Body.String()
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !strings.Contains(html, `<article id="`+op.OperationID+`">`) {
				t.Errorf("%s %s is not on the page", method, path)
			}
		}
	}
	for name := range doc.Components.Schemas {
		if !strings.Contains(html, `<article id="schema-`+name+`">`) {
			t.Errorf("the schema %s is not on the page", name)
		}
	}
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		switch target := m[1]; {
		case strings.HasPrefix(target, "#"):
			if !strings.Contains(html, `id="`+target[1:]+`"`) {
				t.Errorf("%s leads nowhere", target)
			}
		case target != reference.StylePath && target != "/openapi.yaml":
			t.Errorf("the page leads away, to %s", target)
		}
	}
	for _, bad := range []string{"<script", "style=", "src=", " on", "javascript:"} {
		if bad == " on" {
			if m := regexp.MustCompile(`<[^>]* on[a-z]+=`).FindString(html); m != "" {
				t.Errorf("a handler on the page: %s", m)
			}
		} else if strings.Contains(html, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self';") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	if css := get(t, doc, reference.StylePath); css.Header().Get("Content-Type") != "text/css; charset=utf-8" || strings.Contains(css.Body.String(), "url(") {
		t.Errorf("the style is %s", css.Header().Get("Content-Type"))
	}
}

// What the file says is text, whatever is in it.
func TestTextStaysText(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(`
openapi: 3.0.3
info: {title: "<script>1</script>", version: "<b>", description: "<img src=x onerror=alert(1)> [x](javascript:alert(1)) **bold** ` + "`a<b`" + `"}
tags: [{name: t, description: "<i>"}]
paths:
  /x: {get: {tags: [t], operationId: x, summary: "<u>", description: "| a | b |\n|---|---|\n| 1 | 2 |", responses: {'200': {description: "<s>"}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	html := get(t, doc, reference.Path).Body.String()
	for _, bad := range []string{"<script>", "<img", "<i>", "<u>", "<s>", "<b>", "javascript:"} {
		if strings.Contains(html, bad) {
			t.Errorf("the page has %s of the file", bad)
		}
	}
	for _, good := range []string{"<strong>bold</strong>", "<code>a&lt;b</code>", "<table>"} {
		if !strings.Contains(html, good) {
			t.Errorf("the page lacks %s", good)
		}
	}
}
