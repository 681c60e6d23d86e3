package imports

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

// Record is a row as it was read.
type Record struct {
	Line          int
	SuiteID       wecom.SuiteID
	CorpID        wecom.CorpID
	Aliases       []wecom.CorpID
	Name          string
	PermanentCode secret.String
	Secret        secret.String  // of an internal app
	Agents        []tenant.Agent // nil: not told
	Domains       []tenant.TrustedDomain
	AuthorizedAt  time.Time     // zero: not told
	Status        tenant.Status // "": not told

	faults []Fault // found while reading
}

// Bounds of a row.
const (
	maxRow     = 256 << 10 // bytes, as they stand in the file
	maxName    = 512       // bytes, as a tenant keeps it
	maxList    = 200       // of agents, of domains, of aliases
	maxFaults  = 10        // told of a row
	maxAgentID = 1 << 40
)

func (r *Record) fault(f Fault) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, f)
	}
}

// code is the permanent_code or the secret, whichever there is.
func (r *Record) code() secret.String {
	if r.PermanentCode.IsZero() {
		return r.Secret
	}
	return r.PermanentCode
}

// fieldOfCode is what the code is called in this row.
func (r *Record) fieldOfCode() string {
	if r.PermanentCode.IsZero() && !r.Secret.IsZero() {
		return "secret"
	}
	return "permanent_code"
}

// check looks for everything that is wrong with a row by itself and beside the
// rows before it.
func (r *Record) check(file *checks) []Fault {
	if r.SuiteID == "" {
		r.fault(required("suite_id"))
	}
	if r.CorpID == "" {
		r.fault(required("corp_id"))
	} else if tenant.CheckCorpID(r.CorpID) != nil {
		r.fault(faultCorpID("corp_id"))
	}
	for _, a := range r.Aliases {
		if tenant.CheckCorpID(a) != nil {
			r.fault(faultCorpID("aliases"))
		}
	}
	r.checkName("name", r.Name)
	for _, a := range r.Agents {
		r.checkName("agents", a.Name)
		if a.ID <= 0 || a.ID > maxAgentID {
			r.fault(faultAgent)
		}
	}
	r.checkLists()
	r.checkStatus()
	if r.SuiteID != "" {
		r.checkKind(file)
	}
	if len(r.faults) == 0 {
		r.checkTwice(file)
	}
	return r.faults
}

func (r *Record) checkName(field, name string) {
	if len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		r.fault(faultName(field))
	}
}

func (r *Record) checkLists() {
	for _, l := range []struct {
		field string
		n     int
	}{{"aliases", len(r.Aliases)}, {"agents", len(r.Agents)}, {"domains", len(r.Domains)}} {
		if l.n > maxList {
			r.fault(faultMany(l.field))
		}
	}
	agents := map[wecom.AgentID]bool{}
	for _, a := range r.Agents {
		if agents[a.ID] {
			r.fault(faultRepeated("agents"))
			break
		}
		agents[a.ID] = true
	}
	domains := map[tenant.Domain]bool{}
	for _, d := range r.Domains {
		if domains[d.Domain] {
			r.fault(faultRepeated("domains"))
			break
		}
		domains[d.Domain] = true
	}
	r.Aliases = slices.DeleteFunc(r.Aliases, func(a wecom.CorpID) bool { return a == r.CorpID })
	slices.Sort(r.Aliases)
	r.Aliases = slices.Compact(r.Aliases)
}

func (r *Record) checkStatus() {
	switch r.Status {
	case "", tenant.Active, tenant.Disabled, tenant.Cancelled:
	default:
		r.fault(faultStatus)
	}
	if !r.AuthorizedAt.IsZero() && (r.AuthorizedAt.Year() < 2016 || r.AuthorizedAt.Year() > 9999) {
		r.fault(faultTime("authorized_at"))
	}
}

// checkKind holds the code against the kind of the suite.
func (r *Record) checkKind(file *checks) {
	kind, known := file.kinds[r.SuiteID]
	switch {
	case !known:
		r.fault(faultSuite)
		return
	case kind == suite.Internal && !r.PermanentCode.IsZero():
		r.fault(faultKindInternal)
	case kind != suite.Internal && !r.Secret.IsZero():
		r.fault(faultKindOther)
	}
	if code := r.code(); !code.IsZero() && !suite.GoodCode(code) {
		r.fault(faultCode(r.fieldOfCode()))
	}
}

// checkTwice refuses a corp that the file has had before, in any form of its id.
func (r *Record) checkTwice(file *checks) {
	forms := append([]wecom.CorpID{r.CorpID}, r.Aliases...)
	for i, f := range forms {
		if line, had := file.had[suite.Corp{SuiteID: r.SuiteID, CorpID: f}]; had {
			field := "corp_id"
			if i > 0 {
				field = "aliases"
			}
			r.fault(faultTwice(field, line))
			return
		}
	}
	for _, f := range forms {
		file.had[suite.Corp{SuiteID: r.SuiteID, CorpID: f}] = r.Line
	}
}

// checks are what rows are held against.
type checks struct {
	kinds map[wecom.SuiteID]suite.Kind
	had   map[suite.Corp]int // on which line
}

// parseDomain reads a domain; what it refuses is a fault of the row.
func (r *Record) parseDomain(text string, demo bool) (tenant.Domain, bool) {
	parse := tenant.ParseDomain
	if demo {
		parse = tenant.ParseDomainDemo
	}
	d, err := parse(text)
	var shape *tenant.ShapeError
	if errors.As(err, &shape) {
		r.fault(faultDomain(shape))
	}
	return d, err == nil
}

// parseTime reads a time of RFC 3339, or seconds since 1970 as the platform writes them.
func (r *Record) parseTime(text string) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.fault(faultTime("authorized_at"))
		return
	}
	r.AuthorizedAt = at
}
