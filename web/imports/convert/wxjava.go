package convert

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"suitesign/wecom"
)

// keys are the corps that the names of WxJava's Redis keys tell.
type keys struct {
	list []Corp
	has  map[Corp]bool
}

// corpKeys end the names of the keys that WxCpTpRedissonConfigImpl keeps of each
// corp: {keyPrefix}:{suiteId}:{authCorpId} and one of these. Its values are tokens
// and tickets; a permanent_code is not among them.
// https://github.com/Wechat-Group/WxJava, weixin-java-cp, WxCpTpRedissonConfigImpl
var corpKeys = []string{":accessTokenKey:", ":authCorpJsApiTicketKey:", ":authSuiteJsApiTicketKey:"}

func readKeys(in io.Reader) (keys, error) {
	k := keys{has: map[Corp]bool{}}
	if in == nil {
		return k, nil
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		c, ok := corpOfKey(strings.TrimSpace(lines.Text()))
		if ok && !k.has[c] {
			k.has[c] = true
			k.list = append(k.list, c)
		}
	}
	if err := lines.Err(); err != nil {
		return k, fmt.Errorf("names of keys: %w", err)
	}
	return k, nil
}

func corpOfKey(name string) (Corp, bool) {
	for _, end := range corpKeys {
		rest, ok := strings.CutSuffix(name, end)
		parts := strings.Split(rest, ":")
		if n := len(parts); ok && n >= 2 && parts[n-1] != "" && parts[n-2] != "" {
			return Corp{wecom.SuiteID(parts[n-2]), wecom.CorpID(parts[n-1])}, true
		}
	}
	return Corp{}, false
}

// suiteOf is the suite of a corp, where the keys name exactly one.
func (k keys) suiteOf(corp wecom.CorpID) (suite wecom.SuiteID) {
	for _, c := range k.list {
		if c.CorpID != corp {
			continue
		}
		if suite != "" {
			return ""
		}
		suite = c.SuiteID
	}
	return suite
}
