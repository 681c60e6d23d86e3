package wecomtest

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"
	"time"

	"suitesign/wecom"
)

// element is one child of a message's <xml>.
type element struct{ name, text string }

// suiteMessage is a message in the shape of the command URL: SuiteId, InfoType,
// TimeStamp and what belongs to the event.
func suiteMessage(id wecom.SuiteID, infoType string, at time.Time, more ...element) []byte {
	return message(append([]element{{"SuiteId", string(id)}, {"InfoType", infoType}, {"TimeStamp", unix(at)}}, more...))
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// message writes digits bare and all else as CDATA, like the platform's samples.
func message(elements []element) []byte {
	var b bytes.Buffer
	b.WriteString("<xml>")
	for _, e := range elements {
		b.WriteString("<" + e.name + ">")
		if _, err := strconv.ParseInt(e.text, 10, 64); err == nil && e.name != "SuiteId" {
			_ = xml.EscapeText(&b, []byte(e.text)) // a bytes.Buffer takes all
		} else {
			b.WriteString("<![CDATA[" + strings.ReplaceAll(e.text, "]]>", "]]]]><![CDATA[>") + "]]>")
		}
		b.WriteString("</" + e.name + ">")
	}
	b.WriteString("</xml>")
	return b.Bytes()
}
