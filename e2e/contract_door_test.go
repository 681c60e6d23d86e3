package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wantCORS holds an answer to the rule for origins: a page may read what was
// answered to its own URL, and nobody else may.
func wantCORS(t *testing.T, what string, a answer, origin string, readable bool) {
	t.Helper()
	h := a.header
	if h.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: Cache-Control %q, want no-store", what, h.Get("Cache-Control"))
	}
	if !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
		t.Errorf("%s: Vary %q, want Origin in it", what, h.Values("Vary"))
	}
	if h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%s: credentials are allowed", what)
	}
	allowed := h.Values("Access-Control-Allow-Origin")
	if !readable {
		if len(allowed) > 0 {
			t.Errorf("%s: readable by %v, want nobody", what, allowed)
		}
		return
	}
	if len(allowed) != 1 || allowed[0] != origin {
		t.Errorf("%s: %d %s readable by %v, want %s", what, a.status, a.code(), allowed, origin)
	}
	if got := h.Get("Access-Control-Expose-Headers"); got != "Retry-After, X-Request-Id" {
		t.Errorf("%s: Access-Control-Expose-Headers %q", what, got)
	}
}

func origins(t *testing.T, w *signWorld) {
	const trusted = "url=https%3A%2F%2Ftrusted.com%2Fpage"
	for _, origin := range []string{
		"", "null", "*", "https://trusted.com:443", "http://trusted.com", "https://sub.trusted.com", "https://TRUSTED.com", "HTTPS://trusted.com", "https://trusted.com/",
		"https://trusted.com/page", "https://trusted.com, https://trusted.com", "https://trusted.com https://evil.com", "https://trusted.com.evil.com", "https://evil.com", "trusted.com",
		"https://trusted.com.", "https://trusted.com:8443", " ",
	} {
		for _, endpoint := range []string{"config-signature", "agent-signature", "signatures"} {
			a := w.raw(endpoint, trusted+named, map[string]string{"Origin": origin})
			wantProblem(t, endpoint+" from "+strconv.Quote(origin), a, http.StatusForbidden, "origin_mismatch")
			wantCORS(t, endpoint+" from "+strconv.Quote(origin), a, origin, false)
		}
	}
	none := w.raw("config-signature", trusted+named, nil)
	if none.status != http.StatusOK {
		t.Errorf("without an Origin = %s, want a signature: a same-origin GET carries none", none)
	}
	wantCORS(t, "without an Origin", none, "", false)
	for _, tt := range []struct {
		query, origin string
		status        int
	}{
		{trusted + named, "https://trusted.com", 200},
		{"url=https%3A%2F%2Ftrusted.com&corp_id=wwalpha", "https://trusted.com", 200},
		{"url=https%3A%2F%2Fa.trusted.com%2F", "https://a.trusted.com", 200},
		{"url=https%3A%2F%2Fport.example.org%3A8443%2Fx" + named, "https://port.example.org:8443", 200},
		{"url=http%3A%2F%2Fplain.example.net%2Fx%23frag" + named, "http://plain.example.net", 200},
		{trusted + "&x=1", "https://trusted.com", 400},
		{"x=1&" + trusted, "https://trusted.com", 400},
		{trusted + named + "&agent_id=abc", "https://trusted.com", 400},
		{"url=https%3A%2F%2Fevil.com%2F", "https://evil.com", 403},
		{"url=https%3A%2F%2Fevil.com%2F" + named, "https://evil.com", 403},
		{"url=https%3A%2F%2Foff.example.com%2F", "https://off.example.com", 403},
		{trusted + "&corp_id=wwnone", "https://trusted.com", 404},
		{"url=https%3A%2F%2Fshared.example.com%2F", "https://shared.example.com", 409},
		{"url=https%3A%2F%2Fbeta.example.com%2F", "https://beta.example.com", 409},
		{trusted + named + "&agent_id=7", "https://trusted.com", 404},
	} {
		a := w.raw("signatures", tt.query, map[string]string{"Origin": tt.origin})
		if a.status != tt.status {
			t.Errorf("%s from %s = %s, want %d", tt.query, tt.origin, a, tt.status)
		}
		wantCORS(t, tt.query, a, tt.origin, true)
	}
	wantCORS(t, "a url that is none", w.raw("signatures", "url=nonsense", map[string]string{"Origin": "https://trusted.com"}), "", false)
}

