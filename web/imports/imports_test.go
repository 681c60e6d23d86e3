package imports_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/web/imports"
	"suitesign/wecom"
)

func uuids(ts ...tenant.Tenant) (ids []uuid.UUID) {
	for _, t := range ts {
		ids = append(ids, t.ID)
	}
	return ids
}

func TestARowMovesInWhole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	got, rows := h.run(imports.JSONL, imports.Skip, `{"suite_id":"ww00000000000000a1","corp_id":"wpAAA","aliases":["ww222","ww111"],"name":"示例","permanent_code":"code-1","agents":[{"agent_id":1000003,"name":"B"},{"agent_id":1000002,"name":"A"}],"domains":[{"domain":"H5.Example.com"},{"domain":"a.example.com:8443","exact":true,"allow_http":true}],"authorized_at":"2026-03-01T08:00:00Z","status":"disabled"}
{"suite_id":"ours","corp_id":"wwOURS","secret":"app-secret","agents":[{"agent_id":1000002}]}`)
	if got := states(rows); got != "created created" {
		t.Fatalf("rows = %s", got)
	}
	if got.Counts != (imports.Counts{Total: 2, Created: 2}) || got.CreatedBy != "tests" || len(got.SHA256) != 32 {
		t.Errorf("import = %+v", got)
	}
	a := h.find(theirs, "ww222")
	want := tenant.Tenant{ID: a.ID, SuiteID: theirs, CorpID: "wpAAA", Name: "示例", Status: tenant.Disabled, Health: tenant.Pending, AuthorizedAt: someTime,
		Version: 1, CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt, Aliases: []wecom.CorpID{"ww111", "ww222"},
		Agents: []tenant.Agent{{ID: 1000002, Name: "A"}, {ID: 1000003, Name: "B"}}}
	a.AuthorizedAt = a.AuthorizedAt.UTC()
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("tenant (-want +got):\n%s", diff)
	}
	if code, version := h.code(a); code != "code-1" || version != 1 {
		t.Errorf("code = %q, version %d", code, version)
	}
	domains, err := h.tenants.ListTenantDomains(t.Context(), a.ID)
	must(t, err)
	if len(domains) != 2 || domains[0].String() != "a.example.com:8443" || !domains[0].Exact || !domains[0].AllowHTTP || domains[1].String() != "h5.example.com" {
		t.Errorf("domains = %+v", domains)
	}
	if code, _ := h.code(h.find(ours, "wwOURS")); code != "app-secret" {
		t.Errorf("secret = %q", code)
	}
	// The agents are known, and an internal app has none to be asked for.
	if n := h.count(`SELECT count(*) FROM authorizations WHERE info_due_at IS NOT NULL`); n != 0 {
		t.Errorf("%d tenants have their agents asked for, want 0", n)
	}
	if n := h.count(`SELECT count(*) FROM import_rows WHERE sealed IS NOT NULL`); n != 0 {
		t.Errorf("%d rows still hold what they held", n)
	}
	if n := h.count(`SELECT count(*) FROM audit_log WHERE action IN ('tenant.import', 'import.create') AND actor = 'tests' AND ip = '192.0.2.7'`); n != 3 {
		t.Errorf("%d entries in the name of who imported, want the import and both tenants", n)
	}
	if n := h.count(`SELECT count(*) FROM audit_log a WHERE a::text LIKE '%code-1%' OR a::text LIKE '%app-secret%'`); n != 0 {
		t.Error("the audit log holds a secret")
	}
}

// A row is staged sealed: what the file says as a secret stands nowhere in the clear.
func TestRowsAreStagedSealed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.take(imports.CSV, imports.Skip, "suite_id,corp_id,permanent_code,name\n"+string(theirs)+",wpAAA,canary-code,canary-name\n")
	var text string
	must(t, h.pool.QueryRow(t.Context(), `SELECT (SELECT string_agg(r::text, '') FROM import_rows r) || (SELECT string_agg(i::text, '') FROM imports i)`).Scan(&text))
	if !strings.Contains(text, "wpAAA") || strings.Contains(text, "canary") {
		t.Errorf("staged as %s", text)
	}
	if n := h.count(`SELECT count(*) FROM import_rows WHERE position('canary'::bytea IN sealed) = 0`); n != 1 {
		t.Error("the row is not sealed")
	}
}

func TestTheSameFileTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	file := "suite_id,corp_id,aliases,name,permanent_code,agents,domains,status\n"
	for i := range 700 { // more than one batch
		file += fmt.Sprintf("%s,wp%04d,ww%04d,Corp %d,code-%d,1000002=App,c%d.example.com|exact,active\n", theirs, i, i, i, i, i)
	}
	everything := func() string {
		var text string
		must(t, h.pool.QueryRow(t.Context(), `SELECT md5((SELECT string_agg(t::text, '' ORDER BY id) FROM tenants t) ||
			(SELECT string_agg(a::text, '' ORDER BY tenant_id) FROM authorizations a) || (SELECT string_agg(d::text, '' ORDER BY tenant_id) FROM tenant_domains d) ||
			(SELECT string_agg(k::text, '' ORDER BY suite_id, corp_id) FROM tenant_corp_ids k) || (SELECT string_agg(g::text, '' ORDER BY tenant_id) FROM agents g))`).Scan(&text))
		return text
	}
	first, _ := h.run(imports.CSV, imports.Skip, file)
	if first.Counts.Created != 700 {
		t.Fatalf("first = %+v", first.Counts)
	}
	before := everything()
	told := h.count(`SELECT count(*) FROM changes`)
	logged := h.count(`SELECT count(*) FROM audit_log WHERE action = 'tenant.import'`)
	for how, want := range map[imports.OnConflict]imports.Counts{imports.Skip: {Total: 700, Skipped: 700}, imports.Update: {Total: 700, Unchanged: 700}} {
		again, _ := h.run(imports.CSV, how, file)
		if again.Counts != want {
			t.Errorf("%s: %+v, want %+v", how, again.Counts, want)
		}
		if everything() != before {
			t.Errorf("%s changed something", how)
		}
	}
	if n := h.count(`SELECT count(*) FROM changes`); n != told {
		t.Errorf("replicas were told %d times of nothing", n-told)
	}
	if n := h.count(`SELECT count(*) FROM audit_log WHERE action = 'tenant.import'`); n != logged || n != 700 {
		t.Errorf("%d changes of tenants are in the audit log, want 700, each once", n)
	}
	if told > 4 {
		t.Errorf("two batches told the replicas %d times, want once each and the suites' own", told)
	}
}

func TestUpdateTakesOverWhatIsTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(imports.JSONL, imports.Skip, `{"suite_id":"ww00000000000000a1","corp_id":"wpAAA","name":"Old","permanent_code":"code-1","agents":[{"agent_id":1,"name":"One"}],"domains":[{"domain":"a.example.com","verification_file":{"name":"WW_verify_abcdefgh.txt","content":"abcdefgh"}}],"authorized_at":"2026-03-01T08:00:00Z"}`)
	a := h.find(theirs, "wpAAA")

	_, rows := h.run(imports.JSONL, imports.Update, `{"suite_id":"ww00000000000000a1","corp_id":"wpAAA","aliases":["wwPLAIN"],"status":"disabled","domains":[{"domain":"a.example.com","exact":true},{"domain":"b.example.com"}]}`)
	if got := states(rows); got != "updated" || *rows[0].TenantID != a.ID {
		t.Fatalf("rows = %s", got)
	}
	b := h.find(theirs, "wwPLAIN")
	if b.ID != a.ID || b.Name != "Old" || b.Status != tenant.Disabled || len(b.Agents) != 1 || b.Version != a.Version+1 {
		t.Errorf("tenant = %+v", b)
	}
	domains, err := h.tenants.ListTenantDomains(t.Context(), a.ID)
	must(t, err)
	if len(domains) != 2 || !domains[0].Exact || domains[0].VerificationContent != "abcdefgh" {
		t.Errorf("domains = %+v: the file that was stored stays", domains)
	}
	if code, version := h.code(b); code != "code-1" || version != 1 {
		t.Errorf("code = %q version %d, want it as it was", code, version)
	}

	// Another code counts if the consent is not older; one that is older changes nothing.
	for _, tt := range []struct{ code, at, want, state string }{
		{"code-0", "2026-02-01T08:00:00Z", "code-1", "unchanged"},
		{"code-2", "2026-04-01T08:00:00Z", "code-2", "updated"},
		{"code-2", "2026-04-01T08:00:00Z", "code-2", "unchanged"},
	} {
		_, rows := h.run(imports.JSONL, imports.Update, `{"suite_id":"ww00000000000000a1","corp_id":"wwPLAIN","permanent_code":"`+tt.code+`","authorized_at":"`+tt.at+`"}`)
		if code, _ := h.code(b); code != tt.want || states(rows) != tt.state {
			t.Errorf("%s of %s: %s with %q in force, want %s with %q", tt.code, tt.at, states(rows), code, tt.state, tt.want)
		}
	}
	if got := h.find(theirs, "wpAAA").AuthorizedAt.UTC().Format(time.RFC3339); got != "2026-04-01T08:00:00Z" {
		t.Errorf("authorized_at = %s", got)
	}
}

