package explain

import (
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Severity says how sure a finding is to be the cause.
type Severity string

// The severities, the surest first.
const (
	Error   Severity = "error"   // proved: this is wrong
	Warning Severity = "warning" // likely
	Info    Severity = "info"    // good to know
)

// A Report is the answer to a [Question].
type Report struct {
	OK        bool      // no finding is an Error or a Warning
	Page      string    // the URL to sign; "" where the page's cannot be read
	Canonical string    // the string to sign, its ticket masked; "" without a Page
	SignedBy  *SignedBy // nil: no ticket that is known made the signature
	Findings  []Finding // the cause first
}

// SignedBy names the ticket that made a signature.
type SignedBy struct {
	TenantID uuid.UUID  `json:"tenant_id,omitzero"`
	SuiteID  string     `json:"suite_id,omitempty"`
	CorpID   string     `json:"corp_id,omitempty"`
	Kind     TicketKind `json:"kind"`
	Live     bool       `json:"live"`
}

// A Finding is one thing that was found.
type Finding struct {
	Code     Code       `json:"code"`
	Severity Severity   `json:"severity"`
	En       Words      `json:"en"`
	Zh       Words      `json:"zh"`
	Evidence []Evidence `json:"evidence"`

	args args // what its words are filled with
}

// Words say a finding in one language.
type Words struct {
	What string `json:"what"` // happened
	Why  string `json:"why"`  // that matters
	Do   string `json:"do"`   // about it
}

// Evidence is what a finding rests on.
type Evidence struct {
	Field    string // what is compared: url, string, timestamp, corp_id, …
	Position int    // the first character, from 0, in which the two differ; -1 where there is no place
	Expected string
	Found    string
}

// mask stands for a ticket wherever one would be shown.
const mask = "***"

// compare is evidence that two texts differ.
func compare(field, expected, found string) Evidence {
	return Evidence{Field: field, Position: differ(expected, found), Expected: expected, Found: found}
}

// fact is evidence without a place.
func fact(field, expected, found string) Evidence {
	return Evidence{Field: field, Position: -1, Expected: expected, Found: found}
}

// differ is the first character in which two texts differ; -1 where none does.
func differ(a, b string) int {
	ra, rb := []rune(a), []rune(b)
	for i := range min(len(ra), len(rb)) {
		if ra[i] != rb[i] {
			return i
		}
	}
	if len(ra) == len(rb) {
		return -1
	}
	return min(len(ra), len(rb))
}

// args fill the {names} in a finding's words.
type args map[string]string

// find adds a finding, or more evidence to one that is there. The surer of two
// severities stands.
func (r *Report) find(code Code, severity Severity, a args, evidence ...Evidence) {
	if i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Code == code }); i >= 0 {
		f := &r.Findings[i]
		if surer(severity, f.Severity) < 0 {
			f.Severity = severity
		}
		for _, x := range evidence {
			if !slices.Contains(f.Evidence, x) {
				f.Evidence = append(f.Evidence, x)
			}
		}
		return
	}
	t := texts[code]
	f := Finding{Code: code, Severity: severity, En: t.en.fill(a), Zh: t.zh.fill(a), Evidence: append([]Evidence{}, evidence...), args: a}
	r.Findings = append(r.Findings, f)
}

func (w Words) fill(a args) Words {
	pairs := make([]string, 0, 2*len(a))
	for name, value := range a {
		pairs = append(pairs, "{"+name+"}", value)
	}
	fill := strings.NewReplacer(pairs...)
	return Words{fill.Replace(w.What), fill.Replace(w.Why), fill.Replace(w.Do)}
}

func (r *Report) has(codes ...Code) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return slices.Contains(codes, f.Code) })
}

// wrong reports whether anything was found that can be the cause.
func (r *Report) wrong() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity != Info })
}

// Refused reports whether the signature is as it has to be, for the page that was
// told and of the ticket in use, and the error says all the same that it is not.
func (r *Report) Refused() bool {
	return r.SignedBy != nil && r.SignedBy.Live && r.has(PageDiffers) &&
		!slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Error })
}

// order puts the surest finding first, and among equals the one that stops a page
// earlier.
func (r *Report) order() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		if s := surer(a.Severity, b.Severity); s != 0 {
			return s
		}
		return slices.Index(Codes, a.Code) - slices.Index(Codes, b.Code)
	})
}

func surer(a, b Severity) int {
	of := []Severity{Error, Warning, Info}
	return slices.Index(of, a) - slices.Index(of, b)
}
