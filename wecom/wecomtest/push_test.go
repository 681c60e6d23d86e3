package wecomtest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// callbackWorld has a suite whose callbacks arrive at a receiver.
func callbackWorld(t *testing.T, opts ...wecomtest.Option) (*world, *receiver) {
	t.Helper()
	w := newWorld(t, opts...)
	rc := newReceiver(t)
	rc.keys = keysOf(t, w.suite)
	w.suite.CallbackURL = rc.URL + "/callback/{suite_id}"
	w.suite = w.AddSuite(w.suite)
	return w, rc
}

func contains(m wecom.Opened, elements ...string) bool {
	for _, e := range elements {
		if !strings.Contains(string(m.Message), e) {
			return false
		}
	}
	return true
}

// The suite_ticket comes every ten minutes, each time another, and each lives for
// half an hour.
func TestSuiteTicketEveryTenMinutes(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	w.clock.Advance(9*time.Minute + 59*time.Second)
	if n := len(rc.received()); n != 0 {
		t.Fatalf("%d pushes before ten minutes, want none", n)
	}
	w.clock.Advance(41 * time.Minute)
	got := rc.received()
	if len(got) != 5 {
		t.Fatalf("%d pushes in 51 minutes, want 5", len(got))
	}
	seen := map[string]bool{}
	for i, m := range got {
		at := start.Add(time.Duration(i+1) * 10 * time.Minute)
		if !contains(m, "<InfoType><![CDATA[suite_ticket]]></InfoType>", fmt.Sprintf("<TimeStamp>%d</TimeStamp>", at.Unix()), "<SuiteId><![CDATA["+string(w.suite.SuiteID)+"]]></SuiteId>") {
			t.Errorf("push %d is %s", i, m.Message)
		}
		_, rest, _ := strings.Cut(string(m.Message), "<SuiteTicket><![CDATA[")
		ticket, _, _ := strings.Cut(rest, "]]>")
		if seen[ticket] {
			t.Errorf("push %d repeats a suite_ticket", i)
		}
		seen[ticket] = true
		want := 0
		if i < 2 { // at 10 and 20 minutes: dead at 50:59
			want = 40085
		}
		if a := w.suiteTokenWith(w.suite.SuiteID, w.suite.Secret, ticket); a.code() != want {
			t.Errorf("the ticket of push %d answers %v, want %d", i, a, want)
		}
	}
	if d := w.PushSuiteTicket(w.suite.SuiteID); d.State != wecomtest.Delivered {
		t.Errorf("on demand: %+v", d)
	}
}

// Each door, and whether create_auth is pushed.
func TestDoors(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	market := w.InstallWith(wecomtest.Install{SuiteID: w.suite.SuiteID, CorpID: "wwmarket", State: "abc"})
	if market.Delivery == nil || market.Delivery.State != wecomtest.Delivered {
		t.Fatalf("the market's delivery is %+v", market.Delivery)
	}
	got := rc.received()
	if len(got) != 1 || !contains(got[0], "create_auth", "<AuthCode><![CDATA["+market.AuthCode+"]]></AuthCode>", "<State><![CDATA[abc]]></State>") || contains(got[0], "AuthCorpId") {
		t.Fatalf("received %v, want a create_auth with the auth_code and without a corp", got)
	}
	site := w.InstallWith(wecomtest.Install{SuiteID: w.suite.SuiteID, CorpID: "wwsite", Door: wecomtest.Site, State: "xyz", RedirectURI: "https://isv.example/back?a=1"})
	if len(rc.received()) != 1 || site.Delivery != nil {
		t.Error("an installation by the provider's own site was pushed")
	}
	if want := "https://isv.example/back?a=1&auth_code=" + site.AuthCode + "&expires_in=600&state=xyz"; site.RedirectURL != want {
		t.Errorf("redirect_url = %q, want %q", site.RedirectURL, want)
	}
	if p := w.exchange(market.AuthCode).text("permanent_code"); p == "" {
		t.Error("the pushed auth_code cannot be exchanged")
	}
}

