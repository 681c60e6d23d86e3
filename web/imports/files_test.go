package imports_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"suitesign/tenant"
	"suitesign/web/imports"
	"suitesign/wecom"
)

// try tells what would become of a file's rows.
func (h *house) try(f imports.Format, text string) (string, []imports.Row, error) {
	h.t.Helper()
	report, err := h.store.Try(h.t.Context(), imports.File{Format: f, OnConflict: imports.Skip, Body: strings.NewReader(text)})
	return states(report.Rows), report.Rows, err
}

func TestOddRowsOfCSV(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const head = "suite_id,corp_id,permanent_code,name\n"
	a := string(theirs)
	for name, tt := range map[string]struct{ text, want string }{
		"plain":               {head + a + ",wp1,c,n\n", "created"},
		"byte order mark":     {"\xEF\xBB\xBF" + head + a + ",wp1,c,n\n", "created"},
		"CRLF":                {strings.ReplaceAll(head+a+",wp1,c,n\n", "\n", "\r\n"), "created"},
		"no last newline":     {head + a + ",wp1,c,n", "created"},
		"empty lines":         {head + "\n\n" + a + ",wp1,c,n\n\n", "created"},
		"quotes":              {head + a + `,wp1,"c","a ""b"", c"` + "\n", "created"},
		"a cell of two lines": {head + a + ",wp1,c,\"two\nlines\"\n", "failed:name:name"},
		"other order":         {"permanent_code,corp_id,suite_id\nc,wp1," + a + "\n", "created"},
		"too few cells":       {head + a + ",wp1\n" + a + ",wp2,c,n\n", "failed::columns created"},
		"too many cells":      {head + a + ",wp1,c,n,x\n", "failed::columns"},
		"invalid UTF-8":       {head + a + ",wp1,c,\xb2\xe2\xca\xd4\n" + a + ",wp2,c,n\n", "failed::utf8 created"},
		"NUL":                 {head + a + ",wp1,c,a\x00b\n", "failed::nul"},
		"no suite":            {head + ",wp1,c,n\n", "failed:suite_id:required"},
		"no corp":             {head + a + ",,c,n\n", "failed:corp_id:required"},
		"corp with a space":   {head + a + ",wp 1,c,n\n", "failed:corp_id:corp_id"},
		"unknown suite":       {head + strings.ToUpper(a) + ",wp1,c,n\n", "failed:suite_id:suite_not_found"},
		"a code with a space": {head + a + ",wp1,c d,n\n", "failed:permanent_code:code"},
		"a huge cell":         {head + a + ",wp1," + strings.Repeat("x", 100_000) + ",n\n", "failed:permanent_code:code"},
		"a long name":         {head + a + ",wp1,c," + strings.Repeat("名", 171) + "\n", "failed:name:name"},
		"the same corp twice": {head + a + ",wp1,c,n\n" + a + ",wp1,c,n\n", "created failed:corp_id:duplicate_row"},
		"case matters":        {head + a + ",wp1,c,n\n" + a + ",WP1,c,n\n", "created created"},
		"its alias":           {"suite_id,corp_id,aliases,permanent_code\n" + a + ",wp1,ww1,c\n" + a + ",wp2,ww2; ww1,c\n", "created failed:aliases:duplicate_row"},
		"wrong kind":          {head + "ours,wp1,c,n\n", "failed:permanent_code:suite_kind"},
		"secret, wrong kind":  {"suite_id,corp_id,secret\n" + a + ",wp1,s\n", "failed:secret:suite_kind"},
		"status":              {"suite_id,corp_id,permanent_code,status\n" + a + ",wp1,c,Active\n", "failed:status:status"},
		"time":                {"suite_id,corp_id,permanent_code,authorized_at\n" + a + ",wp1,c,2026-02-30\n", "failed:authorized_at:time"},
		"agents":              {"suite_id,corp_id,permanent_code,agents\n" + a + ",wp1,c,1000002;1000003=Name\n" + a + ",wp2,c,x\n" + a + ",wp3,c,-1\n" + a + ",wp4,c,1;1\n", "created failed:agents:agent_id failed:agents:agent_id failed:agents:repeated"},
		"domains": {"suite_id,corp_id,permanent_code,domains\n" + a + ",wp1,c,h5.example.com|exact|allow_http; b.example.com:8443\n" +
			a + ",wp2,c,com.cn\n" + a + ",wp3,c,https://a.b\n" + a + ",wp4,c,a.example.com|exakt\n" + a + ",wp5,c,A.example.com;a.example.com\n",
			"created failed:domains:domain_public_suffix failed:domains:domain_scheme failed:domains:invalid failed:domains:repeated"},
		"several faults": {head + ",wp 1,c,\x01\n", "failed:suite_id:required:corp_id:corp_id:name:name"},
	} {
		got, _, err := h.try(imports.CSV, tt.text)
		if err != nil || got != tt.want {
			t.Errorf("%s: %s, %v\nwant %s", name, got, err, tt.want)
		}
	}
}

