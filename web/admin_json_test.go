package web

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2)
	for _, tt := range []struct {
		name, body string
		want       error  // nil: accepted
		pointer    string // of the first field named
	}{
		{"object", `{"a":1,"b":{"a":[1,2,{"a":null}]}}`, nil, ""},
		{"white space", " \n{ }\t\r\n", nil, ""},
		{"not an object", `"text"`, nil, ""}, // the contract refuses it
		{"escaped pair", `{"a":"\ud83d\ude00"}`, nil, ""},
		{"escaped backslash before ud83d", `{"a":"\\ud83d"}`, nil, ""},
		{"replacement character", "{\"a\":\"\ufffd\"}", nil, ""},

		{"empty", ``, errInvalidJSON, ""},
		{"cut", `{"a":`, errInvalidJSON, ""},
		{"cut in a string", `{"a":"b`, errInvalidJSON, ""},
		{"single quotes", `{'a':1}`, errInvalidJSON, ""},
		{"trailing comma", `{"a":1,}`, errInvalidJSON, ""},
		{"comment", `{"a":1} // c`, errInvalidJSON, ""},
		{"two values", `{}{}`, errInvalidJSON, ""},
		{"garbage after", `{} x`, errInvalidJSON, ""},
		{"closing too much", `{}}`, errInvalidJSON, ""},
		{"NaN", `{"a":NaN}`, errInvalidJSON, ""},
		{"byte order mark", "\ufeff{}", errInvalidJSON, ""},
		{"UTF-16", "{\x00}\x00", errInvalidJSON, ""},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", errInvalidJSON, ""},
		{"high surrogate alone", `{"a":"\ud83d"}`, errInvalidJSON, ""},
		{"high surrogate before text", `{"a":"\ud83dabcdef"}`, errInvalidJSON, ""},
		{"low surrogate alone", `{"a":"\ude00"}`, errInvalidJSON, ""},
		{"two high surrogates", `{"a":"\ud83d\ud83d"}`, errInvalidJSON, ""},
		{"surrogate in a name", `{"\udc00":1}`, errInvalidJSON, ""},
		{"too deep", deep, errInvalidJSON, ""},

		{"repeated name", `{"a":1,"a":1}`, errInvalidRequest, "/a"},
		{"repeated name by escape", `{"a":1,"\u0061":1}`, errInvalidRequest, "/a"},
		{"repeated name below", `{"a":{"b":1,"b":2}}`, errInvalidRequest, "/a/b"},
		{"repeated name that is no name", `{"a":{"s3cr3t value":1,"s3cr3t value":2}}`, errInvalidRequest, "/a"},
		{"NUL", `{"a":["x","\u0000"]}`, errInvalidRequest, "/a/1"},
	} {
		err := checkJSON([]byte(tt.body))
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: checkJSON = %v, want %v", tt.name, err, tt.want)
			continue
		}
		var f *fault
		if tt.pointer != "" && (!errors.As(err, &f) || len(f.fields) != 1 || f.fields[0].Pointer != tt.pointer) {
			t.Errorf("%s: checkJSON names %+v, want %q", tt.name, f, tt.pointer)
		}
	}
}

// What is accepted means the same to encoding/json: nothing is lost or changed when the handler reads it.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"a":2}`, `{"a":"\ud83d"}`, `[[[]]]`, "{\"a\":\"\xff\"}", `{"a":1}x`, `{"\u0000":1}`, `1e999`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := checkJSON(body)
		if err != nil {
			if !errors.Is(err, errInvalidJSON) && !errors.Is(err, errInvalidRequest) {
				t.Errorf("checkJSON(%q) = %v, which is neither of its errors", body, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Errorf("checkJSON(%q) accepts what is no JSON", body)
		}
		var v any
		dec := json.NewDecoder(strings.NewReader(string(body)))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Errorf("checkJSON(%q) accepts what encoding/json refuses: %v", body, err)
		}
		if again, err := json.Marshal(v); err != nil || strings.Contains(string(again), `\u0000`) {
			t.Errorf("checkJSON(%q) accepts a NUL: %s, %v", body, again, err)
		}
		if strings.Count(string(body), "\ufffd") < replacements(v) && !strings.Contains(strings.ToLower(string(body)), `\ufffd`) {
			t.Errorf("checkJSON(%q) accepts text that is read as something else", body)
		}
	})
}

// replacements counts the characters that stand where something could not be read.
func replacements(v any) int {
	switch v := v.(type) {
	case string:
		return strings.Count(v, "\ufffd")
	case []any:
		n := 0
		for _, e := range v {
			n += replacements(e)
		}
		return n
	case map[string]any:
		n := 0
		for name, e := range v {
			n += replacements(name) + replacements(e)
		}
		return n
	}
	return 0
}

func TestCursors(t *testing.T) {
	t.Parallel()
	next, err := nextCursor("events", "one", "8443").Get()
	if err != nil {
		t.Fatal(err)
	}
	var text string
	var number int
	if found, err := readCursor(&next, "events", &text, &number); !found || err != nil || text != "one" || number != 8443 {
		t.Errorf("readCursor(nextCursor(one, 8443)) = %v, %v: %q, %d", found, err, text, number)
	}
	if found, err := readCursor(nil, "events", &text, &number); found || err != nil {
		t.Errorf("readCursor(nil) = %v, %v; want false", found, err)
	}
	odd, _ := nextCursor("events", "one", "eight").Get()
	few, _ := nextCursor("events", "one").Get()
	for name, cursor := range map[string]string{
		"of no list": "e30", "no base64": "*", "no JSON": "aaaa", "of a wrong type": odd, "too short": few, "with spare bits": next + "B",
	} {
		if _, err := readCursor(&cursor, "events", &text, &number); !errors.Is(err, errInvalidRequest) {
			t.Errorf("readCursor(cursor %s) = %v, want invalid_request", name, err)
		}
	}
	if _, err := readCursor(&next, "tenants", &text, &number); !errors.Is(err, errInvalidRequest) {
		t.Errorf("readCursor(cursor of another list) = %v, want invalid_request", err)
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]int64{
		`"7"`: 7, etag(7): 7,
		`W/"7"`: -1, `"07"`: -1, `"+7"`: -1, `""`: -1, `"`: -1, `7`: -1, `"x"`: -1, `"9223372036854775808"`: -1,
	} {
		if got := ifMatch(&header); got == nil || *got != want {
			t.Errorf("ifMatch(%s) = %v, want %d", header, got, want)
		}
	}
	star := "*"
	if ifMatch(nil) != nil || ifMatch(&star) != nil {
		t.Error("ifMatch wants a version where none is asked for")
	}
}