// The events of an authorization's life.
func TestLifecycleEvents(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	w.AddCorp(wecomtest.Corp{CorpID: "wwplain", OpenCorpID: "wpopen"})
	dk := w.AddSuite(wecomtest.Suite{SuiteID: "dk0001", CallbackURL: rc.URL, Token: w.suite.Token, EncodingAESKey: w.suite.EncodingAESKey})
	w.authorize(w.suite, "wwplain")
	w.authorize(dk, "wpopen") // the same corp by its other id

	if d := w.Change(wecomtest.Change{Target: wecomtest.Target{SuiteID: w.suite.SuiteID, CorpID: "wwplain"}, Agents: []wecomtest.Agent{{AgentID: 7}, {AgentID: 8}}, CorpName: "New", State: "s"}); d.State != wecomtest.Delivered {
		t.Errorf("change_auth: %+v", d)
	}
	code := w.ResetPermanentCode(dk.SuiteID, "wwplain").AuthCode
	w.Uninstall(w.suite.SuiteID, "wpopen")
	for i, want := range [][]string{
		{"change_auth", "<AuthCorpId><![CDATA[wpopen]]></AuthCorpId>", "<State><![CDATA[s]]></State>"},
		{"reset_permanent_code", "<SuiteId><![CDATA[dk0001]]></SuiteId>", code},
		{"cancel_auth", "<AuthCorpId><![CDATA[wpopen]]></AuthCorpId>"},
	} {
		if got := rc.received(); len(got) <= i || !contains(got[i], want...) {
			t.Fatalf("received %s, want %d. to have %q", messages(got), i, want)
		}
	}
	st := w.Authorization(w.suite.SuiteID, "wwplain")
	if st.Installed || len(st.Agents) != 2 || st.Agents[1].AgentID != 8 {
		t.Errorf("after change and uninstall the state is %+v", st)
	}
	for what, err := range map[string]error{
		"uninstall twice":          second(w.Server.Uninstall(t.Context(), wecomtest.Target{SuiteID: w.suite.SuiteID, CorpID: "wwplain"})),
		"change of nobody":         second(w.Server.Change(t.Context(), wecomtest.Change{Target: wecomtest.Target{SuiteID: w.suite.SuiteID, CorpID: "wwnobody"}})),
		"reset of a third party's": second(w.Server.ResetPermanentCode(t.Context(), wecomtest.Target{SuiteID: w.suite.SuiteID, CorpID: "wwplain"})),
		"ticket of nobody":         second(w.Server.PushSuiteTicket(t.Context(), "wwnobody")),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func messages(list []wecom.Opened) string {
	var b strings.Builder
	for _, m := range list {
		b.Write(m.Message)
		b.WriteByte('\n')
	}
	return b.String()
}

// An unanswered push is repeated after 5 s, three times, each time sealed anew;
// then it is given up.
func TestRetries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		why    string
	}{
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "HTTP status 500"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, "HTTP status 302"},
		{"success with a newline", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success\n") }, "not exactly success"},
		{"JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `"success"`) }, "not exactly success"},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "not exactly success"},
		{"connection cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, rc := callbackWorld(t)
			w.PushSuiteTicket(w.suite.SuiteID)
			rc.answers(tt.answer)
			d := w.PushSuiteTicket(w.suite.SuiteID)
			if d.State != wecomtest.Pending || !strings.Contains(d.Attempts[0].Error, tt.why) {
				t.Fatalf("the first attempt: %+v, want %q", d, tt.why)
			}
			for i := range 5 {
				w.clock.Advance(4999 * time.Millisecond)
				if n, want := len(rc.received()), min(i+2, 5); n != want { // one went well before
					t.Fatalf("just before repetition %d there were %d attempts, want %d", i+1, n-1, want-1)
				}
				w.clock.Advance(time.Millisecond)
			}
			st := w.State()
			last := st.Deliveries[len(st.Deliveries)-1]
			if last.State != wecomtest.Failed || len(last.Attempts) != 4 {
				t.Errorf("at the end: %s after %d attempts, want failed after 4", last.State, len(last.Attempts))
			}
			rc.mu.Lock()
			defer rc.mu.Unlock()
			sealed := map[string]bool{}
			for i, body := range rc.bodies[1:] {
				if sealed[body] {
					t.Errorf("attempt %d repeats the ciphertext", i+1)
				}
				sealed[body] = true
				if string(rc.messages[i+1].Message) != last.Message {
					t.Errorf("attempt %d carries another message", i+1)
				}
			}
			if st.Pushed[wecomtest.Failed] != 1 || st.Pushed[wecomtest.Delivered] != 1 || st.Pushed[wecomtest.Pending] != 0 {
				t.Errorf("pushed %v, want one failed and one delivered", st.Pushed)
			}
		})
	}
}

