package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const reportedPage = "https://corp.example.com/orders?id=7#/detail"

// reported is the answer of POST /api/jssdk/report.
type reported struct {
	Cause      string `json:"cause"`
	Action     string `json:"action"`
	RetryAfter *int   `json:"retry_after"`
	Hint       struct{ EN, ZH string }
}

// report tells a replica of a registration, as the helper does.
func (w *world) report(r *replica, kind, page, suite, corp string, s signature, more map[string]any) answer {
	w.t.Helper()
	body := map[string]any{"kind": kind, "url": page, "suite_id": suite, "corp_id": corp, "timestamp": s.Timestamp, "nonceStr": s.NonceStr,
		"signature": s.Signature, "errMsg": kind + ":invalid signature", "errCode": 40093, "client": "wecom"}
	for k, v := range more {
		body[k] = v
	}
	origin, _, _ := strings.Cut(strings.TrimPrefix(page, "https://"), "/")
	return call(w.t, http.MethodPost, r.public+"/api/jssdk/report", map[string]string{"Origin": "https://" + origin, "Content-Type": "text/plain"}, body)
}

// read reads what was answered.
func (w *world) read(a answer, out any) {
	w.t.Helper()
	if err := json.Unmarshal(a.body, out); err != nil {
		w.t.Fatalf("%s: %v", a, err)
	}
}

// allCalls are the calls for a corp's tickets, and for its tokens.
func (w *world) allCalls(suite, corp string) [3]int {
	w.t.Helper()
	return [3]int{w.calls("get_corp_token", suite, corp), w.calls("get_jsapi_ticket", suite, corp), w.calls("ticket/get", suite, corp)}
}

// verifies asks the simulator's client about a signature.
func (w *world) verifies(kind, page, suite, corp string, agent *int64, s signature) bool {
	w.t.Helper()
	check := map[string]any{"kind": kind, "suite_id": suite, "corp_id": corp, "url": page, "timestamp": s.Timestamp, "nonceStr": s.NonceStr, "signature": s.Signature}
	if agent != nil {
		check["agent_id"] = *agent
	}
	var verdict struct{ OK bool }
	w.simulate("jsapi", check, &verdict)
	return verdict.OK
}

// A ticket that WeCom revoked behind our back heals for every page of two replicas
// within five seconds of the first report. Nobody else's is fetched, and neither
// is its own other one; and whoever reports what is not so costs nothing.
func TestARevokedTicketHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2, environ: []string{"SUITESIGN_LIMITS_REPORTS_PER_MINUTE=0"}})
	const suite, corp, other = "ww-truth", "wwtruth", "wwother"
	w.suite(suite, "third_party", "corp.example.com")
	for _, c := range []string{corp, other} {
		w.install(suite, c, reportedPage)
		for _, r := range w.replicas {
			w.waitSigned(r, reportedPage, suite, c, 5*time.Second)
		}
	}
	mine, others := w.allCalls(suite, corp), w.allCalls(suite, other)

	// A flood of false reports: signatures of nobody, right ones of other pages, right
	// ones without an error of the signature.
	good := w.waitSigned(w.replicas[0], reportedPage, suite, corp, 0)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			r, s, page, more := w.replicas[i%2], *good.Agent, reportedPage, map[string]any{}
			want := "agent"
			switch i % 4 {
			case 0:
				s.Signature, want = strings.Repeat("0", 40), "signature_unexplained"
			case 1:
				page, want = strings.Replace(reportedPage, "#", "&from=timeline#", 1), "query_appended"
			case 2:
				s, want = good.Config, "ticket_kinds_swapped"
			case 3:
				more, want = map[string]any{"errMsg": "agentConfig:fail, no permission", "errCode": "0"}, "no_permission"
			}
			a := w.report(r, "agent_config", page, suite, corp, s, more)
			if a.status != http.StatusAccepted || !strings.Contains(string(a.body), `"cause":"`+want+`","action":"none","retry_after":null`) {
				t.Errorf("a false report = %s, want %s and nothing done", a, want)
			}
		})
	}
	wg.Wait()
	if now := w.allCalls(suite, corp); now != mine {
		t.Fatalf("false reports: calls %v, want still %v", now, mine)
	}

	var revoked struct{ Count int }
	w.simulate("revoke", map[string]any{"suite_id": suite, "corp_id": corp, "kind": "agent_config"}, &revoked)
	if revoked.Count != 1 || w.verifies("agent_config", reportedPage, suite, corp, good.AgentID, *good.Agent) {
		t.Fatalf("revoked %d tickets, and the client still takes the signature", revoked.Count)
	}
	began := time.Now()
	for i := range 20 { // every page that is open
		wg.Go(func() {
			var s signed
			r := w.replicas[i%2]
			if err := w.try(http.MethodGet, r.signURL("signatures", reportedPage, suite, corp), nil, nil, &s); err != nil {
				t.Error(err)
				return
			}
			a := w.report(r, "agent_config", reportedPage, suite, corp, *s.Agent, nil)
			if a.status != http.StatusAccepted || !strings.Contains(string(a.body), `"retry_after":`) || strings.Contains(string(a.body), `"retry_after":null`) {
				t.Errorf("a report of the revoked ticket = %s, want 202 and when to register again", a)
			}
			if got := a.header.Get("Access-Control-Allow-Origin"); got != "https://corp.example.com" {
				t.Errorf("Allow-Origin = %q", got)
			}
		})
	}
	wg.Wait()
	for _, r := range w.replicas {
		eventually(t, 20*time.Second, func() error {
			var s signed
			if err := w.try(http.MethodGet, r.signURL("signatures", reportedPage, suite, corp), nil, nil, &s); err != nil {
				return err
			}
			if !w.verifies("agent_config", reportedPage, suite, corp, s.AgentID, *s.Agent) {
				return errors.New("the revoked ticket still signs")
			}
			return nil
		})
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("healed after %s, want within 5 s", took)
	}
	mine[2]++
	if now := w.allCalls(suite, corp); now != mine {
		t.Errorf("calls = %v, want one ticket of that kind more: %v", now, mine)
	}
	if now := w.allCalls(suite, other); now != others {
		t.Errorf("calls for the other corp = %v, want still %v", now, others)
	}

	// Who still has the old signature only needs a new one.
	var old reported
	w.read(w.report(w.replicas[1], "agent_config", reportedPage, suite, corp, *good.Agent, nil), &old)
	if old.Cause != "stale_ticket" || old.Action != "retry" || old.RetryAfter == nil {
		t.Errorf("a report of the old ticket = %+v, want stale_ticket and a retry", old)
	}
	// And who goes on reporting is not believed for ten minutes.
	scalar[int](t, w.database, `WITH u AS (UPDATE refreshes SET refetch_after = refetch_after - interval '1 minute' RETURNING 1) SELECT count(*) FROM u`)
	mine = w.allCalls(suite, corp)
	for i := range 40 {
		r := w.replicas[i%2]
		s := w.waitSigned(r, reportedPage, suite, corp, 0)
		var again reported
		w.read(w.report(r, "config", reportedPage, suite, corp, s.Config, nil), &again)
		if again.Action != "none" || again.RetryAfter != nil {
			t.Fatalf("report %d after the first minute = %+v, want nothing done", i, again)
		}
	}
	time.Sleep(1500 * time.Millisecond) // a heartbeat, in which nothing must happen
	if now := w.allCalls(suite, corp); now != mine {
		t.Errorf("calls = %v, want still %v", now, mine)
	}

	w.reportsAreShown(suite, corp, other)
}