// What is wrong with the file refuses all of it, and names the line.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := string(theirs)
	for name, tt := range map[string]struct {
		format imports.Format
		text   string
		line   int
	}{
		"empty":              {imports.CSV, "", 0},
		"no rows":            {imports.CSV, "suite_id,corp_id\n", 0},
		"no rows, JSON":      {imports.JSONL, "\n\n", 0},
		"no header":          {imports.CSV, a + ",wp1,canary\n", 1},
		"unknown column":     {imports.CSV, "suite_id,corp_id,canary\n", 1},
		"other case":         {imports.CSV, "Suite_ID,corp_id\n", 1},
		"other separator":    {imports.CSV, "suite_id;corp_id\n", 1},
		"a column twice":     {imports.CSV, "suite_id,corp_id,name,name\n", 1},
		"a column missing":   {imports.CSV, "suite_id,permanent_code\n", 1},
		"bare quote":         {imports.CSV, "suite_id,corp_id\n" + a + `,w"p` + "\n", 2},
		"quote not closed":   {imports.CSV, "suite_id,corp_id\n" + a + ",wp1\n" + a + `,"canary` + "\n", 3},
		"quote swallows all": {imports.CSV, "suite_id,corp_id\n" + a + ",wp1\n" + a + `,"canary` + "\n" + strings.Repeat(a+",wp2\n", 40_000), 3},
	} {
		_, _, err := h.try(tt.format, tt.text)
		var file *imports.FileError
		if !errors.As(err, &file) || !errors.Is(err, imports.ErrFile) {
			t.Errorf("%s: %v, want a FileError", name, err)
			continue
		}
		if file.Line != tt.line || strings.Contains(file.En+file.Zh, "canary") || file.En == "" || file.Zh == "" {
			t.Errorf("%s: line %d %q, want line %d and nothing of the file", name, file.Line, file.En, tt.line)
		}
	}
}

func TestOddLinesOfJSON(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const ids = `"suite_id":"ww00000000000000a1","corp_id":"wp1"`
	for text, want := range map[string]string{
		`{` + ids + `,"permanent_code":"c"}`:                               "created",
		"\xEF\xBB\xBF" + `{` + ids + `,"permanent_code":"c"}` + "\r\n\r\n": "created",
		`{` + ids + `,"permanent_code":"c","name":null}`:                   "created",
		`{` + ids + `,"permanent_code":7}`:                                 "failed:permanent_code:invalid",
		`{` + ids + `,"Permanent_Code":"c"}`:                               "failed:Permanent_Code:invalid",
		`{` + ids + `,"corp_id":"wp2","permanent_code":"c"}`:               "failed:corp_id:invalid",
		`{` + ids + `,"permanent_code":"c","nobody knows":1}`:              "failed::json",
		`{` + ids + `,"permanent_code":"c"} {}`:                            "failed::json",
		`[` + ids + `]`:                                                    "failed::json",
		`{` + ids:                                                          "failed::json",
		`{` + ids + `,"name":"` + strings.Repeat("x", 300_000) + `"}` + "\n" + `{` + ids + `}`:                                     "failed::too_large failed:permanent_code:required",
		`{` + ids + `,"permanent_code":"c","name":"` + "\xff" + `"}`:                                                               "failed::utf8",
		`{` + ids + `,"permanent_code":"c","name":"a\u0000"}`:                                                                      "failed::nul:name:name",
		`{` + ids + `,"permanent_code":"c","aliases":"ww1"}`:                                                                       "failed:aliases:invalid",
		`{` + ids + `,"permanent_code":"c","agents":[{"agent_id":1,"x":2}]}`:                                                       "failed:agents:invalid",
		`{` + ids + `,"permanent_code":"c","agents":[{"agent_id":1,"agent_id":2}]}`:                                                "failed:agents:invalid",
		`{` + ids + `,"permanent_code":"c","agents":[{"Agent_ID":1}]}`:                                                             "failed:agents:invalid",
		`{` + ids + `,"permanent_code":"c","agents":[{"name":"n"}]}`:                                                               "failed:agents:invalid",
		`{` + ids + `,"permanent_code":"c","domains":[{"domain":"1.2.3.4"}]}`:                                                      "failed:domains:domain_ip_address",
		`{` + ids + `,"permanent_code":"c","domains":["h5.example.com"]}`:                                                          "failed:domains:invalid",
		`{` + ids + `,"permanent_code":"c","domains":[{"domain":"a.example.com","exact":"x"}]}`:                                    "failed:domains:invalid",
		`{` + ids + `,"permanent_code":"c","domains":[{"domain":"a.example.com","verification_file":{"name":"x","content":"y"}}]}`: "failed:domains:invalid",
	} {
		got, rows, err := h.try(imports.JSONL, text)
		if err != nil || got != want {
			t.Errorf("%.200s: %s, %v\nwant %s", text, got, err, want)
		}
		for _, r := range rows {
			for _, f := range r.Faults {
				if f.En == "" || f.Zh == "" {
					t.Errorf("%s has no words", f.Code)
				}
			}
		}
	}
}

