package explain

import (
	"slices"
	"strings"

	"suitesign/wecom/jsapi"
)

// explainClient looks at what shows the page.
func (e *explainer) explainClient() {
	if e.q.UserAgent == "" {
		return
	}
	c := e.client
	switch {
	case c.App == jsapi.Other:
		e.find(NotInWeCom, Error, nil, fact("user_agent", "wxwork, MicroMessenger", e.q.UserAgent))
	case c.App == jsapi.WeChat && e.q.Kind == Agent:
		e.find(AgentInWeChat, Error, nil)
	case c.App == jsapi.WeCom && e.q.Kind == Agent && c.Version != "" && jsapi.Before(c.Version, "3.0.24"):
		e.find(OldClient, Warning, args{"version": c.Version})
	}
}

// kind is the kind of suite that the page's app is of; third-party where nobody knows.
func (e *explainer) kind() jsapi.Kind {
	if e.k.App != nil && e.k.App.Kind != "" {
		return e.k.App.Kind
	}
	return jsapi.ThirdParty
}

// explainAPI asks the catalogue whether the registration and the client can do
// what the page wants.
func (e *explainer) explainAPI() {
	for _, name := range e.q.JSAPIList {
		if a, ok := e.lookUp(name, Warning); ok && e.q.API == "" {
			e.explainIdentity(a, Warning)
		}
	}
	if e.q.API == "" {
		return
	}
	name := strings.TrimPrefix(strings.TrimPrefix(e.q.API, "ww."), "wx.")
	a, ok := e.lookUp(name, Error)
	if !ok {
		return
	}
	e.explainIdentity(a, Error)
	id, allowed := a.For(e.kind())
	if !allowed {
		return
	}
	if e.q.JSAPIList != nil && id != jsapi.None && !a.Named(e.q.JSAPIList) {
		e.find(APINotListed, Error, args{"api": a.Name}, fact("js_api_list", a.Name, strings.Join(e.q.JSAPIList, ", ")))
	}
	e.explainEntry(a)
	if e.q.UserAgent != "" {
		e.explainSupport(a)
	}
}

// lookUp finds an API by its name; a name that names none is a finding.
func (e *explainer) lookUp(name string, severity Severity) (jsapi.API, bool) {
	if a, ok := jsapi.Find(name); ok {
		return a, true
	}
	if name == "config" || name == "agentConfig" { // the SDK's default list
		return jsapi.API{}, false
	}
	if m, ok := jsapi.FindMistaken(name); ok {
		e.find(APIMisnamed, severity, args{"api": name, "instead": strings.Join(m.Instead, ", ")}, compare("api", m.Instead[0], name))
		return jsapi.API{}, false
	}
	for _, a := range jsapi.All().APIs {
		if strings.EqualFold(a.Name, name) {
			e.find(APIMisnamed, severity, args{"api": name, "instead": a.Name}, compare("api", a.Name, name))
			return jsapi.API{}, false
		}
	}
	e.find(APIUnknown, severity, args{"api": name}, fact("api", "", name))
	return jsapi.API{}, false
}

// explainIdentity asks whether the registration that was made is one that the API takes.
func (e *explainer) explainIdentity(a jsapi.API, severity Severity) {
	id, ok := a.For(e.kind())
	switch {
	case !ok:
		e.find(APIWrongKind, severity, args{"api": a.Name, "kind": string(e.kind())}, fact("kind", kinds(a), string(e.kind())))
	case id == jsapi.Agent && e.q.Kind == Config:
		e.find(APINeedsAgent, severity, args{"api": a.Name}, fact(a.Name, string(Agent), string(Config)))
	case id == jsapi.Agent && e.q.Kind == "" && e.said.about("permission"):
		e.find(APINeedsAgent, Warning, args{"api": a.Name}, fact(a.Name, string(Agent), ""))
	}
}

func kinds(a jsapi.API) string {
	var names []string
	for _, k := range []jsapi.Kind{jsapi.ThirdParty, jsapi.Customized, jsapi.Internal} {
		if _, ok := a.For(k); ok {
			names = append(names, string(k))
		}
	}
	return strings.Join(names, ", ")
}

func (e *explainer) explainEntry(a jsapi.API) {
	if len(a.Entries) == 0 {
		return
	}
	names := make([]string, len(a.Entries))
	for i, x := range a.Entries {
		names[i] = x.Entry
	}
	evidence := fact("entry", strings.Join(names, ", "), e.q.Entry)
	words := args{"api": a.Name, "entries": strings.Join(names, ", ")}
	if e.q.Entry == "" {
		if e.said.any() {
			e.find(APIEntry, Warning, words, evidence)
		}
		return
	}
	since, ok := a.OpensFrom(e.q.Entry, e.client.Platform)
	switch {
	case !ok:
		e.find(APIEntry, Error, words, evidence)
	case e.client.App == jsapi.WeCom && e.client.Version != "" && jsapi.Before(e.client.Version, since):
		e.find(APIClientTooOld, Error, args{"api": a.Name, "since": since, "version": e.client.Version}, fact("version", since, e.client.Version))
	}
}

func (e *explainer) explainSupport(a jsapi.API) {
	fit, s := a.In(e.client)
	platforms := make([]string, len(s.Platforms))
	for i, p := range s.Platforms {
		platforms[i] = string(p)
	}
	where := strings.TrimSpace(string(s.App) + " " + strings.Join(platforms, ", "))
	is := strings.TrimSpace(string(e.client.App) + " " + string(e.client.Platform))
	switch fit {
	case jsapi.WrongApp, jsapi.WrongPlatform:
		e.find(APIClient, Error, args{"api": a.Name, "where": where}, fact("client", where, is))
	case jsapi.TooOld:
		e.find(APIClientTooOld, Error, args{"api": a.Name, "since": s.Since, "version": e.client.Version}, fact("version", s.Since, e.client.Version))
	case jsapi.Runs:
	}
}

// apiExplained reports whether the catalogue has said why an API is refused.
func (e *explainer) apiExplained() bool {
	return slices.ContainsFunc(e.Findings, func(f Finding) bool {
		return f.Severity == Error && strings.HasPrefix(string(f.Code), "api_")
	})
}

// apiNeeds are the permissions that an API asks for beside its registration.
func (e *explainer) apiNeeds() (evidence []Evidence) {
	if a, ok := jsapi.Find(strings.TrimPrefix(strings.TrimPrefix(e.q.API, "ww."), "wx.")); ok {
		for _, n := range a.Notes {
			evidence = append(evidence, fact("needs", n.En, ""))
		}
	}
	return evidence
}