// A repetition that is answered ends it.
func TestRetryThatArrives(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	w.PushSuiteTicket(w.suite.SuiteID)
	rc.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Market)
	rc.answers(nil)
	w.clock.Advance(time.Minute)
	if n := len(rc.received()); n != 3 {
		t.Errorf("%d messages arrived, want the ticket and create_auth twice", n)
	}
	st := w.State()
	if last := st.Deliveries[len(st.Deliveries)-1]; last.State != wecomtest.Delivered || len(last.Attempts) != 2 || !last.Attempts[1].OK {
		t.Errorf("the delivery is %+v", last)
	}
}

// Nobody answers within the time: as good as no answer. (The clock stands; HTTP
// waits in real time, here shortly.)
func TestUnanswered(t *testing.T) {
	t.Parallel()
	clock := wecomtest.NewClock(start)
	w, rc := callbackWorld(t, wecomtest.WithConfig(wecomtest.Config{AnswerWithin: 50 * time.Millisecond, Clock: clock}))
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	rc.answers(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	if d := w.PushSuiteTicket(w.suite.SuiteID); d.State != wecomtest.Pending || d.Attempts[0].OK || d.Attempts[0].Error == "" {
		t.Errorf("the delivery is %+v, want one attempt in vain", d)
	}
}

// Authorization events have to be answered within a second; a suite_ticket has
// its five. The receiver is late on purpose.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	w.PushSuiteTicket(w.suite.SuiteID)
	rc.answers(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(1050 * time.Millisecond):
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "success")
	})
	if d := w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Market).Delivery; d.State != wecomtest.Pending || !strings.Contains(d.Attempts[0].Error, "1000 ms") {
		t.Errorf("create_auth, late: %+v", d)
	}
	if d := w.PushSuiteTicket(w.suite.SuiteID); d.State != wecomtest.Delivered {
		t.Errorf("suite_ticket, late: %+v", d)
	}
}

// Nothing is pushed to a URL that does not verify; once it does, everything is.
func TestVerification(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	rc.mu.Lock()
	rc.keys = nil // does not know the suite yet
	rc.mu.Unlock()
	for i := range 2 {
		if d := w.PushSuiteTicket(w.suite.SuiteID); d.State != wecomtest.Unsent || !strings.Contains(d.Attempts[0].Error, "verification: HTTP status 403") {
			t.Fatalf("push %d before the verification: %+v", i, d)
		}
	}
	v, err := w.Verify(t.Context(), w.suite.SuiteID)
	if err != nil || len(v) != 2 || v[0].OK || v[1].OK {
		t.Fatalf("verification %+v, %v; want both refused", v, err)
	}
	rc.mu.Lock()
	rc.keys = keysOf(t, w.suite)
	rc.mu.Unlock()
	if d := w.PushSuiteTicket(w.suite.SuiteID); d.State != wecomtest.Delivered {
		t.Fatalf("after it: %+v", d)
	}
	v, err = w.Verify(t.Context(), w.suite.SuiteID)
	if err != nil || !v[0].OK || !v[1].OK || v[0].URL != rc.URL+"/callback/"+string(w.suite.SuiteID)+"/command" {
		t.Errorf("verification %+v, %v; want both accepted", v, err)
	}
	if got := w.State().Suites[0].Verified; len(got) != 2 {
		t.Errorf("verified %v, want both doors", got)
	}

	// New keys have to be verified again; the receiver still has the old ones.
	w.suite.Token = "another"
	w.suite = w.AddSuite(w.suite)
	if d := w.PushSuiteTicket(w.suite.SuiteID); d.State != wecomtest.Unsent {
		t.Errorf("after a new token: %+v", d)
	}
	w.suite.SkipVerification = true
	w.suite = w.AddSuite(w.suite)
	if d := w.PushSuiteTicket(w.suite.SuiteID); d.Attempts[0].Status != http.StatusForbidden {
		t.Errorf("without verification: %+v, want it to be tried", d)
	}
	if _, err := w.Verify(t.Context(), "wwnobody"); err == nil {
		t.Error("an unknown suite was verified")
	}
}

