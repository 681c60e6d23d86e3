package wecom_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/secret"
	"suitesign/wecom"
)

// Canaries: whatever a call carries, in a shape that a search finds.
var (
	canarySuiteSecret = secret.New("CANARYsuitesecret0000")
	canaryTicket      = wecom.SuiteTicket{String: secret.New("CANARYsuiteticket0000")}
	canarySuiteToken  = wecom.SuiteAccessToken{String: secret.New("CANARYsuitetoken0000")}
	canaryProvToken   = wecom.ProviderAccessToken{String: secret.New("CANARYprovidertoken0000")}
	canaryToken       = wecom.AccessToken{String: secret.New("CANARYaccesstoken/+=&0000")}
	canaryPreAuth     = wecom.PreAuthCode{String: secret.New("CANARYpreauthcode0000")}
	canaryCode        = secret.New("CANARYauthcode@@@0000")
	canaryPermanent   = secret.New("CANARYpermanentcode0000")
)

const canary = "CANARY"

// apiCall is one call of the client: what it must send, and what a good answer makes of it.
type apiCall struct {
	api    string
	call   func(context.Context, *wecom.Client) (any, error)
	query  url.Values
	body   string // "" for a GET
	answer string
	want   any
	zero   any
}

// result fits a method of the client to apiCall.
func result[T any](v T, err error) (any, error) { return v, err }

func grant[T any](v T) wecom.Grant[T] { return wecom.Grant[T]{Value: v, ExpiresIn: 7200 * time.Second} }

var (
	suiteQuery = url.Values{"suite_access_token": {"CANARYsuitetoken0000"}}
	tokenQuery = url.Values{"access_token": {"CANARYaccesstoken/+=&0000"}}
)

