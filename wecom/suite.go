package wecom

import (
	"context"
	"slices"

	"suitesign/secret"
)

// SuiteToken exchanges a suite's secret and its newest suite_ticket for a suite_access_token.
func (c *Client) SuiteToken(ctx context.Context, suite SuiteID, suiteSecret secret.String, ticket SuiteTicket) (Grant[SuiteAccessToken], error) {
	var g Grant[SuiteAccessToken]
	err := c.do(ctx, request{api: APISuiteToken, body: fields{
		{"suite_id", string(suite)},
		{"suite_secret", suiteSecret},
		{"suite_ticket", ticket.String},
	}}, func(r *reply) {
		g = Grant[SuiteAccessToken]{SuiteAccessToken{r.secret("suite_access_token")}, r.expiresIn()}
	})
	return orZero(g, err)
}

// ProviderToken fetches the provider's own token. The secret is the provider's,
// not a suite's.
func (c *Client) ProviderToken(ctx context.Context, corp CorpID, providerSecret secret.String) (Grant[ProviderAccessToken], error) {
	var g Grant[ProviderAccessToken]
	err := c.do(ctx, request{api: APIProviderToken, body: fields{
		{"corpid", string(corp)},
		{"provider_secret", providerSecret},
	}}, func(r *reply) {
		g = Grant[ProviderAccessToken]{ProviderAccessToken{r.secret("provider_access_token")}, r.expiresIn()}
	})
	return orZero(g, err)
}

// PreAuthCode fetches the code that one installation starts with.
func (c *Client) PreAuthCode(ctx context.Context, t SuiteAccessToken) (Grant[PreAuthCode], error) {
	var g Grant[PreAuthCode]
	err := c.do(ctx, request{api: APIPreAuthCode, query: with(APIPreAuthCode, t.String)}, func(r *reply) {
		g = Grant[PreAuthCode]{PreAuthCode{r.secret("pre_auth_code")}, r.expiresIn()}
	})
	return orZero(g, err)
}

// How an installation is meant (developer.work.weixin.qq.com/document/path/90602).
const (
	AuthTypeFormal = 0
	AuthTypeTest   = 1 // required for every pre_auth_code while the suite is unpublished
)

// SetSessionInfo says how the installation that code starts is meant.
func (c *Client) SetSessionInfo(ctx context.Context, t SuiteAccessToken, code PreAuthCode, authType int) error {
	return c.do(ctx, request{api: APISetSessionInfo, query: with(APISetSessionInfo, t.String), body: fields{
		{"pre_auth_code", code.String},
		{"session_info", fields{{"auth_type", int64(authType)}}},
	}}, func(r *reply) {
		if !r.has("errcode") { // there is nothing else that tells success
			r.fault("errcode", "is missing")
		}
	})
}

// PermanentCode is what an auth_code is exchanged for.
type PermanentCode struct {
	PermanentCode secret.String
	CorpID        CorpID
	CorpName      string
	State         string // of the link or QR code, where there was one
}

// PermanentCode exchanges an auth_code; it names no agent, AuthInfo does. An
// auth_code works once: after ErrOutcomeUnknown it may be spent.
func (c *Client) PermanentCode(ctx context.Context, t SuiteAccessToken, authCode secret.String) (PermanentCode, error) {
	var p PermanentCode
	err := c.do(ctx, permanentCode(APIPermanentCode, t, authCode), func(r *reply) { p = readPermanentCode(r) })
	return orZero(p, err)
}

// PermanentCodeV1 is what the older call answers with: everything at once.
type PermanentCodeV1 struct {
	PermanentCode
	AuthInfo
	Token *Grant[AccessToken] // nil for a customised app, whose permanent_code is the secret of AppToken
}

// PermanentCodeV1 exchanges an auth_code by the older and slower call.
func (c *Client) PermanentCodeV1(ctx context.Context, t SuiteAccessToken, authCode secret.String) (PermanentCodeV1, error) {
	var p PermanentCodeV1
	err := c.do(ctx, permanentCode(APIPermanentCodeV1, t, authCode), func(r *reply) {
		p = PermanentCodeV1{PermanentCode: readPermanentCode(r), AuthInfo: readAuthInfo(r)}
		if r.has("access_token") && r.raw("access_token") != "" {
			p.Token = &Grant[AccessToken]{AccessToken{r.secret("access_token")}, r.expiresIn()}
		}
	})
	return orZero(p, err)
}

func permanentCode(api string, t SuiteAccessToken, authCode secret.String) request {
	return request{api: api, query: with(api, t.String), body: fields{{"auth_code", authCode}}}
}

func readPermanentCode(r *reply) PermanentCode {
	corp := r.object("auth_corp_info")
	return PermanentCode{
		PermanentCode: r.secret("permanent_code"),
		CorpID:        CorpID(corp.id("corpid")),
		CorpName:      corp.text("corp_name"),
		State:         r.text("state"),
	}
}

