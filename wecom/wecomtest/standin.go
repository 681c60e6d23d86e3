package wecomtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"suitesign/wecom"
	"suitesign/wecom/jsapi"
)

// The signing stand-in, below /sim/api/jssdk/: what a page needs of suitesign where
// there is no suitesign, for H5 developers who have nothing but the simulator. It
// answers in suitesign's form and with its codes, from the simulator's own tickets,
// and is no more than that: no strict URLs, no origins, no limits.

// unsignedError is why the stand-in does not sign, with suitesign's code for it.
type unsignedError struct {
	status int
	code   string
	detail string
}

func (e *unsignedError) Error() string { return e.detail }

func refusal403(code, detail string) error {
	return &unsignedError{http.StatusForbidden, code, detail}
}

// standInSigned is what a page hands to the SDK.
type standInSigned struct {
	Timestamp string `json:"timestamp"`
	NonceStr  string `json:"nonceStr"`
	Signature string `json:"signature"`
}

// standInBoth is what one ww.register needs.
type standInBoth struct {
	CorpID  wecom.CorpID   `json:"corpId"`
	AgentID *wecom.AgentID `json:"agentId"`
	SuiteID wecom.SuiteID  `json:"suiteId"`
	Config  standInSigned  `json:"config"`
	Agent   *standInSigned `json:"agent"`
}