// reportsAreShown looks at the list and the metrics.
func (w *world) reportsAreShown(suite, corp, other string) {
	t := w.t
	t.Helper()
	var list struct {
		Items []struct {
			CorpID string `json:"corp_id"`
			Kind   string
			Cause  string
			Host   string
			Action string
			Count  int
		}
	}
	a := w.api(http.MethodGet, "/v1/reports?suite_id="+suite+"&cause=ticket_refused", http.StatusOK, nil, &list)
	if len(list.Items) != 1 || list.Items[0].Action != "refetch" || list.Items[0].CorpID != corp || list.Items[0].Host != "corp.example.com" {
		t.Fatalf("reports = %s, want those of the revoked ticket", a)
	}
	reports := list.Items[0].Count
	a = w.api(http.MethodGet, "/v1/reports?suite_id="+suite+"&cause=stale_ticket", http.StatusOK, nil, &list)
	for _, late := range list.Items { // the one of the old signature, and those that came when the new ticket was there
		reports += late.Count
	}
	if reports != 21 {
		t.Errorf("%d reports are counted, want 20 of the revoked ticket and one of the old signature; late ones: %s", reports, a)
	}
	if a := w.api(http.MethodGet, "/v1/reports?corp_id="+other, http.StatusOK, nil, &list); len(list.Items) != 0 {
		t.Errorf("reports of the other corp = %s, want none", a)
	}
	if a := w.api(http.MethodGet, "/v1/reports", http.StatusOK, nil, nil); strings.Contains(string(a.body), "from=timeline") {
		t.Errorf("reports show a page's URL: %s", a)
	}
	metrics := call(t, http.MethodGet, w.replicas[0].admin+"/metrics", nil, nil)
	if text := string(metrics.body); !strings.Contains(text, `suitesign_page_reports_total{action="refetch",cause="ticket_refused",kind="agent"}`) ||
		strings.Contains(text, corp) || strings.Contains(text, "corp.example.com") {
		t.Error("the metrics do not tell the reports by cause, or name the corp or its page")
	}
}

// What the door of the reports lets through.
func TestReportsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{environ: []string{"SUITESIGN_LIMITS_REPORTS_PER_MINUTE=6"}})
	off := w.addReplica("SUITESIGN_PAGE_REPORTS=false")
	w.waitReady(off)
	s := signature{"1700000000", "nonce", strings.Repeat("0", 40)}
	if a := w.report(off, "config", reportedPage, "", "wwnobody", s, nil); a.status != http.StatusNotFound || a.code() != "not_found" {
		t.Errorf("switched off = %s, want 404", a)
	}
	r := w.replicas[0]
	for _, tt := range []struct {
		name   string
		more   map[string]any
		status int
		code   string
	}{
		{"of nobody", nil, 404, "tenant_not_found"},
		{"another kind", map[string]any{"kind": "both"}, 400, "invalid_request"},
		{"an unknown field", map[string]any{"user": "zhangsan"}, 400, "invalid_request"},
		{"too large", map[string]any{"errMsg": strings.Repeat("x", 13<<10)}, 413, "body_too_large"},
		{"of another origin", map[string]any{"url": "https://other.example.com/"}, 403, "origin_mismatch"},
		{"no page", map[string]any{"url": "https://10.0.0.1/"}, 400, "invalid_url"},
		{"too many", nil, 429, "rate_limited"},
	} {
		a := w.report(r, "config", reportedPage, "", "wwnobody", s, tt.more)
		if a.status != tt.status || a.code() != tt.code {
			t.Errorf("%s = %s, want %d %s", tt.name, a, tt.status, tt.code)
		}
	}
	a := call(t, http.MethodOptions, r.public+"/api/jssdk/report", map[string]string{"Origin": "https://h5.example.com"}, nil)
	if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != "https://h5.example.com" {
		t.Errorf("OPTIONS = %s, want 204 for the page", a)
	}
}
