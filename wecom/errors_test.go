package wecom_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"suitesign/secret"
	"suitesign/wecom"
)

func TestErrmsgIsCleaned(t *testing.T) {
	t.Parallel()
	const token = "tok/en+with=odd&chars<>"
	secrets := []secret.String{secret.New(token)}
	for _, tt := range []struct{ name, in, msg, hint string }{
		{
			"as the platform writes it",
			"invalid credential, hint: [1571984399231415926535897], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=40001",
			"invalid credential", "1571984399231415926535897",
		},
		{"IPv6", "x, from ip: 2001:db8::7, more info at y", "x", ""},
		{"hint only", "x hint: [12]", "x", "12"},
		{"a hint that is none", "x, hint: [abc]", "x, hint: [abc]", ""},
		{"nothing", "", "", ""},
		{"line breaks and escapes", "a\r\nlevel=INFO msg=forged\x1b[31m\x00\u202e", "a  level=INFO msg=forged[31m", ""},
		{"no UTF-8", "a\xffb", "a?b", ""},
		{"Chinese", "不合法的凭证，请检查", "不合法的凭证，请检查", ""},
		{"an echo of the token", "bad token " + token + " given", "bad token [REDACTED] given", ""},
		{"an echo of the URL", "GET /x?a=" + url.QueryEscape(token) + "&b=1", "GET /x?a=[REDACTED]&b=1", ""},
		{"an echo of a path", "/" + url.PathEscape(token) + "/", "/[REDACTED]/", ""},
		{"an echo of the JSON", `{"a":"tok/en+with=odd\u0026chars\u003c\u003e"}`, `{"a":"[REDACTED]"}`, ""},
		{"an echo split by a NUL", "tok/en+wi\x00th=odd&chars<>", "[REDACTED]", ""},
		{"an unknown token", "got " + strings.Repeat("aB3_-", 10), "got […]", ""},
	} {
		got := wecom.NewError("api", 40001, tt.in, secrets)
		want := &wecom.Error{API: "api", Code: 40001, Msg: tt.msg, Hint: tt.hint}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestErrmsgProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[A-Za-z0-9_/+=&<>"-]{8,64}`).Draw(t, "token")
		in := rapid.String().Draw(t, "before") + token + rapid.String().Draw(t, "after")
		in = strings.Repeat(in, rapid.IntRange(1, 100).Draw(t, "times"))
		got := wecom.NewError("api", 1, in, []secret.String{secret.New(token)})
		if text := prints(got); strings.Contains(text, token) {
			t.Fatalf("the token is in %s", text)
		}
		if utf8.RuneCountInString(got.Msg) > 201 || !utf8.ValidString(got.Msg) || strings.ContainsAny(got.Msg, "\n\r\x00\x1b") {
			t.Fatalf("Msg = %q", got.Msg)
		}
	})
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  wecom.Error
		want string
	}{
		{wecom.Error{API: "gettoken", Code: 40001, Msg: "invalid credential", Hint: "12"}, "wecom gettoken: errcode 40001: invalid credential (hint 12)"},
		{wecom.Error{API: "gettoken", Code: -1}, "wecom gettoken: errcode -1"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("Error() = %q, want %q", got, tt.want)
		}
	}
}
