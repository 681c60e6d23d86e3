package explain

import (
	"slices"

	"github.com/google/uuid"
)

// Public is the report as anybody may see it, who need not be of the tenant's
// corp: it says of the page and its signature what its developer can act on, and
// neither ids that were not told nor what is configured. The Known that it was
// made from should hold no other tenant.
func (r Report) Public() Report {
	if r.SignedBy != nil {
		by := *r.SignedBy
		by.TenantID, by.SuiteID, by.CorpID = uuid.Nil, "", ""
		r.SignedBy = &by
	}
	findings := make([]Finding, len(r.Findings))
	for i, f := range r.Findings {
		public := args{}
		for name, value := range f.args {
			if slices.Contains(publicArgs, name) {
				public[name] = value
			} else {
				public[name] = "…"
			}
		}
		t := texts[f.Code]
		f.En, f.Zh = t.en.fill(public), t.zh.fill(public)
		evidence := []Evidence{}
		for _, e := range f.Evidence {
			if slices.Contains(publicEvidence, e.Field) {
				evidence = append(evidence, e)
			}
		}
		f.Evidence, f.args = evidence, public
		findings[i] = f
	}
	r.Findings = findings
	return r
}

// publicArgs are words that repeat what was told, or what the platform publishes.
var publicArgs = []string{"reason", "span", "way", "way_zh", "field", "length", "position", "kind", "expected", "errcode", "callback",
	"api", "instead", "since", "version", "entries", "where", "missing", "host", "domain"}

// publicEvidence are the fields whose expected value follows from what was told.
var publicEvidence = []string{"url", "string", "timestamp", "nonceStr", "signature", "api", "js_api_list", "entry", "version", "client", "user_agent"}