// What WeCom cancelled is not brought back by an old code.
func TestCancelledStaysCancelled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(imports.JSONL, imports.Skip, `{"suite_id":"ww00000000000000a1","corp_id":"wpAAA","permanent_code":"code-1","authorized_at":"2026-03-01T08:00:00Z"}`)
	a := h.find(theirs, "wpAAA")
	_, err := h.tenants.Cancel(t.Context(), a.ID, someTime.Add(time.Hour))
	must(t, err)
	for _, tt := range []struct{ at, want string }{
		{"", "failed:authorized_at:tenant_cancelled"},
		{`,"authorized_at":"2026-03-01T08:00:00Z"`, "failed:authorized_at:tenant_cancelled"},
		{`,"authorized_at":"2026-03-02T08:00:00Z"`, "updated"},
	} {
		_, rows := h.run(imports.JSONL, imports.Update, `{"suite_id":"ww00000000000000a1","corp_id":"wpAAA","permanent_code":"code-2"`+tt.at+`}`)
		if got := states(rows); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.at, got, tt.want)
		}
	}
	if a = h.find(theirs, "wpAAA"); a.Status != tenant.Active {
		t.Errorf("status = %s, want active: the consent is younger than the cancellation", a.Status)
	}
	_, rows := h.run(imports.CSV, imports.Update, "suite_id,corp_id,status\n"+string(theirs)+",wpBBB,cancelled\n")
	if got := states(rows); got != "skipped" {
		t.Errorf("a row that was cancelled where it comes from: %s, want skipped", got)
	}
}

// A cancel_auth that came before its tenant moved in is not lost, whenever it came.
func TestACancelBeforeTheTenantCounts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	cancel := func(corp string, at time.Time) {
		_, err := h.pool.Exec(t.Context(), `INSERT INTO callback_events (id, suite_id, digest, door, info_type, corp_id, event_time, state, received_at, last_received_at)
			VALUES (gen_random_uuid(), $1, $2, 'command', 'cancel_auth', $3, $4, 'done', now(), now())`, theirs, []byte(corp+at.String()), corp, at)
		must(t, err)
	}
	cancel("wpAAA", someTime)
	cancel("wwBBB", someTime)
	_, rows := h.run(imports.CSV, imports.Skip, "suite_id,corp_id,aliases,permanent_code,authorized_at\n"+
		string(theirs)+",wpAAA,,c,\n"+
		string(theirs)+",wpBBB,wwBBB,c,2026-02-01T08:00:00Z\n")
	if got := states(rows); got != "failed:authorized_at:tenant_cancelled failed:authorized_at:tenant_cancelled" {
		t.Errorf("rows = %s", got)
	}
	if n := h.count(`SELECT count(*) FROM tenants`); n != 0 {
		t.Errorf("%d tenants are there, want none", n)
	}
	_, rows = h.run(imports.CSV, imports.Skip, "suite_id,corp_id,permanent_code,authorized_at\n"+string(theirs)+",wpAAA,c,2026-03-02T08:00:00Z\n")
	if got := states(rows); got != "created" {
		t.Errorf("authorized anew since: %s, want created", got)
	}

	// One that is committed between the two steps is found by the second.
	id := h.find(theirs, "wpAAA").ID
	cancel("wpAAA", someTime.AddDate(0, 1, 0))
	out, err := h.suites.MoveIn(t.Context(), []suite.Grant{{TenantID: id, SuiteID: theirs, CorpID: "wpAAA", Code: secret.New("c")}})
	must(t, err)
	if !errors.Is(out[0].Err, tenant.ErrCancelled) {
		t.Errorf("end = %+v, want ErrCancelled", out[0])
	}
	if got := h.find(theirs, "wpAAA"); got.Status != tenant.Cancelled || h.count(`SELECT count(*) FROM authorizations`) != 0 {
		t.Errorf("the tenant is %s, want it cancelled and its code gone", got.Status)
	}
}

