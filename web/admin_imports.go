package web

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"suitesign/tenant"
	"suitesign/web/api"
	"suitesign/web/imports"
)

// errImportVersion: the import has ended since the version that the caller has seen.
var errImportVersion = errors.Join(tenant.ErrVersion, errors.New("the import has ended"))

const defaultMaxImport = 64 << 20

// maxImport is how large a file may be.
func (a *API) maxImport() int64 {
	if a.MaxImport > 0 {
		return a.MaxImport
	}
	return defaultMaxImport
}

// CreateImport answers POST /v1/imports.
func (a *admin) CreateImport(ctx context.Context, r api.CreateImportRequestObject) (api.CreateImportResponseObject, error) {
	c := ctx.(*gin.Context) //nolint:forcetypeassert // it is gin's, always
	ctx = requestContext(ctx)
	file := imports.File{Format: imports.CSV, OnConflict: imports.Skip, By: visitOf(ctx).key, Body: &patientBody{body: r.Body, control: http.NewResponseController(c.Writer)}}
	if media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err == nil && media == "application/x-ndjson" {
		file.Format = imports.JSONL
	}
	if r.Params.OnConflict != nil {
		file.OnConflict = imports.OnConflict(*r.Params.OnConflict)
	}
	if deref(r.Params.DryRun) {
		report, err := a.Imports.Try(ctx, file)
		if err != nil {
			return nil, ofUpload(err)
		}
		language := languageOf(c.Request)
		return api.CreateImport200JSONResponse{
			Counts: showCounts(report.Counts),
			Rows:   convert(report.Rows, func(row imports.Row) api.ImportRow { return showImportRow(row, language) }),
		}, nil
	}
	taken, err := a.Imports.Take(ctx, file)
	if err != nil {
		return nil, ofUpload(err)
	}
	return api.CreateImport201JSONResponse{Body: showImport(taken), Headers: api.CreateImport201ResponseHeaders{Location: "/v1/imports/" + taken.ID.String()}}, nil
}

// patientBody gives a file the time that it needs, as long as it keeps coming: the
// listener's own bounds are those of small bodies.
type patientBody struct {
	body    io.Reader
	control *http.ResponseController
}

// patience is how long nothing of a file may come, or nobody take what is written.
const patience = 30 * time.Second

func (p *patientBody) Read(b []byte) (int, error) {
	until := time.Now().Add(patience)
	// Where there are no deadlines (a test's recorder) there is nothing to extend.
	_ = p.control.SetReadDeadline(until)
	_ = p.control.SetWriteDeadline(until.Add(patience)) // for the answer
	return p.body.Read(b)
}

// ofUpload says of an upload that stopped coming what it is.
func ofUpload(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return invalid("", "The file ended before it was whole, or nothing of it came for half a minute.", "文件不完整，或超过半分钟没有收到内容。")
	}
	return err
}

// ListImports answers GET /v1/imports.
func (a *admin) ListImports(ctx context.Context, r api.ListImportsRequestObject) (api.ListImportsResponseObject, error) {
	before := uuid.Max
	if _, err := readCursor(r.Params.Cursor, "imports", &before); err != nil {
		return nil, err
	}
	limit := limitOf(r.Params.Limit)
	list, err := a.Imports.List(requestContext(ctx), before, limit+1)
	if err != nil {
		return nil, err
	}
	list, next := pageOf(list, limit, func(last imports.Import) nullable.Nullable[api.NextCursor] {
		return nextCursor("imports", last.ID.String())
	})
	return api.ListImports200JSONResponse{Items: convert(list, showImport), NextCursor: next}, nil
}

// GetImport answers GET /v1/imports/{import_id}.
func (a *admin) GetImport(ctx context.Context, r api.GetImportRequestObject) (api.GetImportResponseObject, error) {
	found, err := a.Imports.Get(requestContext(ctx), r.ImportID)
	if err != nil {
		return nil, err
	}
	return api.GetImport200JSONResponse{Body: showImport(found), Headers: api.GetImport200ResponseHeaders{ETag: etag(versionOfImport(found))}}, nil
}