var apiCalls = []apiCall{
	{
		wecom.APISuiteToken,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.SuiteToken(ctx, "suite1", canarySuiteSecret, canaryTicket))
		},
		url.Values{},
		`{"suite_id":"suite1","suite_secret":"CANARYsuitesecret0000","suite_ticket":"CANARYsuiteticket0000"}`,
		`{"suite_access_token":"st","expires_in":7200}`, // no errcode, as documented
		grant(wecom.SuiteAccessToken{String: secret.New("st")}), wecom.Grant[wecom.SuiteAccessToken]{},
	},
	{
		wecom.APIProviderToken,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.ProviderToken(ctx, "wwprovider", canarySuiteSecret))
		},
		url.Values{},
		`{"corpid":"wwprovider","provider_secret":"CANARYsuitesecret0000"}`,
		`{"errcode":0,"errmsg":"ok","provider_access_token":"pt","expires_in":7200}`,
		grant(wecom.ProviderAccessToken{String: secret.New("pt")}), wecom.Grant[wecom.ProviderAccessToken]{},
	},
	{
		wecom.APIPreAuthCode,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.PreAuthCode(ctx, canarySuiteToken))
		},
		suiteQuery, "",
		`{"errcode":0,"errmsg":"ok","pre_auth_code":"pc","expires_in":7200}`,
		grant(wecom.PreAuthCode{String: secret.New("pc")}), wecom.Grant[wecom.PreAuthCode]{},
	},
	{
		wecom.APISetSessionInfo,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return nil, c.SetSessionInfo(ctx, canarySuiteToken, canaryPreAuth, wecom.AuthTypeTest)
		},
		suiteQuery,
		`{"pre_auth_code":"CANARYpreauthcode0000","session_info":{"auth_type":1}}`,
		`{"errcode":0,"errmsg":"ok"}`, nil, nil,
	},
	{
		wecom.APIPermanentCode,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.PermanentCode(ctx, canarySuiteToken, canaryCode))
		},
		suiteQuery,
		`{"auth_code":"CANARYauthcode@@@0000"}`,
		`{"permanent_code":"pc","auth_corp_info":{"corpid":"ww1","corp_name":"Corp & Co"},"auth_user_info":{"userid":"u"},"state":"s1","unknown":[1,{"a":null}]}`,
		wecom.PermanentCode{PermanentCode: secret.New("pc"), CorpID: "ww1", CorpName: "Corp & Co", State: "s1"}, wecom.PermanentCode{},
	},
	{
		wecom.APIPermanentCodeV1,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.PermanentCodeV1(ctx, canarySuiteToken, canaryCode))
		},
		suiteQuery,
		`{"auth_code":"CANARYauthcode@@@0000"}`,
		`{"access_token":"at","expires_in":7200,"permanent_code":"pc","auth_corp_info":{"corpid":"ww1","corp_name":"C"},"auth_info":{"agent":[{"agentid":1,"name":"A"}]}}`,
		wecom.PermanentCodeV1{
			PermanentCode: wecom.PermanentCode{PermanentCode: secret.New("pc"), CorpID: "ww1", CorpName: "C"},
			AuthInfo:      wecom.AuthInfo{Corp: wecom.Corp{ID: "ww1", Name: "C"}, Agents: []wecom.AuthAgent{{AgentID: 1, Name: "A"}}},
			Token:         new(grant(wecom.AccessToken{String: secret.New("at")})),
		}, wecom.PermanentCodeV1{},
	},
	{
		wecom.APIAuthInfo,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.AuthInfo(ctx, canarySuiteToken, "ww1", canaryPermanent))
		},
		suiteQuery,
		`{"auth_corpid":"ww1","permanent_code":"CANARYpermanentcode0000"}`,
		`{"errcode":0,"errmsg":"ok","auth_corp_info":{"corpid":"ww1","corp_name":"C","corp_type":"verified","corp_full_name":"C Ltd","subject_type":1},
		  "auth_info":{"agent":[{"agentid":1000002,"name":"A","square_logo_url":"l","auth_mode":1,"is_customized_app":true},{"agentid":"1000003"},{"agentid":1000002}]}}`,
		wecom.AuthInfo{
			Corp:   wecom.Corp{ID: "ww1", Name: "C", FullName: "C Ltd", Type: "verified"},
			Agents: []wecom.AuthAgent{{AgentID: 1000002, Name: "A", LogoURL: "l", AuthMode: 1, Customized: true}, {AgentID: 1000003}},
		}, wecom.AuthInfo{},
	},
	{
		wecom.APIAuthInfoV1,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.AuthInfoV1(ctx, canarySuiteToken, "ww1", canaryPermanent))
		},
		suiteQuery,
		`{"auth_corpid":"ww1","permanent_code":"CANARYpermanentcode0000"}`,
		`{"auth_corp_info":{"corpid":"ww1","corp_name":null}}`, // a contacts app: no auth_info
		wecom.AuthInfo{Corp: wecom.Corp{ID: "ww1"}}, wecom.AuthInfo{},
	},
	{
		wecom.APICorpToken,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.CorpToken(ctx, canarySuiteToken, "ww1", canaryPermanent))
		},
		suiteQuery,
		`{"auth_corpid":"ww1","permanent_code":"CANARYpermanentcode0000"}`,
		`{"access_token":"at","expires_in":7200}`,
		grant(wecom.AccessToken{String: secret.New("at")}), wecom.Grant[wecom.AccessToken]{},
	},
	{
		wecom.APIAdminList,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.AdminList(ctx, canarySuiteToken, "ww1", 7))
		},
		suiteQuery,
		`{"auth_corpid":"ww1","agentid":7}`,
		`{"errcode":0,"errmsg":"ok","admin":[{"userid":"u","open_userid":"o","auth_type":1},{"userid":"v"}]}`,
		[]wecom.Admin{{UserID: "u", OpenUserID: "o", AuthType: 1}, {UserID: "v"}}, []wecom.Admin(nil),
	},
	{
		wecom.APIOpenCorpID,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.OpenCorpID(ctx, canaryProvToken, "ww1"))
		},
		url.Values{"provider_access_token": {"CANARYprovidertoken0000"}},
		`{"corpid":"ww1"}`,
		`{"errcode":0,"errmsg":"ok","open_corpid":"wpEnc"}`,
		wecom.CorpID("wpEnc"), wecom.CorpID(""),
	},
	{
		wecom.APIAppToken,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.AppToken(ctx, "ww1", canaryPermanent))
		},
		url.Values{"corpid": {"ww1"}, "corpsecret": {"CANARYpermanentcode0000"}}, "",
		`{"errcode":0,"errmsg":"ok","access_token":"at","expires_in":7200,"warning_msg":"old TLS"}`,
		grant(wecom.AccessToken{String: secret.New("at")}), wecom.Grant[wecom.AccessToken]{},
	},
	{
		wecom.APIAgentList,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.AgentList(ctx, canaryToken))
		},
		tokenQuery, "",
		`{"errcode":0,"errmsg":"ok","agentlist":[{"agentid":1000002,"name":"A","square_logo_url":"l"},{"agentid":1000002}]}`,
		[]wecom.Agent{{AgentID: 1000002, Name: "A", LogoURL: "l"}}, []wecom.Agent(nil),
	},
	{
		wecom.APIAgentGet,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.AgentGet(ctx, canaryToken, 1000002))
		},
		url.Values{"access_token": tokenQuery["access_token"], "agentid": {"1000002"}}, "",
		`{"errcode":0,"errmsg":"ok","agentid":1000002,"name":"A","square_logo_url":"l","description":"d","close":1,"redirect_domain":"h5.example.com","home_url":"https://h5.example.com","customized_publish_status":3}`,
		wecom.AgentDetail{
			Agent: wecom.Agent{AgentID: 1000002, Name: "A", LogoURL: "l"}, Description: "d", Closed: true,
			RedirectDomain: "h5.example.com", HomeURL: "https://h5.example.com", PublishStatus: 3,
		}, wecom.AgentDetail{},
	},
	{
		wecom.APIJSAPITicket,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.JSAPITicket(ctx, canaryToken))
		},
		tokenQuery, "", // and no type: that would be 91040
		`{"errcode":0,"errmsg":"ok","ticket":"jt","expires_in":7200}`,
		grant(wecom.JSAPITicket{String: secret.New("jt")}), wecom.Grant[wecom.JSAPITicket]{},
	},
	{
		wecom.APIAgentTicket,
		func(ctx context.Context, c *wecom.Client) (any, error) {
			return result(c.AgentTicket(ctx, canaryToken))
		},
		url.Values{"access_token": tokenQuery["access_token"], "type": {"agent_config"}}, "",
		`{"errcode":0,"errmsg":"ok","ticket":"agt","expires_in":7200}`,
		grant(wecom.AgentTicket{String: secret.New("agt")}), wecom.Grant[wecom.AgentTicket]{},
	},
}