func TestDryRunTellsAndChangesNothing(t *testing.T) {
	t.Parallel()
	const file = `{"suite_id":"ww00000000000000a1","corp_id":"wpAAA","permanent_code":"code-1"}
{"suite_id":"ww00000000000000a1","corp_id":"wpBBB","permanent_code":"code-2"}
{"suite_id":"ww00000000000000a1","corp_id":"wpCCC","permanent_code":"code-3"}
{"suite_id":"ww00000000000000a1","corp_id":"wpDDD"}
{"suite_id":"ours","corp_id":"wwOURS","secret":"s"}
{"suite_id":"nobody","corp_id":"wpEEE","permanent_code":"code-3"}`
	for how, want := range map[imports.OnConflict]string{
		imports.Update: "unchanged updated created failed:permanent_code:required failed:agents:required failed:suite_id:suite_not_found",
		imports.Skip:   "skipped skipped created failed:permanent_code:required failed:agents:required failed:suite_id:suite_not_found",
	} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t) // each its own: the run in earnest below changes what is stored
			h.run(imports.JSONL, imports.Skip, `{"suite_id":"ww00000000000000a1","corp_id":"wpAAA","name":"A","permanent_code":"code-1"}
{"suite_id":"ww00000000000000a1","corp_id":"wpBBB","name":"B","permanent_code":"code-1"}`)
			stored := func() int {
				return h.count(`SELECT (SELECT count(*) FROM tenants) + (SELECT count(*) FROM imports) + (SELECT count(*) FROM import_rows) + (SELECT count(*) FROM changes)`)
			}
			before := stored()
			report, err := h.store.Try(t.Context(), imports.File{Format: imports.JSONL, OnConflict: how, Body: strings.NewReader(file)})
			must(t, err)
			if got := states(report.Rows); got != want {
				t.Errorf("rows = %s\nwant   %s", got, want)
			}
			if n := stored(); n != before {
				t.Errorf("%d things are stored, want %d as before", n, before)
			}
			// What was told is what happens.
			_, rows := h.run(imports.JSONL, how, file)
			if got := states(rows); got != want {
				t.Errorf("in earnest: %s\nwant        %s", got, want)
			}
		})
	}
}

// A worker that dies between any two steps leaves nothing doubled and nothing lost.
func TestACrashBetweenTheSteps(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	taken := h.take(imports.CSV, imports.Skip, "suite_id,corp_id,permanent_code\n"+string(theirs)+",wpAAA,code-1\n"+string(theirs)+",wpBBB,code-2\n")
	// The first step was done, and its end not written down: the tenants are there without authorization.
	rows, err := h.pool.Query(t.Context(), `SELECT tenant_id, corp_id FROM import_rows ORDER BY line`)
	must(t, err)
	var list []tenant.Arrival
	for rows.Next() {
		a := tenant.Arrival{SuiteID: theirs, AuthorizedAt: time.Now()}
		must(t, rows.Scan(&a.ID, &a.CorpID))
		list = append(list, a)
	}
	must(t, rows.Err())
	_, err = h.tenants.MoveIn(t.Context(), list)
	must(t, err)
	// The dead worker's lease has not ended: nobody takes over.
	_, err = h.pool.Exec(t.Context(), `UPDATE imports SET state = 'running', lease_owner = gen_random_uuid(), lease_until = now() + interval '1 hour'`)
	must(t, err)
	if n, err := h.worker.RunOnce(t.Context()); n != 0 || err != nil {
		t.Errorf("under another's lease %d rows were worked off, %v", n, err)
	}
	_, err = h.pool.Exec(t.Context(), `UPDATE imports SET lease_until = now()`)
	must(t, err)
	h.workOff()
	_, done := h.ended(taken)
	if got := states(done); got != "created created" {
		t.Errorf("rows = %s, want both created: they are this import's own", got)
	}
	if code, version := h.code(h.find(theirs, "wpBBB")); code != "code-2" || version != 1 {
		t.Errorf("code = %q, version %d", code, version)
	}
	if n := h.count(`SELECT count(*) FROM tenants`); n != 2 {
		t.Errorf("%d tenants, want 2", n)
	}
}

