package web_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// auditEntry is an entry as the API shows it.
type auditEntry struct {
	ID         string         `json:"id"`
	At         string         `json:"at"`
	ActorKind  string         `json:"actor_kind"`
	Actor      string         `json:"actor"`
	APIKeyID   *string        `json:"api_key_id"`
	IP         *string        `json:"ip"`
	RequestID  *string        `json:"request_id"`
	Action     string         `json:"action"`
	TargetKind string         `json:"target_kind"`
	TargetID   string         `json:"target_id"`
	SuiteID    *string        `json:"suite_id"`
	TenantID   *string        `json:"tenant_id"`
	Before     map[string]any `json:"before"`
	After      map[string]any `json:"after"`
}

// audited is a page of the audit log, and the cursor of the next one.
func (a *admin) audited(query string) ([]auditEntry, string) {
	a.t.Helper()
	var page struct {
		Items []auditEntry `json:"items"`
		Next  *string      `json:"next_cursor"`
	}
	a.call(http.MethodGet, "/v1/audit-log?"+query, nil).want(200).into(&page)
	if page.Next == nil {
		return page.Items, ""
	}
	return page.Items, *page.Next
}

// deeds are the actions and targets of a page.
func deeds(entries []auditEntry) []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Action + " " + e.TargetID
	}
	return out
}

func TestTheAuditLogTellsWhoAndWhence(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	made := a.call(http.MethodPost, "/v1/suites", object{"suite_id": "ww1", "kind": "third_party", "name": "Orders",
		"suite_secret": "canary-secret", "callback_token": "canaryToken", "encoding_aes_key": strings.Repeat("canary0", 7)[:43]}).want(201)
	key := a.call(http.MethodPost, "/v1/api-keys", object{"name": "deploy"}).want(201).object()
	renamed := a.call(http.MethodPatch, "/v1/suites/ww1", object{"name": "Other", "suite_secret": "canary-other"},
		"Authorization", "Bearer "+key["key"].(string)).want(200)
	a.call(http.MethodPatch, "/v1/suites/ww1", object{"name": "Other"}).want(200)                                    // changes nothing
	a.call(http.MethodPatch, "/v1/suites/ww1", object{"name": "Third"}, "If-Match", `"1"`).want(412)                 // is refused
	a.call(http.MethodPatch, "/v1/suites/ww1", object{"name": "Third"}, "Authorization", "Bearer nobody").want(401)  // is nobody's
	a.call(http.MethodPost, "/v1/suites", object{"suite_id": "ww1", "kind": "internal", "name": "Again"}).want(409)  // is there already
	a.call(http.MethodPatch, "/v1/suites/none", object{"name": "x"}).refused(http.StatusNotFound, "suite_not_found") // is of nothing
	a.call(http.MethodDelete, "/v1/suites/ww1/domains/h5.example.com", nil).refused(http.StatusNotFound, "domain_not_found")

	entries, _ := a.audited("suite_id=ww1")
	if diff := cmp.Diff([]string{"suite.update ww1", "suite.create ww1"}, deeds(entries)); diff != "" {
		t.Fatalf("entries (-want +got):\n%s", diff)
	}
	ip, keyID, suiteID := "127.0.0.1", key["id"].(string), "ww1"
	request := func(r *answer) *string { id := r.header.Get("X-Request-Id"); return &id }
	want := []auditEntry{{
		ActorKind: "api_key", Actor: "deploy", APIKeyID: &keyID, IP: &ip, RequestID: request(renamed), Action: "suite.update",
		TargetKind: "suite", TargetID: "ww1", SuiteID: &suiteID,
		Before: map[string]any{"name": "Orders", "suite_secret": "set"}, After: map[string]any{"name": "Other", "suite_secret": "changed"},
	}, {
		ActorKind: "bootstrap", Actor: "bootstrap", IP: &ip, RequestID: request(made), Action: "suite.create",
		TargetKind: "suite", TargetID: "ww1", SuiteID: &suiteID,
		After: map[string]any{"kind": "third_party", "name": "Orders", "provider_corp_id": "", "install_test_mode": false,
			"suite_secret": "set", "callback_token": "set", "encoding_aes_key": "set"},
	}}
	for i := range want {
		want[i].ID, want[i].At = entries[i].ID, entries[i].At
	}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}

	one := a.call(http.MethodGet, "/v1/audit-log/"+entries[0].ID, nil).want(200)
	var same auditEntry
	one.into(&same)
	if diff := cmp.Diff(entries[0], same); diff != "" {
		t.Errorf("read alone (-list +one):\n%s", diff)
	}
	a.call(http.MethodGet, "/v1/audit-log/"+entries[0].ID, nil, "If-None-Match", one.header.Get("ETag")).want(304)
	a.call(http.MethodGet, "/v1/audit-log/"+uuid.NewString(), nil).refused(http.StatusNotFound, "audit_entry_not_found")
	a.call(http.MethodGet, "/v1/audit-log/nonsense", nil).refused(http.StatusBadRequest, "invalid_request")
}

