package web

import (
	"context"
	"time"

	"github.com/oapi-codegen/nullable"

	"suitesign/signing/explain"
	"suitesign/signing/pagereport"
	"suitesign/web/api"
	"suitesign/wecom"
)

// ListReports answers GET /v1/reports.
func (a *admin) ListReports(ctx context.Context, r api.ListReportsRequestObject) (api.ListReportsResponseObject, error) {
	var after pagereport.Cursor
	if _, err := readCursor(r.Params.Cursor, "reports", &after.At, &after.ID); err != nil {
		return nil, err
	}
	limit := limitOf(r.Params.Limit)
	reports, err := a.Reports.List(requestContext(ctx), pagereport.Filter{
		TenantID: deref(r.Params.TenantID),
		SuiteID:  wecom.SuiteID(deref(r.Params.SuiteID)),
		CorpID:   wecom.CorpID(deref(r.Params.CorpID)),
		Cause:    explain.Code(deref(r.Params.Cause)),
	}, after, limit+1)
	if err != nil {
		return nil, err
	}
	reports, next := pageOf(reports, limit, func(last pagereport.Noted) nullable.Nullable[api.NextCursor] {
		return nextCursor("reports", last.FirstReportedAt.UTC().Format(time.RFC3339Nano), last.ID.String())
	})
	return api.ListReports200JSONResponse{Items: convert(reports, showNoted), NextCursor: next}, nil
}

// reportKinds are the registrations as a page names them.
var reportKinds = map[explain.Kind]api.PageReportKind{explain.Config: "config", explain.Agent: "agent_config"}

func showNoted(n pagereport.Noted) api.PageReport {
	return api.PageReport{
		ID: n.ID, TenantID: n.TenantID, SuiteID: api.SuiteID(n.SuiteID), CorpID: api.CorpID(n.CorpID),
		Kind: reportKinds[n.Kind], Cause: string(n.Cause), Host: orNull(n.Host, n.Host != ""),
		Client: api.PageReportClient(n.Client), Action: api.PageReportAction(n.Action), Count: n.Count,
		Errcode:         orNull(int64(deref(n.LastErrcode)), n.LastErrcode != nil),
		FirstReportedAt: n.FirstReportedAt.UTC(), LastReportedAt: n.LastReportedAt.UTC(),
	}
}
