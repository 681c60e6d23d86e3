package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// importState is what GET /v1/imports/{import_id} tells.
type importState struct {
	ID, State string
	Progress  float64
	Counts    struct{ Total, Pending, Created, Skipped, Unchanged, Failed int }
}

// kill -9 of every replica in the middle of an import: it goes on where it was, and
// nothing is lost or doubled. The same file again, by the command line, changes nothing.
func TestImportsSurviveCrashes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suiteWithoutTicket("ww-import", "third_party") // nothing is refreshed: this is about the rows
	const rows = 8000
	file := filepath.Join(t.TempDir(), "tenants.csv")
	var text strings.Builder
	text.WriteString("suite_id,corp_id,aliases,name,permanent_code,agents,domains\n")
	for i := range rows {
		fmt.Fprintf(&text, "ww-import,wp%05d,ww%05d,Corp %d,code-%05d,1000002,c%d.example.com\n", i, i, i, i, i)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"Authorization": "Bearer " + w.apiKey, "Content-Type": "text/csv"}
	a := call(t, http.MethodPost, w.replicas[0].admin+"/v1/imports", header, text.String())
	if a.status != http.StatusCreated {
		t.Fatalf("upload = %s", a)
	}
	var i importState
	path := a.header.Get("Location")
	look := func() importState {
		w.api(http.MethodGet, path, http.StatusOK, nil, &i)
		return i
	}
	for _, r := range w.replicas {
		before := i.Progress
		eventually(t, 60*time.Second, func() error {
			if look().Progress > before || i.State == "done" {
				return nil
			}
			return errors.New("nothing is worked off")
		})
		w.restart(r)
	}
	for _, r := range w.replicas {
		w.restart(r)
	}
	eventually(t, 120*time.Second, func() error {
		if look().State != "done" {
			return fmt.Errorf("%+v", i)
		}
		return nil
	})
	if i.Counts.Created != rows || i.Counts.Total != rows || i.Counts.Failed != 0 {
		t.Errorf("done with %+v, want %d created", i.Counts, rows)
	}
	exported := call(t, http.MethodGet, w.replicas[1].admin+"/v1/exports/tenants?include=secrets", header, nil)
	corps := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(string(exported.body)), "\n") {
		if cells := strings.Split(line, ","); cells[0] == "ww-import" {
			if want := "code-" + strings.TrimPrefix(cells[1], "wp"); corps[cells[1]] || cells[4] != want {
				t.Fatalf("exported twice, or not with %s: %s", want, line)
			}
			corps[cells[1]] = true
		}
	}
	if len(corps) != rows {
		t.Errorf("%d corps are exported, want %d", len(corps), rows)
	}

	environ := w.environ(0, 0)
	if out, code := runCommand(t, environ, "suitesign", "import", file, "--dry-run", "--on-conflict", "update"); code != 0 || !strings.Contains(out, fmt.Sprintf("%d rows: 0 created, 0 updated, %d unchanged", rows, rows)) {
		t.Errorf("a dry run of the same file ended %d:\n%s", code, tail(out, 3))
	}
	if out, code := runCommand(t, environ, "suitesign", "import", file); code != 0 || !strings.Contains(out, fmt.Sprintf("0 created, 0 updated, 0 unchanged, %d skipped", rows)) {
		t.Errorf("the same file again ended %d:\n%s", code, tail(out, 3))
	}
}

// The command line takes in what it converted, without a service that runs; what
// fails is told by its line.
func TestImportAtTheCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.suiteWithoutTicket("ww-import", "third_party")
	w.replicas[0].kill()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	answers := file("answers.json", `[{"permanent_code":"CANARY-code","auth_corp_info":{"corpid":"wpAAA","corp_name":"示例"},"auth_info":{"agent":[{"agentid":1000002,"name":"App"}]}}]`)
	out, code := runCommand(t, nil, "suitesign", "import", "convert", "--from", "easywechat", "--suite-id", "ww-import", answers)
	if code != 0 || !strings.Contains(out, "1 corps can move") {
		t.Fatalf("convert ended %d:\n%s", code, out)
	}
	line, _, _ := strings.Cut(out[strings.Index(out, "{"):], "\n")
	tenants := file("tenants.jsonl", line+"\n"+`{"suite_id":"nobody","corp_id":"wpBBB","permanent_code":"CANARY-code"}`+"\n")
	out, code = runCommand(t, w.environ(0, 0), "suitesign", "import", tenants)
	if code != 1 || !strings.Contains(out, "1 created") || !strings.Contains(out, "line 2: failed nobody wpBBB") || !strings.Contains(out, "suite_not_found") || strings.Contains(out, "CANARY") {
		t.Errorf("import ended %d:\n%s", code, out)
	}
	if out, code := runCommand(t, w.environ(0, 0), "suitesign", "import", file("x.txt", "")); code != 1 || !strings.Contains(out, "--format") {
		t.Errorf("a file of no known format ended %d:\n%s", code, out)
	}
}
