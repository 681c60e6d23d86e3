package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"suitesign/secret"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

const (
	suiteID = wecom.SuiteID("wwbench00suite0000")
	tenants = 10 // hot ones
)

func corpOf(i int) wecom.CorpID { return wecom.CorpID(fmt.Sprintf("wwbench00corp%05d", i)) }

// originOf is where the pages of a tenant live, under the domain that it trusts.
func originOf(i int) string { return "https://" + hostOf(i) }
func hostOf(i int) string   { return fmt.Sprintf("corp%d.example.com", i) }

// pathOf asks for the signature of a page of a tenant.
func pathOf(i int) string {
	page := originOf(i) + "/orders/list?id=20260301-0007&from=menu"
	return "/api/jssdk/config-signature?" + url.Values{"url": {page}, "suite_id": {string(suiteID)}, "corp_id": {string(corpOf(i))}}.Encode()
}

// writeScripts writes what wrk asks for.
func (h *house) writeScripts() error {
	var asks, foreign []string
	for i := range tenants {
		asks = append(asks, fmt.Sprintf(`{path=%q, headers={Host="127.0.0.1"}}`, pathOf(i)))
		foreign = append(foreign, fmt.Sprintf(`{path=%q, headers={Host="127.0.0.1", Origin=%q}}`, pathOf(i), originOf(i)))
	}
	return errors.Join(
		os.WriteFile(h.file(plainScript), fmt.Appendf(nil, script, strings.Join(asks, ", ")), 0o600),
		os.WriteFile(h.file(originScript), fmt.Appendf(nil, script, strings.Join(foreign, ", ")), 0o600))
}

// addSuite tells both sides of a suite that trusts the pages' domain.
func (h *house) addSuite(ctx context.Context) error {
	suiteSecret, token, key := hex.EncodeToString(random(20)), hex.EncodeToString(random(12)), hex.EncodeToString(random(22))[:43]
	err := h.call(ctx, http.MethodPost, local(h.admin)+"/v1/suites", map[string]any{
		"suite_id": suiteID, "kind": "third_party", "name": "bench", "suite_secret": suiteSecret, "callback_token": token, "encoding_aes_key": key,
	}, nil)
	if err != nil {
		return err
	}
	if h.callbackKey, err = wecom.ParseCallbackKey(secret.New(token), secret.New(key)); err != nil {
		return err
	}
	if _, err := h.sim.PutSuite(wecomtest.Suite{
		SuiteID: suiteID, Kind: wecomtest.ThirdParty, Name: "bench", Secret: suiteSecret, Token: token, EncodingAESKey: key,
		CallbackURL: local(h.public) + "/callback/" + string(suiteID),
	}); err != nil {
		return err
	}
	if d, err := h.sim.PushSuiteTicket(ctx, suiteID); err != nil || d.State != wecomtest.Delivered {
		return fmt.Errorf("the suite_ticket was not taken: %w: %+v", err, d)
	}
	return nil
}

// addTenants installs corps through the callback, trusts a domain of each, and waits until each can sign.
func (h *house) addTenants(ctx context.Context, p *process, from, to int) error {
	for i := from; i < to; i++ {
		if _, err := h.sim.Install(ctx, wecomtest.Install{SuiteID: suiteID, CorpID: corpOf(i), Door: wecomtest.Market}); err != nil {
			return err
		}
	}
	for i := from; i < to; i++ {
		if err := p.wait(ctx, 30*time.Second, func() error { return h.trust(ctx, i) }); err != nil {
			return err
		}
		if err := p.wait(ctx, 30*time.Second, func() error { return h.call(ctx, http.MethodGet, p.origin+pathOf(i), nil, nil) }); err != nil {
			return err
		}
	}
	return nil
}

// trust lets a tenant trust its domain, once there is the tenant.
func (h *house) trust(ctx context.Context, i int) error {
	var list struct {
		Items []struct{ ID string }
	}
	query := url.Values{"suite_id": {string(suiteID)}, "corp_id": {string(corpOf(i))}}
	if err := h.call(ctx, http.MethodGet, local(h.admin)+"/v1/tenants?"+query.Encode(), nil, &list); err != nil {
		return err
	}
	if len(list.Items) != 1 {
		return errors.New("the tenant is not there yet")
	}
	domain := fmt.Sprintf("%s/v1/tenants/%s/domains/%s", local(h.admin), list.Items[0].ID, hostOf(i))
	return h.call(ctx, http.MethodPut, domain, map[string]any{}, nil)
}

// call sends one request, with the key of the admin API, and reads its answer.
func (h *house) call(ctx context.Context, method, target string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+h.apiKey)
	req.Header.Set("Accept-Language", "en")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, target, resp.Status, data)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *string:
		*out = string(data)
		return nil
	}
	return json.Unmarshal(data, out)
}
