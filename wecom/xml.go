package wecom

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encoding/xml is too lax for input that decides about authorizations: of two
// <Encrypt> the last wins, text around comments is joined, a second root is
// ignored, a DTD is accepted. The platform writes a small part of XML: elements,
// text, CDATA. This scanner reads that part and refuses the rest.

// errXML is returned for what is not the platform's XML.
var errXML = errors.New("not acceptable XML")

func badXML(format string, a ...any) error {
	return fmt.Errorf("%w: %s", errXML, fmt.Sprintf(format, a...))
}

// xmlDecl is the one declaration accepted, at the very start. It is no
// instruction to anybody: we read UTF-8 in any case.
var xmlDecl = regexp.MustCompile(`^<\?xml version=["']1\.0["'](?: encoding=["'](?i:utf-8)["'])? ?\?>`)

// element is an element that has ended. Text is what it holds, references and
// CDATA resolved; with children the text is white space and dropped.
type element struct {
	depth    int // the root has depth 1
	name     string
	text     string
	children bool
}

// openElement is an element whose end is still to come.
type openElement struct {
	name     string
	text     strings.Builder
	children bool
}

// walkXML calls visit for every element of doc at its end, inner ones first.
// Refused: anything but one root called "xml", depth over maxDepth, attributes,
// prefixes, comments, processing instructions, DTDs, text beside elements,
// characters that XML forbids, trailing data. Iterative: nesting costs no stack.
func walkXML(doc []byte, maxDepth int, visit func(element) error) error {
	if err := xmlChars(doc); err != nil {
		return err
	}
	rest := bytes.TrimLeft(doc[len(xmlDecl.Find(doc)):], xmlSpace)
	var open []*openElement
	for len(rest) > 0 {
		var err error
		switch {
		case bytes.HasPrefix(rest, []byte("</")):
			if rest, err = endTag(rest, &open, visit); err == nil && len(open) == 0 {
				if len(bytes.Trim(rest, xmlSpace)) != 0 {
					return badXML("data after the root element")
				}
				return nil
			}
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			rest, err = cdataSection(rest, open)
		case bytes.HasPrefix(rest, []byte("<!")), bytes.HasPrefix(rest, []byte("<?")):
			err = badXML("declaration, comment or processing instruction")
		case rest[0] == '<':
			rest, err = startTag(rest, &open, maxDepth, visit)
			if err == nil && len(open) == 0 {
				err = badXML("empty root element")
			}
		default:
			rest, err = charData(rest, open)
		}
		if err != nil {
			return err
		}
	}
	return badXML("ends before the root element does")
}

const xmlSpace = " \t\r\n"

// startTag reads <name> or <name/>.
func startTag(rest []byte, open *[]*openElement, maxDepth int, visit func(element) error) ([]byte, error) {
	tag, rest, ok := bytes.Cut(rest[1:], []byte(">"))
	if !ok {
		return nil, badXML("unfinished tag")
	}
	tag, empty := bytes.CutSuffix(tag, []byte("/"))
	name := string(bytes.TrimRight(tag, xmlSpace))
	if !xmlName(name) {
		return nil, badXML("element name, attribute or prefix")
	}
	depth := len(*open) + 1
	if depth > maxDepth {
		return nil, badXML("nested deeper than %d", maxDepth)
	}
	if depth == 1 {
		if name != "xml" {
			return nil, badXML("the root element is not xml")
		}
	} else {
		parent := (*open)[depth-2]
		if strings.Trim(parent.text.String(), xmlSpace) != "" {
			return nil, badXML("text beside elements")
		}
		parent.text.Reset()
		parent.children = true
	}
	if !empty {
		*open = append(*open, &openElement{name: name})
		return rest, nil
	}
	return rest, visit(element{depth: depth, name: name})
}

