package explain_test

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/signing"
	"suitesign/signing/explain"
	"suitesign/tenant"
	"suitesign/wecom"
	"suitesign/wecom/jsapi"
)

const (
	href     = "https://h5.example.com/orders/list?id=7&q=%E4%BD%A0"
	nonce    = "Wm3WZYTPz0wzccnW"
	iosWeCom = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 wxwork/4.1.20 MicroMessenger/7.0.1 Language/zh"
	pcWeCom  = "Mozilla/5.0 (Windows NT 10.0) Chrome/86 wxwork/4.1.20 MicroMessenger/7.0.1 WindowsWechat"
	oldWeCom = "Mozilla/5.0 (iPhone; CPU iPhone OS 13_0 like Mac OS X) Mobile/15E148 wxwork/3.0.16 MicroMessenger/7.0.1 Language/zh"
	iosChat  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.42 Language/zh_CN"
	browser  = "Mozilla/5.0 (X11; Linux x86_64) Chrome/120 Safari/537.36"
)

var (
	now = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	ts  = fmt.Sprint(now.Add(-time.Minute).Unix())
	own = uuid.MustParse("0198f0a1-7b1c-7d3e-9a55-3c5d7e9f1a2b")
)

// sha is written a second time, and simply.
func sha(s string) string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func ticketOf(kind explain.TicketKind, value string, live bool) explain.Ticket {
	t := explain.Ticket{Kind: kind, Value: secret.New(value), Live: live, FetchedAt: now.Add(-30 * time.Minute), ExpiresAt: now.Add(90 * time.Minute)}
	if !live {
		t.FetchedAt, t.ExpiresAt = now.Add(-3*time.Hour), now.Add(-time.Hour)
	}
	return t
}

// The tickets of the world; all of them have "canary" in them, and nothing that
// is answered may have.
const (
	config, agent   = "canary-config", "canary-agent"
	oldConfig       = "canary-config-before"
	accessToken     = "canary-access-token"
	appConfig       = "canary-other-app"
	foreignConfig   = "canary-other-corp"
	domainOfTheCorp = "h5.example.com"
)

func domain(host string) tenant.TrustedDomain {
	return tenant.TrustedDomain{Domain: tenant.Domain{Host: host}}
}

// world is what the service knows: a corp that has two suites, and another corp.
func world() explain.Known {
	app := func(suite, corp string, agentID wecom.AgentID, tickets ...explain.Ticket) explain.App {
		return explain.App{
			Tenant: tenant.Tenant{ID: uuid.NewSHA1(own, []byte(suite+corp)), SuiteID: wecom.SuiteID(suite), CorpID: wecom.CorpID(corp), Status: tenant.Active, Health: tenant.OK,
				Agents: []tenant.Agent{{ID: agentID}}},
			Kind: jsapi.ThirdParty, Trusts: []tenant.TrustedDomain{domain(domainOfTheCorp), domain("www.example.net")}, Tickets: tickets,
		}
	}
	mine := app("wwsuite", "wpCorpA", 1000002, ticketOf(explain.ConfigTicket, config, true), ticketOf(explain.AgentTicket, agent, true),
		ticketOf(explain.ConfigTicket, oldConfig, false), ticketOf(explain.AccessToken, accessToken, true))
	mine.ID, mine.Aliases = own, []wecom.CorpID{"wwplaincorp"}
	return explain.Known{Now: now, Lookup: explain.Found, App: &mine, Suites: []string{"wwsuite", "wwother"}, ProviderCorpID: "wwprovider", Others: []explain.App{
		app("wwother", "wwplaincorp", 1000003, ticketOf(explain.ConfigTicket, appConfig, true)),
		app("wwsuite", "wpCorpB", 1000004, ticketOf(explain.ConfigTicket, foreignConfig, true)),
	}}
}