// Two replicas work on several imports of the same corps, and no corp is there twice.
func TestTwoWorkersAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var files []string
	for k := range 4 {
		file := "suite_id,corp_id,aliases,permanent_code\n"
		for i := range 300 {
			n := i
			if k%2 == 1 {
				n = 299 - i // the other way round, so that they meet
			}
			file += fmt.Sprintf("%s,wp%03d,ww%03d,code\n", theirs, n, n)
		}
		files = append(files, file)
	}
	for _, f := range files {
		h.take(imports.CSV, imports.Update, f)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			w := &imports.Worker{Store: h.store}
			if _, err := w.RunOnce(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	h.workOff()
	if n := h.count(`SELECT count(*) FROM imports WHERE state = 'done' AND failed = 0`); n != 4 {
		t.Errorf("%d imports are done without failures, want 4", n)
	}
	if n := h.count(`SELECT sum(created) FROM imports`); n != 300 || h.count(`SELECT count(*) FROM tenants`) != 300 || h.count(`SELECT count(*) FROM authorizations WHERE version = 1`) != 300 {
		t.Errorf("%d were created, want 300 tenants once", n)
	}
}

func TestCancelForgetsTheRest(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	taken := h.take(imports.CSV, imports.Skip, "suite_id,corp_id,permanent_code\n"+string(theirs)+",wpAAA,code-1\n")
	must(t, h.store.Cancel(t.Context(), taken.ID))
	must(t, h.store.Cancel(t.Context(), taken.ID))
	h.workOff()
	if n := h.count(`SELECT (SELECT count(*) FROM tenants) + (SELECT count(*) FROM import_rows WHERE sealed IS NOT NULL)`); n != 0 {
		t.Errorf("%d things are left", n)
	}
	rows, err := h.store.Rows(t.Context(), taken.ID, imports.RowCancelled, 0, 10)
	must(t, err)
	if got := states(rows); got != "cancelled" {
		t.Errorf("rows = %s", got)
	}
	done, _ := h.run(imports.CSV, imports.Skip, "suite_id,corp_id,permanent_code\n"+string(theirs)+",wpAAA,code-1\n")
	if err := h.store.Cancel(t.Context(), done.ID); !errors.Is(err, imports.ErrFinished) {
		t.Errorf("cancelling what is done: %v, want ErrFinished", err)
	}
	if err := h.store.Cancel(t.Context(), uuid.New()); !errors.Is(err, imports.ErrNotFound) {
		t.Errorf("cancelling nothing: %v, want ErrNotFound", err)
	}
}

// An upload that breaks off leaves nothing, and neither does one whose replica died.
func TestABrokenUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var file bytes.Buffer
	file.WriteString("suite_id,corp_id,permanent_code\n")
	for i := range 5000 {
		fmt.Fprintf(&file, "%s,wp%04d,code\n", theirs, i)
	}
	broken := io.MultiReader(bytes.NewReader(file.Bytes()), iotest.ErrReader(io.ErrUnexpectedEOF))
	_, err := h.store.Take(t.Context(), imports.File{Format: imports.CSV, OnConflict: imports.Skip, Body: broken})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("broken: %v", err)
	}
	if n := h.count(`SELECT (SELECT count(*) FROM imports) + (SELECT count(*) FROM import_rows)`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	_, err = h.pool.Exec(t.Context(), `INSERT INTO imports (id, state, format, on_conflict, lease_until) VALUES (gen_random_uuid(), 'receiving', 'csv', 'skip', now())`)
	must(t, err)
	h.workOff()
	if n := h.count(`SELECT count(*) FROM imports`); n != 0 {
		t.Error("an upload of a dead replica is left")
	}
}

func TestMoreRowsThanAllowed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.store.MaxRows = 2
	_, err := h.store.Take(t.Context(), imports.File{Format: imports.CSV, OnConflict: imports.Skip, Body: strings.NewReader("suite_id,corp_id\na,b\na,c\na,d\n")})
	if !errors.Is(err, imports.ErrTooLarge) {
		t.Errorf("three rows of two: %v, want ErrTooLarge", err)
	}
}

// Rows that mean one tenant by two forms of its corp's id, and one whose forms are two tenants.
func TestFormsOfOneCorp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(imports.CSV, imports.Skip, "suite_id,corp_id,aliases,permanent_code\n"+string(theirs)+",wpAAA,wwAAA,c\n"+string(theirs)+",wpBBB,,c\n")
	_, rows := h.run(imports.CSV, imports.Update, "suite_id,corp_id,aliases,name,permanent_code\n"+
		string(theirs)+",wpAAA,,First,c\n"+
		string(theirs)+",wwAAA,,Second,c\n"+
		string(theirs)+",wwCCC,wpAAA;wpBBB,,c\n"+
		string(theirs)+",wwBBB,wpBBB,,c\n")
	if got := states(rows); got != "updated updated failed:aliases:corp_id_taken updated" && !strings.Contains(got, "duplicate_row") {
		t.Errorf("rows = %s", got)
	}
	if a := h.find(theirs, "wpAAA"); a.Name != "Second" {
		t.Errorf("name = %q: the later row is the later one", a.Name)
	}
}
