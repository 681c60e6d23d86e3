package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// demoSigned is the answer of /api/jssdk/signatures.
type demoSigned struct {
	CorpID  wecom.CorpID   `json:"corpId"`
	AgentID int64          `json:"agentId"`
	Config  demoSignature  `json:"config"`
	Agent   *demoSignature `json:"agent"`
}

type demoSignature struct {
	Timestamp string `json:"timestamp"`
	NonceStr  string `json:"nonceStr"`
	Signature string `json:"signature"`
}

// waitRegistered asks for the demo page's signatures until they come and the
// client would take them. Tickets of an earlier run that the simulator does not
// know, because its state was lost, are refreshed.
func (d *demoRun) waitRegistered(ctx context.Context) (agentID int64, err error) {
	var next time.Time // when a refresh may be asked for
	for {
		var signed demoSigned
		err := getJSON(ctx, d.signaturesURL(), &signed)
		if err == nil {
			if err = d.register(signed); err == nil {
				return signed.AgentID, nil
			}
			if time.Now().After(next) {
				next = time.Now().Add(3 * time.Second)
				d.refresh(ctx)
			}
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return 0, fmt.Errorf("the demo page could not be registered within a minute; %s says why, and the last word was: %w", d.Dir+"/demo.log", err)
		}
	}
}

// register does what the client does with both signatures.
func (d *demoRun) register(s demoSigned) error {
	if s.Agent == nil {
		return fmt.Errorf("corp %s has no agent yet", s.CorpID)
	}
	check := func(kind wecomtest.Identity, agent string, by demoSignature) error {
		verdict := d.sim.JSAPI(wecomtest.Check{Kind: kind, SuiteID: demoSuite, CorpID: s.CorpID, AgentID: agent, URL: d.pageURL(),
			Timestamp: by.Timestamp, NonceStr: by.NonceStr, Signature: by.Signature})
		if !verdict.OK {
			return fmt.Errorf("%s: %s", verdict.ErrMsg, verdict.Detail)
		}
		return nil
	}
	if err := check(wecomtest.ConfigIdentity, "", s.Config); err != nil {
		return err
	}
	return check(wecomtest.AgentIdentity, strconv.FormatInt(s.AgentID, 10), *s.Agent)
}

// refresh asks for new credentials. That it is refused, for a spent budget, say, is no end of the story.
func (d *demoRun) refresh(ctx context.Context) {
	t, err := d.tenant(ctx)
	if err == nil {
		_, err = d.admin.call(ctx, http.MethodPost, "/v1/tenants/"+t.ID+"/credentials/refresh", nil, nil)
	}
	if err != nil {
		d.log.WarnContext(ctx, "the demo corp's credentials were not refreshed", "error", err)
	}
}

func (d *demoRun) signaturesURL() string {
	return d.public + "/api/jssdk/signatures?" + url.Values{"url": {d.pageURL()}, "suite_id": {string(demoSuite)}, "corp_id": {string(demoCorp)}}.Encode()
}
