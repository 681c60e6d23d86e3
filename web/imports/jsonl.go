package imports

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"suitesign/secret"
	"suitesign/tenant"
	"suitesign/wecom"
)

type jsonlReader struct {
	in   *bufio.Reader
	line int
	demo bool
}

func (j *jsonlReader) next() (*Record, error) {
	for {
		line, long, err := j.readLine()
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0 && !long) {
			return nil, err
		}
		j.line++
		if len(bytes.TrimSpace(line)) == 0 && !long {
			continue
		}
		r := &Record{Line: j.line}
		switch {
		case long:
			r.fault(faultLong)
		case !utf8.Valid(line):
			r.fault(faultUTF8)
		default:
			r.readLine(line, j.demo)
		}
		return r, nil
	}
}

// readLine reads to the end of the line. Of one that is too long nothing is kept.
func (j *jsonlReader) readLine() (line []byte, long bool, err error) {
	for {
		part, err := j.in.ReadSlice('\n')
		if !long {
			line = append(line, part...)
		}
		if long = long || len(line) > maxRow; long {
			line = nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

// errObject keeps what the decoder says, which may quote a value, out of everything.
var errObject = errors.New("not an object with these fields")

// object reads a JSON object strictly: its fields are among the allowed ones,
// spelled so, each once, and nothing follows. Those that are null are left out.
func object(raw []byte, allowed ...string) (map[string]json.RawMessage, string, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, "", errObject
	}
	out := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, "", errObject
		}
		known := false
		for _, a := range allowed {
			known = known || a == name
		}
		if _, twice := out[name]; twice || !known {
			if len(name) > 40 || strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
				name = "" // it may be anything
			}
			return nil, name, errObject
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, "", errObject
		}
		out[name] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, "", errObject
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, "", errObject
	}
	for name, v := range out {
		if string(v) == "null" {
			delete(out, name)
		}
	}
	return out, "", nil
}

func (r *Record) readLine(line []byte, demo bool) {
	fields, odd, err := object(line, Columns...)
	switch {
	case err != nil && odd != "":
		r.fault(faultField(odd, "is no field of a row, or occurs twice; names are case-sensitive", "不是行的字段或重复出现；字段名区分大小写"))
		return
	case err != nil:
		r.fault(faultJSON)
		return
	}
	r.SuiteID = wecom.SuiteID(r.text(fields, "suite_id"))
	r.CorpID = wecom.CorpID(r.text(fields, "corp_id"))
	r.Name = r.text(fields, "name")
	r.PermanentCode = secret.New(r.text(fields, "permanent_code"))
	r.Secret = secret.New(r.text(fields, "secret"))
	r.Status = tenant.Status(r.text(fields, "status"))
	if at := r.text(fields, "authorized_at"); at != "" {
		r.parseTime(at)
	}
	if raw, ok := fields["aliases"]; ok {
		if json.Unmarshal(raw, &r.Aliases) != nil {
			r.fault(faultField("aliases", "must be a list of texts", "须为文本列表"))
		}
	}
	if raw, ok := fields["agents"]; ok {
		r.readAgents(raw)
	}
	if raw, ok := fields["domains"]; ok {
		r.readDomains(raw, demo)
	}
}

// text is a field that holds text; "" where it is not told.
func (r *Record) text(fields map[string]json.RawMessage, name string) string {
	raw, ok := fields[name]
	if !ok {
		return ""
	}
	var v string
	if json.Unmarshal(raw, &v) != nil {
		r.fault(faultField(name, "must be text", "须为文本"))
	}
	if strings.ContainsRune(v, 0) {
		r.fault(faultNUL)
	}
	return v
}

// readAgents reads [{"agent_id":1000002,"name":"Orders"}].
func (r *Record) readAgents(raw []byte) {
	bad := faultField("agents", `must be a list of {"agent_id":1000002,"name":"…"}`, `须为 {"agent_id":1000002,"name":"…"} 的列表`)
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		r.fault(bad)
		return
	}
	r.Agents = []tenant.Agent{}
	for _, item := range list {
		fields, _, err := object(item, "agent_id", "name")
		var a tenant.Agent
		if err != nil || json.Unmarshal(or(fields["agent_id"], "x"), &a.ID) != nil || json.Unmarshal(or(fields["name"], `""`), &a.Name) != nil {
			r.fault(bad)
			return
		}
		r.Agents = append(r.Agents, a)
	}
}

// readDomains reads [{"domain":"h5.example.com","exact":false,"allow_http":false,"verification_file":{"name":"WW_verify_….txt","content":"…"}}].
func (r *Record) readDomains(raw []byte, demo bool) {
	bad := faultField("domains", `must be a list of {"domain":"h5.example.com","exact":false,"allow_http":false}`, `须为 {"domain":"h5.example.com","exact":false,"allow_http":false} 的列表`)
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		r.fault(bad)
		return
	}
	for _, item := range list {
		fields, _, err := object(item, "domain", "exact", "allow_http", "verification_file")
		var text string
		var d tenant.TrustedDomain
		if err != nil || json.Unmarshal(or(fields["domain"], "x"), &text) != nil ||
			json.Unmarshal(or(fields["exact"], "false"), &d.Exact) != nil || json.Unmarshal(or(fields["allow_http"], "false"), &d.AllowHTTP) != nil {
			r.fault(bad)
			return
		}
		var ok bool
		if d.Domain, ok = r.parseDomain(text, demo); !ok {
			return
		}
		if !r.readFile(fields["verification_file"], &d) {
			return
		}
		r.Domains = append(r.Domains, d)
	}
}

func (r *Record) readFile(raw json.RawMessage, d *tenant.TrustedDomain) bool {
	if raw == nil {
		return true
	}
	fields, _, err := object(raw, "name", "content")
	if err != nil || json.Unmarshal(or(fields["name"], "x"), &d.VerificationName) != nil || json.Unmarshal(or(fields["content"], "x"), &d.VerificationContent) != nil ||
		tenant.CheckVerificationFile(d.VerificationName, d.VerificationContent) != nil {
		r.fault(faultField("domains", "has a verification_file that WeCom would not give: name WW_verify_….txt, content 8 to 32 letters or digits", "verification_file 不符合要求：文件名 WW_verify_….txt，内容 8 到 32 位字母或数字"))
		return false
	}
	return true
}

func or(raw json.RawMessage, otherwise string) []byte {
	if raw == nil {
		return []byte(otherwise)
	}
	return raw
}
