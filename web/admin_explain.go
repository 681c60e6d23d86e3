package web

import (
	"context"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"suitesign/signing/explain"
	"suitesign/web/api"
)

// Explain answers POST /v1/explain.
func (a *admin) Explain(ctx context.Context, r api.ExplainRequestObject) (api.ExplainResponseObject, error) {
	report, err := a.Known.Explain(requestContext(ctx), explain.Question{
		URL:       r.Body.URL,
		EntryURL:  deref(r.Body.EntryURL),
		Kind:      explain.Kind(deref(r.Body.Kind)),
		Timestamp: deref(r.Body.Timestamp),
		NonceStr:  deref(r.Body.NonceStr),
		Signature: deref(r.Body.Signature),
		SuiteID:   deref(r.Body.SuiteID),
		CorpID:    deref(r.Body.CorpID),
		AgentID:   deref(r.Body.AgentID),
		Error:     deref(r.Body.Error),
		Errcode:   int(deref(r.Body.Errcode)),
		UserAgent: deref(r.Body.UserAgent),
		API:       deref(r.Body.API),
		JSAPIList: deref(r.Body.JsAPIList),
		Entry:     deref(r.Body.Entry),
	})
	if err != nil {
		return nil, err
	}
	return api.Explain200JSONResponse(showReport(report)), nil
}

func showReport(r explain.Report) api.Explanation {
	return api.Explanation{
		Ok:        r.OK,
		URL:       orNull(r.Page, r.Page != ""),
		Canonical: orNull(r.Canonical, r.Canonical != ""),
		SignedBy:  showSignedBy(r.SignedBy),
		Findings:  convert(r.Findings, showFinding),
	}
}

func showSignedBy(s *explain.SignedBy) nullable.Nullable[api.SignedBy] {
	by := deref(s)
	return orNull(api.SignedBy{
		TenantID: by.TenantID, SuiteID: by.SuiteID, CorpID: by.CorpID, Kind: api.SignedByKind(by.Kind), Live: by.Live,
	}, by.TenantID != uuid.Nil)
}

func showFinding(f explain.Finding) api.Finding {
	words := func(w explain.Words) api.FindingWords { return api.FindingWords{What: w.What, Why: w.Why, Do: w.Do} }
	return api.Finding{
		Code: string(f.Code), Severity: api.FindingSeverity(f.Severity), En: words(f.En), Zh: words(f.Zh),
		Evidence: convert(f.Evidence, func(e explain.Evidence) api.Evidence {
			return api.Evidence{Field: e.Field, Position: orNull(int64(e.Position), e.Position >= 0), Expected: e.Expected, Found: e.Found}
		}),
	}
}
