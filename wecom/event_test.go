package wecom_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"suitesign/secret"
	"suitesign/wecom"
)

func TestParseEvent(t *testing.T) {
	t.Parallel()
	at := time.Unix(1403610513, 0).UTC()
	for _, tt := range []struct {
		name, in string
		want     wecom.Event
		event    string
		corp     wecom.CorpID
		at       time.Time
	}{
		{
			"suite_ticket (path/90628)",
			"<xml><SuiteId><![CDATA[ww4asffe99e54c0fxxxx]]></SuiteId><InfoType><![CDATA[suite_ticket]]></InfoType><TimeStamp>1403610513</TimeStamp><SuiteTicket><![CDATA[asdfasfdasdfasdf]]></SuiteTicket></xml>",
			wecom.Event{SuiteID: "ww4asffe99e54c0fxxxx", InfoType: "suite_ticket", TimeStamp: 1403610513, SuiteTicket: wecom.SuiteTicket{String: secret.New("asdfasfdasdfasdf")}},
			"suite_ticket", "", at,
		},
		{
			"create_auth with lines, State and ExtraInfo (path/90642)",
			"<xml>\n\t<SuiteId><![CDATA[ww4asffe9xxx4c0f4c]]></SuiteId>\n\t<AuthCode><![CDATA[AUTHCODE]]></AuthCode>\n\t<InfoType><![CDATA[create_auth]]></InfoType>\n\t<TimeStamp>1403610513</TimeStamp>\n\t<State><![CDATA[123]]></State>\n\t<ExtraInfo><a><b>nested</b></a></ExtraInfo>\n</xml>",
			wecom.Event{SuiteID: "ww4asffe9xxx4c0f4c", InfoType: "create_auth", TimeStamp: 1403610513, AuthCode: secret.New("AUTHCODE"), State: "123"},
			"create_auth", "", at,
		},
		{
			"cancel_auth without CDATA",
			"<xml><TimeStamp>1403610513</TimeStamp><InfoType>cancel_auth</InfoType><AuthCorpId>wxf8b4f85f3a794e77</AuthCorpId><SuiteId>ww4a</SuiteId></xml>",
			wecom.Event{SuiteID: "ww4a", InfoType: "cancel_auth", TimeStamp: 1403610513, AuthCorpID: "wxf8b4f85f3a794e77"},
			"cancel_auth", "wxf8b4f85f3a794e77", at,
		},
		{
			"reset_permanent_code of a template",
			"<xml><SuiteId><![CDATA[dk4asffe]]></SuiteId><AuthCode><![CDATA[CODE]]></AuthCode><InfoType><![CDATA[reset_permanent_code]]></InfoType><TimeStamp>1403610513</TimeStamp></xml>",
			wecom.Event{SuiteID: "dk4asffe", InfoType: "reset_permanent_code", TimeStamp: 1403610513, AuthCode: secret.New("CODE")},
			"reset_permanent_code", "", at,
		},
		{
			"a paid edition",
			"<xml><SuiteId>s</SuiteId><InfoType>change_editon</InfoType><PaidCorpId>ww1</PaidCorpId><TimeStamp>1403610513</TimeStamp></xml>",
			wecom.Event{SuiteID: "s", InfoType: "change_editon", PaidCorpID: "ww1", TimeStamp: 1403610513},
			"change_editon", "ww1", at,
		},
		{
			"repeated elements that nobody acts on",
			"<xml><SuiteId>s</SuiteId><InfoType>change_contact</InfoType><ChangeType>update_user</ChangeType><ChangeList><Id>1</Id></ChangeList><ChangeList><Id>2</Id></ChangeList><TimeStamp>1403610513</TimeStamp></xml>",
			wecom.Event{SuiteID: "s", InfoType: "change_contact", ChangeType: "update_user", TimeStamp: 1403610513},
			"change_contact", "", at,
		},
		{
			"change_app_admin (path/95038)",
			"<xml><ToUserName><![CDATA[ww55ca070cb9b7eb22]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName><CreateTime>1403610513</CreateTime><MsgType><![CDATA[event]]></MsgType><AgentID>1000002</AgentID><Event><![CDATA[change_app_admin]]></Event></xml>",
			wecom.Event{ToUserName: "ww55ca070cb9b7eb22", FromUserName: "sys", CreateTime: 1403610513, MsgType: "event", Event: "change_app_admin", AgentID: 1000002},
			"change_app_admin", "ww55ca070cb9b7eb22", at,
		},
		{
			"an approval, nested deeply (path/92633)",
			"<xml><ToUserName>ww1</ToUserName><FromUserName>sys</FromUserName><CreateTime>1403610513</CreateTime><MsgType>event</MsgType><Event>sys_approval_change</Event><AgentID></AgentID><ApprovalInfo><SpRecord><Details><Approver><UserId>x</UserId></Approver></Details></SpRecord></ApprovalInfo></xml>",
			wecom.Event{ToUserName: "ww1", FromUserName: "sys", CreateTime: 1403610513, MsgType: "event", Event: "sys_approval_change"},
			"sys_approval_change", "ww1", at,
		},
		{
			"a message, no event",
			vectors[1].message,
			wecom.Event{ToUserName: "wx5823bf96d3bd56c7", FromUserName: "mycreate", CreateTime: 1409659813, MsgType: "text", AgentID: 218},
			"text", "wx5823bf96d3bd56c7", time.Unix(1409659813, 0).UTC(),
		},
		{
			"one that is new this year, without a time",
			"<xml><SuiteId>s</SuiteId><InfoType>something_new</InfoType><New><Element>1</Element></New></xml>",
			wecom.Event{SuiteID: "s", InfoType: "something_new"},
			"something_new", "", time.Time{},
		},
		{
			"names inside others are theirs",
			"<xml><SuiteId>s</SuiteId><InfoType>x</InfoType><A><SuiteId>other</SuiteId><AuthCorpId>other</AuthCorpId></A></xml>",
			wecom.Event{SuiteID: "s", InfoType: "x"},
			"x", "", time.Time{},
		},
		{
			"names are exact",
			"<xml><suiteid>other</suiteid><SuiteId>s</SuiteId><InfoType>x</InfoType><infotype>cancel_auth</infotype></xml>",
			wecom.Event{SuiteID: "s", InfoType: "x"},
			"x", "", time.Time{},
		},
	} {
		got, err := wecom.ParseEvent([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if got.Name() != tt.event || got.Corp() != tt.corp || !got.Time().Equal(tt.at) {
			t.Errorf("%s: Name %q, Corp %q, Time %v; want %q, %q, %v", tt.name, got.Name(), got.Corp(), got.Time(), tt.event, tt.corp, tt.at)
		}
	}
}

func TestParseEventRefuses(t *testing.T) {
	t.Parallel()
	const rest = "<SuiteId>s</SuiteId><InfoType>x</InfoType>"
	refused := map[string]string{
		"nothing":                   "",
		"an echo":                   "1616140317555161061",
		"JSON":                      vectors[2].message,
		"neither InfoType nor Type": "<xml><SuiteId>s</SuiteId></xml>",
		"an empty InfoType":         "<xml><InfoType></InfoType></xml>",
		"a DTD":                     "<!DOCTYPE xml><xml>" + rest + "</xml>",
		"a comment":                 "<xml>" + rest + "<!-- --></xml>",
		"data behind":               "<xml>" + rest + "</xml>x",
		"17 levels":                 "<xml>" + rest + strings.Repeat("<a>", 16) + strings.Repeat("</a>", 16) + "</xml>",
		"too large":                 "<xml>" + rest + "<A>" + strings.Repeat("x", 64<<10) + "</A></xml>",
		"a negative TimeStamp":      "<xml>" + rest + "<TimeStamp>-1</TimeStamp></xml>",
		"a TimeStamp in words":      "<xml>" + rest + "<TimeStamp>now</TimeStamp></xml>",
		"a TimeStamp in ms":         "<xml>" + rest + "<TimeStamp>1403610513000</TimeStamp></xml>",
		"an AgentID in words":       "<xml>" + rest + "<AgentID>x</AgentID></xml>",
		"a long id":                 "<xml>" + rest + "<AuthCorpId>" + strings.Repeat("x", 129) + "</AuthCorpId></xml>",
		"a long code":               "<xml>" + rest + "<AuthCode>" + strings.Repeat("x", 513) + "</AuthCode></xml>",
		"a long ticket":             "<xml>" + rest + "<SuiteTicket>" + strings.Repeat("x", 513) + "</SuiteTicket></xml>",
		"a newline in an id":        "<xml>" + rest + "<AuthCorpId>a\nb</AuthCorpId></xml>",
		"a newline by reference":    "<xml>" + rest + "<AuthCorpId>a&#10;b</AuthCorpId></xml>",
		"a C1 control in an id":     "<xml>" + rest + "<AuthCorpId>a\u0085b</AuthCorpId></xml>",
		"DEL in a code":             "<xml>" + rest + "<AuthCode>a\x7fb</AuthCode></xml>",
		"an element in an id":       "<xml>" + rest + "<AuthCorpId><a/></AuthCorpId></xml>",
	}
	for _, name := range []string{
		"SuiteId", "InfoType", "TimeStamp", "AuthCorpId", "AuthCode", "State", "SuiteTicket", "ChangeType", "PaidCorpId",
		"AuthType", "ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "AgentID",
	} {
		one := "<" + name + ">1</" + name + ">"
		refused[name+" twice"] = "<xml><InfoType>x</InfoType>" + one + one + "</xml>"
		if name != "InfoType" {
			if _, err := wecom.ParseEvent([]byte("<xml><InfoType>x</InfoType>" + one + "</xml>")); err != nil {
				t.Errorf("%s once: %v", name, err)
			}
		}
	}
	for name, in := range refused {
		if e, err := wecom.ParseEvent([]byte(in)); !errors.Is(err, wecom.ErrEvent) || !cmp.Equal(e, wecom.Event{}) {
			t.Errorf("%s: %+v, %v; want ErrEvent", name, e, err)
		}
	}
}

// The error goes to the log and to the list of events: it must not carry values.
func TestEventErrorsAndEventsDoNotShowCodes(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-code-or-ticket"
	for _, in := range []string{
		"<xml><AuthCode>" + canary + "\n</AuthCode></xml>",
		"<xml><SuiteTicket>" + canary + "</SuiteTicket><SuiteTicket>" + canary + "</SuiteTicket></xml>",
		"<xml><TimeStamp>" + canary + "</TimeStamp></xml>",
		"<xml><" + canary + "!></xml>",
		"<xml><AuthCode>&" + canary + ";</AuthCode></xml>",
	} {
		_, err := wecom.ParseEvent([]byte(in))
		if err == nil || strings.Contains(prints(err), canary) {
			t.Errorf("%q: %v", in, err)
		}
	}
	e, err := wecom.ParseEvent([]byte("<xml><InfoType>x</InfoType><AuthCode>" + canary + "</AuthCode><SuiteTicket>" + canary + "</SuiteTicket></xml>"))
	if err != nil || strings.Contains(prints(e), canary) || e.AuthCode.Reveal() != canary || e.SuiteTicket.Reveal() != canary {
		t.Errorf("event = %+v, %v", e, err)
	}
}

// In whatever order, bare or in CDATA, among whatever else: the same event.
func TestEventShapesMeanTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[A-Za-z0-9_<>&"' -]{1,40}`)
		values := map[string]string{
			"SuiteId": text.Draw(t, "suite"), "InfoType": text.Draw(t, "info"), "AuthCorpId": text.Draw(t, "corp"),
			"AuthCode": text.Draw(t, "code"), "TimeStamp": rapid.StringMatching(`[1-9][0-9]{0,9}`).Draw(t, "time"),
		}
		names := rapid.Permutation([]string{"SuiteId", "InfoType", "AuthCorpId", "AuthCode", "TimeStamp"}).Draw(t, "order")
		var b strings.Builder
		b.WriteString("<xml>")
		for _, name := range names {
			v := values[name]
			if rapid.Bool().Draw(t, "cdata") {
				v = "<![CDATA[" + v + "]]>"
			} else {
				v = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(v)
			}
			b.WriteString(rapid.SampledFrom([]string{"", "\n", "<Other>1</Other>", "<List><SuiteId>2</SuiteId></List>", "<Empty/>"}).Draw(t, "between"))
			b.WriteString("<" + name + ">" + v + "</" + name + ">")
		}
		e, err := wecom.ParseEvent([]byte(b.String() + "</xml>"))
		if err != nil {
			t.Fatalf("%s: %v", b.String(), err)
		}
		got := []string{string(e.SuiteID), e.InfoType, string(e.AuthCorpID), e.AuthCode.Reveal()}
		want := []string{values["SuiteId"], values["InfoType"], values["AuthCorpId"], values["AuthCode"]}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s (-want +got):\n%s", b.String(), d)
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.message))
	}
	f.Add([]byte("<xml>\n<SuiteId><![CDATA[dk4a]]></SuiteId><InfoType>create_auth</InfoType><TimeStamp>1</TimeStamp><AuthCode>&#65;&amp;</AuthCode><ChangeList/><ChangeList/></xml>"))
	f.Add([]byte(`<?xml version="1.0"?><xml><MsgType>event</MsgType><Event>x</Event><AgentID>1</AgentID></xml>`))
	f.Fuzz(func(t *testing.T, message []byte) {
		e, err := wecom.ParseEvent(message)
		if err != nil {
			if !errors.Is(err, wecom.ErrEvent) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		if e.Name() == "" {
			t.Error("an event without a name")
		}
		for _, s := range []string{
			string(e.SuiteID), e.InfoType, string(e.AuthCorpID), e.AuthCode.Reveal(), e.State, e.SuiteTicket.Reveal(), e.ChangeType,
			string(e.PaidCorpID), e.AuthType, e.ToUserName, e.FromUserName, e.MsgType, e.Event,
		} {
			if strings.ContainsAny(s, "\x00\n\r") {
				t.Errorf("a control character in %q", s)
			}
		}
		_, _ = e.Time(), e.Corp()
	})
}