// asked is a question about a page that did everything right.
func asked() explain.Question {
	return explain.Question{
		URL: href, Kind: explain.Config, Timestamp: ts, NonceStr: nonce, Signature: sum(config, href), SuiteID: "wwsuite", CorpID: "wpCorpA",
		AgentID: "1000002", UserAgent: iosWeCom, Error: "preVerifyJSAPI:invalid signature", Errcode: 40093,
	}
}

func sum(ticket, page string) string {
	return sha("jsapi_ticket=" + ticket + "&noncestr=" + nonce + "&timestamp=" + ts + "&url=" + page)
}

// TestBroken: each way to break a registration ends in the one hint that names
// the cause, before everything else that is said.
func TestBroken(t *testing.T) {
	t.Parallel()
	seen := map[explain.Code]bool{}
	for _, b := range slices.Concat(signatures, registrations) {
		q, k := asked(), world()
		b.apply(&q, &k)
		r := explain.Explain(q, k)
		if len(r.Findings) == 0 || r.Findings[0].Code != b.want || r.OK {
			t.Errorf("%s: OK %v, %s; want %s first", b.name, r.OK, said(r), b.want)
			continue
		}
		seen[b.want] = true
		if first := r.Findings[0]; len(r.Findings) > 1 && r.Findings[1].Severity == explain.Error {
			t.Errorf("%s: %s is proved as well as %s", b.name, r.Findings[1].Code, first.Code)
		}
		wellSpoken(t, b.name, r)
	}
	for _, code := range explain.Codes {
		if !seen[code] && code != "signature_fits" && code != "more_needed" {
			t.Errorf("nothing here ends in %s", code)
		}
	}
	if len(signatures) < 20 {
		t.Errorf("%d ways to break a signature, want 20", len(signatures))
	}
}

func said(r explain.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s(%s) ", f.Code, f.Severity)
	}
	return b.String()
}

// wellSpoken: whole sentences in both languages, nothing left to fill in but
// paths, and never a ticket.
func wellSpoken(t *testing.T, name string, r explain.Report) {
	t.Helper()
	whole, err := json.Marshal(r)
	if err != nil || strings.Contains(string(whole), "canary") || strings.Contains(fmt.Sprintf("%+v %#v", r, r), "canary") {
		t.Errorf("%s: the report shows a ticket: %s, %v", name, whole, err)
	}
	for _, f := range r.Findings {
		for _, s := range []string{f.En.What, f.En.Why, f.En.Do, f.Zh.What, f.Zh.Why, f.Zh.Do} {
			if s == "" || !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "。") {
				t.Errorf("%s: %s says %q", name, f.Code, s)
			}
			for _, rest := range strings.Split(s, "{")[1:] {
				field, _, _ := strings.Cut(rest, "}")
				if !slices.Contains([]string{"tenant_id", "corp_id", "domain"}, field) && !strings.HasPrefix(field, `"`) {
					t.Errorf("%s: %s leaves {%s} in %q", name, f.Code, field, s)
				}
			}
		}
	}
}

