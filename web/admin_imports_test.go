package web_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"suitesign/web"
	"suitesign/web/imports"
)

const csvType = "text/csv"

type shownImport struct {
	ID, State string
	Counts    struct{ Total, Pending, Created, Failed, Skipped, Cancelled int }
	Progress  float64
}

type shownRows struct {
	Items []struct {
		Line     int
		State    string
		CorpID   string  `json:"corp_id"`
		TenantID *string `json:"tenant_id"`
		Faults   []struct{ Field, Code, Detail string }
	}
	NextCursor *string `json:"next_cursor"`
}

// workOff is the heartbeat.
func (a *admin) workOff() {
	a.t.Helper()
	if _, err := (&imports.Worker{Store: a.api.Imports}).RunOnce(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
}

// The story of an import: try it, take it in, look at it, and export what came.
func TestImportStory(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", thirdParty("ww-move")).want(201)
	file := "suite_id,corp_id,name,permanent_code,domains\nww-move,wp1,One,canary-1,h5.example.com\nww-move,wp2,=2+2,canary-2,\nww-move,wp3,Three,,\nnobody,wp4,,canary-4,\n"

	var report struct {
		Counts struct{ Total, Created, Failed int }
		Rows   []struct{ Line int }
	}
	a.call("POST", "/v1/imports?dry_run=true", file, "Content-Type", csvType).want(200).into(&report)
	if report.Counts.Created != 2 || report.Counts.Failed != 2 || len(report.Rows) != 4 {
		t.Errorf("dry run = %+v", report)
	}
	made := a.call("POST", "/v1/imports?on_conflict=update", file, "Content-Type", "text/csv; charset=utf-8").want(201)
	at := made.header.Get("Location")
	var got shownImport
	if made.into(&got); got.State != "pending" || got.Counts.Total != 4 || got.Counts.Failed != 1 || got.Counts.Pending != 3 || "/v1/imports/"+got.ID != at {
		t.Errorf("taken in = %+v at %s", got, at)
	}
	a.workOff()
	if a.call("GET", at, nil).want(200).into(&got); got.State != "done" || got.Progress != 1 || got.Counts.Created != 2 || got.Counts.Failed != 2 {
		t.Errorf("done = %+v", got)
	}
	var rows shownRows
	a.call("GET", at+"/rows?state=failed&limit=1", nil).want(200).into(&rows)
	if len(rows.Items) != 1 || rows.Items[0].Line != 4 || rows.Items[0].Faults[0].Code != "required" || rows.Items[0].Faults[0].Field != "permanent_code" || rows.NextCursor == nil {
		t.Fatalf("rows = %+v", rows)
	}
	a.call("GET", at+"/rows?state=failed&limit=1&cursor="+*rows.NextCursor, nil, "Accept-Language", "zh").want(200).into(&rows)
	if rows.Items[0].Line != 5 || !strings.Contains(rows.Items[0].Faults[0].Detail, "套件") || rows.NextCursor != nil {
		t.Errorf("the second page = %+v", rows)
	}
	a.call("DELETE", at, nil).refused(409, "import_done")

	out := a.call("GET", "/v1/exports/tenants?suite_id=ww-move", nil).want(200)
	if text := string(out.body); out.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(text, "ww-move,wp2,,'=2+2,,,") || strings.Count(text, "\n") != 3 {
		t.Errorf("export = %v\n%s", out.header, text)
	}
	if text := string(a.call("GET", "/v1/exports/tenants?format=jsonl&q=One", nil).want(200).body); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"domain":"h5.example.com"`) {
		t.Errorf("export as lines = %s", text)
	}
	if out := a.call("GET", "/v1/exports/tenants?format=jsonl&q=nobody", nil).want(200); len(out.body) != 0 || out.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("an export of nothing = %v %q", out.header, out.body)
	}
}

// With secrets an export is answered past the harness, which lets no secret out.
func TestExportWithSecretsMovesElsewhere(t *testing.T) {
	t.Parallel()
	a, b := newAdmin(t), newAdmin(t)
	for _, one := range []*admin{a, b} {
		one.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	}
	a.addTenant("ours", "wwOURS")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.base+"/v1/exports/tenants?format=jsonl&include=secrets", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+adminKey)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" || !bytes.Contains(text, []byte(`"secret":"canary-app-secret"`)) {
		t.Fatalf("export = %d %v %s", resp.StatusCode, resp.Header, text)
	}
	at := b.call("POST", "/v1/imports", text, "Content-Type", "application/x-ndjson").want(201).header.Get("Location")
	b.workOff()
	var got shownImport
	if b.call("GET", at, nil).want(200).into(&got); got.Counts.Created != 1 {
		t.Errorf("moved in: %+v", got)
	}
}

// The codes that an export can hold take what reading access_tokens takes: no scope
// for imports brings it along.
func TestExportWithSecretsTakesItsScope(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	_, reader := a.newKey(object{"name": "reader", "scopes": []string{"imports:write", "tenants:write"}})
	a.call("GET", "/v1/exports/tenants", nil, reader...).want(200)
	p := a.call("GET", "/v1/exports/tenants?include=secrets", nil, reader...).refused(403, "insufficient_scope")
	if !strings.Contains(p.Detail, "tokens:read") {
		t.Errorf("detail = %q, want the scope", p.Detail)
	}
	_, mover := a.newKey(object{"name": "mover", "scopes": []string{"imports:read", "tokens:read"}})
	a.call("GET", "/v1/exports/tenants?include=secrets", nil, mover...).want(200)
}

func TestImportsThatAreRefused(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, func(api *web.API) { api.MaxImport = 1 << 20; api.Imports.MaxRows = 3 })
	const some = "suite_id,corp_id\na,b\n"
	a.call("POST", "/v1/imports", some).refused(415, "unsupported_media_type")
	a.call("POST", "/v1/imports", some, "Content-Type", csvType, "Content-Encoding", "gzip").refused(415, "unsupported_media_type")
	a.call("POST", "/v1/imports", some, "Content-Type", "text/csv; charset=gbk").refused(415, "unsupported_media_type")
	a.call("POST", "/v1/imports", some, "Content-Type", csvType, "Authorization", "").refused(401, "unauthorized")
	a.call("POST", "/v1/imports?on_conflict=replace", some, "Content-Type", csvType).refused(400, "invalid_request")
	a.call("POST", "/v1/imports", "", "Content-Type", csvType).refused(400, "invalid_file")
	if p := a.call("POST", "/v1/imports", "suite_id,canary\na,b\n", "Content-Type", csvType, "Accept-Language", "zh").refused(400, "invalid_file"); !strings.Contains(p.Detail, "第 2 列") {
		t.Errorf("detail = %q", p.Detail)
	}
	a.call("POST", "/v1/imports", some+"a,c\na,d\na,e\n", "Content-Type", csvType).refused(413, "import_too_large")
	a.call("POST", "/v1/imports", strings.Repeat("x", 1<<20+1), "Content-Type", csvType).refused(413, "body_too_large")
	// Also where nobody said before how long the file is.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.base+"/v1/imports", io.MultiReader(strings.NewReader(strings.Repeat("\n", 1<<20)), strings.NewReader("{}")))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+adminKey)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := a.http.Do(req)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("too much of unknown length = %d %s, want 413", resp.StatusCode, body)
	}
	if n := len(a.call("GET", "/v1/imports", nil).want(200).object()["items"].([]any)); n != 0 {
		t.Errorf("%d imports are left of what was refused", n)
	}
	a.call("GET", "/v1/imports/0198f0a1-7b1c-7d3e-9a55-3c5d7e9f1a2b", nil).refused(404, "import_not_found")
	a.call("GET", "/v1/imports/0198f0a1-7b1c-7d3e-9a55-3c5d7e9f1a2b/rows", nil).refused(404, "import_not_found")
	a.call("DELETE", "/v1/imports/0198f0a1-7b1c-7d3e-9a55-3c5d7e9f1a2b", nil).refused(404, "import_not_found")
	a.call("GET", "/v1/exports/tenants?include=everything", nil).refused(400, "invalid_request")
	// A body of another operation stays small.
	a.call("POST", "/v1/suites", strings.Repeat(" ", 64<<10+1)).refused(413, "body_too_large")
}

func TestImportsAreListedAndCancelled(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call("POST", "/v1/suites", thirdParty("ww-move")).want(201)
	for i := range 3 {
		a.call("POST", "/v1/imports", fmt.Sprintf("suite_id,corp_id,permanent_code\nww-move,wp%d,canary\n", i), "Content-Type", csvType).want(201)
	}
	var page struct {
		Items      []shownImport
		NextCursor *string `json:"next_cursor"`
	}
	a.call("GET", "/v1/imports?limit=2", nil).want(200).into(&page)
	if len(page.Items) != 2 || page.NextCursor == nil {
		t.Fatalf("page = %+v", page)
	}
	newest := page.Items[0].ID
	a.call("GET", "/v1/imports?limit=2&cursor="+*page.NextCursor, nil).want(200).into(&page)
	if len(page.Items) != 1 || page.NextCursor != nil || page.Items[0].ID >= newest {
		t.Errorf("the second page = %+v, want the oldest alone", page)
	}
	one := a.call("GET", "/v1/imports/"+newest, nil).want(200)
	a.call("DELETE", "/v1/imports/"+newest, nil, "If-Match", `"2"`).refused(412, "version_conflict")
	a.call("DELETE", "/v1/imports/"+newest, nil, "If-Match", one.header.Get("ETag")).want(204)
	a.call("DELETE", "/v1/imports/"+newest, nil).want(204)
	a.workOff()
	var got shownImport
	if a.call("GET", "/v1/imports/"+newest, nil).want(200).into(&got); got.State != "cancelled" || got.Counts.Created != 0 {
		t.Errorf("cancelled = %+v", got)
	}
	if n := len(a.call("GET", "/v1/tenants", nil).want(200).object()["items"].([]any)); n != 2 {
		t.Errorf("%d tenants moved in, want the 2 of the other imports", n)
	}
}