// What is written out moves in again as it was, in both formats, whatever the
// names are; a spreadsheet runs nothing of it.
func TestExportAndImportAreInverse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	names := []string{`=cmd|' /C calc'!A0`, "+1", "-1", "@sum", "'quoted", "'=quoted", "''=twice", `a "b", c; d`, "示例=公司", "", " padded ", "<b>&amp;"}
	for i, name := range names {
		corp := "wp" + string(rune('a'+i))
		code := "-code=" + corp
		a := tenant.Arrival{ID: newID(t), SuiteID: theirs, CorpID: wecom.CorpID(corp), Aliases: []wecom.CorpID{wecom.CorpID("ww" + corp), wecom.CorpID("zz" + corp)}, Name: name, AuthorizedAt: someTime,
			Agents:  []tenant.Agent{{ID: 1, Name: name}, {ID: 2}},
			Domains: []tenant.TrustedDomain{{Domain: tenant.Domain{Host: corp + ".example.com", Port: 8443}, Exact: true}, {Domain: tenant.Domain{Host: "a." + corp + ".example.com"}, AllowHTTP: true, VerificationName: "WW_verify_abcdefgh.txt", VerificationContent: "abcdefgh"}}}
		if i%2 == 1 {
			off := true
			a.Disabled = &off
		}
		_, err := h.tenants.MoveIn(t.Context(), []tenant.Arrival{a})
		must(t, err)
		h.grant(a, code)
	}
	h.run(imports.CSV, imports.Skip, "suite_id,corp_id,secret,agents\nours,wwOURS,app-secret,7\n")

	for _, f := range []imports.Format{imports.CSV, imports.JSONL} {
		var file, again, bare bytes.Buffer
		must(t, h.store.Export(t.Context(), imports.Export{Format: f, Secrets: true}, &file))
		must(t, h.store.Export(t.Context(), imports.Export{Format: f}, &bare))
		if strings.Contains(bare.String(), "code=") || strings.Contains(bare.String(), "app-secret") || !strings.Contains(file.String(), "app-secret") {
			t.Errorf("%s: secrets are shown where nobody asked, or not where somebody did", f)
		}
		other := newHouse(t)
		done, _ := other.run(f, imports.Skip, file.String())
		if done.Counts.Created != len(names)+1 {
			t.Fatalf("%s: %+v\n%s", f, done.Counts, &file)
		}
		must(t, other.store.Export(t.Context(), imports.Export{Format: f, Secrets: true}, &again))
		if diff := cmp.Diff(sortedLines(file.String()), sortedLines(again.String())); diff != "" {
			t.Errorf("%s is not what it was (-out +again):\n%s", f, diff)
		}
		if f == imports.CSV {
			rows, err := csv.NewReader(&file).ReadAll()
			must(t, err)
			for _, row := range rows {
				for _, cell := range row {
					if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
						t.Errorf("the cell %q is a formula", cell)
					}
				}
			}
		}
	}
	if n := h.count(`SELECT count(*) FROM audit_log WHERE action = 'export.create'`); n != 2 {
		t.Errorf("%d exports are in the audit log, want the 2 with secrets", n)
	}
}
