package explain

import (
	"slices"
	"strconv"
	"strings"

	"suitesign/tenant"
	"suitesign/wecom"
)

// explainIDs looks at whom the page means.
func (e *explainer) explainIDs() {
	e.explainCorpID()
	switch e.k.Lookup {
	case NoSuite:
		near := nearest(e.q.SuiteID, e.k.Suites)
		e.find(SuiteIDUnknown, Error, nil, compareOrTell("suite_id", near, e.q.SuiteID))
	case SeveralFit:
		e.find(TenantAmbiguous, Error, nil)
	case Found:
		e.explainStatus()
		e.explainAgentID()
	case NoTenant, NobodyTrusts, NothingToFind:
	}
}

// explainCorpID looks at the corp_id that the page used.
func (e *explainer) explainCorpID() {
	q, id := e.q, e.q.CorpID
	switch {
	case nothing(id) || id == "" && (e.said.errcode == 41002 || e.said.says("missing corpid")):
		e.find(CorpIDMissing, Error, nil, fact("corp_id", "", id))
	case id == "" || e.k.Lookup == Found && e.k.App.names(id):
		if e.k.App != nil {
			e.explainCorpIDForm()
		}
	case id == q.SuiteID || slices.Contains(e.k.Suites, id):
		e.find(CorpIDIsSuiteID, Error, nil, fact("corp_id", "", id))
	case id == e.k.ProviderCorpID:
		e.find(CorpIDIsProvider, Error, nil, fact("corp_id", "", id))
	case e.k.Lookup == NoTenant:
		if near := nearest(id, e.corpIDs()); near != "" {
			e.find(CorpIDSpelling, Error, nil, compare("corp_id", near, id))
			return
		}
		e.find(CorpIDUnknown, Error, nil, fact("corp_id", "", id))
	}
}

// explainCorpIDForm is for a corp_id that names the corp, but in another form
// than the one that the platform handed out for this suite: some registrations
// take only that one, and WeChat only the plain one.
func (e *explainer) explainCorpIDForm() {
	a := e.k.App
	switch {
	case e.q.CorpID != "" && e.q.CorpID != string(a.CorpID):
		severity := Info
		if e.said.about("corp") || e.said.about("agent") {
			severity = Error
		} else if e.said.any() {
			severity = Warning
		}
		e.find(CorpIDForm, severity, args{"corp_id": string(a.CorpID)}, fact("corp_id", string(a.CorpID), e.q.CorpID))
	case e.said.about("corp"):
		e.find(CorpIDForm, Warning, args{"corp_id": string(a.CorpID)}, fact("corp_id", strings.Join(asTexts(a.Aliases), ", "), or(e.q.CorpID, string(a.CorpID))))
	}
}

func asTexts(ids []wecom.CorpID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// corpIDs are all forms of all corps that are known.
func (e *explainer) corpIDs() (ids []string) {
	for i := range e.k.Others {
		a := &e.k.Others[i]
		ids = append(ids, string(a.CorpID))
		ids = append(ids, asTexts(a.Aliases)...)
	}
	return ids
}

// nearest is the id that differs only in case or in spaces; "" without one.
func nearest(id string, ids []string) string {
	for _, other := range ids {
		if other != id && strings.EqualFold(strings.TrimSpace(id), other) {
			return other
		}
	}
	return ""
}

func compareOrTell(field, near, found string) Evidence {
	if near == "" {
		return fact(field, "", found)
	}
	return compare(field, near, found)
}

// explainStatus says why a tenant that is there does not sign.
func (e *explainer) explainStatus() {
	a := e.k.App
	switch a.Status {
	case tenant.Cancelled:
		e.find(TenantCancelled, Error, args{"corp_id": string(a.CorpID)})
		return
	case tenant.Disabled:
		e.find(TenantDisabled, Error, args{"tenant_id": a.ID.String()})
		return
	case tenant.Active:
	}
	for _, kind := range []TicketKind{ConfigTicket, AgentTicket} {
		wanted := e.q.Kind == Kind(kind) || e.q.Kind == "" && (kind == ConfigTicket || len(a.Agents) > 0)
		if wanted && (kind == ConfigTicket || len(a.Agents) > 0) && a.live(kind) == nil {
			severity := Error
			if a.Health == tenant.OK { // nobody has asked for a while: the next request has it fetched
				severity = Info
			}
			e.find(TicketMissing, severity, args{"tenant_id": a.ID.String(), "health": string(a.Health), "errcode": strconv.Itoa(a.LastErrcode)}, fact("ticket", string(kind), ""))
		}
	}
}

// explainAgentID looks at the agentId of a registration with the app's identity.
func (e *explainer) explainAgentID() {
	a, id := e.k.App, e.q.AgentID
	if e.q.Kind == Config && id == "" {
		return
	}
	switch {
	case nothing(id) || id == "" && e.said.about("agent"):
		e.find(AgentIDMissing, Error, nil, fact("agent_id", e.agentIDs(a), id))
		return
	case len(a.Agents) == 0 && (e.q.Kind == Agent || id != ""):
		e.find(AgentNone, Error, args{"tenant_id": a.ID.String()})
		return
	case id == "":
		return
	}
	if slices.ContainsFunc(a.Agents, func(g tenant.Agent) bool { return g.ID.String() == id }) {
		return
	}
	evidence := []Evidence{fact("agent_id", e.agentIDs(a), id)}
	for i := range e.k.Others {
		o := &e.k.Others[i]
		if slices.ContainsFunc(o.Agents, func(g tenant.Agent) bool { return g.ID.String() == id }) {
			evidence = append(evidence, fact("agent_of", string(a.SuiteID)+"/"+string(a.CorpID), string(o.SuiteID)+"/"+string(o.CorpID)))
		}
	}
	e.find(AgentIDUnknown, Error, nil, evidence...)
}

func (e *explainer) agentIDs(a *App) string {
	ids := make([]string, len(a.Agents))
	for i, g := range a.Agents {
		ids[i] = g.ID.String()
	}
	return strings.Join(ids, ", ")
}
