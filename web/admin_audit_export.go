package web

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"time"

	"suitesign/audit"
	"suitesign/web/api"
)

// ExportAuditLog answers GET /v1/audit-log/export. The first entry is read before
// the answer begins: a database that is away is a problem like any other.
func (a *admin) ExportAuditLog(ctx context.Context, r api.ExportAuditLogRequestObject) (api.ExportAuditLogResponseObject, error) {
	p := r.Params
	filter := auditFilter(api.ListAuditLogParams{
		Actor: p.Actor, ActorKind: p.ActorKind, APIKeyID: p.APIKeyID, Action: p.Action, TargetKind: p.TargetKind, TargetID: p.TargetID,
		SuiteID: p.SuiteID, TenantID: p.TenantID, Since: p.Since, Until: p.Until,
	})
	next, stop := iter.Pull2(a.Audit.All(requestContext(ctx), filter))
	first, err, ok := next()
	if ok && err != nil {
		stop()
		return nil, err
	}
	return &auditExport{format: p.Format, first: first, any: ok, next: next, stop: stop}, nil
}

// auditExport is the answer of an export, written as it is read.
type auditExport struct {
	format api.ExportAuditLogParamsFormat
	first  audit.Record
	any    bool // whether there is a first
	next   func() (audit.Record, error, bool)
	stop   func()
}

// slice is how many entries a reader has writeWithin to take.
const (
	slice       = 500
	writeWithin = 30 * time.Second
)

// VisitExportAuditLogResponse writes the export. What fails after its beginning
// cuts the connection, so that nobody takes a part for the whole.
func (e *auditExport) VisitExportAuditLogResponse(w http.ResponseWriter) error {
	defer e.stop()
	media := "text/csv; charset=utf-8"
	if e.format == api.ExportAuditLogParamsFormatJsonl {
		media = "application/x-ndjson"
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Disposition", `attachment; filename="audit-log.`+string(e.format)+`"`)
	w.WriteHeader(http.StatusOK)
	out := bufio.NewWriterSize(w, 64<<10)
	write, flush := lines(out), func() error { return nil }
	if e.format == api.ExportAuditLogParamsFormatCsv {
		write, flush = rows(out)
	}
	deadline := http.NewResponseController(w)
	r, err, ok := e.first, error(nil), e.any
	for n := 0; ok && err == nil; n++ {
		if n%slice == 0 {
			_ = deadline.SetWriteDeadline(time.Now().Add(writeWithin)) // a writer without one needs none
		}
		if err = write(showAudit(r)); err == nil {
			r, err, ok = e.next()
		}
	}
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// lines writes entries as one JSON object a line.
func lines(w io.Writer) func(api.AuditEntry) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(e api.AuditEntry) error { return enc.Encode(e) }
}

// auditColumns are the columns of a CSV export.
var auditColumns = []string{"id", "at", "actor_kind", "actor", "api_key_id", "ip", "request_id", "action",
	"target_kind", "target_id", "suite_id", "tenant_id", "before", "after"}

// rows writes entries as CSV.
func rows(w io.Writer) (write func(api.AuditEntry) error, flush func() error) {
	table := csv.NewWriter(w)
	table.UseCRLF = true
	_ = table.Write(auditColumns) // its error is sticky: flush tells it
	write = func(e api.AuditEntry) error {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(b, &fields); err != nil {
			return err
		}
		cells := make([]string, len(auditColumns))
		for i, name := range auditColumns {
			cells[i] = csvCell(cellOf(fields[name]))
		}
		return table.Write(cells)
	}
	flush = func() error {
		table.Flush()
		return table.Error()
	}
	return write, flush
}

// cellOf is a text as it is, null as nothing, and anything else as its JSON.
func cellOf(raw json.RawMessage) string {
	var text *string
	if json.Unmarshal(raw, &text) == nil {
		return deref(text)
	}
	return string(raw)
}
