package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
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
	agentID, err := d.waitRegistered(ctx)
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
	secrets := map[string]any{"suite_secret": d.keys.SuiteSecret, "callback_token": d.keys.CallbackToken, "encoding_aes_key": d.keys.EncodingAESKey}
	suite := map[string]any{"suite_id": demoSuite, "kind": "third_party", "name": "suitesign demo"}
	maps.Copy(suite, secrets)
	status, err := d.admin.call(ctx, http.MethodPost, "/v1/suites", suite, nil)
	if status == http.StatusConflict { // it is there from an earlier start, in which somebody may have tried other secrets
		_, err = d.admin.call(ctx, http.MethodPatch, "/v1/suites/"+string(demoSuite), secrets, nil)
	}
	if err != nil {
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

// configureDomain trusts the demo page's host at today's port, and at no port of
// an earlier start. Other domains are the user's.
func (d *demoRun) configureDomain(ctx context.Context) error {
	domains := "/v1/suites/" + string(demoSuite) + "/domains"
	var list struct {
		Items []struct {
			Domain string `json:"domain"`
		} `json:"items"`
	}
	if _, err := d.admin.call(ctx, http.MethodGet, domains+"?limit=200", nil, &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		if item.Domain == d.trustedDomain() || !strings.HasPrefix(item.Domain, demoHost+":") {
			continue
		}
		if _, err := d.admin.call(ctx, http.MethodDelete, domains+"/"+url.PathEscape(item.Domain), nil, nil); err != nil {
			return err
		}
	}
	_, err := d.admin.call(ctx, http.MethodPut, domains+"/"+url.PathEscape(d.trustedDomain()), map[string]any{"exact": true, "allow_http": true}, nil)
	return err
}

// demoTenant is what the admin API tells of the demo corp's tenant.
type demoTenant struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Health string `json:"health"`
}

// tenant finds the demo corp's tenant; the zero one before its installation.
func (d *demoRun) tenant(ctx context.Context) (demoTenant, error) {
	var list struct{ Items []demoTenant }
	query := url.Values{"suite_id": {string(demoSuite)}, "corp_id": {string(demoCorp)}}
	_, err := d.admin.call(ctx, http.MethodGet, "/v1/tenants?"+query.Encode(), nil, &list)
	if err != nil || len(list.Items) == 0 {
		return demoTenant{}, err
	}
	return list.Items[0], nil
}

// installCorp has the demo corp install the suite in the market, unless both sides know of it already.
func (d *demoRun) installCorp(ctx context.Context) error {
	if _, err := d.sim.PutCorp(wecomtest.Corp{CorpID: demoCorp, Name: "演示企业 Demo Corp"}); err != nil {
		return fmt.Errorf("the simulator's corp: %w", err)
	}
	t, err := d.tenant(ctx)
	if err != nil {
		return err
	}
	if t.Status == "disabled" { // by the user, in an earlier run
		if _, err := d.admin.call(ctx, http.MethodPatch, "/v1/tenants/"+t.ID, map[string]any{"status": "active"}, &t); err != nil {
			return err
		}
	}
	_, there := d.sim.State(demoSuite, demoCorp).Authorization(demoSuite, demoCorp)
	if there && t.Status == "active" && t.Health != "needs_reauthorization" {
		return nil
	}
	if _, err := d.sim.Install(ctx, wecomtest.Install{SuiteID: demoSuite, CorpID: demoCorp, Door: wecomtest.Market, Agents: []wecomtest.Agent{{AgentID: demoAgent, Name: "suitesign demo"}}}); err != nil {
		return fmt.Errorf("the simulator's install: %w", err)
	}
	return nil
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