func preflightAndMethods(t *testing.T, w *signWorld) {
	target := w.r.public + "/api/jssdk/config-signature?url=https%3A%2F%2Ftrusted.com%2F" + named
	ok := map[string]string{"Origin": "https://trusted.com", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "content-type"}
	a := anonymous(t, http.MethodOptions, target, ok)
	wantCORS(t, "OPTIONS", a, "https://trusted.com", true)
	if a.status/100 != 2 || !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "GET") || len(a.body) > 0 {
		t.Errorf("OPTIONS = %s with methods %q, want 2xx and GET among them", a, a.header.Get("Access-Control-Allow-Methods"))
	}
	for _, origin := range []string{"https://evil.com", "null", ""} {
		a = anonymous(t, http.MethodOptions, target, map[string]string{"Origin": origin, "Access-Control-Request-Method": "GET"})
		wantProblem(t, "OPTIONS from "+strconv.Quote(origin), a, http.StatusForbidden, "origin_mismatch")
		wantCORS(t, "OPTIONS from "+strconv.Quote(origin), a, origin, false)
	}
	if a = anonymous(t, http.MethodOptions, target, nil); a.status/100 != 2 {
		t.Errorf("OPTIONS without an Origin = %s", a)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, "PROPFIND"} {
		a = anonymous(t, method, target, map[string]string{"Origin": "https://trusted.com"})
		wantProblem(t, method, a, http.StatusMethodNotAllowed, "method_not_allowed")
		wantCORS(t, method, a, "https://trusted.com", true)
		if !strings.Contains(a.header.Get("Allow"), "GET") {
			t.Errorf("%s: Allow %q", method, a.header.Get("Allow"))
		}
	}
	head, get := anonymous(t, http.MethodHead, target, nil), anonymous(t, http.MethodGet, target, nil)
	if head.status != http.StatusOK || len(head.body) != 0 || head.header.Get("Content-Type") != get.header.Get("Content-Type") || head.header.Get("Cache-Control") != "no-store" {
		t.Errorf("HEAD = %s %v, want GET's header and no body", head, head.header)
	}
	if head = anonymous(t, http.MethodHead, target+"&x=1", nil); head.status != http.StatusBadRequest || len(head.body) != 0 {
		t.Errorf("HEAD with an unknown parameter = %s, want 400 without a body", head)
	}
}

func languages(t *testing.T, w *signWorld) {
	for accept, want := range map[string]string{
		"": "en", "en": "en", "zh": "zh", "zh-CN": "zh", "zh-Hans-CN,zh;q=0.9,en;q=0.8": "zh", "en-US,en;q=0.9,zh-CN;q=0.8": "en", "ZH-cn": "zh",
		"fr,zh;q=0.5": "zh", "fr": "en", "zh;q=0,en": "en", "en;q=0.2, zh;q=0.9": "zh", "*": "en", ";;;q=x,,": "en",
	} {
		for _, query := range []string{"url=nonsense", "url=https%3A%2F%2Fevil.com%2F", "x=1"} {
			a := w.raw("config-signature", query, map[string]string{"Accept-Language": accept})
			p := wantProblem(t, query, a, a.status, a.code())
			chinese := strings.ContainsFunc(p.Detail, func(r rune) bool { return r >= 0x4E00 && r <= 0x9FFF })
			if chinese != (want == "zh") || a.header.Get("Content-Language") != want {
				t.Errorf("Accept-Language %q: %q (%s), want %s", accept, p.Detail, a.header.Get("Content-Language"), want)
			}
		}
	}
	a, b := w.raw("config-signature", "url=nonsense", nil), w.raw("config-signature", "url=nonsense", map[string]string{"X-Request-Id": "chosen-by-a-stranger"})
	if a.header.Get("X-Request-Id") == b.header.Get("X-Request-Id") || b.header.Get("X-Request-Id") == "chosen-by-a-stranger" {
		t.Errorf("request ids %q and %q, want new ones of our own", a.header.Get("X-Request-Id"), b.header.Get("X-Request-Id"))
	}
}

