package web

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is decoded here net/url decodes the same.
func TestDecode(t *testing.T) {
	t.Parallel()
	piece := rapid.OneOf(rapid.StringMatching(`%[0-9a-fA-F]{2}`), rapid.String(), rapid.SampledFrom([]string{"%", "%%", "%4", "%zz", "%4g", "+", "%2B", "%25"}))
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "")
		got, ok := decode(s)
		want, err := url.PathUnescape(s)
		if ok != (err == nil) || ok && got != want {
			t.Fatalf("decode(%q) = %q, %t; net/url: %q, %v", s, got, ok, want, err)
		}
	})
}

func TestParseSignQuery(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		raw, url string
		wrong    string // the parameter that is named; "" where all is well
	}{
		{"url=https%3A%2F%2Fa.com%2Fp%3Fx%3D1%26y%3D2", "https://a.com/p?x=1&y=2", ""},
		{"url=https://a.com/p", "https://a.com/p", ""},
		{"url=https%3A%2F%2Fa.com%2F%3Fq%3D%25E4%25BD%25A0", "https://a.com/?q=%E4%BD%A0", ""},
		{"url=https%3A%2F%2Fa.com%2F%3Fq%3D%25252B", "https://a.com/?q=%252B", ""},
		{"url=https%3A%2F%2Fa.com%2F%3Fq%3Da%2Bb", "https://a.com/?q=a+b", ""},
		{"url=https%3A%2F%2Fa.com%2F%3Fq%3Da+b", "https://a.com/?q=a+b", ""},
		{"url=https://a.com/?q=a=b=c", "https://a.com/?q=a=b=c", ""},
		{"url=https://a.com/%E4%BD%A0", "https://a.com/你", ""},
		{"%75rl=https://a.com/", "https://a.com/", ""},
		{"&&url=https://a.com/&_=1700000000&_=2&", "https://a.com/", ""},
		{"url=https://a.com/;x=1", "https://a.com/;x=1", ""},
		{"url=https://a.com/&suite_id=ww1&corp_id=wp1&agent_id=1000002", "https://a.com/", ""},

		{"", "", "url"},
		{"suite_id=ww1", "", "url"},
		{"url=https://a.com/p?x=1&y=2", "https://a.com/p?x=1", "y"},
		{"url=https://a.com/&URL=https://b.com/", "https://a.com/", "URL"},
		{"url=https://a.com/&url=https://b.com/", "https://a.com/", "url"},
		{"url=https://a.com/&suite_id=a&suite_id=a", "https://a.com/", "suite_id"},
		{"url=https://a.com/&noncestr=n&timestamp=1", "https://a.com/", "noncestr"},
		{"url=https://a.com/100%", "", "url"},
		{"url=https://a.com/%zz", "", "url"},
		{"url=https://a.com/&corp_id=%f", "https://a.com/", "corp_id"},
		{"url=https://a.com/&%zz=1", "https://a.com/", "%zz"},
		{"url=https://a.com/&corp_id=", "https://a.com/", "corp_id"},
		{"url=https://a.com/&agent_id=", "https://a.com/", "agent_id"},
		{"url=https://a.com/&agent_id=0", "https://a.com/", "agent_id"},
		{"url=https://a.com/&agent_id=-1", "https://a.com/", "agent_id"},
		{"url=https://a.com/&agent_id=+1", "https://a.com/", "agent_id"},
		{"url=https://a.com/&agent_id=01", "https://a.com/", "agent_id"},
		{"url=https://a.com/&agent_id=1.0", "https://a.com/", "agent_id"},
		{"url=https://a.com/&agent_id=1e3", "https://a.com/", "agent_id"},
		{"url=https://a.com/&agent_id=undefined", "https://a.com/", "agent_id"},
		{"url=https://a.com/&agent_id=9223372036854775808", "https://a.com/", "agent_id"},
		{"url=https://a.com/&x%0d%0aSet-Cookie:y=1", "https://a.com/", "x%0d%0aSet-Cookie:y"},
	} {
		q, err := parseSignQuery(tt.raw, true)
		if q.url != tt.url {
			t.Errorf("%q: url = %q, want %q", tt.raw, q.url, tt.url)
		}
		var f *fault
		if (err != nil) != (tt.wrong != "") || err != nil && (!errors.As(err, &f) || !errors.Is(err, errInvalidRequest) || f.fields[0].Pointer != tt.wrong) {
			t.Errorf("%q: error %v, want invalid_request that names %q", tt.raw, err, tt.wrong)
		}
	}
}

