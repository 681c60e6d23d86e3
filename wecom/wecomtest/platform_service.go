package wecomtest

import (
	"encoding/json"
	"slices"
	"strings"

	"suitesign/wecom"
)

// The calls of a service provider: /cgi-bin/service/….

func (s *Server) getSuiteToken(c *call) (reply, *refusal) {
	if c.empty { // a dropped body shows as an invalid suite_id
		return nil, refuse(40083)
	}
	id, secret, ticket := c.str("suite_id"), c.str("suite_secret"), c.str("suite_ticket")
	switch {
	case id == "":
		return nil, refuse(41021)
	case secret == "":
		return nil, refuse(41024)
	case ticket == "":
		return nil, refuse(41023)
	}
	su := s.suites[wecom.SuiteID(id)]
	switch {
	case su == nil:
		return nil, refuse(40083)
	case secret != su.Secret:
		return nil, refuse(40080)
	case !allowed(su.AllowedIPs, c.ip):
		return nil, refuse(60020)
	case !su.knowsTicket(ticket, c.at):
		return nil, refuse(40085)
	}
	cred, expires := s.issue(&su.tokens, credential{kind: SuiteAccessToken, suite: su})
	return reply{{"suite_access_token", cred.value}, {"expires_in", expires}}, nil // no errcode
}

func (s *Server) getProviderToken(c *call) (reply, *refusal) {
	id, secret := c.str("corpid"), c.str("provider_secret")
	switch {
	case id == "":
		return nil, refuse(41002)
	case secret == "":
		return nil, refuse(41004)
	}
	p := s.providers[wecom.CorpID(id)]
	switch {
	case p == nil:
		return nil, refuse(40013)
	case secret != p.secret: // a suite_secret, too
		return nil, refuse(40001)
	}
	cred, expires := s.issue(&p.tokens, credential{kind: ProviderAccessToken, vendor: p})
	return ok(field{"provider_access_token", cred.value}, field{"expires_in", expires}), nil
}

// suiteCall is what every call with a suite_access_token checks first.
func (s *Server) suiteCall(c *call) (*suite, *refusal) {
	su, r := s.suiteOf(c.query.Get("suite_access_token"))
	if r != nil {
		return nil, r
	}
	if !allowed(su.AllowedIPs, c.ip) {
		return nil, refuse(60020)
	}
	return su, nil
}

func (s *Server) getPreAuthCode(c *call) (reply, *refusal) {
	su, r := s.suiteCall(c)
	if r != nil {
		return nil, r
	}
	life := s.cfg.Lifetimes.PreAuthCode
	p := &preAuthCode{value: opaque(48), suite: su, expires: c.at.Add(life)}
	for v, old := range s.preAuth { // a few at most: they live for minutes
		if c.at.Sub(old.expires) > life {
			delete(s.preAuth, v)
		}
	}
	s.preAuth[p.value] = p
	s.changed()
	return ok(field{"pre_auth_code", p.value}, field{"expires_in", seconds(life)}), nil
}

func (s *Server) setSessionInfo(c *call) (reply, *refusal) {
	su, r := s.suiteCall(c)
	if r != nil {
		return nil, r
	}
	p, r := s.preAuthCodeOf(su, c.str("pre_auth_code"))
	if r != nil {
		return nil, r
	}
	var info struct {
		AuthType int   `json:"auth_type"`
		AppID    []int `json:"appid"`
	}
	if raw := c.body["session_info"]; raw == nil || json.Unmarshal(raw, &info) != nil {
		return nil, refuseParam("invalid param 'session_info'")
	}
	if info.AuthType != 0 && info.AuthType != 1 {
		return nil, refuseParam("invalid param 'auth_type'")
	}
	p.authType = info.AuthType
	s.changed()
	return ok(), nil
}

// preAuthCodeOf finds a pre_auth_code that an installation may still begin with.
func (s *Server) preAuthCodeOf(su *suite, value string) (*preAuthCode, *refusal) {
	p := s.preAuth[value]
	switch {
	case p == nil || p.used:
		return nil, refuse(40077)
	case p.suite != su:
		return nil, refuse(48003)
	case !s.now().Before(p.expires):
		return nil, refuse(42007)
	}
	return p, nil
}

