package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errInvalidJSON: the body is not one JSON value.
var errInvalidJSON = errors.New("body is not JSON")

// maxDepth is how deep a body may nest; the deepest documented one has two levels.
const maxDepth = 16

// checkJSON accepts one JSON value without the freedoms that encoding/json
// takes silently: repeated members (the last would win), invalid UTF-8 and lone
// surrogates (they would become U+FFFD), anything after the value. A NUL, which
// Postgres stores in no text, is refused too. Errors name the place, never what
// stands there.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return &fault{err: errInvalidJSON, en: "The body is not valid UTF-8.", zh: "请求体不是有效的 UTF-8。"}
	}
	if loneSurrogate(body) {
		return &fault{err: errInvalidJSON, en: `The body has a \u escape that is half of a surrogate pair.`, zh: `请求体中的 \u 转义缺少代理对的另一半。`}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := walkJSON(dec, nil); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return &fault{err: errInvalidJSON, en: "Something follows the JSON value.", zh: "JSON 值之后还有多余内容。"}
	}
	return nil
}

// walkJSON reads one value that stands at path.
func walkJSON(dec *json.Decoder, path []string) error {
	if len(path) > maxDepth {
		return &fault{err: errInvalidJSON, en: "The body nests too deeply.", zh: "请求体嵌套过深。"}
	}
	token, err := dec.Token()
	if err != nil {
		return syntaxFault(dec)
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			return walkObject(dec, path)
		}
		return walkArray(dec, path)
	case string:
		if strings.ContainsRune(v, 0) {
			return invalid(pointer(path), "A string has a NUL character.", "字符串中含有 NUL 字符。")
		}
	}
	return nil
}

func walkObject(dec *json.Decoder, path []string) error {
	seen := make(map[string]bool)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return syntaxFault(dec)
		}
		name, _ := token.(string)
		if strings.ContainsRune(name, 0) {
			return invalid(pointer(append(path, name)), "A name has a NUL character.", "字段名中含有 NUL 字符。")
		}
		if seen[name] {
			return invalid(pointer(append(path, name)), "The field occurs more than once.", "该字段重复出现。")
		}
		seen[name] = true
		if err := walkJSON(dec, append(path, name)); err != nil {
			return err
		}
	}
	return closing(dec)
}

func walkArray(dec *json.Decoder, path []string) error {
	for i := 0; dec.More(); i++ {
		if err := walkJSON(dec, append(path, strconv.Itoa(i))); err != nil {
			return err
		}
	}
	return closing(dec)
}

func closing(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return syntaxFault(dec)
	}
	return nil
}

func syntaxFault(dec *json.Decoder) error {
	at := strconv.FormatInt(dec.InputOffset(), 10)
	return &fault{err: errInvalidJSON, en: "The body is not valid JSON at byte " + at + ".", zh: "请求体在第 " + at + " 字节处不是合法的 JSON。"}
}

// loneSurrogate tells whether a \u escape of body is half of a surrogate pair.
func loneSurrogate(body []byte) bool {
	for i := 0; i+1 < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		i++ // on the escape's letter: a backslash there escapes nothing that follows
		first, ok := hexEscape(body[i:])
		if !ok || first < 0xD800 || first > 0xDFFF {
			continue
		}
		if first > 0xDBFF || len(body) < i+6 || body[i+5] != '\\' {
			return true
		}
		second, ok := hexEscape(body[i+6:])
		if !ok || second < 0xDC00 || second > 0xDFFF {
			return true
		}
		i += 10
	}
	return false
}

// hexEscape reads u and four hex digits.
func hexEscape(b []byte) (uint64, bool) {
	if len(b) < 5 || b[0] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[1:5]), 16, 16)
	return n, err == nil
}

// pointer writes a path as a JSON pointer (RFC 6901). A member's name that does
// not look like one could be anything, a secret too: the pointer ends before it.
func pointer(path []string) string {
	var b strings.Builder
	for _, name := range path {
		if !looksLikeName(name) {
			break
		}
		b.WriteByte('/')
		b.WriteString(name)
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

func looksLikeName(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
