package wecom_test

import (
	"strings"
	"testing"

	"suitesign/wecom"
)

func TestExtractEncrypt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"as the platform writes it", "<xml><ToUserName><![CDATA[ww1]]></ToUserName><Encrypt><![CDATA[QUJD]]></Encrypt><AgentID><![CDATA[]]></AgentID></xml>", "QUJD"},
		{"lines and bare text", "<xml>\n <Encrypt>QUJD</Encrypt>\r\n\t<AgentID/>\n</xml>\n", "QUJD"},
		{"an XML declaration", `<?xml version="1.0" encoding="UTF-8"?>` + "\n<xml><Encrypt>QUJD</Encrypt></xml>", "QUJD"},
		{"blanks in tags", "<xml ><Encrypt >QUJD</Encrypt\n></xml >", "QUJD"},
		{"blanks around the text", "<xml><Encrypt>\n<![CDATA[QUJD]]>\n</Encrypt></xml>", "QUJD"},
		{"a split CDATA", "<xml><Encrypt><![CDATA[QU]]><![CDATA[JD]]></Encrypt></xml>", "QUJD"},
		{"references", "<xml><Encrypt>Q&#x55;J&#68;&lt;&gt;&amp;&quot;&apos;</Encrypt></xml>", `QUJD<>&"'`},
		{"other elements, depth 4", "<xml><A><B><C>x</C></B></A><Encrypt>QUJD</Encrypt></xml>", "QUJD"},

		{"nothing", "", ""},
		{"blanks", " \n", ""},
		{"text", "QUJD", ""},
		{"JSON", `{"encrypt":"QUJD"}`, ""},
		{"no Encrypt", "<xml><A>QUJD</A></xml>", ""},
		{"empty Encrypt", "<xml><Encrypt></Encrypt></xml>", ""},
		{"self-closed Encrypt", "<xml><Encrypt/></xml>", ""},
		{"Encrypt twice", "<xml><Encrypt>QUJD</Encrypt><Encrypt>QUJD</Encrypt></xml>", ""},
		{"Encrypt and an empty one", "<xml><Encrypt>QUJD</Encrypt><Encrypt/></xml>", ""},
		{"Encrypt elsewhere", "<xml><A><Encrypt>QUJD</Encrypt></A></xml>", ""},
		{"Encrypt here and elsewhere", "<xml><Encrypt>QUJD</Encrypt><A><Encrypt>QUJD</Encrypt></A></xml>", ""},
		{"Encrypt as root", "<Encrypt>QUJD</Encrypt>", ""},
		{"Encrypt in lower case", "<xml><encrypt>QUJD</encrypt></xml>", ""},
		{"Encrypt with an element", "<xml><Encrypt>QU<b>JD</b></Encrypt></xml>", ""},
		{"Encrypt with an empty element", "<xml><Encrypt><b/></Encrypt></xml>", ""},
		{"a comment inside", "<xml><Encrypt>QU<!-- -->JD</Encrypt></xml>", ""},
		{"a comment beside", "<xml><!-- --><Encrypt>QUJD</Encrypt></xml>", ""},
		{"a comment behind", "<xml><Encrypt>QUJD</Encrypt></xml><!-- -->", ""},
		{"an instruction", "<xml><?php x?><Encrypt>QUJD</Encrypt></xml>", ""},
		{"a stylesheet", "<?xml-stylesheet href='x'?><xml><Encrypt>QUJD</Encrypt></xml>", ""},
		{"a late declaration", `<xml><?xml version="1.0"?><Encrypt>QUJD</Encrypt></xml>`, ""},
		{"two declarations", `<?xml version="1.0"?><?xml version="1.0"?><xml><Encrypt>QUJD</Encrypt></xml>`, ""},
		{"a declaration of another encoding", `<?xml version="1.0" encoding="UTF-7"?><xml><Encrypt>QUJD</Encrypt></xml>`, ""},
		{"a DTD", "<!DOCTYPE xml><xml><Encrypt>QUJD</Encrypt></xml>", ""},
		{"an entity", `<!DOCTYPE xml [<!ENTITY e "QUJD">]><xml><Encrypt>&e;</Encrypt></xml>`, ""},
		{"an undeclared entity", "<xml><Encrypt>&e;</Encrypt></xml>", ""},
		{"a bare ampersand", "<xml><Encrypt>QU&JD</Encrypt></xml>", ""},
		{"a reference to NUL", "<xml><Encrypt>QUJD&#0;</Encrypt></xml>", ""},
		{"a reference to a surrogate", "<xml><Encrypt>QUJD&#xD800;</Encrypt></xml>", ""},
		{"a reference beyond Unicode", "<xml><Encrypt>QUJD&#x110000;</Encrypt></xml>", ""},
		{"a signed reference", "<xml><Encrypt>QUJD&#+65;</Encrypt></xml>", ""},
		{"attributes", `<xml><Encrypt a="b">QUJD</Encrypt></xml>`, ""},
		{"a namespace", `<xml xmlns="urn:x"><Encrypt>QUJD</Encrypt></xml>`, ""},
		{"a prefix", "<xml><a:Encrypt>QUJD</a:Encrypt></xml>", ""},
		{"depth 5", "<xml><A><B><C><D>x</D></C></B></A><Encrypt>QUJD</Encrypt></xml>", ""},
		{"data behind", "<xml><Encrypt>QUJD</Encrypt></xml>x", ""},
		{"a second root", "<xml><Encrypt>QUJD</Encrypt></xml><xml></xml>", ""},
		{"data before", "x<xml><Encrypt>QUJD</Encrypt></xml>", ""},
		{"a BOM", "\uFEFF<xml><Encrypt>QUJD</Encrypt></xml>", ""},
		{"text beside elements", "<xml>x<Encrypt>QUJD</Encrypt></xml>", ""},
		{"text behind elements", "<xml><Encrypt>QUJD</Encrypt>x</xml>", ""},
		{"CDATA before the root", "<![CDATA[x]]><xml><Encrypt>QUJD</Encrypt></xml>", ""},
		{"a CDATA end in text", "<xml><Encrypt>QUJD]]></Encrypt></xml>", ""},
		{"an open CDATA", "<xml><Encrypt><![CDATA[QUJD</Encrypt></xml>", ""},
		{"truncated", "<xml><Encrypt>QUJD</Encrypt>", ""},
		{"truncated in a tag", "<xml><Encrypt>QUJD</Encrypt", ""},
		{"crossed tags", "<xml><Encrypt>QUJD</xml></Encrypt>", ""},
		{"an end without a start", "</xml>", ""},
		{"an empty root", "<xml/>", ""},
		{"an empty tag", "<xml><></></xml>", ""},
		{"a tag with a blank first", "<xml>< Encrypt>QUJD</Encrypt></xml>", ""},
		{"another root", "<html><Encrypt>QUJD</Encrypt></html>", ""},
		{"a root in upper case", "<XML><Encrypt>QUJD</Encrypt></XML>", ""},
		{"a control byte", "<xml><Encrypt>QU\x01JD</Encrypt></xml>", ""},
		{"a control byte in CDATA", "<xml><A><![CDATA[\x00]]></A><Encrypt>QUJD</Encrypt></xml>", ""},
		{"no UTF-8", "<xml><A>\xff</A><Encrypt>QUJD</Encrypt></xml>", ""},
		{"UTF-16", "\xff\xfe<\x00x\x00m\x00l\x00>\x00", ""},
	} {
		got, err := wecom.ExtractEncrypt([]byte(tt.in))
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

// Nesting without end must cost neither stack nor time: the first element too deep ends it.
func TestDeepNestingIsRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<a>", 20_000)
	if _, err := wecom.ExtractEncrypt([]byte("<xml>" + deep)); err == nil {
		t.Error("extractEncrypt accepts 20,000 levels")
	}
	if _, err := wecom.ParseEvent([]byte("<xml>" + deep)); err == nil {
		t.Error("ParseEvent accepts 20,000 levels")
	}
}
