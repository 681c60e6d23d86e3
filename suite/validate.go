package suite

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"suitesign/secret"
	"suitesign/wecom"
)

// ErrInvalid is what every [Invalid] is.
var ErrInvalid = errors.New("invalid suite")

// FieldFault is one field that cannot be as it is.
type FieldFault struct {
	Field  string // as the admin API calls it
	Detail string // what to do, in English
	Zh     string // and in Chinese
}

// Invalid lists every field that is wrong. It never holds a value.
type Invalid []FieldFault //nolint:errname // it reads as what it is in errors.As; ErrInvalid is its sentinel

// Error lists the faults.
func (f Invalid) Error() string {
	parts := make([]string, len(f))
	for i, fault := range f {
		parts[i] = fault.Field + ": " + fault.Detail
	}
	return ErrInvalid.Error() + ": " + strings.Join(parts, "; ")
}

// Unwrap makes every Invalid an ErrInvalid.
func (f Invalid) Unwrap() error { return ErrInvalid }

func (f *Invalid) add(field, detail, zh string) {
	*f = append(*f, FieldFault{Field: field, Detail: detail, Zh: zh})
}

func (f Invalid) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

const (
	maxSuiteID = 128
	maxCorpID  = 128
	maxName    = 200 // characters
	maxSecret  = 512 // bytes: what the platform promises of its own
)

// Validate reports everything that is wrong with a new suite, as an [Invalid].
func (n New) Validate() error {
	var f Invalid
	n.checkID(&f)
	switch n.Kind {
	case ThirdParty, Customized, Internal:
	default:
		f.add("kind", "must be third_party, customized or internal", "须为 third_party、customized 或 internal")
	}
	checkName(&f, n.Name)
	if n.Kind == Internal {
		n.checkInternal(&f)
	} else {
		checkSecrets(&f, n.SuiteSecret, n.CallbackToken, n.EncodingAESKey)
		checkProvider(&f, n.ProviderCorpID)
	}
	return f.err()
}

// checkID looks at the suite_id: it is a path segment of the callback URLs, and
// its first letters tell a template from a third-party app
// (developer.work.weixin.qq.com/document/path/97163). The wrong kind would call
// for tokens in the wrong way for every corp (48002), so it is refused here.
func (n New) checkID(f *Invalid) {
	id := string(n.ID)
	switch {
	case !wellFormedID(id, maxSuiteID):
		f.add("suite_id", "must be 1 to 128 letters, digits, '-' or '_'", "须为 1 到 128 个字母、数字、“-”或“_”")
	case n.Kind == Customized && !strings.HasPrefix(id, "dk"):
		f.add("suite_id", "the id of a customized template begins with dk; a third-party app has kind third_party",
			"代开发模板 id 以 dk 开头；第三方应用的 kind 为 third_party")
	case n.Kind == ThirdParty && strings.HasPrefix(id, "dk"):
		f.add("suite_id", "an id that begins with dk is a customized template: its kind is customized",
			"以 dk 开头的 id 是代开发模板，kind 应为 customized")
	}
}

func (n New) checkInternal(f *Invalid) {
	for _, v := range []struct {
		field string
		set   bool
	}{
		{"suite_secret", !n.SuiteSecret.IsZero()},
		{"callback_token", !n.CallbackToken.IsZero()},
		{"encoding_aes_key", !n.EncodingAESKey.IsZero()},
		{"provider_corp_id", n.ProviderCorpID != ""},
		{"install_test_mode", n.InstallTestMode},
	} {
		if v.set {
			f.add(v.field, "an internal suite has none: it has no callbacks and is not installed", "internal 类型没有回调和安装流程，不需要此项")
		}
	}
}

func checkName(f *Invalid, name string) {
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName || !utf8.ValidString(name) ||
		strings.TrimSpace(name) == "" || strings.ContainsFunc(name, unicode.IsControl) {
		f.add("name", "must be 1 to 200 characters, without control characters", "须为 1 到 200 个字符，不含控制字符")
	}
}

func checkSecrets(f *Invalid, suiteSecret, token, key secret.String) {
	if !visibleASCII(suiteSecret.Reveal(), maxSecret) {
		f.add("suite_secret", "must be the secret as the provider console shows it: 1 to 512 visible characters, no spaces",
			"须为服务商后台显示的 Secret：1 到 512 个可见字符，不含空格")
	}
	if !wellFormedToken(token) {
		f.add("callback_token", "must be the callback Token of the provider console: 1 to 32 letters and digits",
			"须为服务商后台的回调 Token：1 到 32 个字母或数字")
	}
	if !wellFormedKey(key) {
		f.add("encoding_aes_key", "must be the EncodingAESKey of the provider console: exactly 43 letters and digits",
			"须为服务商后台的 EncodingAESKey：恰好 43 个字母或数字")
	}
}

func checkProvider(f *Invalid, id wecom.CorpID) {
	if id != "" && !wellFormedID(string(id), maxCorpID) {
		f.add("provider_corp_id", "must be the provider's own corpid, or empty", "须为服务商自己的 corpid，或留空")
	}
}

// The pair is read by wecom; each half is tried beside one that is right, so
// that the fault names its field.
var (
	someToken = secret.New("x")
	someKey   = secret.New("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")
)

func wellFormedToken(token secret.String) bool {
	_, err := wecom.ParseCallbackKey(token, someKey)
	return err == nil
}

func wellFormedKey(key secret.String) bool {
	_, err := wecom.ParseCallbackKey(someToken, key)
	return err == nil
}

// wellFormedID accepts what can stand in a path and in a log line.
func wellFormedID(id string, longest int) bool {
	if id == "" || len(id) > longest {
		return false
	}
	for i := range len(id) {
		c := id[i]
		letter := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// visibleASCII accepts 1 to longest characters between ! and ~.
func visibleASCII(s string, longest int) bool {
	if s == "" || len(s) > longest {
		return false
	}
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return true
}