// CancelImport answers DELETE /v1/imports/{import_id}.
func (a *admin) CancelImport(ctx context.Context, r api.CancelImportRequestObject) (api.CancelImportResponseObject, error) {
	ctx = requestContext(ctx)
	if wanted := ifMatch(r.Params.IfMatch); wanted != nil {
		found, err := a.Imports.Get(ctx, r.ImportID)
		if err != nil {
			return nil, err
		}
		if versionOfImport(found) != *wanted {
			return nil, errImportVersion
		}
	}
	if err := a.Imports.Cancel(ctx, r.ImportID); err != nil {
		return nil, err
	}
	return api.CancelImport204Response{}, nil
}

// versionOfImport is an import's version: its progress is no change that anybody makes.
func versionOfImport(i imports.Import) int64 {
	if i.FinishedAt != nil {
		return 2
	}
	return 1
}

// ListImportRows answers GET /v1/imports/{import_id}/rows.
func (a *admin) ListImportRows(ctx context.Context, r api.ListImportRowsRequestObject) (api.ListImportRowsResponseObject, error) {
	after := 0
	if _, err := readCursor(r.Params.Cursor, "import-rows", &after); err != nil {
		return nil, err
	}
	limit := limitOf(r.Params.Limit)
	rows, err := a.Imports.Rows(requestContext(ctx), r.ImportID, imports.RowState(deref(r.Params.State)), after, limit+1)
	if err != nil {
		return nil, err
	}
	language := english
	if c, ok := ctx.(*gin.Context); ok {
		language = languageOf(c.Request)
	}
	rows, next := pageOf(rows, limit, func(last imports.Row) nullable.Nullable[api.NextCursor] {
		return nextCursor("import-rows", strconv.Itoa(last.Line))
	})
	return api.ListImportRows200JSONResponse{Items: convert(rows, func(row imports.Row) api.ImportRow { return showImportRow(row, language) }), NextCursor: next}, nil
}

func showImport(i imports.Import) api.Import {
	progress := 1.0
	if i.Counts.Total > 0 {
		progress = float64(i.Counts.Finished()) / float64(i.Counts.Total)
	}
	return api.Import{
		ID: i.ID, State: api.ImportState(i.State), Format: api.ExportFormat(i.Format), OnConflict: api.ImportOnConflict(i.OnConflict),
		Sha256: orNull(hex.EncodeToString(i.SHA256), i.SHA256 != nil), CreatedBy: i.CreatedBy, Counts: showCounts(i.Counts), Progress: progress,
		CreatedAt: i.CreatedAt.UTC(), StartedAt: timeOrNull(i.StartedAt), FinishedAt: timeOrNull(i.FinishedAt),
	}
}

func showCounts(c imports.Counts) api.ImportCounts {
	n := func(v int) int32 { return int32(v) } //nolint:gosec // bounded by the rows of a file
	return api.ImportCounts{Total: n(c.Total), Pending: n(c.Total - c.Finished()), Created: n(c.Created), Updated: n(c.Updated),
		Unchanged: n(c.Unchanged), Skipped: n(c.Skipped), Failed: n(c.Failed)}
}

func showImportRow(r imports.Row, language string) api.ImportRow {
	return api.ImportRow{
		Line: int32(r.Line), State: api.ImportRowState(r.State), SuiteID: string(r.SuiteID), CorpID: string(r.CorpID), //nolint:gosec // a line of a file
		TenantID: orNull(deref(r.TenantID), r.TenantID != nil),
		Faults: convert(r.Faults, func(f imports.Fault) api.ImportFault {
			return api.ImportFault{Field: orNull(f.Field, f.Field != ""), Code: f.Code, Detail: say(language, f.En, f.Zh)}
		}),
	}
}