// exchange turns an auth_code into the authorization it stands for: once.
func (s *Server) exchange(c *call) (*app, *authCode, *refusal) {
	su, r := s.suiteCall(c)
	if r != nil {
		return nil, nil, r
	}
	v := c.str("auth_code")
	switch {
	case v == "":
		return nil, nil, refuse(41008)
	case len(v) < 64 || len(v) > 512:
		return nil, nil, refuseParam("invalid length of param 'auth_code'")
	}
	code := s.authCodes[v]
	switch {
	case code == nil || code.used || !c.at.Before(code.expires):
		return nil, nil, refuse(40078)
	case code.app.suite != su:
		return nil, nil, refuse(48003)
	case !code.app.installed:
		return nil, nil, refuse(40078)
	}
	code.used = true
	a := code.app
	delete(s.secrets, a.secret)
	a.secret = code.permanentCode
	if su.Kind == Customized {
		s.secrets[a.secret] = a
	}
	s.changed()
	return a, code, nil
}

func (s *Server) getPermanentCode(c *call) (reply, *refusal) {
	a, code, r := s.exchange(c)
	if r != nil {
		return nil, r
	}
	var out reply // no errcode
	if a.suite.Kind != Customized {
		cred, expires := s.issue(&a.tokens, credential{kind: AccessToken, app: a})
		out = reply{{"access_token", cred.value}, {"expires_in", expires}}
	}
	out = append(out, field{"permanent_code", a.secret},
		field{"auth_corp_info", corpInfo(a, true)},
		field{"auth_info", agentInfo(a)},
		field{"auth_user_info", adminInfo()})
	if code.state != "" {
		out = append(out, field{"state", code.state})
	}
	return out, nil
}

func (s *Server) getPermanentCodeV2(c *call) (reply, *refusal) {
	a, code, r := s.exchange(c)
	if r != nil {
		return nil, r
	}
	out := ok(field{"permanent_code", a.secret},
		field{"auth_corp_info", reply{{"corpid", a.suite.corpID(a.corp)}, {"corp_name", a.corp.Name}}},
		field{"auth_user_info", adminInfo()})
	if code.state != "" && a.suite.Kind == Customized {
		out = append(out, field{"state", code.state})
	}
	return out, nil
}

// authorized checks auth_corpid and permanent_code.
func (s *Server) authorized(c *call, su *suite) (*app, *refusal) {
	id, code := c.str("auth_corpid"), c.str("permanent_code")
	switch {
	case id == "":
		return nil, refuse(41002)
	case code == "":
		return nil, refuse(41025)
	}
	co := s.corps[wecom.CorpID(id)]
	if co == nil {
		return nil, refuse(40013)
	}
	a := su.apps[co.CorpID]
	switch {
	case a == nil || a.secret == "":
		return nil, refuse(40084)
	case a.secret != code:
		return nil, refuse(40084)
	case !a.installed:
		return nil, refuse(48004)
	case a.trouble == 301007 || a.trouble == 2000002:
		return nil, refuse(a.trouble)
	}
	return a, nil
}

func (s *Server) getAuthInfo(c *call) (reply, *refusal) { return s.authInfo(c, true) }

func (s *Server) getAuthInfoV2(c *call) (reply, *refusal) { return s.authInfo(c, false) }

func (s *Server) authInfo(c *call, v1 bool) (reply, *refusal) {
	su, r := s.suiteCall(c)
	if r != nil {
		return nil, r
	}
	a, r := s.authorized(c, su)
	if r != nil {
		return nil, r
	}
	return ok(field{"auth_corp_info", corpInfo(a, v1)}, field{"auth_info", agentInfo(a)}), nil
}

func (s *Server) getCorpToken(c *call) (reply, *refusal) {
	su, r := s.suiteCall(c)
	if r != nil {
		return nil, r
	}
	a, r := s.authorized(c, su)
	switch {
	case r != nil:
		return nil, r
	case su.Kind == Customized: // its permanent_code is the corpsecret of gettoken
		return nil, refuse(48002)
	case a.trouble != 0:
		return nil, refuse(a.trouble)
	}
	cred, expires := s.issue(&a.tokens, credential{kind: AccessToken, app: a})
	return reply{{"access_token", cred.value}, {"expires_in", expires}}, nil // no errcode
}