// serve starts a platform that answers every call by h.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// client is a client of the platform at base; what it holds is given back.
func client(t testing.TB, base string) *wecom.Client {
	t.Helper()
	c := &wecom.Client{BaseURL: base}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// answers is a handler that answers with text.
func answers(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestCalls(t *testing.T) {
	t.Parallel()
	for _, a := range apiCalls {
		t.Run(a.api, func(t *testing.T) {
			t.Parallel()
			var got *http.Request
			var body []byte
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
				_, _ = io.WriteString(w, a.answer)
			})
			v, err := a.call(t.Context(), client(t, s.URL+"/"))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(a.want, v); d != "" {
				t.Errorf("result (-want +got):\n%s", d)
			}
			if got.URL.Path != "/cgi-bin/"+a.api {
				t.Errorf("path = %s", got.URL.Path)
			}
			if d := cmp.Diff(a.query, got.URL.Query()); d != "" {
				t.Errorf("query (-want +got):\n%s", d)
			}
			checkBody(t, a, got, body)
		})
	}
}

func checkBody(t *testing.T, a apiCall, r *http.Request, body []byte) {
	t.Helper()
	if a.body == "" {
		if r.Method != http.MethodGet || len(body) != 0 || r.ContentLength != 0 || len(r.TransferEncoding) != 0 {
			t.Errorf("%s with %d bytes, length %d, %v; want a bare GET", r.Method, len(body), r.ContentLength, r.TransferEncoding)
		}
		return
	}
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.ContentLength != int64(len(body)) {
		t.Errorf("%s of %s, length %d; want a POST of application/json, length %d", r.Method, r.Header.Get("Content-Type"), r.ContentLength, len(body))
	}
	var want, got any
	if err := json.Unmarshal([]byte(a.body), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("body (-want +got):\n%s", d)
	}
}

// Every API constant has a call in the table, so that the tests over the table miss none.
func TestEveryAPIIsInTheTable(t *testing.T) {
	t.Parallel()
	in := map[string]bool{}
	for _, a := range apiCalls {
		in[a.api] = true
	}
	for api := range wecom.Carries {
		if !in[api] {
			t.Errorf("%s carries a token and is not tested", api)
		}
	}
	if len(in) != 16 || len(wecom.Carries) != 13 {
		t.Errorf("%d calls, %d with a token; want 16 and 13", len(in), len(wecom.Carries))
	}
}
