package wecomtest

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"suitesign/wecom"
	"suitesign/wecom/jsapi"
)

// Identity is which of the two registrations a page makes.
type Identity string

// The registrations.
const (
	ConfigIdentity Identity = "config"       // wx.config, the corp's jsapi_ticket
	AgentIdentity  Identity = "agent_config" // wx.agentConfig, the app's
)

// Check is a registration as the client sees it: what the page handed over, and
// the URL it is really at.
type Check struct {
	Kind      Identity
	SuiteID   wecom.SuiteID // empty: any app of the corp; the client does not know suites, tests do
	CorpID    wecom.CorpID
	AgentID   string // agent_config only; the SDK makes it a string
	URL       string // location.href
	Timestamp string
	NonceStr  string
	Signature string
	JSAPIList []string // SDK names or the client's
}

// Reason says in one word why a registration is accepted or not.
type Reason string

// The reasons.
const (
	Accepted          Reason = "ok"
	MissingCorpID     Reason = "missing_corp_id"
	UnknownCorp       Reason = "unknown_corp"
	MissingAgentID    Reason = "missing_agent_id"
	UnknownAgent      Reason = "unknown_agent"
	MissingSignature  Reason = "missing_signature" // or timestamp, or nonceStr
	BadTimestamp      Reason = "bad_timestamp"     // not seconds
	BadURL            Reason = "bad_url"
	UntrustedDomain   Reason = "untrusted_domain"
	NoTicket          Reason = "no_ticket"  // nobody ever fetched one
	WrongKind         Reason = "wrong_kind" // the other kind of ticket
	OtherApp          Reason = "other_app"  // the ticket of another app of the corp
	ExpiredTicket     Reason = "expired_ticket"
	RevokedTicket     Reason = "revoked_ticket"
	URLMismatch       Reason = "url_mismatch" // right ticket, but another spelling of the URL
	DamagedString     Reason = "damaged_string"
	SignatureMismatch Reason = "signature_mismatch"
	AppUnavailable    Reason = "app_unavailable" // disabled, inactive or dissolved
)

// Verdict is the client's answer to a registration, and what it does not tell.
type Verdict struct {
	OK          bool            `json:"ok"`
	ErrMsg      string          `json:"err_msg"` // agentConfig:ok, preVerifyJSAPI:invalid signature, …
	Errcode     int             `json:"errcode"`
	Reason      Reason          `json:"reason"`
	Detail      string          `json:"detail"` // a sentence for whoever debugs the page
	CheckResult map[string]bool `json:"checkResult"`
	SuiteID     wecom.SuiteID   `json:"suite_id,omitempty"` // whose ticket it was
	AgentID     wecom.AgentID   `json:"agent_id,omitempty"`
	ThirdParty  bool            `json:"third_party"` // the app is a suite's
	AppKind     jsapi.Kind      `json:"app_kind,omitempty"`
}

// JSAPI checks a registration against the tickets that live now.
func (s *Server) JSAPI(c Check) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.newChecker(c)
	v := k.check()
	v.ErrMsg = k.name() + ":" + v.ErrMsg
	s.cfg.Log.Info("registration", "kind", c.Kind, "corp_id", c.CorpID, "reason", v.Reason, "errcode", v.Errcode)
	return v
}

// checker is one registration being looked at.
type checker struct {
	Check
	s    *Server
	now  time.Time
	page string // the URL without its fragment
	co   *corp
	apps []*app // that the registration may be of
}

func (s *Server) newChecker(c Check) *checker {
	page, _, _ := strings.Cut(c.URL, "#")
	return &checker{Check: c, s: s, now: s.now(), page: page}
}

func (k *checker) name() string {
	if k.Kind == AgentIdentity {
		return "agentConfig"
	}
	return "preVerifyJSAPI"
}

func (k *checker) fail(code int, reason Reason, detail string) Verdict {
	text := refuse(code).short()
	return Verdict{ErrMsg: text, Errcode: code, Reason: reason, Detail: detail, CheckResult: map[string]bool{}}
}

func (k *checker) check() Verdict {
	if v, wrong := k.checkWho(); wrong {
		return v
	}
	if v, wrong := k.checkFields(); wrong {
		return v
	}
	if v, wrong := k.checkDomain(); wrong {
		return v
	}
	return k.checkSignature()
}