// Ownership files are answered by the Host of the request and their name.
func ownershipFiles(t *testing.T, w *signWorld) {
	put := func(domain, name, content string, status int) {
		t.Helper()
		w.api(http.MethodPut, "/v1/tenants/"+w.alpha+"/domains/"+url.PathEscape(domain), status,
			map[string]any{"verification_file": map[string]any{"name": name, "content": content}}, nil)
	}
	put("files.example.com", "WW_verify_abcdefgh12345678.txt", "abcdefgh12345678", http.StatusOK)
	put("other.example.com", "WW_verify_abcdefgh12345678.txt", "OtherContent99", http.StatusOK)
	get := func(host, path string) answer {
		t.Helper()
		return anonymous(t, http.MethodGet, w.r.public+path, map[string]string{"Host": host})
	}
	for host, content := range map[string]string{"files.example.com": "abcdefgh12345678", "FILES.example.com": "abcdefgh12345678", "files.example.com:8080": "abcdefgh12345678", "other.example.com": "OtherContent99"} {
		a := get(host, "/WW_verify_abcdefgh12345678.txt")
		if a.status != http.StatusOK || string(a.body) != content || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("the file of %s = %s %v, want %q as plain text, nosniff", host, a, a.header, content)
		}
	}
	for _, at := range [][2]string{
		{"trusted.com", "/WW_verify_abcdefgh12345678.txt"}, {"127.0.0.1", "/WW_verify_abcdefgh12345678.txt"}, {"evil.com", "/WW_verify_abcdefgh12345678.txt"},
		{"files.example.com", "/WW_verify_abcdefgh12345679.txt"}, {"files.example.com", "/WW_verify_ABCDEFGH12345678.txt"}, {"files.example.com", "/ww_verify_abcdefgh12345678.txt"},
		{"files.example.com", "/WW_verify_short.txt"}, {"files.example.com", "/WW_verify_abcdefgh12345678.html"}, {"files.example.com", "/WW_verify_abcdefgh12345678.txt/"},
		{"files.example.com", "/x/WW_verify_abcdefgh12345678.txt"}, {"files.example.com", "/WW_verify_..%2F..%2Fetc%2Fpasswd.txt"}, {"files.example.com", "/WW_verify_" + strings.Repeat("a", 33) + ".txt"},
	} {
		wantProblem(t, at[0]+at[1], get(at[0], at[1]), http.StatusNotFound, "not_found")
	}
	if a := anonymous(t, http.MethodHead, w.r.public+"/WW_verify_abcdefgh12345678.txt", map[string]string{"Host": "files.example.com"}); a.status != http.StatusOK || len(a.body) > 0 {
		t.Errorf("HEAD of the file = %s", a)
	}
	for _, bad := range [][2]string{{"WW_verify_short.txt", "abcdefgh12345678"}, {"index.html", "abcdefgh12345678"}, {"WW_verify_abcdefgh12345678.txt", "<script>"}, {"WW_verify_abcdefgh12345678.txt", "short"}, {"../WW_verify_abcdefgh.txt", "abcdefgh"}} {
		put("files.example.com", bad[0], bad[1], http.StatusBadRequest)
	}
	w.api(http.MethodPut, "/v1/suites/ww-con/domains/suitefiles.example.com", http.StatusOK,
		map[string]any{"exact": true, "verification_file": map[string]any{"name": "WW_verify_ofTheSuite1.txt", "content": "ofTheSuite1"}}, nil)
	if a := get("suitefiles.example.com", "/WW_verify_ofTheSuite1.txt"); a.status != http.StatusOK || string(a.body) != "ofTheSuite1" {
		t.Errorf("a suite's file = %s", a)
	}
	w.api(http.MethodDelete, "/v1/tenants/"+w.alpha+"/domains/files.example.com", http.StatusNoContent, nil, nil)
	wantProblem(t, "a file whose domain is gone", get("files.example.com", "/WW_verify_abcdefgh12345678.txt"), http.StatusNotFound, "not_found")
}