// AuthInfo is what an authorization is at the moment: whose, and for which apps.
type AuthInfo struct {
	Corp   Corp
	Agents []AuthAgent // each once; none for a contacts app, usually one
}

// Corp is what the platform tells about a corp.
type Corp struct {
	ID       CorpID
	Name     string
	FullName string
	Type     string // verified, unverified
}

// AuthAgent is an app in an authorization.
type AuthAgent struct {
	AgentID    AgentID
	Name       string
	LogoURL    string
	AuthMode   int  // 0 by an admin, 1 by a member
	Customized bool // developed by the provider for this corp
}

// AuthInfo reads an authorization.
func (c *Client) AuthInfo(ctx context.Context, t SuiteAccessToken, corp CorpID, permanentCode secret.String) (AuthInfo, error) {
	return c.authInfo(ctx, APIAuthInfo, t, corp, permanentCode)
}

// AuthInfoV1 is AuthInfo by the older call.
func (c *Client) AuthInfoV1(ctx context.Context, t SuiteAccessToken, corp CorpID, permanentCode secret.String) (AuthInfo, error) {
	return c.authInfo(ctx, APIAuthInfoV1, t, corp, permanentCode)
}

func (c *Client) authInfo(ctx context.Context, api string, t SuiteAccessToken, corp CorpID, permanentCode secret.String) (AuthInfo, error) {
	var a AuthInfo
	err := c.do(ctx, request{api: api, query: with(api, t.String), body: fields{
		{"auth_corpid", string(corp)},
		{"permanent_code", permanentCode},
	}}, func(r *reply) { a = readAuthInfo(r) })
	return orZero(a, err)
}

func readAuthInfo(r *reply) AuthInfo {
	corp := r.object("auth_corp_info")
	a := AuthInfo{Corp: Corp{
		ID:       CorpID(corp.id("corpid")),
		Name:     corp.text("corp_name"),
		FullName: corp.text("corp_full_name"),
		Type:     corp.text("corp_type"),
	}}
	for _, g := range r.object("auth_info").list("agent") {
		id := g.agentID("agentid")
		if slices.ContainsFunc(a.Agents, func(b AuthAgent) bool { return b.AgentID == id }) {
			continue
		}
		a.Agents = append(a.Agents, AuthAgent{
			AgentID:    id,
			Name:       g.text("name"),
			LogoURL:    g.text("square_logo_url"),
			AuthMode:   g.number("auth_mode"),
			Customized: g.flag("is_customized_app"),
		})
	}
	return a
}

// CorpToken fetches a corp's access_token for a third-party app. For a customised
// app this is 48002: its permanent_code is the secret of AppToken.
func (c *Client) CorpToken(ctx context.Context, t SuiteAccessToken, corp CorpID, permanentCode secret.String) (Grant[AccessToken], error) {
	var g Grant[AccessToken]
	err := c.do(ctx, request{api: APICorpToken, query: with(APICorpToken, t.String), body: fields{
		{"auth_corpid", string(corp)},
		{"permanent_code", permanentCode},
	}}, func(r *reply) { g = readAccessToken(r) })
	return orZero(g, err)
}

// Admin is somebody who manages the app in the corp.
type Admin struct {
	UserID     string
	OpenUserID string
	AuthType   int // 0 may send messages, 1 may manage
}

// AdminList lists who manages an app in a corp.
func (c *Client) AdminList(ctx context.Context, t SuiteAccessToken, corp CorpID, agent AgentID) ([]Admin, error) {
	var admins []Admin
	err := c.do(ctx, request{api: APIAdminList, query: with(APIAdminList, t.String), body: fields{
		{"auth_corpid", string(corp)},
		{"agentid", int64(agent)},
	}}, func(r *reply) {
		for _, a := range r.requiredList("admin") {
			admins = append(admins, Admin{a.text("userid"), a.text("open_userid"), a.number("auth_type")})
		}
	})
	return orZero(admins, err)
}

// OpenCorpID translates a plain corpid into the form that is encrypted for the provider.
func (c *Client) OpenCorpID(ctx context.Context, t ProviderAccessToken, corp CorpID) (CorpID, error) {
	var id CorpID
	err := c.do(ctx, request{api: APIOpenCorpID, query: with(APIOpenCorpID, t.String), body: fields{
		{"corpid", string(corp)},
	}}, func(r *reply) { id = CorpID(r.id("open_corpid")) })
	return orZero(id, err)
}

// with is a query of the token that api carries, and more.
func with(api string, token secret.String, more ...field) fields {
	return append(fields{{carries[api], token}}, more...)
}

// orZero keeps half an answer from being used beside an error.
func orZero[T any](v T, err error) (T, error) {
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}