// standIn makes an endpoint of what signs or does not.
func standIn(sign func(url.Values) (any, error)) http.HandlerFunc {
	return openToPages(func(w http.ResponseWriter, r *http.Request) {
		status, kind := http.StatusOK, "application/json"
		out, err := sign(r.URL.Query())
		var no *unsignedError
		switch {
		case errors.As(err, &no):
			status, kind = no.status, "application/problem+json"
			out = map[string]any{"title": http.StatusText(no.status), "status": no.status, "code": no.code, "detail": no.detail}
		case err != nil:
			writeProblem(w, err)
			return
		}
		b, err := json.Marshal(out)
		if err != nil {
			writeProblem(w, err)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(append(b, '\n')) // the page may have left
	})
}

func (s *Server) standInConfig(q url.Values) (any, error) {
	both, err := s.signInstead(q, false)
	return both.Config, err
}

func (s *Server) standInAgent(q url.Values) (any, error) {
	both, err := s.signInstead(q, true)
	if err != nil {
		return nil, err
	}
	return both.Agent, nil
}

func (s *Server) standInBoth(q url.Values) (any, error) { return s.signInstead(q, false) }

// signInstead signs a page's URL for the one app that the page means.
func (s *Server) signInstead(q url.Values, needsAgent bool) (standInBoth, error) {
	for name, values := range q {
		if len(values) > 1 || !slices.Contains([]string{"url", "suite_id", "corp_id", "agent_id", "_"}, name) {
			return standInBoth{}, &unsignedError{http.StatusBadRequest, "invalid_request", "Parameter " + name + " is unknown or there twice: encode the page's URL with encodeURIComponent."}
		}
	}
	page, _, _ := strings.Cut(q.Get("url"), "#")
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return standInBoth{}, &unsignedError{http.StatusBadRequest, "invalid_url", "url must be the page's address, location.href."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.appOfPage(u, wecom.SuiteID(q.Get("suite_id")), wecom.CorpID(q.Get("corp_id")), q.Get("agent_id"))
	if err != nil {
		return standInBoth{}, err
	}
	out := standInBoth{CorpID: wecom.CorpID(q.Get("corp_id")), SuiteID: a.suiteID(), Config: s.signFor(a, JSAPITicket, page)}
	if out.CorpID == "" {
		out.CorpID = a.corp.CorpID
	}
	id, err := a.oneAgent(q.Get("agent_id"))
	switch {
	case err != nil && needsAgent:
		return standInBoth{}, err
	case err == nil:
		agent := s.signFor(a, AgentTicket, page)
		out.AgentID, out.Agent = &id, &agent
	}
	return out, nil
}

// appOfPage finds the app that a page means, by what it names and where it lives.
func (s *Server) appOfPage(u *url.URL, suiteID wecom.SuiteID, corpID wecom.CorpID, agentID string) (*app, error) {
	var named, trusting []*app
	for _, co := range s.corpOrder {
		for _, a := range co.apps {
			if !a.installed || suiteID != "" && a.suiteID() != suiteID || corpID != "" && corpID != co.CorpID && corpID != co.OpenCorpID {
				continue
			}
			if _, err := a.oneAgent(agentID); a.internal() && suiteID == "" && agentID != "" && err != nil {
				continue // a corp's internal apps are told apart by the agentId alone
			}
			named = append(named, a)
			if domains, some := a.trusted(); !some || covered(u, domains, a.exactDomains()) {
				trusting = append(trusting, a)
			}
		}
	}
	switch {
	case len(named) == 0:
		return nil, &unsignedError{http.StatusNotFound, "tenant_not_found", fmt.Sprintf("The simulator knows no app of suite %q in corp %q; see /sim/state.", suiteID, corpID)}
	case len(trusting) == 0:
		return nil, refusal403("untrusted_domain", "No app in the simulator trusts "+u.Host+": start it with --domain "+u.Hostname()+".")
	case len(trusting) > 1:
		return nil, &unsignedError{http.StatusConflict, "tenant_ambiguous", "Several apps in the simulator trust " + u.Host + ": name suite_id and corp_id."}
	}
	return trusting[0], nil
}

// oneAgent is the agent that a page names, or the only one.
func (a *app) oneAgent(named string) (wecom.AgentID, error) {
	if named == "" {
		if len(a.agents) == 1 {
			return a.agents[0].AgentID, nil
		}
		return 0, &unsignedError{http.StatusConflict, "agent_ambiguous", "The app has several agents, or none: name agent_id."}
	}
	id, err := strconv.ParseInt(named, 10, 64)
	if err != nil || !a.hasAgent(wecom.AgentID(id)) {
		return 0, &unsignedError{http.StatusNotFound, "agent_not_found", "The app in the simulator has no agent " + named + "; see /sim/state."}
	}
	return wecom.AgentID(id), nil
}

// signFor signs with the app's live ticket, fetched as a service would.
func (s *Server) signFor(a *app, kind Kind, page string) standInSigned {
	ticket, _ := s.issue(a.slotOf(kind), credential{kind: kind, app: a})
	nonce, timestamp := letters(32), strconv.FormatInt(s.now().Unix(), 10)
	return standInSigned{Timestamp: timestamp, NonceStr: nonce, Signature: signature(ticket.value, nonce, timestamp, page)}
}

// standInTold is what a page reports of a registration that the client refused.
type standInTold struct {
	Kind      string        `json:"kind"`
	SuiteID   wecom.SuiteID `json:"suite_id"`
	CorpID    wecom.CorpID  `json:"corp_id"`
	AgentID   text          `json:"agent_id"`
	URL       string        `json:"url"`
	Timestamp text          `json:"timestamp"`
	NonceStr  string        `json:"nonceStr"`
	Signature string        `json:"signature"`
}

// standInReport answers the helper's report of a refused registration: a ticket
// that is dead is replaced by asking for another signature, and nothing else helps.
func (s *Server) standInReport(w http.ResponseWriter, r *http.Request) {
	var in standInTold
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&in); err != nil {
		writeProblem(w, fmt.Errorf("%w: the report is not JSON", ErrInvalid))
		return
	}
	c := Check{Kind: ConfigIdentity, SuiteID: in.SuiteID, CorpID: in.CorpID, AgentID: string(in.AgentID), URL: in.URL,
		Timestamp: string(in.Timestamp), NonceStr: in.NonceStr, Signature: in.Signature}
	if in.Kind == string(AgentIdentity) {
		c.Kind = AgentIdentity
	}
	out := struct {
		Cause      Reason `json:"cause"`
		Action     string `json:"action"`
		RetryAfter *int   `json:"retry_after"`
	}{Cause: s.JSAPI(c).Reason, Action: "none"}
	if soon := 1; out.Cause == RevokedTicket || out.Cause == ExpiredTicket {
		out.Action, out.RetryAfter = "retry", &soon
	}
	b, err := json.Marshal(out)
	if err != nil {
		writeProblem(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write(append(b, '\n')) // the page may have left
}

func serveCatalogue(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(jsapi.JSON) // the browser may have left
}