// endTag reads </name> and hands its element to visit.
func endTag(rest []byte, open *[]*openElement, visit func(element) error) ([]byte, error) {
	tag, rest, ok := bytes.Cut(rest[2:], []byte(">"))
	last := len(*open) - 1
	if !ok || last < 0 || string(bytes.TrimRight(tag, xmlSpace)) != (*open)[last].name {
		return nil, badXML("end tag without its start")
	}
	e := (*open)[last]
	*open = (*open)[:last]
	text := e.text.String()
	if e.children {
		if strings.Trim(text, xmlSpace) != "" {
			return nil, badXML("text beside elements")
		}
		text = ""
	}
	return rest, visit(element{depth: last + 1, name: e.name, text: text, children: e.children})
}

func cdataSection(rest []byte, open []*openElement) ([]byte, error) {
	text, rest, ok := bytes.Cut(rest[len("<![CDATA["):], []byte("]]>"))
	if !ok || len(open) == 0 {
		return nil, badXML("unfinished or misplaced CDATA")
	}
	open[len(open)-1].text.Write(text)
	return rest, nil
}

// charData reads bare text up to the next tag.
func charData(rest []byte, open []*openElement) ([]byte, error) {
	end := bytes.IndexByte(rest, '<')
	if end < 0 {
		end = len(rest)
	}
	raw := rest[:end]
	if len(open) == 0 || bytes.Contains(raw, []byte("]]>")) {
		return nil, badXML("misplaced text")
	}
	text, err := unescapeXML(string(raw))
	if err != nil {
		return nil, err
	}
	open[len(open)-1].text.WriteString(text)
	return rest[end:], nil
}

var xmlEntities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

// unescapeXML resolves the five named references and the numeric ones. There is
// no other kind without a DTD.
func unescapeXML(s string) (string, error) {
	if !strings.Contains(s, "&") {
		return s, nil
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "&")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, rest, ok := strings.Cut(after, ";")
		if !ok {
			return "", badXML("bare ampersand")
		}
		if text, ok := xmlEntities[name]; ok {
			b.WriteString(text)
		} else if r, ok := xmlCharRef(name); ok {
			b.WriteRune(r)
		} else {
			return "", badXML("unknown reference")
		}
		s = rest
	}
}

func xmlCharRef(name string) (rune, bool) {
	digits, ok := strings.CutPrefix(name, "#")
	if !ok || digits == "" || len(digits) > 8 {
		return 0, false
	}
	base := 10
	if hexDigits, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hexDigits, 16
	}
	n, err := strconv.ParseUint(digits, base, 31)
	if err != nil || n > utf8.MaxRune || !xmlChar(rune(n)) {
		return 0, false
	}
	return rune(n), true
}

// xmlChars refuses bytes that are not UTF-8 and characters that XML forbids.
func xmlChars(doc []byte) error {
	for i := 0; i < len(doc); {
		r, size := utf8.DecodeRune(doc[i:])
		if r == utf8.RuneError && size == 1 || !xmlChar(r) {
			return badXML("forbidden character at byte %d", i)
		}
		i += size
	}
	return nil
}

// xmlChar is the production Char of XML 1.0.
func xmlChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// xmlName accepts the names the platform uses: ASCII without a prefix.
func xmlName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// extractEncrypt takes the one Encrypt out of a callback's body: a direct child
// of the root, with text only, and no second one anywhere.
func extractEncrypt(body []byte) (string, error) {
	const maxDepth = 4
	var encrypt string
	seen := false
	err := walkXML(body, maxDepth, func(e element) error {
		if e.name != "Encrypt" {
			return nil
		}
		if seen || e.depth != 2 || e.children {
			return badXML("Encrypt must be there exactly once, inside xml, with text only")
		}
		seen, encrypt = true, strings.Trim(e.text, xmlSpace)
		return nil
	})
	if err != nil {
		return "", err
	}
	if encrypt == "" {
		return "", badXML("no Encrypt")
	}
	return encrypt, nil
}
