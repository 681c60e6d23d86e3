package jsapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"suitesign/web/jssdk"
	"suitesign/wecom/jsapi"
)

// theSDK is the file of the SDK that the binary serves.
func theSDK(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../web/jssdk/wecom-jssdk-" + jssdk.Version + ".js")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The file is what the types say, and nothing else.
func TestTheFileHasNoOtherFields(t *testing.T) {
	t.Parallel()
	dec := json.NewDecoder(bytes.NewReader(jsapi.JSON))
	dec.DisallowUnknownFields()
	var c jsapi.Catalogue
	if err := dec.Decode(&c); err != nil {
		t.Fatal(err)
	}
	if len(c.APIs) < 150 || !strings.HasSuffix(c.SDK, jssdk.Version) {
		t.Errorf("%d APIs of %s, want the 150 and more of %s", len(c.APIs), c.SDK, jssdk.Version)
	}
	if bytes.ContainsRune(jsapi.JSON, 0xD7) {
		t.Error("apis.json has a multiplication sign")
	}
}

func text(t *testing.T, at string, x jsapi.Text) {
	t.Helper()
	han := strings.ContainsFunc(x.Zh, func(r rune) bool { return unicode.Is(unicode.Han, r) })
	if !strings.HasSuffix(x.En, ".") || !strings.HasSuffix(x.Zh, "。") || !han {
		t.Errorf("%s: %q, %q; want a sentence in each language", at, x.En, x.Zh)
	}
}

// Every row is sound: named once, with words of the legend only, in two languages.
func TestRows(t *testing.T) {
	t.Parallel()
	c := jsapi.All()
	name, version := regexp.MustCompile(`^[a-z][A-Za-z]+$`), regexp.MustCompile(`^\d+(\.\d+){1,2}$`)
	kinds := []jsapi.Kind{jsapi.ThirdParty, jsapi.Customized, jsapi.Internal}
	platforms := []jsapi.Platform{jsapi.IOS, jsapi.Android, jsapi.Windows, jsapi.Mac}
	names := map[string]bool{}
	for _, a := range c.APIs {
		if !name.MatchString(a.Name) || a.Wire == "" || a.Group == "" || names[a.Name] {
			t.Errorf("%q: name, wire %q and group %q are wanted, once", a.Name, a.Wire, a.Group)
		}
		names[a.Name] = true
		text(t, a.Name, a.Text)
		if !slices.ContainsFunc(c.Groups, func(g jsapi.Group) bool { return g.Group == a.Group }) {
			t.Errorf("%s: group %q has no name", a.Name, a.Group)
		}
		var params map[string]any
		if a.Params != nil && json.Unmarshal(a.Params, &params) != nil {
			t.Errorf("%s: params %s are no object", a.Name, a.Params)
		}
		for k, id := range a.Identity {
			if !slices.Contains(kinds, k) || !slices.Contains([]jsapi.Identity{jsapi.None, jsapi.Corp, jsapi.Agent}, id) {
				t.Errorf("%s: identity %q of %q", a.Name, id, k)
			}
		}
		if len(a.Identity) == 0 {
			t.Errorf("%s: nobody may call it", a.Name)
		}
		for _, s := range a.Clients {
			if s.App != jsapi.WeCom && s.App != jsapi.WeChat || s.Since != "" && !version.MatchString(s.Since) {
				t.Errorf("%s: client %+v", a.Name, s)
			}
			for _, p := range s.Platforms {
				if !slices.Contains(platforms, p) {
					t.Errorf("%s: platform %q", a.Name, p)
				}
			}
		}
		for _, e := range a.Entries {
			if !slices.Contains(c.Entries, e.Entry) || !version.MatchString(e.Since) || a.Identity[jsapi.ThirdParty] != jsapi.Agent {
				t.Errorf("%s: entry %+v", a.Name, e)
			}
		}
		for _, n := range a.Notes {
			text(t, a.Name, n)
		}
		if a.Correction != nil {
			text(t, a.Name, *a.Correction)
		}
		if a.Deprecated != (a.Instead != nil) && a.Name != "consumeAndShareCard" {
			t.Errorf("%s: deprecated %v, instead %v", a.Name, a.Deprecated, a.Instead)
		}
	}
	for _, m := range c.Mistaken {
		text(t, m.Name, m.Correction)
		for _, n := range append(m.Instead, m.Name) {
			if names[n] == (n == m.Name) {
				t.Errorf("mistaken %s: %s, in the catalogue %v", m.Name, n, names[n])
			}
		}
	}
	for _, g := range c.Groups {
		text(t, g.Group, g.Text)
	}
	for _, x := range c.Corrections {
		text(t, x.Topic, x.Text)
	}
}

// What the SDK exports and is no API of the client.
var machinery = []string{
	"createJSAPIPanel", "createOpenDataFrameFactory", "createScrollViewContext", "createWWLoginPanel", "ensureAgentConfigReady", "ensureConfigReady",
	"ensureCorpConfigReady", "env", "getCanvas", "getNodeInfo", "getVerifyParams", "initOpenData", "invoke", "isWeixinJSBridgeReady", "on",
	"onWeixinJSBridgeReady", "showSecurityGatewayConfirmModal", "useRefManager",
}

// outermost is a script without what stands in its brackets.
func outermost(script string) string {
	var b strings.Builder
	depth := 0
	for _, c := range regexp.MustCompile(`"(\\.|[^"\\])*"`).ReplaceAllString(script, "") {
		switch c {
		case '(', '{', '[':
			depth++
		case ')', '}', ']':
			depth--
		default:
			if depth == 0 {
				b.WriteRune(c)
			}
		}
	}
	return b.String()
}

// The catalogue holds every API that the SDK exports, and no other.
func TestEveryExportIsThere(t *testing.T) {
	t.Parallel()
	exported := map[string]bool{}
	_, exports, _ := strings.Cut(theSDK(t), "e.IS_WECOM_SDK=") // they stand at the end, in order
	for _, m := range regexp.MustCompile(`,e\.([a-z]\w+)=`).FindAllStringSubmatch(outermost(exports), -1) {
		exported[m[1]] = true
	}
	if len(exported) < 150 {
		t.Fatalf("read %d exports out of the SDK, want all of them", len(exported))
	}
	have := map[string]bool{}
	for _, a := range jsapi.All().APIs {
		have[a.Name] = true
		if !exported[a.Name] {
			t.Errorf("%s is not exported by the SDK", a.Name)
		}
	}
	for n := range exported {
		if !have[n] && !slices.Contains(machinery, n) {
			t.Errorf("%s is missing", n)
		}
	}
	for _, m := range jsapi.All().Mistaken {
		if exported[m.Name] {
			t.Errorf("%s is no mistake: the SDK exports it", m.Name)
		}
	}
}

// Names on the wire are those of the SDK's own table.
func TestWireNames(t *testing.T) {
	t.Parallel()
	table := regexp.MustCompile(`\{config:"preVerifyJsApi",([^}]*)\}`).FindStringSubmatch(theSDK(t))
	if table == nil {
		t.Fatal("the SDK's table of wire names is not where it was")
	}
	wire := map[string]string{"register": "preVerifyJSAPI"}
	for _, m := range regexp.MustCompile(`(\w+):"([^"]+)"`).FindAllStringSubmatch(table[1], -1) {
		wire[m[1]] = m[2]
	}
	for _, a := range jsapi.All().APIs {
		want := wire[a.Name]
		if want == "" {
			want = a.Name
		}
		if a.Wire != want {
			t.Errorf("%s: wire name %s, want the SDK's %s", a.Name, a.Wire, want)
		}
	}
}

// Facts that the explanations rest on.
func TestFacts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                 string
		third, dk, self      jsapi.Identity
		since                string
		entries, corrections int
	}{
		{"scanQRCode", "corp", "corp", "corp", "", 0, 0},
		{"selectEnterpriseContact", "corp", "corp", "corp", "1.3.11", 0, 1},
		{"openUserProfile", "agent", "agent", "corp", "2.4.20", 0, 1},
		{"openEnterpriseChat", "agent", "agent", "corp", "2.0.0", 0, 1},
		{"getCurExternalContact", "agent", "agent", "agent", "2.5.8", 3, 1},
		{"sendChatMessage", "agent", "agent", "agent", "2.8.10", 4, 0},
		{"createTodo", "", "", "agent", "5.0.9", 0, 0},
		{"createChatWithMsg", "agent", "agent", "", "3.1.8", 0, 0},
		{"openAppPurchase", "agent", "", "", "4.1.6", 0, 0},
		{"checkJsApi", "none", "none", "none", "", 0, 0},
	} {
		a, ok := jsapi.Find(tt.name)
		since := ""
		if len(a.Clients) > 0 {
			since = a.Clients[0].Since
		}
		if !ok || a.Identity[jsapi.ThirdParty] != tt.third || a.Identity[jsapi.Customized] != tt.dk || a.Identity[jsapi.Internal] != tt.self ||
			since != tt.since || len(a.Entries) != tt.entries || (a.Correction != nil) != (tt.corrections > 0) {
			t.Errorf("%s = %+v, want %+v", tt.name, a, tt)
		}
	}
	if a, ok := jsapi.Find("menu:share:appmessage"); !ok || a.Name != "onMenuShareAppMessage" || !a.Named([]string{"x", "menu:share:appmessage"}) || a.Named([]string{"x"}) {
		t.Errorf("by its wire name: %+v, %v", a, ok)
	}
	if _, ok := jsapi.Find("getChatToolbarContext"); ok {
		t.Error("getChatToolbarContext is found, and there is no such API")
	}
	if m, ok := jsapi.FindMistaken("getChatToolbarContext"); !ok || m.Instead[0] != "getContext" {
		t.Errorf("FindMistaken = %+v, %v", m, ok)
	}
	if a, _ := jsapi.Find("openAppPurchase"); true {
		if _, ok := a.For(jsapi.Internal); ok {
			t.Error("a self-built app may not open a purchase")
		}
	}
}