func TestUnknownAndRepeatedParametersNameEncodeURIComponent(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"url=https://a.com/?x=1&y=2", "url=https://a.com/?url=1&url=2", "url=https://a.com/100%"} {
		_, err := parseSignQuery(raw, true)
		var f *fault
		if !errors.As(err, &f) || !strings.Contains(f.en, "encodeURIComponent") || !strings.Contains(f.zh, "encodeURIComponent") {
			t.Errorf("%q: %v, want a detail that names encodeURIComponent in both languages", raw, err)
		}
	}
}

func TestAgentIDBelongsToAgentSignatures(t *testing.T) {
	t.Parallel()
	if _, err := parseSignQuery("url=https://a.com/&agent_id=1", false); !errors.Is(err, errInvalidRequest) {
		t.Errorf("agent_id without an agent: %v, want %v", err, errInvalidRequest)
	}
}

// Whatever the page's URL, encodeURIComponent brings it through unchanged.
func TestEncodedURLsComeThroughUnchanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		page := rapid.String().Draw(t, "page")
		encoded := strings.ReplaceAll(url.QueryEscape(page), "+", "%20") // what encodeURIComponent does
		q, err := parseSignQuery("url="+encoded+"&_=1", true)
		if err != nil && page != "" || q.url != page {
			t.Fatalf("url = %q, %v; want %q", q.url, err, page)
		}
	})
}

func FuzzParseSignQuery(f *testing.F) {
	f.Add("url=https%3A%2F%2Fa.com%2F&agent_id=1&_=2")
	f.Add("url=%&&=&=%zz&url")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseSignQuery(raw, true)
		if err == nil && q.agentID != nil && *q.agentID <= 0 {
			t.Errorf("%q: agent_id %d", raw, *q.agentID)
		}
	})
}

func TestCallbackQuery(t *testing.T) {
	t.Parallel()
	const good = "msg_signature=ab&timestamp=1&nonce=n&echostr=x%2By%3D"
	for _, tt := range []struct {
		raw, echostr, wrong string
	}{
		{good, "x+y=", ""},
		{"msg_signature=ab&timestamp=1&nonce=n&echostr=x+y=", "x+y=", ""},
		{good + "&corpid=wp1&corpid=wp2&%zz", "x+y=", ""},
		{good + "&msg_signature=cd", "", "msg_signature"},
		{good + "&timestamp=1", "", "timestamp"},
		{good + "&nonce=m", "", "nonce"},
		{good + "&%6eonce=m", "", "nonce"},
		{good + "&echostr=z", "", "echostr"},
		{"timestamp=1&nonce=n&echostr=x", "", "msg_signature"},
		{"msg_signature=&timestamp=1&nonce=n&echostr=x", "", "msg_signature"},
		{"msg_signature=ab&nonce=n&echostr=x", "", "timestamp"},
		{"msg_signature=ab&timestamp=1&echostr=x", "", "nonce"},
		{"msg_signature=ab&timestamp=1&nonce=n", "", "echostr"},
		{"msg_signature=ab&timestamp=1&nonce=n&echostr=%", "", "echostr"},
		{"", "", "msg_signature"},
	} {
		values, err := callbackQuery(tt.raw, "msg_signature", "timestamp", "nonce", "echostr")
		if values["echostr"] != tt.echostr {
			t.Errorf("%q: echostr = %q, want %q", tt.raw, values["echostr"], tt.echostr)
		}
		var f *fault
		if (err != nil) != (tt.wrong != "") || err != nil && (!errors.As(err, &f) || f.fields[0].Pointer != tt.wrong) {
			t.Errorf("%q: %v, want an error that names %q", tt.raw, err, tt.wrong)
		}
	}
}
