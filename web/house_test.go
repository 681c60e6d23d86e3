package web_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/changes"
	"suitesign/migrations/pgtest"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/signing"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/web"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

const (
	houseSuite wecom.SuiteID = "ww00000000000000a1"
	houseCorp  wecom.CorpID  = "wpDAAAAAAAAAAAAAAAAAAAAAAAAAAAA1"
)

// house is every room below web, on a database and a platform of its own, behind
// the public listener.
type house struct {
	t         *testing.T
	pool      *pgxpool.Pool
	sim       *wecomtest.Sim
	tenants   *tenant.Store
	worker    *suite.Worker
	directory *signing.Directory
	url       string
	log       *syncBuffer
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, pool: pgtest.New(t), sim: wecomtest.New(t), log: &syncBuffer{}}
	log := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ring := secrettest.New(t)
	client := &wecom.Client{BaseURL: h.sim.URL}
	t.Cleanup(client.CloseIdleConnections)
	h.tenants = &tenant.Store{Pool: h.pool}
	suites := &suite.Store{Pool: h.pool, Ring: ring, Tenants: h.tenants}
	tokens := &suite.Tokens{Store: suites, WeCom: client}
	exchanger := &suite.Exchanger{Store: suites, WeCom: client, Tokens: tokens, Log: log}
	h.worker = &suite.Worker{Store: suites, Exchanger: exchanger, Log: log}
	refresher := &ticket.Refresher{
		Pool: h.pool, Ring: ring, WeCom: client, Suites: tokens, Authorizations: suites, Tenants: h.tenants,
		Limits: ticket.DefaultLimits(), WaitFor: time.Minute, Log: log,
	}
	t.Cleanup(refresher.Wait)
	h.directory = &signing.Directory{Pool: h.pool, Sealer: ring}

	ts := httptest.NewUnstartedServer(nil)
	h.url = "http://" + ts.Listener.Addr().String()
	server := &web.Server{
		Signer:    &signing.Signer{Directory: h.directory, Demand: refresher.Demand},
		Callbacks: &suite.Callbacks{Store: suites},
		Installs: &suite.Installs{
			Store: suites, WeCom: client, Tokens: tokens, Exchanger: exchanger,
			PublicURL: h.url, InstallURL: h.sim.URL + "/3rdapp/install", Log: log,
		},
		VerificationFiles: h.tenants,
		Log:               log, Metrics: web.NewMetrics(), Health: &web.Health{}, Limits: web.DefaultLimits(),
		PublicURL: h.url, InstallURL: h.sim.URL + "/3rdapp/install",
	}
	ts.Config.Handler = server.Public()
	ts.Start()
	t.Cleanup(ts.Close)

	su := h.sim.AddSuite(wecomtest.Suite{SuiteID: houseSuite, CallbackURL: h.url + "/callback/" + string(houseSuite)})
	_, err := suites.Create(t.Context(), suite.New{
		ID: houseSuite, Kind: suite.ThirdParty, Name: "Orders", SuiteSecret: secret.New(su.Secret),
		CallbackToken: secret.New(su.Token), EncodingAESKey: secret.New(su.EncodingAESKey), ProviderCorpID: su.ProviderCorpID,
	})
	must(t, err)
	domain, err := tenant.ParseDomain("h5.example.com")
	must(t, err)
	_, _, err = h.tenants.PutSuiteDomain(t.Context(), houseSuite, tenant.TrustedDomain{
		Domain: domain, VerificationName: "WW_verify_abcdefgh12345678.txt", VerificationContent: "abcdefgh12345678"}, nil)
	must(t, err)
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// delivered fails unless the platform got its "success", at the first attempt.
func (h *house) delivered(d wecomtest.Delivery) {
	h.t.Helper()
	if d.State != wecomtest.Delivered || len(d.Attempts) != 1 {
		h.t.Fatalf("delivery %+v, want delivered at the first attempt\n%s", d, h.log)
	}
}

// told lets memory hear of every change, as NOTIFY does.
func (h *house) told() {
	h.directory.Handle(h.t.Context(), []changes.Change{{Topic: changes.Everything}})
}

func (h *house) get(path string) (*http.Response, string) {
	h.t.Helper()
	return do(h.t, http.DefaultClient, http.MethodGet, h.url+path)
}