// checkWho finds the corp and the apps in question.
func (k *checker) checkWho() (Verdict, bool) {
	if k.CorpID == "" || k.CorpID == "undefined" {
		return k.fail(40013, MissingCorpID, "The page named no corpId."), true
	}
	k.co = k.s.corps[k.CorpID]
	if k.co == nil {
		return k.fail(40013, UnknownCorp, "No corp has the id "+string(k.CorpID)+"."), true
	}
	for _, a := range k.co.apps {
		if a.installed && (k.SuiteID == "" || a.suiteID() == k.SuiteID) {
			k.apps = append(k.apps, a)
		}
	}
	if k.Kind != AgentIdentity {
		return Verdict{}, false
	}
	if k.AgentID == "" || k.AgentID == "undefined" || k.AgentID == "null" {
		return k.fail(40056, MissingAgentID, "The page named no agentId: the SDK makes \"undefined\" of an agentId that was left out."), true
	}
	id, err := strconv.ParseInt(k.AgentID, 10, 64)
	for _, a := range k.apps {
		if err == nil && a.hasAgent(wecom.AgentID(id)) {
			k.apps = []*app{a}
			return Verdict{}, false
		}
	}
	return k.fail(40056, UnknownAgent, "Corp "+string(k.CorpID)+" has no app with the agentId "+k.AgentID+"."), true
}

func (k *checker) checkFields() (Verdict, bool) {
	if k.Signature == "" || k.NonceStr == "" || k.Timestamp == "" {
		return k.fail(40093, MissingSignature, "signature, nonceStr and timestamp must all be there."), true
	}
	if n, err := strconv.ParseInt(k.Timestamp, 10, 64); err != nil || n <= 0 || n > 99_999_999_999 {
		return k.fail(40093, BadTimestamp, "The timestamp must be Unix seconds, not milliseconds or a date."), true
	}
	u, err := url.Parse(k.page)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return k.fail(40048, BadURL, "The page's URL is no http or https URL."), true
	}
	return Verdict{}, false
}

// checkDomain keeps the apps whose pages may live on the page's host.
func (k *checker) checkDomain() (Verdict, bool) {
	u, err := url.Parse(k.page)
	if err != nil {
		return k.fail(40048, BadURL, err.Error()), true
	}
	var trusting []*app
	for _, a := range k.apps {
		domains, named := a.trusted()
		if !named || covered(u, domains, a.exactDomains()) {
			trusting = append(trusting, a)
		}
	}
	if len(trusting) == 0 {
		code := 40048
		if k.Kind == AgentIdentity {
			code = 80001
		}
		return k.fail(code, UntrustedDomain, "The host "+u.Host+" is on no trusted domain of the app."), true
	}
	k.apps = trusting
	return Verdict{}, false
}

