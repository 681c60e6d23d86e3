package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"suitesign/wecom/wecomtest"
)

// story sets the demo up the way an operator would: over the admin API and the
// platform's own doors. It is the same at the first start and at every later one.
func (d *demoRun) story(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	if err := d.admin.waitReady(ctx); err != nil {
		return err
	}
	if err := d.configureSuite(ctx); err != nil {
		return err
	}
	if err := d.configureDomain(ctx); err != nil {
		return err
	}
	if err := d.installCorp(ctx); err != nil {
		return err
	}
	agentID, err := d.waitSigned(ctx)
	if err != nil {
		return err
	}
	if err := d.writeDemoFile(agentID); err != nil {
		return err
	}
	d.tell(agentID)
	return nil
}

// configureSuite tells both sides of the suite, ours first, and has a suite_ticket
// pushed: WeCom would push within ten minutes.
func (d *demoRun) configureSuite(ctx context.Context) error {
	status, err := d.admin.call(ctx, http.MethodPost, "/v1/suites", map[string]any{
		"suite_id": demoSuite, "kind": "third_party", "name": "suitesign demo",
		"suite_secret": d.keys.SuiteSecret, "callback_token": d.keys.CallbackToken, "encoding_aes_key": d.keys.EncodingAESKey,
	}, nil)
	if err != nil && status != http.StatusConflict { // 409: it is there from an earlier start
		return err
	}
	// In the platform's console the trusted domain has no port.
	_, err = d.sim.PutSuite(wecomtest.Suite{
		SuiteID: demoSuite, Kind: wecomtest.ThirdParty, Name: "suitesign demo",
		Secret: d.keys.SuiteSecret, Token: d.keys.CallbackToken, EncodingAESKey: d.keys.EncodingAESKey,
		CallbackURL: d.public + "/callback/" + string(demoSuite), TrustedDomains: []string{demoHost},
	})
	if err != nil {
		return fmt.Errorf("the simulator's suite: %w", err)
	}
	for {
		delivery, err := d.sim.PushSuiteTicket(ctx, demoSuite)
		if err == nil && delivery.State == wecomtest.Delivered {
			return nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("the simulator's suite_ticket was not taken: %+v", delivery)
		}
	}
}

// configureDomain trusts the demo page's host at today's port, and no other port of an earlier start.
func (d *demoRun) configureDomain(ctx context.Context) error {
	domains := "/v1/suites/" + url.PathEscape(string(demoSuite)) + "/domains"
	var list struct {
		Items []struct {
			Domain string `json:"domain"`
		} `json:"items"`
	}
	if _, err := d.admin.call(ctx, http.MethodGet, domains, nil, &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		if item.Domain != d.trustedDomain() {
			if _, err := d.admin.call(ctx, http.MethodDelete, domains+"/"+url.PathEscape(item.Domain), nil, nil); err != nil {
				return err
			}
		}
	}
	_, err := d.admin.call(ctx, http.MethodPut, domains+"/"+url.PathEscape(d.trustedDomain()), map[string]any{"exact": true, "allow_http": true}, nil)
	return err
}

// installCorp has the demo corp install the suite in the market, unless both sides know of it already.
func (d *demoRun) installCorp(ctx context.Context) error {
	if _, err := d.sim.PutCorp(wecomtest.Corp{CorpID: demoCorp, Name: "演示企业 Demo Corp"}); err != nil {
		return fmt.Errorf("the simulator's corp: %w", err)
	}
	var list struct {
		Items []struct {
			Status string `json:"status"`
			Health string `json:"health"`
		} `json:"items"`
	}
	query := url.Values{"suite_id": {string(demoSuite)}, "corp_id": {string(demoCorp)}}
	if _, err := d.admin.call(ctx, http.MethodGet, "/v1/tenants?"+query.Encode(), nil, &list); err != nil {
		return err
	}
	_, there := d.sim.State(demoSuite, demoCorp).Authorization(demoSuite, demoCorp)
	if there && len(list.Items) == 1 && list.Items[0].Status == "active" && list.Items[0].Health != "needs_reauthorization" {
		return nil
	}
	if _, err := d.sim.Install(ctx, wecomtest.Install{SuiteID: demoSuite, CorpID: demoCorp, Door: wecomtest.Market, Agents: []wecomtest.Agent{{AgentID: demoAgent, Name: "suitesign demo"}}}); err != nil {
		return fmt.Errorf("the simulator's install: %w", err)
	}
	return nil
}

// waitSigned asks for the demo page's signatures until they come.
func (d *demoRun) waitSigned(ctx context.Context) (agentID int64, err error) {
	var signed struct {
		AgentID int64           `json:"agentId"`
		Agent   json.RawMessage `json:"agent"`
	}
	for {
		err := getJSON(ctx, d.signaturesURL(), &signed)
		if err == nil && signed.AgentID != 0 {
			return signed.AgentID, nil
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return 0, fmt.Errorf("no signature came within a minute; %s says why, and the last answer was: %w", d.Dir+"/demo.log", err)
		}
	}
}

func (d *demoRun) signaturesURL() string {
	return d.public + "/api/jssdk/signatures?" + url.Values{"url": {d.pageURL()}, "suite_id": {string(demoSuite)}, "corp_id": {string(demoCorp)}}.Encode()
}

func (d *demoRun) tell(agentID int64) {
	fmt.Printf(`
suitesign runs. Ctrl-C stops all of it.

  open        %s
  pages       %s     the public listener
  admin API   %s     Authorization: Bearer %s
  simulator   %s     WeCom in a box: /sim/state, /sim/calls, /sim/openapi.yaml
  for scripts %s
  log         %s

  suite %s, corp %s, agent %d. A signature for the page:

  curl '%s'

`, d.pageURL(), d.public, d.admin.url, d.admin.key, d.simURL, d.Dir+"/demo.json", d.Dir+"/demo.log",
		demoSuite, demoCorp, agentID, d.signaturesURL())
}

// adminClient calls the admin API.
type adminClient struct {
	url string
	key string
}

// waitReady waits for the service to have started.
func (a adminClient) waitReady(ctx context.Context) error {
	for {
		err := getJSON(ctx, a.url+"/readyz", nil)
		if err == nil {
			return nil
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("the service did not get ready: %w", err)
		}
	}
}

// call sends one request and reads its answer. An answer of 400 and above is an
// error with the problem's own words.
func (a adminClient) call(ctx context.Context, method, path string, in, out any) (status int, err error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	req.Header.Set("Accept-Language", "en")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return do(req, out)
}

func getJSON(ctx context.Context, url string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	_, err = do(req, out)
	return err
}

func do(req *http.Request, out any) (status int, err error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return resp.StatusCode, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		var problem struct{ Code, Detail string }
		_ = json.Unmarshal(data, &problem)
		return resp.StatusCode, errors.New(req.Method + " " + req.URL.Path + ": " + resp.Status + " " + problem.Code + ": " + problem.Detail)
	}
	if out == nil {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, json.Unmarshal(data, out)
}
