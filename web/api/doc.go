// Package api is the contract of the admin API: openapi.yaml is written by hand
// and comes first; types and the strict gin server in gen.go are made of it.
//
// What the file promises and the code cannot show is held by tests of package
// web: every route has its operation and every operation its route, and every
// answer of the handler tests is valid against the file.
package api

import (
	_ "embed"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config oapi-codegen.yaml openapi.yaml

// YAML is the file itself, as it is served at /openapi.yaml.
//
//go:embed openapi.yaml
var YAML []byte

// Load reads the file into a document that requests are validated against.
func Load() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(YAML)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return doc, nil
}