func do(t *testing.T, client *http.Client, method, at string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, at, nil)
	must(t, err)
	resp, err := client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(body)
}

// signed is what /api/jssdk/signatures answers.
type signed struct {
	CorpID  wecom.CorpID  `json:"corpId"`
	AgentID *json.Number  `json:"agentId"`
	SuiteID wecom.SuiteID `json:"suiteId"`
	Config  signing.Signature
	Agent   signing.Signature
}

// signs asks for both signatures of a page and has the platform judge them.
func (h *house) signs(page string) {
	h.t.Helper()
	resp, body := h.get("/api/jssdk/signatures?corp_id=" + string(houseCorp) + "&url=" + url.QueryEscape(page))
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("signatures of %s = %d %s\n%s", page, resp.StatusCode, body, h.log)
	}
	var s signed
	must(h.t, json.Unmarshal([]byte(body), &s))
	if s.CorpID != houseCorp || s.SuiteID != houseSuite || s.AgentID == nil {
		h.t.Fatalf("signatures = %s, want those of %s at %s", body, houseCorp, houseSuite)
	}
	for _, one := range []struct {
		kind wecomtest.Identity
		signing.Signature
	}{{wecomtest.ConfigIdentity, s.Config}, {wecomtest.AgentIdentity, s.Agent}} {
		v := h.sim.JSAPI(wecomtest.Check{Kind: one.kind, CorpID: houseCorp, AgentID: s.AgentID.String(), URL: page,
			Timestamp: one.Timestamp, NonceStr: one.NonceStr, Signature: one.Signature.Signature, JSAPIList: []string{"scanQRCode"}})
		if !v.OK {
			h.t.Errorf("%s of %s: the platform says %s: %s", one.kind, page, v.ErrMsg, v.Detail)
		}
	}
}

func (h *house) codeOf(path string) string {
	h.t.Helper()
	_, body := h.get(path)
	var p web.Problem
	must(h.t, json.Unmarshal([]byte(body), &p))
	return p.Code
}

func TestMarketInstallSignsAndEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.delivered(h.sim.PushSuiteTicket(houseSuite))
	out := h.sim.Install(houseSuite, houseCorp, wecomtest.Market)
	h.delivered(*out.Delivery)
	_, err := h.worker.RunOnce(t.Context())
	must(t, err)

	page := "https://h5.example.com/orders?id=7&q=%E4%BD%A0#top"
	h.signs(page)
	h.signs("https://app.h5.example.com/a+b/?x=\\&y=你")

	where := "&url=" + url.QueryEscape(page)
	for path, want := range map[string]string{
		"/api/jssdk/config-signature?corp_id=" + string(houseCorp) + "&url=https%3A%2F%2Fevil.example%2F": "untrusted_domain",
		"/api/jssdk/config-signature?corp_id=wpNobody" + where:                                            "tenant_not_found",
		"/api/jssdk/agent-signature?agent_id=999" + where:                                                 "agent_not_found",
		"/api/jssdk/config-signature?url=https%3A%2F%2FH5.example.com%2F":                                 "invalid_url",
	} {
		if got := h.codeOf(path); got != want {
			t.Errorf("%s = %s, want %s", path, got, want)
		}
	}

	h.delivered(h.sim.Uninstall(houseSuite, houseCorp))
	h.told()
	if got := h.codeOf("/api/jssdk/config-signature?corp_id=" + string(houseCorp) + where); got != "tenant_inactive" {
		t.Errorf("after cancel_auth = %s, want tenant_inactive", got)
	}
	if strings.Contains(h.log.String(), "q=%E4") || strings.Contains(h.log.String(), "msg_signature") {
		t.Errorf("the log shows a query:\n%s", h.log)
	}
}

func TestInstallFromOurOwnPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.delivered(h.sim.PushSuiteTicket(houseSuite))
	jar, err := cookiejar.New(nil)
	must(t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	install := h.url + "/install/" + string(houseSuite)
	if resp, body := do(t, browser, http.MethodGet, install); resp.StatusCode != http.StatusOK || !strings.Contains(body, "Orders") {
		t.Fatalf("the install page = %d %s", resp.StatusCode, body)
	}
	if n := h.sim.Server.Calls("get_pre_auth_code", "", "").Total; n != 0 {
		t.Errorf("showing the page made %d pre_auth_codes, want 0", n)
	}
	resp, body := do(t, browser, http.MethodPost, install)
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("the button = %d %s", resp.StatusCode, body)
	}
	// The browser follows with the Referer that our policy lets it send; the admin of the corp agrees.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, resp.Header.Get("Location")+"&auto="+string(houseCorp), nil)
	must(t, err)
	req.Header.Set("Referer", h.url+"/")
	back, err := browser.Do(req)
	must(t, err)
	back.Body.Close()
	way := back.Header.Get("Location")
	if !strings.HasPrefix(way, install+"/redirect?") {
		t.Fatalf("the platform leads back to %q", way)
	}
	if resp, body := do(t, http.DefaultClient, http.MethodGet, way); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "install_state_invalid") {
		t.Errorf("the way back in another browser = %d %s, want 400 install_state_invalid", resp.StatusCode, body)
	}
	resp, body = do(t, browser, http.MethodGet, way)
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("the way back = %d %s\n%s", resp.StatusCode, body, h.log)
	}
	result, err := resp.Location()
	must(t, err)
	if result.RawQuery != "" || strings.Contains(h.log.String(), "auth_code=") {
		t.Errorf("the auth_code is left in %s, or in the log", result)
	}
	if resp, body := do(t, browser, http.MethodGet, result.String()); resp.StatusCode != http.StatusOK || !strings.Contains(body, "Installed") {
		t.Errorf("the result page = %d %s", resp.StatusCode, body)
	}
	if _, body := do(t, browser, http.MethodGet, result.String()+"/status"); body != `{"state":"done","ready":true,"final":true}` {
		t.Errorf("status = %s, want done, ready and final", body)
	}
	if resp, body := do(t, browser, http.MethodGet, way); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("the way back a second time = %d %s, want 400", resp.StatusCode, body)
	}
	h.signs("https://h5.example.com/")
}

// What is not stored is not acknowledged, and what is forged does nothing.
func TestCallbacksOnTheRealStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	body, query := h.sim.Seal(houseSuite, wecomtest.Command, "", "<xml><SuiteId><![CDATA["+string(houseSuite)+"]]></SuiteId><InfoType><![CDATA[suite_ticket]]></InfoType><TimeStamp>1760000000</TimeStamp><SuiteTicket><![CDATA[CANARY]]></SuiteTicket></xml>")
	at := h.url + "/callback/" + string(houseSuite) + "/command?"
	post := func(query url.Values) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+query.Encode(), strings.NewReader(string(body)))
		must(t, err)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(answer)
	}
	forged := url.Values{"msg_signature": {strings.Repeat("0", 40)}, "timestamp": query["timestamp"], "nonce": query["nonce"]}
	if status, answer := post(forged); status != http.StatusForbidden || !strings.Contains(answer, "callback_refused") {
		t.Errorf("forged = %d %s, want 403 callback_refused", status, answer)
	}
	if status, answer := post(query); status != http.StatusOK || answer != "success" {
		t.Errorf("sealed = %d %q, want 200 success", status, answer)
	}
	var tickets int
	must(t, h.pool.QueryRow(t.Context(), `SELECT count(*) FROM suite_tickets`).Scan(&tickets))
	if tickets != 1 {
		t.Errorf("%d suite_tickets are stored, want 1", tickets)
	}
	h.pool.Close()
	if status, answer := post(query); status != http.StatusInternalServerError || !strings.Contains(answer, "callback_not_stored") {
		t.Errorf("without a database = %d %s, want 500 callback_not_stored", status, answer)
	}
	if strings.Contains(h.log.String(), "CANARY") {
		t.Error("the log shows a suite_ticket")
	}
}

func TestVerificationFileOfAHost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for host, want := range map[string]int{"h5.example.com": 200, "H5.example.com:443": 200, "other.example.com": 404} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, h.url+"/WW_verify_abcdefgh12345678.txt", nil)
		must(t, err)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != want || want == http.StatusOK && string(body) != "abcdefgh12345678" {
			t.Errorf("Host %s = %d %s, want %d", host, resp.StatusCode, body, want)
		}
	}
}
