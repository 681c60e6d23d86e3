package e2e

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Twenty-five ways to break a signature, each made for real and refused by the
// simulator's client: each ends in the one hint that names its cause, for admins and,
// where it takes no other corp's ticket to know, on the public listener as well.
func TestEveryWayToBreakASignatureIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{environ: []string{"SUITESIGN_DEBUG_PAGE=true", "SUITESIGN_LIMITS_REPORTS_PER_MINUTE=0"}})
	const suite, second, corp, other, page = "ww-ways", "ww-ways2", "wwWays", "wwother", "https://h5.example.com/orders/list?id=7&name=%E5%BC%A0"
	w.suite(suite, "third_party", "h5.example.com")
	w.suite(second, "third_party", "h5.example.com")
	w.install(suite, corp, page)
	w.install(suite, other, page)
	w.install(second, corp, page)
	config, agent := w.tickets(suite, corp)
	foreign, _ := w.tickets(suite, other)
	otherApp, _ := w.tickets(second, corp)
	good := w.waitSigned(w.replicas[0], page, suite, corp, 0)
	ts, nonce := good.Config.Timestamp, good.Config.NonceStr

	sum := func(text string) string {
		s := sha1.Sum([]byte(text))
		return hex.EncodeToString(s[:])
	}
	of := func(ticket, noncestr, timestamp, url string) string {
		return sum("jsapi_ticket=" + ticket + "&noncestr=" + noncestr + "&timestamp=" + timestamp + "&url=" + url)
	}
	at := func(url string) string { return of(config, nonce, ts, url) }
	type way struct {
		name, code string
		signature  string
		href       string            // where the page is; page unless set
		told       map[string]string // instead of the values of the good one
		admin      bool              // it takes what only admins may know
	}
	ways := []way{
		{name: "the fragment is signed, too", code: "fragment_kept", href: page + "#/detail", signature: at(page + "#/detail")},
		{name: "& became &amp;", code: "html_escaped", signature: at(strings.ReplaceAll(page, "&", "&amp;"))},
		{name: "encoded once too often", code: "url_encoded_twice", signature: at(url.QueryEscape(page))},
		{name: "decoded", code: "url_decoded", signature: at(strings.Replace(page, "%E5%BC%A0", "张", 1))},
		{name: "not encoded on its way to the service", code: "url_not_encoded", signature: at("https://h5.example.com/orders/list?id=7")},
		{name: "without its query", code: "query_dropped", signature: at("https://h5.example.com/orders/list")},
		{name: "shared after it was signed", code: "query_appended", href: page + "&from=timeline", signature: at(page)},
		{name: "rebuilt by a library", code: "url_rewritten", signature: at(strings.Replace(page, "%E5%BC%A0", "%e5%bc%a0", 1))},
		{name: "http instead of https", code: "scheme_differs", signature: at(strings.Replace(page, "https", "http", 1))},
		{name: "a slash more", code: "trailing_slash", signature: at(strings.Replace(page, "list?", "list/?", 1))},
		{name: "in lower case", code: "letter_case", href: "https://h5.example.com/Orders/List", signature: at("https://h5.example.com/orders/list")},
		{name: "with the default port", code: "port_differs", signature: at(strings.Replace(page, ".com/", ".com:443/", 1))},
		{name: "the page that was opened first", code: "entry_url", signature: at("https://h5.example.com/")},
		{name: "the agent's ticket", code: "ticket_kinds_swapped", signature: of(agent, nonce, ts, page)},
		{name: "another app's ticket", code: "other_app_ticket", admin: true, signature: of(otherApp, nonce, ts, page)},
		{name: "another corp's ticket", code: "other_corp_ticket", admin: true, signature: of(foreign, nonce, ts, page)},
		{name: "milliseconds", code: "timestamp_milliseconds", signature: of(config, nonce, ts+"000", page), told: map[string]string{"timestamp": ts + "000"}},
		{name: "a date", code: "timestamp_not_seconds", signature: of(config, nonce, "2026-03-01", page), told: map[string]string{"timestamp": "2026-03-01"}},
		{name: "nonceStr in the string", code: "parameter_spelling", signature: sum("jsapi_ticket=" + config + "&nonceStr=" + nonce + "&timestamp=" + ts + "&url=" + page)},
		{name: "sorted otherwise", code: "parameter_order", signature: sum("noncestr=" + nonce + "&jsapi_ticket=" + config + "&timestamp=" + ts + "&url=" + page)},
		{name: "the times entity", code: "damaged_timestamp", signature: sum("jsapi_ticket=" + config + "&noncestr=" + nonce + "\u00d7" + "tamp=" + ts + "&url=" + page)},
		{name: "a line break", code: "line_break", signature: sum("jsapi_ticket=" + config + "&noncestr=" + nonce + "&timestamp=" + ts + "&url=" + page + "\n")},
		{name: "another nonce", code: "nonce_differs", signature: of(config, strings.ToLower(nonce), ts, page)},
		{name: "no nonce", code: "triple_incomplete", signature: at(page), told: map[string]string{"nonce_str": "undefined"}},
		{name: "base64", code: "signature_not_sha1", signature: "D53iiWw5rR1Xq0mYb2zv4sKpZ0c="},
		{name: "upper case", code: "signature_upper_case", signature: strings.ToUpper(at(page))},
	}
	if len(ways) < 20 {
		t.Fatalf("%d ways, want 20", len(ways))
	}
	for _, tt := range ways {
		href := page
		if tt.href != "" {
			href = tt.href
		}
		asked := map[string]any{"url": href, "kind": "config", "suite_id": suite, "corp_id": corp, "timestamp": ts, "nonce_str": nonce, "signature": tt.signature,
			"error": "preVerifyJSAPI:invalid signature"}
		for k, v := range tt.told {
			asked[k] = v
		}
		var verdict struct{ OK bool }
		w.simulate("jsapi", map[string]any{"kind": "config", "suite_id": suite, "corp_id": corp, "url": href, "timestamp": fmt.Sprint(asked["timestamp"]),
			"nonceStr": asked["nonce_str"], "signature": tt.signature}, &verdict)
		if verdict.OK {
			t.Errorf("%s: the client takes it", tt.name)
		}
		var e explanation
		w.api(http.MethodPost, "/v1/explain", http.StatusOK, asked, &e)
		firstCause(t, tt.name, tt.code, e)
		if tt.admin {
			continue
		}
		var public explanation
		a := call(t, http.MethodPost, w.replicas[0].public+"/api/jssdk/explain", nil, asked)
		w.read(a, &public)
		firstCause(t, tt.name+", in public", tt.code, public)
		for _, hidden := range []string{config, agent, w.tenant(suite, corp).ID} {
			if strings.Contains(string(a.body), hidden) {
				t.Errorf("%s: the public answer shows what is not for everybody", tt.name)
			}
		}
	}

	// And the one that no page can make: WeCom ended the ticket. The report heals it.
	w.simulate("revoke", map[string]any{"suite_id": suite, "corp_id": corp, "kind": "jsapi_ticket"}, nil)
	var r reported
	w.read(w.report(w.replicas[0], "config", page, suite, corp, good.Config, nil), &r)
	if r.Cause != "ticket_refused" || r.Action != "refetch" {
		t.Errorf("a report of a revoked ticket = %+v, want ticket_refused and a refetch", r)
	}
	eventually(t, 20*time.Second, func() error {
		var s signed
		if err := w.try(http.MethodGet, w.replicas[0].signURL("signatures", page, suite, corp), nil, nil, &s); err != nil {
			return err
		}
		if !w.verifies("config", page, suite, corp, nil, s.Config) {
			return fmt.Errorf("the revoked ticket still signs")
		}
		return nil
	})
}

// firstCause wants a cause before everything else, and no other that is proved.
func firstCause(t *testing.T, name, code string, e explanation) {
	t.Helper()
	if e.OK || len(e.Findings) == 0 || e.Findings[0].Code != code {
		t.Errorf("%s: %+v, want %s first", name, e.Findings, code)
		return
	}
	if len(e.Findings) > 1 && e.Findings[1].Severity == "error" {
		t.Errorf("%s: %s is proved as well as %s", name, e.Findings[1].Code, code)
	}
}
