package wecom_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/secret"
	"suitesign/wecom"
)

// canned is a transport that answers every call with the same body.
type canned string

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(c))), Request: r}, nil
}

func answering(body string) *wecom.Client {
	return &wecom.Client{HTTP: &http.Client{Transport: canned(body)}}
}

// What means one thing beyond doubt is accepted, whatever its spelling; the rest
// is a failure, and the ticket that is held stays.
func TestTicketAnswers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("t", 512)
	const short = `{"ticket":"T","expires_in":7200}`
	full := short + strings.Repeat(" ", 1<<20-len(short)) // 1 MiB
	for _, tt := range []struct {
		body  string
		value string // "" for malformed
		lives time.Duration
	}{
		{`{"errcode":0,"errmsg":"ok","ticket":"T","expires_in":7200}`, "T", 2 * time.Hour},
		{`{"ticket":"T","expires_in":7200}`, "T", 2 * time.Hour},
		{`{"errcode":null,"ticket":"T","expires_in":7200}`, "T", 2 * time.Hour},
		{`{"errcode":"0","ticket":"T","expires_in":"7200"}`, "T", 2 * time.Hour},
		{`{"errcode":0.0,"ticket":"T","expires_in":7200.0}`, "T", 2 * time.Hour},
		{`{"errcode":0,"ticket":"T","expires_in":7.2e3}`, "T", 2 * time.Hour},
		{`{"errcode":0,"ticket":"T","expires_in":1}`, "T", time.Second},
		{`{"errcode":0,"ticket":"T","expires_in":60}`, "T", time.Minute},
		{`{"errcode":0,"ticket":"T","expires_in":86401}`, "T", 24 * time.Hour},
		{`{"errcode":0,"ticket":"T","expires_in":1000000000000000000}`, "T", 24 * time.Hour},
		{` {"ticket":"T","expires_in":7200,"ERRCODE":40001,"Ticket":"U","new":{"deep":[{}]}} ` + "\n", "T", 2 * time.Hour},
		{`{"ticket":"` + long + `","expires_in":7200}`, long, 2 * time.Hour},
		{`{"ticket":"\u4f60\u597d","expires_in":7200}`, "你好", 2 * time.Hour},
		{full, "T", 2 * time.Hour},

		{full + " ", "", 0},
		{`{"ticket":"T"}`, "", 0},
		{`{"ticket":"T","expires_in":null}`, "", 0},
		{`{"ticket":"T","expires_in":0}`, "", 0},
		{`{"ticket":"T","expires_in":-1}`, "", 0},
		{`{"ticket":"T","expires_in":7200.5}`, "", 0},
		{`{"ticket":"T","expires_in":1e18}`, "", 0},
		{`{"ticket":"T","expires_in":1e999}`, "", 0},
		{`{"ticket":"T","expires_in":99999999999999999999}`, "", 0},
		{`{"ticket":"T","expires_in":"7200s"}`, "", 0},
		{`{"ticket":"T","expires_in":" 7200"}`, "", 0},
		{`{"ticket":"T","expires_in":""}`, "", 0},
		{`{"ticket":"T","expires_in":true}`, "", 0},
		{`{"ticket":"T","expires_in":[7200]}`, "", 0},
		{`{"ticket":"T","Expires_In":7200}`, "", 0},
		{`{"errcode":0,"expires_in":7200}`, "", 0},
		{`{"errcode":0,"ticket":"","expires_in":7200}`, "", 0},
		{`{"errcode":0,"ticket":null,"expires_in":7200}`, "", 0},
		{`{"errcode":0,"ticket":1,"expires_in":7200}`, "", 0},
		{`{"errcode":0,"Ticket":"T","expires_in":7200}`, "", 0},
		{`{"errcode":0,"ticket":"` + long + `t","expires_in":7200}`, "", 0},
		{`{"errcode":0,"ticket":"a b","expires_in":7200}`, "", 0},
		{`{"errcode":0,"ticket":"a\u0000","expires_in":7200}`, "", 0},
		{`{"errcode":0,"ticket":"a\n","expires_in":7200}`, "", 0},
		{`{"errcode":0,"ticket":"\ud800","expires_in":7200}`, "", 0},
		{"{\"errcode\":0,\"ticket\":\"\xff\",\"expires_in\":7200}", "", 0},
		{`{"errcode":0,"ticket":"T","ticket":"T","expires_in":7200}`, "", 0},
		{`{"errcode":0,"ticket":"T","\u0074icket":"U","expires_in":7200}`, "", 0},
		{`{"errcode":0,"ticket":"T","expires_in":7200,"x":{"a":1,"a":1}}`, "", 0},
		{`{"errcode":0,"ticket":"T","expires_in":7200,"x":[{"a":1,"a":1}]}`, "", 0},
		{`{"errcode":0,"ticket":"T","expires_in":7200,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "", 0},
		{`{"errcode":0,"ticket":"T","expires_in":7200}{}`, "", 0},
		{`{"errcode":0,"ticket":"T","expires_in":7200}x`, "", 0},
		{`{"errcode":0,"ticket":"T","expires_in":7200`, "", 0},
		{`{"errcode":0,"ticket":"T","expires_in":7200,}`, "", 0},
		{`{"errcode":0,"ticket":"T","expires_in":07200}`, "", 0},
		{`{'errcode':0,"ticket":"T","expires_in":7200}`, "", 0},
		{`{"errcode":{},"ticket":"T","expires_in":7200}`, "", 0},
		{`{"errcode":0.5,"ticket":"T","expires_in":7200}`, "", 0},
		{`callback({"errcode":0,"ticket":"T","expires_in":7200})`, "", 0},
	} {
		got, err := answering(tt.body).JSAPITicket(t.Context(), canaryToken)
		if tt.value == "" {
			if !errors.Is(err, wecom.ErrMalformed) || got.ExpiresIn != 0 || !got.Value.IsZero() {
				t.Errorf("%.100s: %v for %v, %v; want ErrMalformed", tt.body, got.Value.Reveal(), got.ExpiresIn, err)
			}
			continue
		}
		if err != nil || got.Value.Reveal() != tt.value || got.ExpiresIn != tt.lives {
			t.Errorf("%.100s: %q for %v, %v; want %q for %v", tt.body, got.Value.Reveal(), got.ExpiresIn, err, tt.value, tt.lives)
		}
	}
}

// A refusal is a refusal, whatever else is in the answer and however it is spelt.
func TestRefusedAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]wecom.Error{
		`{"errcode":40014,"errmsg":"no"}`:                               {Code: 40014, Msg: "no"},
		`{"errcode":"40014","errmsg":"no"}`:                             {Code: 40014, Msg: "no"},
		`{"errcode":40014.0}`:                                           {Code: 40014},
		`{"errcode":-1,"errmsg":7}`:                                     {Code: -1},
		`{"errcode":45009,"errmsg":"x","ticket":"T","expires_in":7200}`: {Code: 45009, Msg: "x"},
	} {
		want.API = wecom.APIJSAPITicket
		_, err := answering(body).JSAPITicket(t.Context(), canaryToken)
		var got *wecom.Error
		if !errors.As(err, &got) || *got != want || errors.Is(err, wecom.ErrOutcomeUnknown) {
			t.Errorf("%s: %#v, want %#v", body, err, want)
		}
	}
}

// What is missing must not look like what is empty: an answer without its list
// would take every agent away.
func TestMissingListsAndIDs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for body, ok := range map[string]bool{
		`{"errcode":0,"agentlist":[]}`:                               true,
		`{"errcode":0,"agentlist":[{"agentid":1}]}`:                  true,
		`{"errcode":0}`:                                              false,
		`{"errcode":0,"agentlist":null}`:                             false,
		`{"errcode":0,"agentlist":{}}`:                               false,
		`{"errcode":0,"agentlist":[1]}`:                              false,
		`{"errcode":0,"agentlist":[{}]}`:                             false,
		`{"errcode":0,"agentlist":[{"agentid":-1}]}`:                 false,
		`{"errcode":0,"agentlist":[{"agentid":"x"}]}`:                false,
		`{"errcode":0,"agentlist":[{"agentid":1},{"agentid":1e30}]}`: false,
	} {
		if _, err := answering(body).AgentList(ctx, canaryToken); (err == nil) != ok || err != nil && !errors.Is(err, wecom.ErrMalformed) {
			t.Errorf("AgentList of %s: %v, want ok %v", body, err, ok)
		}
	}
	for body, ok := range map[string]bool{
		`{"auth_corp_info":{"corpid":"ww1"}}`:                                      true,
		`{"auth_corp_info":{"corpid":"ww1"},"auth_info":{}}`:                       true,
		`{"auth_corp_info":{"corpid":"ww1"},"auth_info":null}`:                     true,
		`{"auth_corp_info":{"corpid":"ww1"},"auth_info":{"agent":null}}`:           true,
		`{"auth_corp_info":{"corpid":"ww1"},"auth_info":[]}`:                       false,
		`{"auth_corp_info":{"corpid":"ww1"},"auth_info":{"agent":{}}}`:             false,
		`{"auth_corp_info":{"corpid":"ww1"},"auth_info":{"agent":[{"name":"x"}]}}`: false,
		`{"auth_corp_info":{}}`:                                                    false,
		`{"auth_corp_info":{"corpid":""}}`:                                         false,
		`{"auth_corp_info":{"corpid":"a b"}}`:                                      false,
		`{"auth_corp_info":{"corpid":"` + strings.Repeat("w", 129) + `"}}`:         false,
		`{"auth_corp_info":"ww1"}`:                                                 false,
		`{"errcode":0}`:                                                            false,
	} {
		if _, err := answering(body).AuthInfo(ctx, canarySuiteToken, "ww1", canaryPermanent); (err == nil) != ok || err != nil && !errors.Is(err, wecom.ErrMalformed) {
			t.Errorf("AuthInfo of %s: %v, want ok %v", body, err, ok)
		}
	}
	if _, err := answering(`{"agentid":1}`).AdminList(ctx, canarySuiteToken, "ww1", 1); !errors.Is(err, wecom.ErrMalformed) {
		t.Errorf("AdminList without admin: %v", err)
	}
	if err := answering(`{"errmsg":"ok"}`).SetSessionInfo(ctx, canarySuiteToken, canaryPreAuth, 0); !errors.Is(err, wecom.ErrMalformed) {
		t.Errorf("SetSessionInfo without errcode: %v", err)
	}
	if _, err := answering(`{"permanent_code":"p","auth_corp_info":{"corpid":"ww1"},"access_token":"t"}`).PermanentCodeV1(ctx, canarySuiteToken, canaryCode); !errors.Is(err, wecom.ErrMalformed) {
		t.Errorf("PermanentCodeV1 with a token that has no end: %v", err)
	}
	got, err := answering(`{"permanent_code":"p","auth_corp_info":{"corpid":"ww1"},"access_token":""}`).PermanentCodeV1(ctx, canarySuiteToken, canaryCode)
	if err != nil || got.Token != nil {
		t.Errorf("PermanentCodeV1 of a customised app: %+v, %v", got, err)
	}
}

// Names are chosen by strangers: they must not upset a log or the database, and
// what is odd about them must not stop an installation.
func TestNamesAreCleaned(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"Corp & <b>公司</b>"`:                 "Corp & <b>公司</b>",
		`"a\u0000b\nc\u001b[31m\u0085"`:      "abc[31m",
		`"` + strings.Repeat("x", 600) + `"`: strings.Repeat("x", 512),
		`"` + strings.Repeat("中", 200) + `"`: strings.Repeat("中", 170),
		`null`:                               "",
		`7`:                                  "",
		`{"a":1}`:                            "",
	} {
		body := fmt.Sprintf(`{"permanent_code":"p","auth_corp_info":{"corpid":"ww1","corp_name":%s},"state":%[1]s}`, in)
		got, err := answering(body).PermanentCode(t.Context(), canarySuiteToken, canaryCode)
		if err != nil || got.CorpName != want || got.State != want {
			t.Errorf("%s: name %q, state %q, %v; want %q", in, got.CorpName, got.State, err, want)
		}
	}
}

// Details that are only shown are read as far as they make sense.
func TestDetailsAreLenient(t *testing.T) {
	t.Parallel()
	got, err := answering(`{"agentid":1,"name":7,"close":true,"customized_publish_status":"x"}`).AgentGet(t.Context(), canaryToken, 1)
	want := wecom.AgentDetail{Agent: wecom.Agent{AgentID: 1}, Closed: true}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("AgentGet: %v (-want +got):\n%s", err, d)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, a := range apiCalls {
		f.Add(a.answer)
	}
	f.Add(`{"errcode":40001,"errmsg":"x, hint: [1], from ip: 1.2.3.4, more info at y"}`)
	f.Fuzz(func(t *testing.T, body string) {
		c := answering(body)
		for _, a := range apiCalls {
			v, err := a.call(t.Context(), c)
			var refused *wecom.Error
			if err != nil && !errors.Is(err, wecom.ErrMalformed) && !errors.As(err, &refused) {
				t.Errorf("%s: an error of another kind: %v", a.api, err)
			}
			if g, ok := v.(wecom.Grant[wecom.JSAPITicket]); ok && err == nil {
				if n := len(g.Value.Reveal()); n == 0 || n > 512 || g.ExpiresIn <= 0 || g.ExpiresIn > wecom.MaxLifetime {
					t.Errorf("%s: %d bytes for %v", a.api, n, g.ExpiresIn)
				}
			}
			if strings.Contains(printsChain(err), canary) && !strings.Contains(body, "CANARY") {
				t.Errorf("%s shows a secret: %v", a.api, err)
			}
		}
	})
}

// Types that hold secrets print none, whole or in a struct of somebody's.
func TestCredentialsDoNotPrint(t *testing.T) {
	t.Parallel()
	s := secret.New(canary)
	for _, v := range []any{
		canaryTicket, canarySuiteToken, canaryProvToken, canaryToken, canaryPreAuth, &canaryToken,
		wecom.JSAPITicket{String: s}, wecom.AgentTicket{String: s}, grant(canaryToken), new(grant(canaryToken)),
		wecom.PermanentCode{PermanentCode: s}, wecom.PermanentCodeV1{Token: new(grant(canaryToken))},
		[]wecom.AccessToken{canaryToken}, map[string]wecom.AccessToken{"x": canaryToken},
	} {
		if text := prints(v); strings.Contains(text, canary) {
			t.Errorf("%T prints %s", v, text)
		}
	}
}
