package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"suitesign/web/api"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := api.Load()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// The file is valid, its examples and defaults included.
func TestSpecIsClean(t *testing.T) {
	t.Parallel()
	if err := load(t).Validate(t.Context(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaDefaultsValidation(),
		openapi3.EnableSchemaFormatValidation(), openapi3.EnableSchemaPatternValidation()); err != nil {
		t.Error(err)
	}
}

// Everything in the file is described, and every field that holds a value shows one.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	doc := load(t)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Summary == "" || op.Description == "" || op.OperationID == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s: summary, description, operationId and one tag are wanted", method, path)
			}
			for _, p := range append(op.Parameters, item.Parameters...) {
				if p.Value.Description == "" {
					t.Errorf("%s %s: parameter %s is not described", method, path, p.Value.Name)
				}
			}
		}
	}
	for name, ref := range doc.Components.Schemas {
		describe(t, name, ref)
	}
}

func describe(t *testing.T, at string, ref *openapi3.SchemaRef) {
	t.Helper()
	schema := ref.Value
	if schema.Description == "" {
		t.Errorf("%s is not described", at)
	}
	if schema.Type.Is("object") || schema.Type.Is("array") {
		if values := schema.AdditionalProperties.Schema; values != nil {
			describe(t, at+".*", values) // names are data there, as in a log of changes
		} else if schema.Type.Is("object") && (schema.AdditionalProperties.Has == nil || *schema.AdditionalProperties.Has) {
			t.Errorf("%s takes fields that it does not name", at)
		}
	} else if schema.Example == nil && !schema.Nullable {
		t.Errorf("%s has no example", at)
	}
	for name, property := range schema.Properties {
		describe(t, at+"."+name, property)
	}
}

// No answer has a field that could hold a secret, but for those that are shown once
// (x-shown-once), when they are made, and the one that is there to be handed out
// (x-hands-out). Beside each stands secret_shown: an answer
// that is repeated for its Idempotency-Key leaves the secret out, so that no such field is required.
func TestNoAnswerHoldsASecret(t *testing.T) {
	t.Parallel()
	doc := load(t)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status, response := range op.Responses.Map() {
				for _, content := range response.Value.Content {
					noSecret(t, method+" "+path+" "+status, content.Schema)
				}
			}
		}
	}
}

func noSecret(t *testing.T, at string, ref *openapi3.SchemaRef) {
	t.Helper()
	schema := ref.Value
	if schema.WriteOnly || schema.Format == "password" {
		t.Errorf("%s is a secret", at)
	}
	for name, property := range schema.Properties {
		where := at + " " + name
		if property.Value.Extensions["x-hands-out"] == true {
			if where != "GET /v1/tenants/{tenant_id}/access-token 200 access_token" {
				t.Errorf("%s hands out a secret, which one operation alone does", where)
			}
			continue
		}
		if property.Value.Extensions["x-shown-once"] == true {
			if schema.Properties["secret_shown"] == nil || slices.Contains(schema.Required, name) || !strings.HasPrefix(at, "POST ") {
				t.Errorf("%s is shown once: it is not required, secret_shown stands beside it, and only a POST answers it", where)
			}
			continue
		}
		if property.Value.Type.Is("string") && where != at+" code" && !strings.HasSuffix(name, "_id") {
			for _, word := range []string{"secret", "token", "ticket", "key", "code"} {
				if strings.Contains(name, word) {
					t.Errorf("%s sounds like a secret", where)
				}
			}
		}
		noSecret(t, where, property)
	}
	if schema.Items != nil {
		noSecret(t, at+"[]", schema.Items)
	}
}

// What an admin sends as a secret is marked so, and therefore never is a plain string in the generated types.
func TestSecretsAreWriteOnly(t *testing.T) {
	t.Parallel()
	doc := load(t)
	for _, schema := range []string{"SuiteCreate", "SuitePatch", "TenantCreate", "TenantPatch"} {
		for name, property := range doc.Components.Schemas[schema].Value.Properties {
			secret := name == "secret" || name == "suite_secret" || name == "callback_token" || name == "encoding_aes_key"
			if got := property.Value.WriteOnly && property.Value.Format == "password"; got != secret {
				t.Errorf("%s.%s: secret = %v, want %v", schema, name, got, secret)
			}
		}
	}
}
