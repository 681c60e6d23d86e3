package web

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// signQuery is what a page asks a signature for.
type signQuery struct {
	url     string
	suiteID string
	corpID  string
	agentID *int64
}

// parseSignQuery reads the raw query of a signing endpoint, each value decoded
// exactly once. It is strict, because what goes wrong in practice is a page URL
// that was not passed through encodeURIComponent: it spills its own parameters
// into ours, and whatever were signed then would not be the page. Even with an
// error the url is returned as far as it could be read: who may see the error
// depends on it.
func parseSignQuery(raw string, withAgent bool) (signQuery, error) {
	var q signQuery
	var first error
	seen := 0 // a bit per slot
	fail := func(err error) {
		if first == nil {
			first = err
		}
	}
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, okName := decode(rawName)
		slot := -1
		switch name {
		case "_": // a cache buster
			continue
		case "url":
			slot = 0
		case "suite_id":
			slot = 1
		case "corp_id":
			slot = 2
		case "agent_id":
			if withAgent {
				slot = 3
			}
		}
		if slot < 0 || !okName {
			fail(unknownParameter(rawName))
			continue
		}
		if seen&(1<<slot) != 0 {
			fail(invalid(name,
				fmt.Sprintf("The parameter %s occurs more than once. Pass the page's URL through encodeURIComponent, so that its own parameters stay inside url.", name),
				fmt.Sprintf("参数 %s 重复。请先用 encodeURIComponent 编码页面 URL，避免其自身参数泄漏到本接口。", name)))
			continue
		}
		seen |= 1 << slot
		value, ok := decode(rawValue)
		if !ok {
			fail(invalid(name,
				fmt.Sprintf("The parameter %s has a percent sign that no two hex digits follow. Pass its value through encodeURIComponent.", name),
				fmt.Sprintf("参数 %s 含有非法的百分号转义，请用 encodeURIComponent 编码其值。", name)))
			continue
		}
		switch slot {
		case 0:
			q.url = value
			continue
		case 1:
			q.suiteID = value
		case 2:
			q.corpID = value
		case 3:
			q.agentID = parseAgentID(value)
			if q.agentID == nil {
				fail(invalid(name, "agent_id is a whole number greater than 0.", "agent_id 必须是大于 0 的整数。"))
			}
		}
		if value == "" {
			fail(invalid(name,
				fmt.Sprintf("The parameter %s is empty. Leave it out or give it a value.", name),
				fmt.Sprintf("参数 %s 为空，请去掉该参数或填写值。", name)))
		}
	}
	if seen&1 == 0 {
		fail(invalid("url",
			"The parameter url is missing: encodeURIComponent(location.href.split('#')[0]).",
			"缺少参数 url，应为 encodeURIComponent(location.href.split('#')[0])。"))
	}
	return q, first
}

func unknownParameter(rawName string) error {
	name := printable(rawName)
	return invalid(name,
		fmt.Sprintf("The parameter %s is not known here. Pass the page's URL through encodeURIComponent, so that its own parameters stay inside url.", name),
		fmt.Sprintf("未知参数 %s。请先用 encodeURIComponent 编码页面 URL，避免其自身参数泄漏到本接口。", name))
}

// printable makes a name of the caller's short and harmless enough to be named in an error.
func printable(name string) string {
	const most = 64
	cut := len(name) > most
	if cut {
		name = name[:most]
	}
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	if cut {
		name += "..."
	}
	return name
}

// decode undoes percent-encoding once. A plus stays a plus, as in the URL that
// a caller forgot to encode, and as encodeURIComponent would leave no space for
// it to mean: a page's URL has none. (As url.PathUnescape, in half of its time.)
func decode(s string) (string, bool) {
	at := strings.IndexByte(s, '%')
	if at < 0 {
		return s, true
	}
	var stack [512]byte // a typical URL is put together here, and allocated once
	decoded := append(stack[:0], s[:at]...)
	for i := at; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if len(s)-i < 3 {
				return "", false
			}
			high, low := hexDigits[s[i+1]], hexDigits[s[i+2]]
			if high|low > 0xF {
				return "", false
			}
			c = high<<4 | low
			i += 2
		}
		decoded = append(decoded, c)
	}
	return string(decoded), true
}

// hexDigits are the values of hexadecimal digits; of anything else 0xFF.
var hexDigits = func() (of [256]byte) {
	for c := range of {
		of[c] = 0xFF
	}
	for v, c := range []byte("0123456789abcdef") {
		of[c] = byte(v)
		of[bytes.ToUpper([]byte{c})[0]] = byte(v)
	}
	return of
}()

// parseAgentID reads a whole number greater than 0, in its one spelling.
func parseAgentID(s string) *int64 {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != s {
		return nil
	}
	return &id
}

// callbackQuery reads parameters of a callback that must occur exactly once
// each; others are let through, for an operator may put some of his own (or the
// platform's $CORPID$) into the URL that he registers.
func callbackQuery(raw string, names ...string) (map[string]string, error) {
	values := make(map[string]string, len(names))
	for pair := range strings.SplitSeq(raw, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, okName := decode(rawName)
		wanted := false
		for _, n := range names {
			wanted = wanted || n == name
		}
		if !okName || !wanted {
			continue
		}
		value, ok := decode(rawValue)
		_, twice := values[name]
		if !ok || twice || value == "" {
			return nil, badCallbackQuery(name)
		}
		values[name] = value
	}
	for _, name := range names {
		if _, ok := values[name]; !ok {
			return nil, badCallbackQuery(name)
		}
	}
	return values, nil
}

func badCallbackQuery(name string) error {
	return invalid(name,
		fmt.Sprintf("The parameter %s must occur exactly once, percent-encoded. Only WeCom leads here.", name),
		fmt.Sprintf("参数 %s 必须且只能出现一次，并经过百分号编码。该地址仅供企业微信访问。", name))
}
