package wecomtest

import (
	"strconv"
	"time"

	"suitesign/wecom"
)

// The calls that need a corp's access_token, and gettoken, which gives one.

func (s *Server) getToken(c *call) (reply, *refusal) {
	id, secret := c.query.Get("corpid"), c.query.Get("corpsecret")
	switch {
	case id == "":
		return nil, refuse(41002)
	case secret == "":
		return nil, refuse(41004)
	}
	co := s.corps[wecom.CorpID(id)]
	if co == nil {
		return nil, refuse(40013)
	}
	a := s.secrets[secret]
	switch {
	case a == nil:
		return nil, refuse(40001)
	case a.corp != co:
		return nil, refuse(40091)
	}
	if r := a.usable(c.ip); r != nil {
		return nil, r
	}
	cred, expires := s.issue(&a.tokens, credential{kind: AccessToken, app: a})
	return ok(field{"access_token", cred.value}, field{"expires_in", expires}), nil
}

// usable reports why an app may not be called for: its IP list, or its state.
func (a *app) usable(ip string) *refusal {
	list := a.ips
	if a.suite != nil {
		list = a.suite.AllowedIPs
	}
	switch {
	case !allowed(list, ip):
		return refuse(60020)
	case !a.installed:
		return refuse(48004)
	case a.trouble != 0:
		return refuse(a.trouble)
	}
	return nil
}

// appCall is what every call with an access_token checks first.
func (s *Server) appCall(c *call) (*app, *refusal) {
	a, r := s.appOf(c.query.Get("access_token"))
	if r != nil {
		return nil, r
	}
	return a, a.usable(c.ip)
}

func (s *Server) getJSAPITicket(c *call) (reply, *refusal) {
	a, r := s.appCall(c)
	switch {
	case r != nil:
		return nil, r
	case c.query.Has("type"): // that is ticket/get's
		return nil, refuse(91040)
	}
	return s.ticket(a, JSAPITicket), nil
}

func (s *Server) getAgentTicket(c *call) (reply, *refusal) {
	a, r := s.appCall(c)
	switch {
	case r != nil:
		return nil, r
	case c.query.Get("type") != string(AgentTicket):
		return nil, refuseParam("invalid param 'type'")
	case len(a.agents) == 0: // a contacts-type authorization has no app
		return nil, refuse(40056)
	}
	return s.ticket(a, AgentTicket), nil
}

func (s *Server) ticket(a *app, k Kind) reply {
	cred, expires := s.issue(a.slotOf(k), credential{kind: k, app: a})
	return ok(field{"ticket", cred.value}, field{"expires_in", expires})
}

func (s *Server) agentList(c *call) (reply, *refusal) {
	a, r := s.appCall(c)
	if r != nil {
		return nil, r
	}
	list := make([]reply, 0, len(a.agents))
	for _, g := range a.agents {
		list = append(list, reply{{"agentid", g.AgentID}, {"name", g.Name}, {"square_logo_url", "https://wwcdn.weixin.qq.com/square/0"}})
	}
	return ok(field{"agentlist", list}), nil
}

func (s *Server) agentGet(c *call) (reply, *refusal) {
	a, r := s.appCall(c)
	if r != nil {
		return nil, r
	}
	raw := c.query.Get("agentid")
	if raw == "" {
		return nil, refuse(41011)
	}
	id, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return nil, refuse(40056)
	}
	if !a.hasAgent(wecom.AgentID(id)) { // another app's, or nobody's
		return nil, refuse(301002)
	}
	name := ""
	for _, g := range a.agents {
		if g.AgentID == wecom.AgentID(id) {
			name = g.Name
		}
	}
	domain := ""
	if d, _ := a.trusted(); len(d) > 0 {
		domain = d[0]
	}
	out := ok(field{"agentid", id}, field{"name", name}, field{"square_logo_url", "https://wwcdn.weixin.qq.com/square/0"},
		field{"description", ""}, field{"allow_userinfos", reply{{"user", []reply{{{"userid", adminUser}}}}}},
		field{"allow_partys", reply{{"partyid", []int{1}}}}, field{"allow_tags", reply{{"tagid", []int{}}}},
		field{"close", 0}, field{"redirect_domain", domain}, field{"report_location_flag", 0}, field{"isreportenter", 0}, field{"home_url", ""})
	if a.suite != nil && a.suite.Kind == Customized {
		out = append(out, field{"customized_publish_status", 1})
	}
	return out, nil
}

func (s *Server) agentGetAdminList(c *call) (reply, *refusal) {
	if _, r := s.appCall(c); r != nil {
		return nil, r
	}
	return ok(field{"admin", []reply{{{"userid", adminUser}, {"auth_type", 1}}}}), nil
}

func (s *Server) agentGetPermissions(c *call) (reply, *refusal) {
	if _, r := s.appCall(c); r != nil {
		return nil, r
	}
	return ok(field{"app_permissions", []string{"contact:base:base"}}), nil
}

// getIPs answers with documentation addresses (RFC 5737): nothing comes from there.
func (s *Server) getIPs(c *call) (reply, *refusal) {
	if _, r := s.appCall(c); r != nil {
		return nil, r
	}
	return ok(field{"ip_list", []string{"192.0.2.*", "198.51.100.0/24"}}), nil
}

func seconds(d time.Duration) int { return int(d / time.Second) }
