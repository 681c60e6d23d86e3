package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// contractFault tells what kin-openapi found. Its own texts are not used, for
// some of them repeat the refused value.
func contractFault(err error, language string) error {
	var fields []FieldError
	collect(err, "", language, &fields)
	slices.SortFunc(fields, func(a, b FieldError) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Detail, b.Detail))
	})
	return fieldFault(slices.Compact(fields))
}

// collect walks what MultiError nested. parameter is "" within a body. The
// errors are told apart by their own types, not by what they wrap: a
// RequestError wraps what the parameter that it names has got wrong.
func collect(err error, parameter, language string, fields *[]FieldError) {
	add := func(place, detail string) { *fields = append(*fields, FieldError{Pointer: place, Detail: detail}) }
	switch e := err.(type) { //nolint:errorlint // see above
	case openapi3.MultiError:
		for _, inner := range e {
			collect(inner, parameter, language, fields)
		}
	case *openapi3filter.RequestError:
		if e.Parameter != nil {
			parameter = e.Parameter.Name
		}
		if e.Parameter != nil && e.Parameter.Schema != nil && isParseError(e.Err) {
			add(parameter, typeFault(e.Parameter.Schema.Value, language))
			return
		}
		collect(e.Err, parameter, language, fields)
	case *openapi3.SchemaError:
		collectSchema(e, parameter, language, add)
	default:
		detail := say(language, "is not as documented", "不符合接口文档")
		switch {
		case errors.Is(err, openapi3filter.ErrInvalidRequired):
			detail = say(language, "is required", "为必填项")
		case errors.Is(err, openapi3filter.ErrInvalidEmptyValue):
			detail = say(language, "must not be empty", "不能为空")
		}
		add(cmp.Or(parameter, "/"), detail)
	}
}

// isParseError tells whether a parameter could not even be read as its type.
func isParseError(err error) bool {
	var parse *openapi3filter.ParseError
	return errors.As(err, &parse)
}

func collectSchema(e *openapi3.SchemaError, parameter, language string, add func(place, detail string)) {
	place := cmp.Or(parameter, pointer(e.JSONPointer()))
	if e.SchemaField != "properties" {
		add(place, schemaFault(e, language))
		return
	}
	value, _ := e.Value.(map[string]any)
	for name := range value {
		if e.Schema.Properties[name] == nil {
			add(pointer(append(e.JSONPointer(), name)), say(language, "is no field of this object; names are case-sensitive", "不是该对象的字段；字段名区分大小写"))
		}
	}
}

// schemaFault says what a schema wants, by the keyword that was not met.
func schemaFault(e *openapi3.SchemaError, language string) string {
	s := e.Schema
	switch e.SchemaField {
	case "required":
		return say(language, "is required", "为必填项")
	case "nullable":
		return say(language, "must not be null", "不能为 null")
	case "type":
		return typeFault(s, language)
	case "enum":
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = fmt.Sprint(v)
		}
		return say(language, "must be one of: ", "须为以下之一：") + strings.Join(values, ", ")
	case "minLength":
		return fmt.Sprintf(say(language, "must have at least %d characters", "至少 %d 个字符"), s.MinLength)
	case "maxLength":
		return fmt.Sprintf(say(language, "must have at most %d characters", "至多 %d 个字符"), *s.MaxLength)
	case "minItems":
		return fmt.Sprintf(say(language, "must have at least %d items", "至少 %d 项"), s.MinItems)
	case "maxItems":
		return fmt.Sprintf(say(language, "must have at most %d items", "至多 %d 项"), *s.MaxItems)
	case "pattern":
		return say(language, "must match the pattern ", "须匹配模式 ") + s.Pattern
	case "minimum":
		return say(language, "must be at least ", "不能小于 ") + number(s.Min)
	case "maximum":
		return say(language, "must be at most ", "不能大于 ") + number(s.Max)
	case "format":
		if s.Format == "date-time" {
			return say(language, "must be a time of RFC 3339, as 2026-03-01T08:00:00Z", "须为 RFC 3339 时间，例如 2026-03-01T08:00:00Z")
		}
		return say(language, "must have the format ", "须符合格式 ") + s.Format
	}
	return say(language, "is not as documented", "不符合接口文档")
}

func typeFault(s *openapi3.Schema, language string) string {
	if types := s.Type.Slice(); len(types) > 0 {
		return say(language, "must be of type ", "类型须为 ") + strings.Join(types, ", ")
	}
	return say(language, "is not as documented", "不符合接口文档")
}

func number(v *float64) string {
	b, err := json.Marshal(v)
	if err != nil { // only NaN and infinities, which no YAML file can say
		return "?"
	}
	return string(b)
}
