package convert_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/web/imports"
	"suitesign/web/imports/convert"
)

func run(t *testing.T, in string, o convert.Options) (string, convert.Report, error) {
	t.Helper()
	var out strings.Builder
	w, err := imports.NewWriter(imports.JSONL, &out)
	if err != nil {
		t.Fatal(err)
	}
	report, err := convert.Convert(strings.NewReader(in), w, o)
	return out.String(), report, err
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What a WxJava application keeps, as its beans are written by Gson and by Jackson.
func TestWxJava(t *testing.T) {
	t.Parallel()
	got, report, err := run(t, read(t, "wxjava.jsonl"), convert.Options{Keys: strings.NewReader(read(t, "wxjava-keys.txt"))})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"suite_id":"ww00000000000000a1","corp_id":"wpAAA","name":"甲公司","permanent_code":"code-a","agents":[{"agent_id":1000002,"name":"订单"}]}
{"suite_id":"ww00000000000000a1","corp_id":"wpBBB","name":"乙公司","permanent_code":"code-b","agents":[{"agent_id":1000003,"name":"订单"},{"agent_id":1000004,"name":"报表"}]}
{"suite_id":"dk00000000000000b2","corp_id":"wpCCC","name":"丙公司","permanent_code":"code-c","agents":[{"agent_id":1000005,"name":"订单"}]}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]convert.Corp{{SuiteID: "ww00000000000000a1", CorpID: "wpLOST"}}, report.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if report.Written != 3 || report.Unused != 0 || len(report.Skipped) != 1 || report.Skipped[0].Record != 4 {
		t.Errorf("report = %+v", report)
	}
	if strings.Contains(got, "token") {
		t.Error("a token was carried over")
	}
}

// What an EasyWeChat application keeps: a table of its own, with an answer in a column.
func TestEasyWeChat(t *testing.T) {
	t.Parallel()
	shanghai := time.FixedZone("CST", 8*3600)
	got, report, err := run(t, read(t, "easywechat.json"), convert.Options{SuiteID: "ww00000000000000a1", Zone: shanghai})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"suite_id":"ww00000000000000a1","corp_id":"wpAAA","name":"甲公司","permanent_code":"code-a","agents":[{"agent_id":1000002,"name":"订单"}],"authorized_at":"2026-03-01T00:00:00Z"}
{"suite_id":"ww00000000000000a1","corp_id":"wpBBB","permanent_code":"code-b","agents":[{"agent_id":1000003,"name":""}],"authorized_at":"2026-03-01T08:00:00Z"}
`
	if diff := cmp.Diff(want, got); diff != "" || report.Written != 2 {
		t.Errorf("(-want +got):\n%s\n%+v", diff, report)
	}
}

func TestATableAsCSV(t *testing.T) {
	t.Parallel()
	in := "\xEF\xBB\xBFid,suite_id,auth_corp_id,perm,corp_name,agent_id,create_time\r\n1,ww1,wpAAA,code-a,\"甲, 公司\",1000002,1772352000000\r\n2,ww1,,code-b,,,\r\n3,ww1,wpCCC,,,,\r\n4,ww1,wpDDD,code-d,,x,\r\n5,ww1,wpEEE,code-e,,,yesterday\r\n"
	got, report, err := run(t, in, convert.Options{Columns: map[string]string{"permanent_code": "perm"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"suite_id":"ww1","corp_id":"wpAAA","name":"甲, 公司","permanent_code":"code-a","agents":[{"agent_id":1000002,"name":""}],"authorized_at":"2026-03-01T08:00:00Z"}` + "\n"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if len(report.Skipped) != 4 {
		t.Errorf("skipped = %+v", report.Skipped)
	}
	for _, s := range report.Skipped {
		if strings.Contains(s.Why, "code-") || s.Why == "" {
			t.Errorf("skipped %d: %q", s.Record, s.Why)
		}
	}
	if _, report, _ = run(t, `{"corpid":"wpAAA","permanent_code":"c"}`, convert.Options{}); len(report.Skipped) != 1 || !strings.Contains(report.Skipped[0].Why, "--suite-id") {
		t.Errorf("without a suite: %+v", report)
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "  \n", `{"corpid":"canary"`, `[{"corpid":"canary"},`, `[1]`, "a,b\n\"canary,c\n", "a,b\ncanary\n"} {
		_, _, err := run(t, in, convert.Options{SuiteID: "ww1"})
		if !errors.Is(err, convert.ErrInput) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v, want ErrInput and nothing of the input", in, err)
		}
	}
}
