package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"github.com/goccy/go-yaml"

	"suitesign/migrations/pgtest"
	"suitesign/secret"
)

// canary is searched for, as itself and as it looks in hexadecimal, in all that is printed.
const canary = "CANARYsecret"

func leaks(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, strings.ToLower(canary)) ||
		strings.Contains(lower, fmt.Sprintf("%x", canary)) ||
		strings.Contains(lower, fmt.Sprintf("% x", canary)) ||
		strings.Contains(text, strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]"))
}

type (
	token  struct{ secret.String }
	public struct{ Name, Value any }
	hidden struct {
		name  string
		value secret.String
		deep  *hidden
		many  []secret.String
		named map[string]token
	}
)

// shapes are values that hold the canary in every way a program holds one.
func shapes() map[string]any {
	s := secret.New(canary)
	h := hidden{name: "n", value: s, many: []secret.String{s}, named: map[string]token{"k": {s}}}
	h.deep = &hidden{value: s}
	return map[string]any{
		"itself":          s,
		"a pointer":       &s,
		"embedded":        token{s},
		"exported field":  public{"n", s},
		"hidden field":    h,
		"pointer to that": &h,
		"slice":           []secret.String{s},
		"array":           [1]secret.String{s},
		"map":             map[string]secret.String{"k": s},
		"interface":       []any{s, &s, token{s}},
		"wrapped error":   fmt.Errorf("refused %v: %w", s, errors.New("why")),
		"channel of":      struct{ f func() secret.String }{func() secret.String { return s }},
	}
}

func TestStringNeverPrints(t *testing.T) {
	t.Parallel()
	if !leaks(canary) || !leaks(fmt.Sprintf("%X", canary)) || !leaks(fmt.Sprintf("%v", []byte(canary))) {
		t.Fatal("the test does not see a leak")
	}
	for name, shape := range shapes() {
		for _, verb := range []string{
			"%v", "%+v", "%#v", "%T", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%b", "%o", "%O", "%c", "%U", "%e", "%E", "%f", "%F",
			"%g", "%G", "%t", "%p", "%10v", "%-10s", "%.3s", "%+q", "%#q", "%w", "%z",
		} {
			if got := fmt.Sprintf(verb, shape); leaks(got) {
				t.Errorf("%s in %s prints %s", name, verb, got)
			}
		}
		if got := fmt.Sprint(shape) + fmt.Sprintln(shape) + fmt.Errorf("%v", shape).Error(); leaks(got) {
			t.Errorf("%s prints %s", name, got)
		}
		for encoder, encode := range map[string]func(any) ([]byte, error){
			"json": json.Marshal,
			"xml":  xml.Marshal,
			"yaml": yaml.Marshal,
			"gob": func(v any) ([]byte, error) {
				var b bytes.Buffer
				err := gob.NewEncoder(&b).Encode(v)
				return b.Bytes(), err
			},
			"template": func(v any) ([]byte, error) {
				var b bytes.Buffer
				err := template.Must(template.New("").Parse(`{{.}} {{printf "%s %x" . .}}`)).Execute(&b, v)
				return b.Bytes(), err
			},
		} {
			if got, err := encode(shape); leaks(string(got)) || (err != nil && leaks(err.Error())) {
				t.Errorf("%s in %s is %s, %v", name, encoder, got, err)
			}
		}
		var logged bytes.Buffer
		for _, handler := range []slog.Handler{
			slog.NewTextHandler(&logged, nil),
			slog.NewJSONHandler(&logged, nil),
		} {
			log := slog.New(handler).With("bound", shape).WithGroup("g")
			log.Info("event", "value", shape, slog.Group("group", "v", shape), "list", []any{shape})
		}
		if leaks(logged.String()) {
			t.Errorf("%s is logged as %s", name, logged.String())
		}
	}
}

func TestStringShowsThatSomethingIsHidden(t *testing.T) {
	t.Parallel()
	s := secret.New(canary)
	for got, want := range map[string]string{
		fmt.Sprint(s):                "[REDACTED]",
		fmt.Sprintf("%x", s):         "[REDACTED]",
		fmt.Sprintf("%+v", token{s}): "[REDACTED]",
		"a" + s.String():             "a[REDACTED]",
	} {
		if got != want {
			t.Errorf("printed %q, want %q", got, want)
		}
	}
	if got, err := json.Marshal(public{"n", s}); string(got) != `{"Name":"n","Value":"[REDACTED]"}` {
		t.Errorf("JSON is %s, %v", got, err)
	}
}

func TestStringIsReadFromConfigurationAndJSON(t *testing.T) {
	t.Parallel()
	var in struct {
		A secret.String `json:"a" yaml:"a"`
		B secret.String `json:"b" yaml:"b"`
	}
	for name, err := range map[string]error{
		"json": json.Unmarshal([]byte(`{"a":"`+canary+`","b":""}`), &in),
		"yaml": yaml.Unmarshal([]byte("a: "+canary+"\nb: ''\n"), &in),
	} {
		if err != nil || in.A.Reveal() != canary || !in.B.IsZero() {
			t.Errorf("%s: read %q and %q, %v", name, in.A.Reveal(), in.B.Reveal(), err)
		}
	}
	for _, bad := range []string{`{"` + canary + `":1}`, `["` + canary + `"]`, `12`} {
		var s secret.String
		if err := json.Unmarshal([]byte(bad), &s); err == nil || leaks(err.Error()) {
			t.Errorf("a JSON value that is no string: %v, want an error that does not quote it", err)
		}
	}
}

func TestStringEqualAndZero(t *testing.T) {
	t.Parallel()
	var zero secret.String
	for _, tt := range []struct {
		a, b secret.String
		want bool
	}{
		{secret.New("a"), secret.New("a"), true},
		{secret.New("a"), secret.New("b"), false},
		{secret.New("a"), secret.New("ab"), false},
		{secret.New(""), zero, true},
		{secret.New("a"), zero, false},
	} {
		if got := tt.a.Equal(tt.b); got != tt.want {
			t.Errorf("%q.Equal(%q) = %t, want %t", tt.a.Reveal(), tt.b.Reveal(), got, tt.want)
		}
	}
	if !zero.IsZero() || !secret.New("").IsZero() || secret.New("a").IsZero() || zero.Reveal() != "" {
		t.Error("only the empty value is zero")
	}
}

func TestStringIsNotStoredUnsealed(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for name, arg := range map[string]any{"text": secret.New(canary), "pointer": new(secret.String)} {
		var got string
		err := pool.QueryRow(t.Context(), `SELECT $1::text`, arg).Scan(&got)
		if err == nil || leaks(err.Error()) {
			t.Errorf("as an SQL parameter (%s): %q, %v; want a refusal", name, got, err)
		}
	}
}
