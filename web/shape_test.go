package web

import (
	"regexp"
	"strings"
	"testing"

	"suitesign/tenant"
)

// Every reason of the tenant room is told in Chinese too.
func TestShapesAreToldInBothLanguages(t *testing.T) {
	t.Parallel()
	errs := map[string]error{}
	for _, in := range []string{
		"", "https://a.com/" + strings.Repeat("x", tenant.MaxURL), "ftp://a.com/", "https://u@a.com/", `https://a.com\b/`, "https://a.com/ b",
		"https://a.com/\xff", "https://a%2ecom/", "https://A.com/", "https://ａ.com/", "https://127.0.0.1/", "https://?x", "https://a..com/",
		"https://a.com./", "https://a/", "https://" + strings.Repeat("a.", 130) + "com/", "https://a_b.com/", "https://xn--a.com/",
		"https://a.com:0/", "https://a.com:443/",
	} {
		_, errs["url "+in] = tenant.PageOf(in)
	}
	for _, in := range []string{
		"", strings.Repeat("a", 5000) + ".com", "https://a.com", "u@a.com", "*.a.com", "a b.com", "a\xff.com", "10.0.0.1", "a.com.", "a",
		"h5.localhost", "a.com:0", "a..com", "xn--a.com", "co.uk", "myqcloud.com",
	} {
		_, errs["domain "+in] = tenant.ParseDomain(in)
	}
	errs["file name"] = tenant.CheckVerificationFile("x", "abcdefgh")
	errs["file content"] = tenant.CheckVerificationFile("WW_verify_abcdefgh.txt", "?")
	englishReason := regexp.MustCompile(`[a-z]+ [a-z]+ [a-z]+`)
	for name, err := range errs {
		en, zh, ok := shapeDetail(err)
		if !ok || en == "" || englishReason.MatchString(zh) {
			t.Errorf("%.60s: %v: %q, %q, %v; want both languages", name, err, en, zh, ok)
		}
	}
}