func healthAndUnknownPaths(t *testing.T, w *signWorld) {
	for _, path := range []string{"/healthz", "/readyz"} {
		for _, listener := range []string{w.r.public, w.r.admin} {
			if a := anonymous(t, http.MethodGet, listener+path, nil); a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
				t.Errorf("%s%s = %s", listener, path, a)
			}
		}
	}
	for _, path := range []string{"/", "/api/jssdk/", "/api/jssdk/config-signature/", "/api/jssdk//config-signature", "/API/jssdk/config-signature", "/v1/suites", "/metrics", "/debug/pprof/", "/openapi.yaml", "/console/", "/callback", "/callback/ww-con", "/callback/ww-con/other", "/install", "/demo/", "/%2e%2e/etc/passwd"} {
		wantProblem(t, path, anonymous(t, http.MethodGet, w.r.public+path, nil), http.StatusNotFound, "not_found")
	}
	for _, path := range []string{"/healthz", "/readyz", "/callback/ww-con/command", "/WW_verify_abcdefgh12345678.txt"} {
		a := anonymous(t, http.MethodDelete, w.r.public+path, nil)
		wantProblem(t, "DELETE "+path, a, http.StatusMethodNotAllowed, "method_not_allowed")
		if a.header.Get("Allow") == "" {
			t.Errorf("DELETE %s: no Allow", path)
		}
	}
}

// One address that asks too much is told so, whatever it asks, and nobody else is;
// and one tenant that is asked for too much, after all its other faults.
func TestContractRateLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 1, environ: []string{"SUITESIGN_LIMITS_PER_IP=1", "SUITESIGN_LIMITS_PER_IP_BURST=5", "SUITESIGN_LIMITS_PER_TENANT=2",
		"SUITESIGN_TRUSTED_PROXIES=127.0.0.0/8"}})
	r := w.replicas[0]
	w.suite("ww-rate", "third_party", "corp.example.com")
	n := 0
	// from is the header of a client of a new address.
	from := func() map[string]string {
		n++
		return map[string]string{"X-Forwarded-For": fmt.Sprintf("203.0.113.9, 198.51.100.%d", n), "Origin": "https://h5.corp.example.com"}
	}
	page := "https://h5.corp.example.com/"
	for _, corp := range []string{"wwrate1", "wwrate2"} {
		w.install("ww-rate", corp, "")
		eventually(t, 10*time.Second, func() error {
			return w.try(http.MethodGet, r.signURL("signatures", page, "ww-rate", corp), from(), nil, nil)
		})
	}
	sign := func(query string, header map[string]string) answer {
		t.Helper()
		return anonymous(t, http.MethodGet, r.public+"/api/jssdk/signatures?"+query, header)
	}
	named := "url=" + encodeURIComponent(page) + "&suite_id=ww-rate&corp_id="

	t.Run("address", func(t *testing.T) {
		client := from()
		var limited answer
		eventually(t, 5*time.Second, func() error { // the burst of 5 is spent faster than it comes back
			if limited = sign("x=1", client); limited.status != http.StatusTooManyRequests {
				return fmt.Errorf("%s, want 429", limited)
			}
			return nil
		})
		// In the order of refusals it comes before everything that is wrong with the request.
		for range 3 {
			if a := sign(named+"wwrate1", client); a.status != http.StatusTooManyRequests {
				continue // a token came back meanwhile
			} else {
				wantProblem(t, "a limited address", a, http.StatusTooManyRequests, "rate_limited")
				wantCORS(t, "a limited address", a, client["Origin"], true)
				if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait < 1 || wait > 10 {
					t.Errorf("Retry-After %q, want whole seconds", a.header.Get("Retry-After"))
				}
			}
		}
		wantProblem(t, "an unknown parameter of a limited address", limited, http.StatusTooManyRequests, "rate_limited")
		if a := sign("x=1", from()); a.status != http.StatusBadRequest {
			t.Errorf("another address = %s, want it answered", a)
		}
	})

	t.Run("tenant", func(t *testing.T) {
		eventually(t, 5*time.Second, func() error {
			a := sign(named+"wwrate1", from())
			if a.status != http.StatusTooManyRequests {
				return fmt.Errorf("%s, want 429", a)
			}
			wantProblem(t, "a limited tenant", a, http.StatusTooManyRequests, "rate_limited")
			wantCORS(t, "a limited tenant", a, "https://h5.corp.example.com", true)
			// Its other faults come first, and cost it nothing.
			elsewhere := from()
			delete(elsewhere, "Origin")
			wantProblem(t, "an untrusted page of a limited tenant", sign("url=https%3A%2F%2Fevil.com%2F&suite_id=ww-rate&corp_id=wwrate1", elsewhere), http.StatusForbidden, "untrusted_domain")
			wantProblem(t, "an unknown agent of a limited tenant", sign(named+"wwrate1&agent_id=7", from()), http.StatusNotFound, "agent_not_found")
			return nil
		})
		eventually(t, 2*time.Second, func() error {
			if a := sign(named+"wwrate2", from()); a.status != http.StatusOK {
				return fmt.Errorf("another tenant = %s, want a signature", a)
			}
			return nil
		})
	})

	t.Run("nobody is believed unless trusted", func(t *testing.T) {
		direct := w.addReplica("SUITESIGN_LIMITS_PER_IP=1", "SUITESIGN_LIMITS_PER_IP_BURST=5", "SUITESIGN_TRUSTED_PROXIES=")
		w.waitReady(direct)
		eventually(t, 5*time.Second, func() error {
			if a := anonymous(t, http.MethodGet, direct.public+"/api/jssdk/signatures?x=1", from()); a.status != http.StatusTooManyRequests {
				return fmt.Errorf("%s, want 429: an X-Forwarded-For of a stranger makes no new address", a)
			}
			return nil
		})
	})
}