// covered reports whether a trusted domain covers a page. The platform's have no
// port, and then any port will do.
func covered(page *url.URL, domains []string, exact bool) bool {
	host := strings.ToLower(page.Hostname())
	for _, d := range domains {
		d = strings.ToLower(d)
		name, port, hasPort := strings.Cut(d, ":")
		if hasPort && port != page.Port() {
			continue
		}
		if host == name || !exact && strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	return false
}

func (k *checker) kind() Kind {
	if k.Kind == AgentIdentity {
		return AgentTicket
	}
	return JSAPITicket
}

// checkSignature looks for the ticket that was signed with: among those that may
// be used, and then among those that people confuse them with.
func (k *checker) checkSignature() Verdict {
	for _, a := range k.apps {
		if c := k.signedBy(*a.slotOf(k.kind()), k.page); c != nil {
			return k.judge(a, c)
		}
	}
	if v, found := k.confused(); found {
		return v
	}
	for _, a := range k.apps {
		if len(*a.slotOf(k.kind())) > 0 {
			return k.fail(40093, SignatureMismatch, "No ticket of the app makes this signature for "+k.page+".")
		}
	}
	return k.fail(42012, NoTicket, "Nobody has fetched a "+string(k.kind())+" ticket of this app yet.")
}

func (k *checker) signedBy(sl slot, page string) *credential {
	for i := len(sl) - 1; i >= 0; i-- {
		if k.matches(sl[i].value, page) {
			return sl[i]
		}
	}
	return nil
}

func (k *checker) matches(ticket, page string) bool {
	return signature(ticket, k.NonceStr, k.Timestamp, page) == k.Signature
}

func (k *checker) judge(a *app, c *credential) Verdict {
	switch {
	case c.revoked:
		return k.fail(42012, RevokedTicket, "The ticket was revoked; fetch it again.")
	case !c.live(k.now):
		return k.fail(42012, ExpiredTicket, "The ticket expired at "+c.expires.UTC().Format(time.RFC3339)+".")
	case a.trouble != 0:
		return k.fail(a.trouble, AppUnavailable, refuse(a.trouble).short()+".")
	}
	v := Verdict{OK: true, ErrMsg: "ok", Reason: Accepted, Detail: "The registration is valid.", CheckResult: map[string]bool{},
		SuiteID: a.suiteID(), ThirdParty: !a.internal(), AppKind: a.kind()}
	if len(a.agents) > 0 {
		v.AgentID = a.agents[0].AgentID
	}
	if id, err := strconv.ParseInt(k.AgentID, 10, 64); err == nil && k.Kind == AgentIdentity {
		v.AgentID = wecom.AgentID(id)
	}
	for _, api := range k.JSAPIList {
		v.CheckResult[api] = permitted(api, k.Kind, a.kind())
	}
	return v
}

// confused tries what goes wrong in practice, so that the verdict can say it.
func (k *checker) confused() (Verdict, bool) {
	other := JSAPITicket
	if k.kind() == JSAPITicket {
		other = AgentTicket
	}
	for _, a := range k.apps {
		if k.signedBy(*a.slotOf(other), k.page) != nil {
			return k.fail(42012, WrongKind, "Signed with the "+string(other)+" ticket; this registration needs the "+string(k.kind())+" ticket."), true
		}
	}
	for _, a := range k.co.apps {
		for _, kind := range []Kind{JSAPITicket, AgentTicket} {
			if k.signedBy(*a.slotOf(kind), k.page) != nil {
				return k.fail(42012, OtherApp, "Signed with a ticket of another app of this corp: "+a.String()+"."), true
			}
		}
	}
	for _, a := range k.apps {
		for _, c := range *a.slotOf(k.kind()) {
			for _, page := range k.misspellings() {
				if k.matches(c.value, page) {
					return k.fail(40093, URLMismatch, "Signed for "+page+", but the page is at "+k.page+"."), true
				}
			}
			if k.damaged(c.value) {
				return k.fail(40093, DamagedString, "The string that was signed has a multiplication sign where &timestamp= belongs."), true
			}
		}
	}
	return Verdict{}, false
}

// misspellings are what a page's URL is mistaken for.
func (k *checker) misspellings() []string {
	beforeQuery, _, _ := strings.Cut(k.page, "?")
	list := []string{k.URL, strings.TrimSuffix(k.page, "/"), k.page + "/", beforeQuery, strings.ToLower(k.page),
		url.QueryEscape(k.page), strings.Replace(k.page, "https://", "http://", 1), strings.Replace(k.page, "http://", "https://", 1)}
	if i := strings.Index(k.page, "&"); i >= 0 { // the query parameter was not encoded
		list = append(list, k.page[:i])
	}
	if u, err := url.Parse(k.page); err == nil {
		list = append(list, u.Scheme+"://"+u.Host, u.Scheme+"://"+u.Host+"/", u.Scheme+"://"+u.Host+u.Path, u.String())
	}
	for _, decode := range []func(string) (string, error){url.QueryUnescape, url.PathUnescape} {
		if d, err := decode(k.page); err == nil {
			list = append(list, d)
		}
	}
	return list
}

// damaged tries the string that an HTML converter makes: &times is an entity.
func (k *checker) damaged(ticket string) bool {
	return sum("jsapi_ticket="+ticket+"&noncestr="+k.NonceStr+"\u00d7tamp="+k.Timestamp+"&url="+k.page) == k.Signature
}