// TestGood: where nothing is wrong nothing is said to be.
func TestGood(t *testing.T) {
	t.Parallel()
	for name, apply := range map[string]func(q question, k *explain.Known){
		"as told":           func(question, *explain.Known) {},
		"with a fragment":   func(q question, _ *explain.Known) { q.URL += "#/detail" },
		"told with &amp;":   func(q question, _ *explain.Known) { q.URL = strings.ReplaceAll(q.URL, "&", "&amp;") },
		"told encoded":      func(q question, _ *explain.Known) { q.URL = url.QueryEscape(q.URL) },
		"agent":             func(q question, _ *explain.Known) { asAgent(q) },
		"the kind not told": func(q question, _ *explain.Known) { q.Kind = "" },
		"by an alias":       func(q question, _ *explain.Known) { q.CorpID = "wwplaincorp" },
		"no triple":         func(q question, _ *explain.Known) { q.Signature, q.NonceStr, q.Timestamp = "", "", "" },
		"only a URL":        func(q question, _ *explain.Known) { *q = explain.Question{URL: href} },
		"idle for long": func(q question, k *explain.Known) {
			q.Signature, q.NonceStr, q.Timestamp, k.App.Tickets = "", "", "", nil
		},
		"entry URL in WeChat": func(q question, _ *explain.Known) {
			q.UserAgent, q.EntryURL, q.URL = iosChat, href, "https://h5.example.com/orders/8"
		},
		"an API of the corp": func(q question, _ *explain.Known) {
			q.API, q.JSAPIList = "scanQRCode", []string{"scanQRCode", "config"}
		},
		"an API by its wire": func(q question, _ *explain.Known) { q.API, q.JSAPIList = "geoLocation", []string{"getLocation"} },
		"from a chat": func(q question, _ *explain.Known) {
			asAgent(q).API, q.Entry, q.JSAPIList = "getCurExternalContact", "single_chat_tools", []string{"getCurExternalContact"}
		},
		"a self-built app's profile": func(q question, k *explain.Known) { q.API, k.App.Kind = "openUserProfile", jsapi.Internal },
	} {
		q, k := asked(), world()
		q.Error, q.Errcode = "", 0
		apply(&q, &k)
		r := explain.Explain(q, k)
		if !r.OK {
			t.Errorf("%s: %s; want nothing wrong", name, said(r))
		}
		if q.Signature != "" && (r.SignedBy == nil || r.SignedBy.TenantID != own || !r.SignedBy.Live) {
			t.Errorf("%s: signed by %+v, want the tenant's own ticket", name, r.SignedBy)
		}
		if r.Page != href || !strings.HasSuffix(r.Canonical, "&url="+href) || !strings.HasPrefix(r.Canonical, "jsapi_ticket=***&noncestr=") {
			t.Errorf("%s: page %s, canonical %s", name, r.Page, r.Canonical)
		}
		wellSpoken(t, name, r)
	}
}

