package wecom

import (
	"context"
	"slices"

	"suitesign/secret"
)

// AppToken fetches a corp's access_token with the secret of one app: an internal
// app's own, or a customised app's permanent_code
// (developer.work.weixin.qq.com/document/path/97164).
func (c *Client) AppToken(ctx context.Context, corp CorpID, corpSecret secret.String) (Grant[AccessToken], error) {
	var g Grant[AccessToken]
	err := c.do(ctx, request{api: APIAppToken, query: fields{
		{"corpid", string(corp)},
		{"corpsecret", corpSecret},
	}}, func(r *reply) { g = readAccessToken(r) })
	return orZero(g, err)
}

func readAccessToken(r *reply) Grant[AccessToken] {
	return Grant[AccessToken]{AccessToken{r.secret("access_token")}, r.expiresIn()}
}

// JSAPITicket fetches the ticket of the corp's identity. The call takes no type:
// with one it is 91040.
func (c *Client) JSAPITicket(ctx context.Context, t AccessToken) (Grant[JSAPITicket], error) {
	var g Grant[JSAPITicket]
	err := c.do(ctx, request{api: APIJSAPITicket, query: with(APIJSAPITicket, t.String)}, func(r *reply) {
		g = Grant[JSAPITicket]{JSAPITicket{r.secret("ticket")}, r.expiresIn()}
	})
	return orZero(g, err)
}

// AgentTicket fetches the ticket of the app's identity.
func (c *Client) AgentTicket(ctx context.Context, t AccessToken) (Grant[AgentTicket], error) {
	var g Grant[AgentTicket]
	err := c.do(ctx, request{api: APIAgentTicket, query: with(APIAgentTicket, t.String, field{"type", "agent_config"})}, func(r *reply) {
		g = Grant[AgentTicket]{AgentTicket{r.secret("ticket")}, r.expiresIn()}
	})
	return orZero(g, err)
}

// Agent is an app of a corp.
type Agent struct {
	AgentID AgentID
	Name    string
	LogoURL string
}

// AgentList lists the apps that the token sees, each once: for an app's token, that app.
func (c *Client) AgentList(ctx context.Context, t AccessToken) ([]Agent, error) {
	var agents []Agent
	err := c.do(ctx, request{api: APIAgentList, query: with(APIAgentList, t.String)}, func(r *reply) {
		for _, a := range r.requiredList("agentlist") {
			agent := readAgent(a)
			if !slices.ContainsFunc(agents, func(b Agent) bool { return b.AgentID == agent.AgentID }) {
				agents = append(agents, agent)
			}
		}
	})
	return orZero(agents, err)
}

// AgentDetail is all that is of use here about an app.
type AgentDetail struct {
	Agent
	Description    string
	Closed         bool   // switched off by the corp
	RedirectDomain string // the only trusted domain that the platform tells (path/96448)
	HomeURL        string
	PublishStatus  int // 0 to 3, of a customised app
}

// AgentGet reads one app.
func (c *Client) AgentGet(ctx context.Context, t AccessToken, agent AgentID) (AgentDetail, error) {
	var d AgentDetail
	err := c.do(ctx, request{api: APIAgentGet, query: with(APIAgentGet, t.String, field{"agentid", agent.String()})}, func(r *reply) {
		d = AgentDetail{
			Agent:          readAgent(r),
			Description:    r.text("description"),
			Closed:         r.flag("close"),
			RedirectDomain: r.text("redirect_domain"),
			HomeURL:        r.text("home_url"),
			PublishStatus:  r.number("customized_publish_status"),
		}
	})
	return orZero(d, err)
}

func readAgent(r *reply) Agent {
	return Agent{AgentID: r.agentID("agentid"), Name: r.text("name"), LogoURL: r.text("square_logo_url")}
}