// A tenant without a ticket is told to come again, and signs once it has one.
func TestContractTicketUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.suite("ww-dry", "third_party", "corp.example.com")
	w.simulate("faults", map[string]any{"api": "get_jsapi_ticket", "suite_id": "ww-dry", "kind": "errcode", "value": -1, "times": -1}, nil)
	w.install("ww-dry", "wwdry", "")
	r, origin := w.replicas[0], map[string]string{"Origin": "https://h5.corp.example.com"}
	page := r.signURL("config-signature", "https://h5.corp.example.com/", "ww-dry", "wwdry")
	var a answer
	eventually(t, 10*time.Second, func() error {
		if a = anonymous(t, http.MethodGet, page, origin); a.status == http.StatusNotFound {
			return fmt.Errorf("%s: not installed yet", a)
		}
		return nil
	})
	wantProblem(t, "a tenant without a ticket", a, http.StatusServiceUnavailable, "ticket_unavailable")
	wantCORS(t, "a tenant without a ticket", a, "https://h5.corp.example.com", true)
	// The page may have come before the agents were known: then theirs is for the next attempt.
	agent := r.signURL("agent-signature", "https://h5.corp.example.com/", "ww-dry", "wwdry")
	eventually(t, 10*time.Second, func() error { return w.try(http.MethodGet, agent, origin, nil, nil) })
	wantProblem(t, "the ticket that fails", anonymous(t, http.MethodGet, page, origin), http.StatusServiceUnavailable, "ticket_unavailable")
	call(t, http.MethodDelete, w.simURL+"/sim/faults", nil, nil)
	eventually(t, 20*time.Second, func() error { return w.try(http.MethodGet, page, origin, nil, nil) })
}

// A replica that waits for its database says so, to pages too, and gets to work by itself.
func TestContractStarting(t *testing.T) {
	t.Parallel()
	p := newDBProxy(t)
	w := newWorld(t, options{through: p.through})
	p.set(refusing)
	r := w.addReplica()
	eventually(t, 30*time.Second, func() error { return w.try(http.MethodGet, r.public+"/healthz", nil, nil, nil) })
	for _, listener := range []string{r.public, r.admin} {
		if a := anonymous(t, http.MethodGet, listener+"/readyz", nil); a.status != http.StatusServiceUnavailable {
			t.Errorf("readyz of a replica without its database = %s, want 503", a)
		}
	}
	for _, endpoint := range []string{"config-signature", "agent-signature", "signatures"} {
		a := anonymous(t, http.MethodGet, r.public+"/api/jssdk/"+endpoint+"?url=https%3A%2F%2Ftrusted.com%2F", map[string]string{"Origin": "https://trusted.com"})
		wantProblem(t, endpoint, a, http.StatusServiceUnavailable, "starting")
		wantCORS(t, endpoint, a, "https://trusted.com", true)
		a = anonymous(t, http.MethodGet, r.public+"/api/jssdk/"+endpoint+"?url=https%3A%2F%2Ftrusted.com%2F", map[string]string{"Origin": "https://evil.com"})
		wantCORS(t, endpoint+" from elsewhere", a, "", false)
	}
	a := anonymous(t, http.MethodPost, r.public+"/callback/ww-x/command?msg_signature=x&timestamp=1&nonce=n", nil)
	wantProblem(t, "a callback of a replica without its database", a, http.StatusInternalServerError, "callback_not_stored")
	p.set(passing)
	w.waitReady(r)
}
