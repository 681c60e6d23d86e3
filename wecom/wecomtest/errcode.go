package wecomtest

import (
	"fmt"
	"time"
)

// texts are the errmsgs of the errcodes that the simulator answers with
// (developer.work.weixin.qq.com/document/path/90313 lists the codes; the English
// is the platform's where it could be found in public, else in its manner).
var texts = map[int]string{
	-1:      "system busy",
	40001:   "invalid credential",
	40013:   "invalid corpid",
	40014:   "invalid access_token",
	40048:   "invalid url domain",
	40056:   "invalid agentid",
	40058:   "invalid Request Parameter",
	40077:   "invalid pre_auth_code",
	40078:   "invalid auth_code",
	40080:   "invalid suite_secret",
	40082:   "invalid suite or provider token",
	40083:   "invalid suite_id",
	40084:   "invalid permanent_code",
	40085:   "invalid suite_ticket",
	40091:   "invalid secret",
	40093:   "invalid signature",
	41001:   "access_token missing",
	41002:   "corpid missing",
	41004:   "corpsecret missing",
	41008:   "auth code missing",
	41011:   "agentid missing",
	41021:   "suite_id missing",
	41022:   "suite_access_token missing",
	41023:   "suite_ticket missing",
	41024:   "suite_secret missing",
	41025:   "permanent_code missing",
	42001:   "access_token expired",
	42007:   "pre_auth_code expired",
	42009:   "suite_access_token expired",
	42012:   "invalid jsapi_ticket",
	45009:   "api freq out of limit",
	45033:   "api concurrent out of limit",
	47001:   "data format error",
	48001:   "api unauthorized",
	48002:   "api forbidden",
	48003:   "invalid suite_id of token",
	48004:   "invalid authorization",
	48006:   "permission withdrawn because of inactivity",
	50003:   "app is disabled",
	60020:   "not allow to access from your ip",
	80001:   "invalid trusted domain",
	84025:   "invalid state",
	91040:   "unexpected param type",
	301002:  "not allow to use this agentid",
	301007:  "corp has been disbanded or blocked",
	2000002: "invalid corpid",
}

// refusal is an errcode that a call is answered with, and why, for the reader of
// the simulator's log.
type refusal struct {
	code int
	text string // instead of the usual one
}

func refuse(code int) *refusal { return &refusal{code: code} }

// refuseParam is a 40058 that names the parameter, as the platform's do.
func refuseParam(format string, a ...any) *refusal {
	return &refusal{code: 40058, text: fmt.Sprintf(format, a...)}
}

// errmsg is the platform's form: text, hint, egress IP, where to read more.
func (r *refusal) errmsg(now time.Time, ip string) string {
	return fmt.Sprintf("%s, hint: [%s], from ip: %s, more info at https://open.work.weixin.qq.com/devtool/query?e=%d",
		r.short(), hint(now), ip, r.code)
}

func (r *refusal) short() string {
	if r.text != "" {
		return r.text
	}
	if t, ok := texts[r.code]; ok {
		return t
	}
	return "error"
}
