package explain

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"suitesign/tenant"
)

// told is what an error says: WeCom's errcode, the client's words, the SDK's or
// this service's.
type told struct {
	errcode int
	text    string // in lower case
}

var number = regexp.MustCompile(`\d+`)

// errcodes are those that this package knows something of, by what they are about
// (developer.work.weixin.qq.com/document/path/90313).
var errcodes = map[string][]int{
	"signature":  {40093, 42012},
	"corp":       {40013, 41002},
	"agent":      {40056},
	"domain":     {40048, 80001, 85008, 85111},
	"unverified": {85005},
	"app":        {50003, 48006, 60031, 85009, 48004, 301007},
	"permission": {48001, 48002, 60011, 60021, 60030, 301002},
}

// words of the clients, by what they are about.
var words = map[string][]string{
	"signature":  {"invalid signature", "invalid_signature", "签名错误"},
	"domain":     {"invalid url domain", "invalid trusted domain"},
	"corp":       {"invalid corpid", "missing corpid"},
	"agent":      {"invalid agentid"},
	"permission": {"permission", "fail_nopermission", "offline verifying"},
	"function":   {"function not exist", "function_not_exist", "not supported"},
}

// read reads an error's words; an errcode in them counts if it is a known one.
func read(text string, errcode int) told {
	t := told{errcode: errcode, text: strings.ToLower(text)}
	for _, n := range number.FindAllString(text, -1) {
		code, err := strconv.Atoi(n)
		if t.errcode == 0 && err == nil && known(code) {
			t.errcode = code
		}
	}
	return t
}

func known(errcode int) bool {
	for _, codes := range errcodes {
		if slices.Contains(codes, errcode) {
			return true
		}
	}
	return false
}

// about reports whether an error is about a thing. A code says it better than words.
func (t told) about(thing string) bool {
	if t.errcode != 0 {
		return slices.Contains(errcodes[thing], t.errcode)
	}
	return slices.ContainsFunc(words[thing], func(w string) bool { return strings.Contains(t.text, w) })
}

func (t told) says(word string) bool { return strings.Contains(t.text, word) }

// any reports whether there is an error at all.
func (t told) any() bool { return t.errcode != 0 || t.text != "" }

// reasonOf says in words why a URL is refused.
func reasonOf(err error) string {
	var shape *tenant.ShapeError
	if errors.As(err, &shape) {
		return shape.Reason
	}
	return err.Error()
}

// explainError says what the error means where nothing that was looked at explains it.
func (e *explainer) explainError() {
	code := args{"errcode": strconv.Itoa(e.said.errcode)}
	switch {
	case e.said.about("unverified"):
		e.find(DomainUnverified, Error, code, e.host()...)
	case e.said.about("domain") && !e.has(UntrustedDomain, HTTPNotTrusted, PortNotTrusted, SubdomainNotTrusted):
		e.find(DomainRefused, Error, code, e.host()...)
	case e.said.about("app"):
		e.find(AppUnavailable, Error, code)
	case e.said.says("origin_mismatch"):
		e.find(OriginMismatch, Error, nil)
	case e.said.says("invalid_request") || e.said.says("unknown parameter") || e.said.says("is not known here"):
		e.find(URLNotEncoded, Warning, nil)
	case e.said.says("missing getagentconfigsignature"):
		e.find(CallbackMissing, Error, args{"callback": "getAgentConfigSignature"})
	case e.said.says("missing getconfigsignature"):
		e.find(CallbackMissing, Error, args{"callback": "getConfigSignature"})
	case e.said.says("sdk error: aborted"):
		e.find(RegistrationAborted, Warning, nil)
	case e.said.about("permission") && !e.apiExplained():
		e.find(NoPermission, Warning, nil, e.apiNeeds()...)
	case e.said.about("signature"):
		e.explainRefusedSignature()
	}
}

// explainRefusedSignature is for a signature that the right ticket made for the
// page that was told, and that WeCom refuses all the same.
func (e *explainer) explainRefusedSignature() {
	if e.wrong() || e.match == nil {
		return
	}
	if e.inWeChatPhone() && e.entry == nil {
		e.find(WeChatEntryURL, Warning, nil)
	}
	if e.said.errcode == 42012 {
		e.find(TicketRefused, Warning, args{"kind": string(e.match.ticket.Kind), "tenant_id": e.match.app.ID.String()})
	}
	e.find(PageDiffers, Warning, nil)
}

// host is evidence of which host it is about.
func (e *explainer) host() []Evidence {
	if e.current.err != nil {
		return nil
	}
	return []Evidence{fact("host", "", e.current.parsed.Host)}
}
