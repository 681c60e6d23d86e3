package jsapi_test

import (
	"testing"

	"suitesign/wecom/jsapi"
)

func TestClientOf(t *testing.T) {
	t.Parallel()
	type client = jsapi.Client
	for ua, want := range map[string]client{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 wxwork/4.1.20 MicroMessenger/7.0.1 Language/zh": {App: "wecom", Platform: "ios", Version: "4.1.20"},
		"Mozilla/5.0 (Linux; Android 13; V2183A) AppleWebKit/537.36 Mobile Safari/537.36 MicroMessenger/8.0.42":                                    {App: "wechat", Platform: "android", Version: "8.0.42"},
		"Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 Chrome/86 Safari/537.36 wxwork/3.0.16 (MicroMessenger/6.2) WindowsWechat":         {App: "wecom", Platform: "windows", Version: "3.0.16"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 WXWork/4.0.8":                                                        {App: "wecom", Platform: "mac", Version: "4.0.8"},
		"Mozilla/5.0 (X11; Linux x86_64) Chrome/120": {App: "other"},
		"": {App: "other"},
	} {
		if got := jsapi.ClientOf(ua); got != want {
			t.Errorf("ClientOf(%q) = %+v, want %+v", ua, got, want)
		}
	}
}

func TestBefore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"3.0.9", "3.0.24", true},
		{"3.0.24", "3.0.24", false},
		{"3.1", "3.0.24", false},
		{"4", "4.0.1", true},
		{"4.0", "4", false},
		{"4.1.20.6001", "4.1.20", false},
		{"", "1.0", true},
	} {
		if got := jsapi.Before(tt.a, tt.b); got != tt.want {
			t.Errorf("Before(%s, %s) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestIn(t *testing.T) {
	t.Parallel()
	type client = jsapi.Client
	for _, tt := range []struct {
		api   string
		in    client
		want  jsapi.Fit
		since string
	}{
		{"scanQRCode", client{"wecom", "mac", "1.0"}, jsapi.Runs, ""},
		{"sendChatMessage", client{"wecom", "ios", "2.8.9"}, jsapi.TooOld, "2.8.10"},
		{"sendChatMessage", client{"wecom", "ios", "2.8.10"}, jsapi.Runs, "2.8.10"},
		{"sendChatMessage", client{"wecom", "ios", ""}, jsapi.Runs, "2.8.10"},
		{"sendChatMessage", client{"wechat", "ios", "8.0"}, jsapi.WrongApp, "2.8.10"},
		{"navigateToAddCustomer", client{"wecom", "windows", "4.0"}, jsapi.WrongPlatform, "3.0.36"},
		{"navigateToAddCustomer", client{"wecom", "", "4.0"}, jsapi.Runs, "3.0.36"},
		{"setClipboardData", client{"wecom", "mac", "3.1.1"}, jsapi.TooOld, "3.1.2"},
		{"setClipboardData", client{"wecom", "ios", "3.1.1"}, jsapi.Runs, "2.4.16"},
		{"selectEnterpriseContact", client{"wechat", "android", "8.0"}, jsapi.Runs, "6.5.10"},
		{"selectEnterpriseContact", client{"wechat", "windows", "8.0"}, jsapi.WrongPlatform, "6.5.10"},
		{"updateAppMessageShareData", client{"wecom", "ios", "4.0"}, jsapi.WrongApp, ""},
		{"updateAppMessageShareData", client{"other", "", ""}, jsapi.Runs, ""},
	} {
		a, ok := jsapi.Find(tt.api)
		if got, s := a.In(tt.in); !ok || got != tt.want || s.Since != tt.since {
			t.Errorf("%s in %+v = %v since %q, want %v since %q", tt.api, tt.in, got, s.Since, tt.want, tt.since)
		}
	}
}

func TestOpensFrom(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		api, entry string
		on         jsapi.Platform
		since      string
		want       bool
	}{
		{"scanQRCode", "normal", "ios", "", true},
		{"getCurExternalContact", "normal", "ios", "", false},
		{"getCurExternalContact", "single_kf_tools", "ios", "3.1.10", true},
		{"sendChatMessage", "chat_attachment", "windows", "3.1.6", true},
		{"sendChatMessage", "chat_attachment", "mac", "", false},
	} {
		a, _ := jsapi.Find(tt.api)
		if since, ok := a.OpensFrom(tt.entry, tt.on); ok != tt.want || since != tt.since {
			t.Errorf("%s from %s on %s = %q, %v; want %q, %v", tt.api, tt.entry, tt.on, since, ok, tt.since, tt.want)
		}
	}
}