// The data URL: the corp's id is the receiveid, empty answers are fine, $CORPID$
// is replaced.
func TestDataDoor(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	w.AddCorp(wecomtest.Corp{CorpID: "wwplain", OpenCorpID: "wpopen"})
	w.authorize(w.suite, "wwplain")
	var paths []string
	rc.answers(func(_ http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path+" "+r.URL.Query().Get("corpid"))
	})
	w.suite.DataURL = rc.URL + "/data?corpid=$CORPID$"
	w.AddSuite(w.suite)
	d := w.Push(wecomtest.Push{SuiteID: w.suite.SuiteID, CorpID: "wwplain", Door: wecomtest.Data, Event: "change_app_admin", TimeStamp: 1700000000, Fields: map[string]string{"AgentID": "7", "FromUserName": "sys2"}})
	if len(d) != 1 || d[0].State != wecomtest.Delivered {
		t.Fatalf("deliveries %+v", d)
	}
	m := rc.received()[0]
	if m.ReceiveID != "wpopen" || !contains(m, "<ToUserName><![CDATA[wpopen]]></ToUserName>", "<FromUserName><![CDATA[sys2]]></FromUserName>",
		"<CreateTime>1700000000</CreateTime>", "<Event><![CDATA[change_app_admin]]></Event>", "<AgentID>7</AgentID>") {
		t.Errorf("received %q %s", m.ReceiveID, m.Message)
	}
	if len(paths) != 1 || paths[0] != "/data wpopen" {
		t.Errorf("it arrived at %q, want /data wpopen", paths)
	}
}

// Any event: both shapes at the command URL, word by word, copies at the same time.
func TestPushAnything(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	for _, in := range []wecomtest.Push{
		{InfoType: "change_contact", CorpID: "wwcorp", TimeStamp: 5, Fields: map[string]string{"ChangeType": "create_user", "Name": "a]]>b"}},
		{Event: "sys_approval_change"},
		{Message: "<xml><Strange/></xml>"},
		{InfoType: "cancel_auth", CorpID: "wwcorp", Copies: 3},
	} {
		in.SuiteID = w.suite.SuiteID
		for _, d := range w.Push(in) {
			if d.State != wecomtest.Delivered {
				t.Errorf("%+v: %+v", in, d)
			}
		}
	}
	got := rc.received()
	if len(got) != 6 {
		t.Fatalf("received %s, want six messages", messages(got))
	}
	want := "<xml><SuiteId><![CDATA[" + string(w.suite.SuiteID) + "]]></SuiteId><InfoType><![CDATA[change_contact]]></InfoType><TimeStamp>5</TimeStamp>" +
		"<AuthCorpId><![CDATA[wwcorp]]></AuthCorpId><ChangeType><![CDATA[create_user]]></ChangeType><Name><![CDATA[a]]]]><![CDATA[>b]]></Name></xml>"
	if string(got[0].Message) != want {
		t.Errorf("message %s, want %s", got[0].Message, want)
	}
	if !contains(got[1], "<ToUserName><![CDATA["+string(w.suite.SuiteID), "<MsgType><![CDATA[event]]></MsgType>") || string(got[2].Message) != "<xml><Strange/></xml>" {
		t.Errorf("received %s", messages(got[1:3]))
	}
	if string(got[3].Message) != string(got[5].Message) {
		t.Error("the copies are different messages")
	}
	for _, bad := range []wecomtest.Push{
		{}, {InfoType: "a", Event: "b"}, {InfoType: "a", Copies: -1}, {InfoType: "a", Door: "window"}, {InfoType: "a", Fields: map[string]string{"<": ""}}, {InfoType: "a", SuiteID: "wwnobody"},
	} {
		bad.SuiteID = or(bad.SuiteID, w.suite.SuiteID)
		if _, err := w.Server.Push(t.Context(), bad); err == nil {
			t.Errorf("%+v was pushed", bad)
		}
	}
}