func (s *Server) getAdminList(c *call) (reply, *refusal) {
	su, r := s.suiteCall(c)
	if r != nil {
		return nil, r
	}
	if c.str("auth_corpid") == "" {
		return nil, refuse(41002)
	}
	co := s.corps[wecom.CorpID(c.str("auth_corpid"))]
	if co == nil {
		return nil, refuse(40013)
	}
	a := su.apps[co.CorpID]
	if a == nil || !a.installed {
		return nil, refuse(48004)
	}
	var id wecom.AgentID
	if raw := c.body["agentid"]; raw == nil {
		return nil, refuse(41011)
	} else if json.Unmarshal(raw, &id) != nil || !a.hasAgent(id) {
		return nil, refuse(40056)
	}
	return ok(field{"admin", []reply{{{"userid", adminUser}, {"open_userid", adminOpenUser}, {"auth_type", 1}}}}), nil
}

func (s *Server) toOpenCorpID(c *call) (reply, *refusal) {
	p, r := s.vendorOf(c.query.Get("provider_access_token"))
	if r != nil {
		return nil, r
	}
	id := wecom.CorpID(c.str("corpid"))
	if id == "" {
		return nil, refuse(41002)
	}
	co := s.corps[id]
	if co == nil {
		return nil, refuse(40013)
	}
	related := slices.ContainsFunc(co.apps, func(a *app) bool { return a.suite != nil && a.suite.vendor == p && a.installed })
	if !related {
		return nil, refuse(48001)
	}
	return ok(field{"open_corpid", or(co.OpenCorpID, co.CorpID)}), nil
}

const (
	adminUser     = "zhangsan"
	adminOpenUser = "woAJ2GCAAAXtWyujaWJHDDGi0mAAAA"
)

func adminInfo() reply {
	return reply{{"userid", adminUser}, {"open_userid", adminOpenUser}, {"name", "张三"}, {"avatar", "https://wwcdn.weixin.qq.com/avatar/0"}}
}

func corpInfo(a *app, v1 bool) reply {
	r := reply{
		{"corpid", a.suite.corpID(a.corp)}, {"corp_name", a.corp.Name}, {"corp_type", "verified"},
		{"corp_square_logo_url", "https://wwcdn.weixin.qq.com/logo/0"}, {"corp_user_max", 200},
		{"corp_full_name", a.corp.Name}, {"verified_end_time", 2_000_000_000}, {"subject_type", 1},
		{"corp_scale", "1-50人"}, {"corp_industry", "IT服务"}, {"corp_sub_industry", "计算机软件/硬件/信息服务"},
	}
	if v1 {
		return append(r, field{"corp_wxqrcode", "https://wwcdn.weixin.qq.com/qrcode/0"})
	}
	return append(r, field{"corp_ex_name", reply{{"name_list", []string{a.corp.Name}}}})
}

func agentInfo(a *app) reply {
	agents := make([]reply, 0, len(a.agents))
	for _, g := range a.agents {
		agents = append(agents, reply{
			{"agentid", g.AgentID}, {"name", g.Name},
			{"round_logo_url", "https://wwcdn.weixin.qq.com/round/0"}, {"square_logo_url", "https://wwcdn.weixin.qq.com/square/0"},
			{"auth_mode", 0}, {"is_customized_app", a.suite.Kind == Customized}, {"auth_from_thirdapp", false},
			{"privilege", reply{{"level", 1}, {"allow_party", []int{1}}, {"allow_user", []string{adminUser}}, {"allow_tag", []int{}},
				{"extra_party", []int{}}, {"extra_user", []string{}}, {"extra_tag", []int{}}}},
		})
	}
	return reply{{"agent", agents}}
}

// allowed reports whether an IP is on a list. An absent list allows all; a
// trailing .* stands for any last part.
func allowed(list []string, ip string) bool {
	if list == nil {
		return true
	}
	return slices.ContainsFunc(list, func(entry string) bool {
		if start, wild := strings.CutSuffix(entry, "*"); wild {
			return strings.HasPrefix(ip, start)
		}
		return entry == ip
	})
}