func TestTheAuditLogIsFilteredAndPaged(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	a.call(http.MethodPost, "/v1/suites", internalSuite("own")).want(201)
	a.call(http.MethodPost, "/v1/suites", internalSuite("two")).want(201)
	tenant := a.call(http.MethodPost, "/v1/tenants", object{"suite_id": "own", "corp_id": "wwacme", "agent_id": 1000002, "secret": "canary"}).want(201).object()["id"].(string)
	for i := range 4 {
		a.call(http.MethodPut, fmt.Sprintf("/v1/tenants/%s/domains/h%d.example.com", tenant, i), object{}).want(200)
	}
	a.call(http.MethodPut, "/v1/tenants/"+tenant+"/aliases/wpacme", nil).want(200)
	a.call(http.MethodPatch, "/v1/tenants/"+tenant, object{"status": "disabled"}).want(200)
	all, _ := a.audited("limit=200")
	if len(all) != 9 {
		t.Fatalf("%d entries, want 9: %v", len(all), deeds(all))
	}

	// Pages follow each other without a gap and without a repetition, whatever is added meanwhile.
	var paged []auditEntry
	for cursor, first := "", true; first || cursor != ""; first = false {
		query := "limit=2"
		if cursor != "" {
			query += "&cursor=" + cursor
		}
		var page []auditEntry
		page, cursor = a.audited(query)
		paged = append(paged, page...)
		if first {
			a.call(http.MethodPost, "/v1/suites", internalSuite("meanwhile")).want(201)
		}
	}
	if diff := cmp.Diff(deeds(all), deeds(paged)); diff != "" {
		t.Errorf("paged (-all at once +page by page):\n%s", diff)
	}

	create := all[len(all)-1]
	for _, tt := range []struct {
		query string
		want  int
	}{
		{"tenant_id=" + tenant, 7},
		{"suite_id=own", 8},
		{"suite_id=two", 1},
		{"suite_id=none", 0},
		{"action=tenant_domain.create", 4},
		{"action=tenant_domain.create&target_id=h1.example.com", 1},
		{"target_kind=suite", 3},
		{"target_kind=tenant&target_id=" + tenant, 2},
		{"actor=bootstrap", 10},
		{"actor=nobody", 0},
		{"actor_kind=bootstrap", 10},
		{"actor_kind=wecom", 0},
		{"api_key_id=" + uuid.NewString(), 0},
		{"since=" + url.QueryEscape(create.At), 10},
		{"until=" + url.QueryEscape(create.At), 0},
		{"since=" + url.QueryEscape(create.At) + "&until=" + url.QueryEscape(all[6].At), 2},
		{"since=" + url.QueryEscape("2099-01-01T00:00:00+08:00"), 0},
	} {
		got, _ := a.audited(tt.query)
		if len(got) != tt.want {
			t.Errorf("%s: %d entries, want %d: %v", tt.query, len(got), tt.want, deeds(got))
		}
		lines := strings.Count(string(a.call(http.MethodGet, "/v1/audit-log/export?format=jsonl&"+tt.query, nil).want(200).body), "\n")
		if lines != tt.want {
			t.Errorf("export of %s: %d lines, want %d", tt.query, lines, tt.want)
		}
	}
	for _, query := range []string{"action=suite", "action=Suite.update", "since=yesterday", "actor_kind=nobody", "tenant_id=x", "actor=", "who=me", "cursor=abc"} {
		a.call(http.MethodGet, "/v1/audit-log?"+query, nil).refused(http.StatusBadRequest, "invalid_request")
	}
	for _, query := range []string{"", "format=xml", "format=csv&limit=2"} {
		a.call(http.MethodGet, "/v1/audit-log/export?"+query, nil).refused(http.StatusBadRequest, "invalid_request")
	}
}

