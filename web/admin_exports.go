package web

import (
	"bufio"
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"suitesign/tenant"
	"suitesign/web/api"
	"suitesign/web/apikey"
	"suitesign/web/imports"
	"suitesign/wecom"
)

// ExportTenants answers GET /v1/exports/tenants.
func (a *admin) ExportTenants(ctx context.Context, r api.ExportTenantsRequestObject) (api.ExportTenantsResponseObject, error) {
	ctx = requestContext(ctx)
	// Who has the codes can act for every corp: that takes what reading access_tokens takes.
	if needed := apikey.Scope("tokens:read"); r.Params.Include != nil && !holderOf(ctx).Allows(needed) {
		return nil, beyondScope(needed)
	}
	e := imports.Export{
		Format: imports.CSV,
		Filter: tenant.Filter{
			SuiteID: wecom.SuiteID(deref(r.Params.SuiteID)),
			CorpID:  wecom.CorpID(deref(r.Params.CorpID)),
			Status:  tenant.Status(deref(r.Params.Status)),
			Health:  tenant.Health(deref(r.Params.Health)),
			Query:   deref(r.Params.Q),
		},
		Secrets: r.Params.Include != nil,
	}
	if r.Params.Format != nil {
		e.Format = imports.Format(*r.Params.Format)
	}
	return exported{ctx: ctx, store: a.Imports, export: e, log: cmp.Or(a.server.Log, slog.Default())}, nil
}

// exported is an answer that is written as it is read.
type exported struct {
	ctx    context.Context //nolint:containedctx // the generated code asks for the answer without one
	store  *imports.Store
	export imports.Export
	log    *slog.Logger
}

// VisitExportTenantsResponse writes the file. Nothing is written before the first
// page is there: until then an error is a problem like any other. Afterwards the
// connection is cut, so that nobody takes a part for the whole.
func (x exported) VisitExportTenantsResponse(w http.ResponseWriter) error {
	begun := &begunWriter{w: w, export: x.export, control: http.NewResponseController(w)}
	out := bufio.NewWriterSize(begun, 64<<10)
	err := x.store.Export(x.ctx, x.export, out)
	if err == nil {
		err = out.Flush()
	}
	switch {
	case err == nil && !begun.begun: // a file without a row
		_, err = begun.Write(nil)
		return err
	case err != nil && begun.begun:
		x.log.ErrorContext(x.ctx, "an export was cut", "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

// begunWriter writes the header before the first byte, and gives a slow reader time.
type begunWriter struct {
	w       http.ResponseWriter
	export  imports.Export
	control *http.ResponseController
	begun   bool
}

func (b *begunWriter) Write(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		media, name := "text/csv; charset=utf-8", "tenants.csv"
		if b.export.Format == imports.JSONL {
			media, name = "application/x-ndjson", "tenants.jsonl"
		}
		b.w.Header().Set("Content-Type", media)
		b.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		b.w.WriteHeader(http.StatusOK)
	}
	// Where there are no deadlines there is nothing to extend.
	_ = b.control.SetWriteDeadline(time.Now().Add(patience))
	return b.w.Write(p)
}
