package wecomtest_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// reopen starts a simulator on a state file, as a world without a suite.
func reopen(t *testing.T, file string, clock *wecomtest.ManualClock) (*world, func()) {
	t.Helper()
	s, err := wecomtest.NewServer(wecomtest.Config{StateFile: file, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	stop := func() {
		h.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	return &world{Sim: wecomtest.Wrap(t, s, h.URL), t: t, clock: clock}, stop
}

// Whoever met the simulator before finds it as it was: suites, corps, apps, every
// credential, auth_codes, and when the next suite_ticket is due.
func TestStateFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "deep", "sim.json")
	clock := wecomtest.NewClock(start)
	rc := newReceiver(t)
	w, stop := reopen(t, file, clock)
	w.suite = w.AddSuite(wecomtest.Suite{SuiteID: "ww1", CallbackURL: rc.URL, TrustedDomains: []string{"a.example"}, RedirectDomain: "isv.example"})
	rc.keys = keysOf(t, w.suite)
	dk := w.AddSuite(wecomtest.Suite{SuiteID: "dk1"})
	w.AddCorp(wecomtest.Corp{CorpID: "wwcorp", OpenCorpID: "wpcorp", Name: "Corp", Apps: []wecomtest.App{{AgentID: 5, Secret: "s", TrustedDomains: []string{"b.example"}}}})
	w.PushSuiteTicket("ww1")
	token := w.token("wwcorp")
	ticket := w.get("get_jsapi_ticket", "access_token", token).text("ticket")
	w.get("ticket/get", "access_token", token, "type", "agent_config")
	internal := w.get("gettoken", "corpid", "wwcorp", "corpsecret", "s").text("access_token")
	provider := w.providerToken()
	permanentCode := w.authorize(dk, "wwcorp")
	suiteToken := w.suiteToken()
	w.authorize(w.suite, "wwgone")
	w.Uninstall("ww1", "wwgone")
	code := w.Install("ww1", "wwlater", wecomtest.Site).AuthCode
	before := w.State()
	stop()

	clock.Advance(3 * time.Minute)
	w, stop = reopen(t, file, clock)
	defer stop()
	w.suite = w.State().Suites[0].Suite
	after := w.State()
	if diff := cmp.Diff(before.Suites, after.Suites); diff != "" {
		t.Errorf("suites (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.Corps, after.Corps); diff != "" {
		t.Errorf("corps (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.AuthCodes, after.AuthCodes); diff != "" {
		t.Errorf("auth_codes (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.Providers, after.Providers); diff != "" {
		t.Errorf("providers (-before +after):\n%s", diff)
	}
	if got := w.get("get_jsapi_ticket", "access_token", token); got.text("ticket") != ticket || got.num("expires_in") != 7200-180 {
		t.Errorf("the old token fetches %v, want the same ticket with 180 s less", got)
	}
	for what, a := range map[string]answer{
		"internal app's token": w.get("agent/list", "access_token", internal),
		"permanent_code of dk": w.get("gettoken", "corpid", "wpcorp", "corpsecret", permanentCode),
		"suite_access_token":   w.get("service/get_pre_auth_code", "suite_access_token", suiteToken),
		"provider's token":     w.toOpen(provider, "wwcorp"),
		"auth_code":            w.exchange(code),
	} {
		if a.code() != 0 {
			t.Errorf("%s answers %v", what, a)
		}
	}
	n := len(rc.received())
	clock.Advance(7*time.Minute - time.Second)
	if got := len(rc.received()); got != n {
		t.Errorf("the next suite_ticket came too early")
	}
	clock.Advance(time.Second)
	if got := len(rc.received()); got != n+1 {
		t.Errorf("ten minutes after the last one %d suite_tickets came, want one", got-n)
	}
	if id := w.Install("dk1", "wwlater", wecomtest.Site).Agents[0].AgentID; id == w.Authorization("ww1", "wwlater").Agents[0].AgentID {
		t.Errorf("the agentid %d was given twice", id)
	}
}

// Changes reach the file while the simulator runs; only its owner may read it, and
// nothing else is left beside it.
func TestStateIsSavedSoon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "sim.json")
	s, err := wecomtest.NewServer(wecomtest.Config{StateFile: file, SaveAfter: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []wecom.CorpID{"wwfirst", "wwsecond"} {
		if _, err := s.PutCorp(wecomtest.Corp{CorpID: id}); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool {
			b, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(b), string(id))
		})
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v; want 0600", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("beside the file there is %v, %v", list, err)
	}
}

func TestBadStateFile(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"half":             `{"version":1,`,
		"another version":  `{"version":99}`,
		"unknown suite":    `{"version":1,"authorizations":[{"suite_id":"ww1","plain_corp_id":"wwcorp"}]}`,
		"unknown corp":     `{"version":1,"auth_codes":[{"suite_id":"ww1","corp_id":"wwcorp"}]}`,
		"suite of no kind": `{"version":1,"suites":[{"suite_id":"ww1","kind":"strange"}]}`,
		"app of no agent":  `{"version":1,"corps":[{"corp_id":"ww1","apps":[{}]}]}`,
		"empty":            ``,
	} {
		file := filepath.Join(t.TempDir(), "sim.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := wecomtest.NewServer(wecomtest.Config{StateFile: file})
		if err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		if !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v does not name the file", name, err)
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != content {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// A directory that cannot be written is told at the end.
func TestUnwritableStateFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := wecomtest.NewServer(wecomtest.Config{StateFile: filepath.Join(filepath.Dir(file), "sim.json")})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(file), "sim.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err == nil {
		t.Error("the state was not saved, and nobody was told")
	}
}