func or(a, b wecom.SuiteID) wecom.SuiteID {
	if a != "" {
		return a
	}
	return b
}

// Callbacks that get lost, come late or come more than once.
func TestCallbackFaults(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	w.PushSuiteTicket(w.suite.SuiteID)
	w.Fault(wecomtest.Fault{API: "callback", Kind: wecomtest.Drop})
	if d := w.PushSuiteTicket(w.suite.SuiteID); d.State != wecomtest.Lost || len(rc.received()) != 1 {
		t.Errorf("a lost push: %+v", d)
	}
	w.Fault(wecomtest.Fault{API: "callback", SuiteID: w.suite.SuiteID, Kind: wecomtest.Duplicate, Value: 4})
	if d := w.PushSuiteTicket(w.suite.SuiteID); d.State != wecomtest.Delivered || len(d.Attempts) != 5 || len(rc.received()) != 6 {
		t.Errorf("five at once: %+v, %d received", d, len(rc.received()))
	}
	w.Fault(wecomtest.Fault{API: "callback", Kind: wecomtest.Latency, Value: 1})
	if d := w.PushSuiteTicket(w.suite.SuiteID); d.State != wecomtest.Delivered {
		t.Errorf("late: %+v", d)
	}
	if _, err := w.Server.Uninstall(t.Context(), wecomtest.Target{SuiteID: w.suite.SuiteID, CorpID: w.Install(w.suite.SuiteID, "wwcorp", wecomtest.Site).CorpID, Silent: true}); err != nil {
		t.Error(err)
	}
	if n := len(rc.received()); n != 7 {
		t.Errorf("%d pushes after a silent uninstallation, want 7", n)
	}
}

// A personal provider has no id to be the receiveid.
func TestPersonalProvider(t *testing.T) {
	t.Parallel()
	w, rc := callbackWorld(t)
	w.suite.Personal, w.suite.SkipVerification = true, true
	w.AddSuite(w.suite)
	w.PushSuiteTicket(w.suite.SuiteID)
	if got := rc.received(); len(got) != 1 || got[0].ReceiveID != "" {
		t.Errorf("received %+v, want an empty receiveid", got)
	}
}

// Without a receiver there are no pushes; what would be in them can be had.
func TestWithoutCallbackURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if d := w.PushSuiteTicket(w.suite.SuiteID); d.State != wecomtest.Unsent {
		t.Errorf("the delivery is %+v, want unsent", d)
	}
	if a, b := w.SuiteTicket(w.suite.SuiteID), w.SuiteTicket(w.suite.SuiteID); a != b {
		t.Error("asking for the suite_ticket makes new ones")
	}
	body, query := w.Seal(w.suite.SuiteID, wecomtest.Command, "", "<xml/>")
	o, err := keysOf(t, w.suite).OpenBody(wecom.Query{Signature: query.Get("msg_signature"), Timestamp: query.Get("timestamp"), Nonce: query.Get("nonce")}, body)
	if err != nil || string(o.Message) != "<xml/>" || o.ReceiveID != string(w.suite.SuiteID) {
		t.Errorf("the sealed message opens as %+v, %v", o, err)
	}
	if n := len(w.Push(wecomtest.Push{SuiteID: w.suite.SuiteID, InfoType: "x", Async: true})); n != 0 {
		t.Errorf("an asynchronous push answers with %d deliveries", n)
	}
	eventually(t, func() bool { return w.State().Pushed[wecomtest.Unsent] == 2 })
}
