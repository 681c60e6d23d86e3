package wecom_test

import (
	"errors"
	"strings"
	"testing"

	"suitesign/wecom"
)

func TestCheckBaseURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in string
		ok bool
	}{
		{"", true}, // the real platform
		{wecom.DefaultBaseURL, true},
		{"https://qyapi.weixin.qq.com/", true},
		{"https://egress.example:8443/wecom", true},
		{"http://127.0.0.1:8090", true},
		{"http://127.1.2.3", true},
		{"http://[::1]:8090", true},
		{"http://localhost:8090", true},
		{"http://qyapi.weixin.qq.com", false},
		{"http://10.0.0.1:8090", false},
		{"http://0.0.0.0:8090", false},
		{"http://localhost.example:8090", false},
		{"http://127.0.0.1.example", false},
		{"http://[::2]", false},
		{"https://user:CANARY@host", false},
		{"https://CANARY@host", false},
		{"https://host?access_token=CANARY", false},
		{"https://host?", false},
		{"https://host#CANARY", false},
		{"https://host#", false},
		{"https://", false},
		{"https:host", false},
		{"//host", false},
		{"host:8090", false},
		{"ftp://127.0.0.1", false},
		{"https://ho st", false},
		{"https://host:CANARY", false},
		{"https://host\n", false},
	} {
		err := wecom.CheckBaseURL(tt.in)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, wecom.ErrBaseURL) {
			t.Errorf("CheckBaseURL(%q) = %v, want ok %v", tt.in, err, tt.ok)
		}
		if err != nil && strings.Contains(prints(err), "CANARY") {
			t.Errorf("CheckBaseURL(%q) shows what may be a password: %v", tt.in, err)
		}
	}
}