// TestEvidence: what differs is shown, with the first character in which it does.
func TestEvidence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		want explain.Evidence
	}{
		{"&amp; in what was signed", explain.Evidence{Field: "url", Position: 40, Expected: href, Found: strings.ReplaceAll(href, "&", "&amp;")}},
		{"decoded", explain.Evidence{Field: "url", Position: 42, Expected: href, Found: "https://h5.example.com/orders/list?id=7&q=你"}},
		{"http", explain.Evidence{Field: "url", Position: 4, Expected: href, Found: "http" + href[5:]}},
		{"milliseconds in the page only", explain.Evidence{Field: "timestamp", Position: 10, Expected: ts, Found: ts + "123"}},
		{"nonceStr in the string", explain.Evidence{Field: "string", Position: 22,
			Expected: "jsapi_ticket=***&noncestr=" + nonce + "&timestamp=" + ts + "&url=" + href,
			Found:    "jsapi_ticket=***&nonceStr=" + nonce + "&timestamp=" + ts + "&url=" + href}},
		{"damaged string", explain.Evidence{Field: "string", Position: 42,
			Expected: "jsapi_ticket=***&noncestr=" + nonce + "&timestamp=" + ts + "&url=" + href,
			Found:    "jsapi_ticket=***&noncestr=" + nonce + string(rune(0xD7)) + "tamp=" + ts + "&url=" + href}},
		{"ticket of another app", explain.Evidence{Field: "signed_by", Position: -1, Expected: "wwsuite/wpCorpA/config", Found: "wwother/wwplaincorp/config"}},
		{"corpId in another case", explain.Evidence{Field: "corp_id", Position: 0, Expected: "wpCorpB", Found: "WPCORPB"}},
		{"another host", explain.Evidence{Field: "host", Position: -1, Expected: "h5.example.com, www.example.net", Found: "evil.example.org"}},
	} {
		all := slices.Concat(signatures, registrations)
		b := all[slices.IndexFunc(all, func(b breaking) bool { return b.name == tt.name })]
		q, k := asked(), world()
		b.apply(&q, &k)
		r := explain.Explain(q, k)
		if got := r.Findings[0].Evidence; len(got) == 0 || got[0] != tt.want {
			t.Errorf("%s: evidence %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// TestTwoMistakes: two at once are both named.
func TestTwoMistakes(t *testing.T) {
	t.Parallel()
	q, k := asked(), world()
	q.Signature = sum(agent, href+"#")
	r := explain.Explain(q, k)
	if len(r.Findings) < 2 || r.Findings[0].Code != explain.TicketKindsSwapped || r.Findings[1].Code != explain.FragmentKept {
		t.Errorf("%s; want the swapped ticket and the fragment", said(r))
	}
}

// TestUnknownTenant: a signature tells whose it is even if the ids do not.
func TestUnknownTenant(t *testing.T) {
	t.Parallel()
	q, k := asked(), world()
	k.Others = append(k.Others, *k.App)
	k.App, k.Lookup, q.CorpID, q.SuiteID = nil, explain.SeveralFit, "", ""
	r := explain.Explain(q, k)
	if r.SignedBy == nil || r.SignedBy.TenantID != own || r.SignedBy.Kind != explain.ConfigTicket {
		t.Errorf("signed by %+v, want %s", r.SignedBy, own)
	}
}

// TestSameSum: the string that is made here is the one that is signed.
func TestSameSum(t *testing.T) {
	t.Parallel()
	if got, want := sum("T", href), signing.Sum(secret.New("T"), nonce, ts, href); got != want {
		t.Errorf("the tests sign %s, the service %s", got, want)
	}
}

// TestHostile: no text makes it fail, whatever a page said.
func TestHostile(t *testing.T) {
	t.Parallel()
	texts := []string{"", "#", "://", "https://", "https:///", "https://?", "%", "%zz", "https%3A%2F%2F", "https%3A%zz", "&amp;", "\x00", "\xff\xfe", "https://h5.example.com/%",
		"https://h5.example.com/?&&=&%", "https://h5.example.com//../..//?#?#", "HTTPS://H5.EXAMPLE.COM:443", "https://[::1]/", "你好", strings.Repeat("/", 9000),
		"https://h5.example.com/?" + strings.Repeat("a=1&", 2000), "https://h5.example.com/" + strings.Repeat("a/", 500)}
	for _, text := range texts {
		for _, known := range []bool{true, false} {
			k := world()
			if !known {
				k.App, k.Others, k.Lookup = nil, nil, explain.NobodyTrusts
			}
			q := explain.Question{URL: text, EntryURL: text, Timestamp: ts, NonceStr: text, Signature: sha(text), CorpID: text, SuiteID: text, AgentID: text,
				Error: text, UserAgent: text, API: text, JSAPIList: []string{text}, Entry: text}
			wellSpoken(t, fmt.Sprintf("%.40q", text), explain.Explain(q, k))
		}
	}
}

// FuzzExplain: whatever a page said, it is explained, and no ticket is shown.
func FuzzExplain(f *testing.F) {
	f.Add(href+"#/x", "https://h5.example.com/", ts, nonce, sum(config, href), "wpCorpA", "1000002", "40093 invalid signature", iosChat, "sendChatMessage", "normal")
	f.Add("HTTPS%3A%2F%2FH5.example.com:443?a=1&amp;code=2&from=3#", "", ts+"123", "undefined", strings.Repeat("A", 40), "null", "", "no permission", oldWeCom, "ww.x", "")
	f.Fuzz(func(t *testing.T, url, entry, timestamp, nonce, signature, corp, agent, seen, ua, api, from string) {
		for _, kind := range []explain.Kind{explain.Config, explain.Agent} {
			r := explain.Explain(explain.Question{URL: url, EntryURL: entry, Kind: kind, Timestamp: timestamp, NonceStr: nonce, Signature: signature, CorpID: corp,
				AgentID: agent, Error: seen, UserAgent: ua, API: api, JSAPIList: []string{api}, Entry: from}, world())
			if _, err := json.Marshal(r); err != nil || len(r.Findings) == 0 {
				t.Errorf("%+v, %v", r, err)
			}
		}
	})
}