func TestTheAuditLogIsExported(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	hostile := `=HYPERLINK("https://evil.example","x"),` + "\n" + `"quoted"`
	key := a.call(http.MethodPost, "/v1/api-keys", object{"name": `@SUM(A1)`}).want(201).object()["key"].(string)
	a.call(http.MethodPost, "/v1/suites", object{"suite_id": "own", "kind": "internal", "name": "订单 " + hostile[:38]}, "Authorization", "Bearer "+key).want(201)
	for i := range 1100 { // more than one batch
		const q = `INSERT INTO audit_log (id, at, actor_kind, actor, action, target_kind, target_id, after)
			VALUES (gen_random_uuid(), now() - interval '1 day', 'cli', $1, 'x.y', 'x', $2, '{"agent_id": 12345678901234567}')`
		if _, err := a.pool.Exec(t.Context(), q, hostile, fmt.Sprint("-", i)); err != nil {
			t.Fatal(err)
		}
	}

	file := a.call(http.MethodGet, "/v1/audit-log/export?format=csv", nil).want(200)
	if got := file.header.Get("Content-Type") + " " + file.header.Get("Content-Disposition"); got != `text/csv; charset=utf-8 attachment; filename="audit-log.csv"` {
		t.Errorf("headers = %s", got)
	}
	table, err := csv.NewReader(strings.NewReader(string(file.body))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var want int
	if err := a.pool.QueryRow(t.Context(), `SELECT count(*) FROM audit_log`).Scan(&want); err != nil || want < 1101 {
		t.Fatalf("%d entries, %v", want, err)
	}
	if len(table) != 1+want || strings.Join(table[0], ",") != "id,at,actor_kind,actor,api_key_id,ip,request_id,action,target_kind,target_id,suite_id,tenant_id,before,after" {
		t.Fatalf("%d lines, the first %v", len(table), table[0])
	}
	for _, row := range table {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Fatalf("the cell %q is a formula", cell)
			}
		}
	}
	if actor := table[1][3]; actor != "'@SUM(A1)" {
		t.Errorf("actor = %q, want it behind an apostrophe", actor)
	}
	last := table[want]
	if last[3] != "'"+hostile || last[13] != `{"agent_id":12345678901234567}` {
		t.Errorf("last line = %q", last)
	}

	lines := strings.Split(strings.TrimSuffix(string(a.call(http.MethodGet, "/v1/audit-log/export?format=jsonl", nil).want(200).body), "\n"), "\n")
	if len(lines) != want {
		t.Fatalf("%d lines, want %d", len(lines), want)
	}
	var ids []string
	for _, line := range lines {
		var e auditEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != want {
		t.Errorf("%d different entries, want %d", n, want)
	}
}

// An export that fails on its way is not taken for a whole one.
func TestAnExportThatFailsIsCut(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	const many = `INSERT INTO audit_log (id, actor_kind, actor, action, target_kind, target_id)
		SELECT gen_random_uuid(), 'cli', 'x', 'x.y', 'x', repeat('x', 400) FROM generate_series(1, 3000)`
	if _, err := a.pool.Exec(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	config := a.pool.Config().Copy()
	config.ConnConfig.Tracer = &failing{from: 2}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	a.api.Audit.Pool = pool
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.base+"/v1/audit-log/export?format=jsonl", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil || len(body) == 0 {
		t.Errorf("an export whose second batch failed: %d bytes and %v, want some and an error", len(body), err)
	}

	// One that fails before its beginning is a problem like any other.
	config.ConnConfig.Tracer = &failing{from: 1}
	if pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	a.api.Audit.Pool = pool
	if again := a.call(http.MethodGet, "/v1/audit-log/export?format=jsonl", nil); again.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("an export whose first batch failed: %d, %s", again.status, again.body)
	}
}

// failing cancels the queries of the audit log from one on.
type failing struct {
	from int64
	seen atomic.Int64
}

func (f *failing) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "FROM audit_log") && f.seen.Add(1) >= f.from {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	return ctx
}

func (f *failing) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
