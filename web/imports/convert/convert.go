package convert

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"suitesign/secret"
	"suitesign/web/imports"
	"suitesign/wecom"
)

// Options say how to read what the other system kept.
type Options struct {
	SuiteID wecom.SuiteID     // of records that name none
	Columns map[string]string // our field: their name, beside those that are known
	Zone    *time.Location    // of times without one; UTC unless set
	Keys    io.Reader         // names of WxJava's Redis keys, one a line; nil: none
}

// Corp is a corp of a suite.
type Corp struct {
	SuiteID wecom.SuiteID
	CorpID  wecom.CorpID
}

// Report tells what was made, and what could not be.
type Report struct {
	Written int
	Skipped []Skipped
	Missing []Corp // that the keys name, without a record
	Unused  int    // written, and the keys do not name them
}

// Skipped is a record that nothing could be made of.
type Skipped struct {
	Record int // counted from 1
	Why    string
}

// ErrInput is returned where the input is neither JSON nor CSV with a header.
var ErrInput = errors.New("the input cannot be read")

// Convert reads records from in and writes what can be imported to out.
func Convert(in io.Reader, out *imports.Writer, o Options) (Report, error) {
	var report Report
	keys, err := readKeys(o.Keys)
	if err != nil {
		return report, err
	}
	met := map[Corp]bool{}
	n := 0
	err = records(in, func(r record) error {
		n++
		made, why := o.make(r, keys)
		if why != "" {
			report.Skipped = append(report.Skipped, Skipped{n, why})
			return nil
		}
		met[Corp{made.SuiteID, made.CorpID}] = true
		report.Written++
		return out.Write(made)
	})
	if err != nil {
		return report, err
	}
	for _, c := range keys.list {
		if !met[c] {
			report.Missing = append(report.Missing, c)
		}
	}
	for c := range met {
		if o.Keys != nil && !keys.has[c] {
			report.Unused++
		}
	}
	return report, out.Flush()
}

// names are what our fields are called elsewhere. A dot leads into an object.
var names = map[string][]string{
	"suite_id":       {"suite_id", "suiteId", "suiteid"},
	"corp_id":        {"auth_corp_info.corpid", "authCorpInfo.corpId", "auth_corpid", "auth_corp_id", "authCorpId", "corpid", "corp_id", "corpId"},
	"name":           {"auth_corp_info.corp_name", "authCorpInfo.corpName", "corp_name", "corpName", "name"},
	"permanent_code": {"permanent_code", "permanentCode"},
	"authorized_at":  {"authorized_at", "authorizedAt", "auth_time", "authTime", "create_time", "createTime", "created_at", "createdAt"},
	"agent_id":       {"agent_id", "agentid", "agentId"},
	"agents":         {"auth_info.agent", "auth_info.agents", "authInfo.agents", "authInfo.agent", "agent", "agents"},
}

// Fields are ours, as Options.Columns may name them.
func Fields() []string {
	return []string{"suite_id", "corp_id", "name", "permanent_code", "authorized_at", "agent_id"}
}

func (o Options) names(field string) []string {
	if theirs := o.Columns[field]; theirs != "" {
		return append([]string{theirs}, names[field]...)
	}
	return names[field]
}

// make makes a row of a record; otherwise it says why not, and repeats nothing of it.
func (o Options) make(r record, keys keys) (imports.Record, string) {
	out := imports.Record{
		CorpID:        wecom.CorpID(r.text(o.names("corp_id"))),
		Name:          r.text(o.names("name")),
		PermanentCode: secret.New(r.text(o.names("permanent_code"))),
		SuiteID:       wecom.SuiteID(r.text(o.names("suite_id"))),
	}
	if out.SuiteID == "" {
		out.SuiteID = o.SuiteID
	}
	if out.SuiteID == "" {
		out.SuiteID = keys.suiteOf(out.CorpID)
	}
	switch {
	case out.CorpID == "":
		return out, "it names no corp: " + strings.Join(o.names("corp_id"), ", ")
	case out.PermanentCode.IsZero():
		return out, "it has no permanent_code: " + strings.Join(o.names("permanent_code"), ", ")
	case out.SuiteID == "":
		return out, "it names no suite; say which with --suite-id"
	}
	agents, ok := r.agents(o.names("agents"), o.names("agent_id"))
	if !ok {
		return out, "its agents cannot be read"
	}
	out.Agents = agents
	if text := r.text(o.names("authorized_at")); text != "" {
		at, ok := readTime(text, o.Zone)
		if !ok {
			return out, "its time of authorization cannot be read"
		}
		out.AuthorizedAt = at
	}
	return out, ""
}

// readTime reads RFC 3339, a time as SQL writes it, or seconds or milliseconds since 1970.
func readTime(text string, zone *time.Location) (time.Time, bool) {
	if zone == nil {
		zone = time.UTC
	}
	var n int64
	if _, err := fmt.Sscanf(text, "%d", &n); err == nil && fmt.Sprint(n) == text && n > 0 {
		if n > 1e11 {
			n /= 1000
		}
		return time.Unix(n, 0).UTC(), true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
