package wecomtest

import (
	"cmp"
	"slices"
	"time"

	"suitesign/wecom"
)

// Call tells how often an API was called about one suite and corp.
type Call struct {
	API      string        `json:"api"`
	SuiteID  wecom.SuiteID `json:"suite_id,omitempty"`
	CorpID   wecom.CorpID  `json:"corp_id,omitempty"`
	Count    int           `json:"count"`            // all calls, whatever became of them
	OK       int           `json:"ok"`               // answered without errcode
	Errors   map[int]int   `json:"errors,omitempty"` // by errcode
	Faults   int           `json:"faults,omitempty"` // that a fault was inflicted on
	FirstAt  time.Time     `json:"first_at"`
	LatestAt time.Time     `json:"latest_at"`
}

// Calls is what the simulator was asked.
type Calls struct {
	Total     int                       `json:"total"`
	Calls     []Call                    `json:"calls"`
	PerMinute map[string]map[string]int `json:"per_minute"` // API, then minute (RFC 3339): how calls are spread
}

// Count is the number of calls of an API about a corp and a suite, whatever became
// of them; empty means any. APIs are named as in the documents, with or without
// /cgi-bin/ and service/ before: get_corp_token, v2/get_auth_info, ticket/get.
func (c Calls) Count(api string, corp wecom.CorpID, suite wecom.SuiteID) int {
	n := 0
	for _, e := range c.match(api, corp, suite) {
		n += e.Count
	}
	return n
}

// OK is Count of the calls that were answered without errcode.
func (c Calls) OK(api string, corp wecom.CorpID, suite wecom.SuiteID) int {
	n := 0
	for _, e := range c.match(api, corp, suite) {
		n += e.OK
	}
	return n
}

// Errcode is Count of the calls that were answered with one errcode.
func (c Calls) Errcode(code int, api string, corp wecom.CorpID, suite wecom.SuiteID) int {
	n := 0
	for _, e := range c.match(api, corp, suite) {
		n += e.Errors[code]
	}
	return n
}

func (c Calls) match(api string, corp wecom.CorpID, suite wecom.SuiteID) []Call {
	var found []Call
	for _, e := range c.Calls {
		if (api == "" || e.API == apiName(api)) && (corp == "" || e.CorpID == corp) && (suite == "" || e.SuiteID == suite) {
			found = append(found, e)
		}
	}
	return found
}

type ledgerKey struct {
	api   string
	suite wecom.SuiteID
	corp  wecom.CorpID
}

type ledgerEntry struct {
	count, ok, faults int
	errors            map[int]int
	first, latest     time.Time
}

type ledger struct {
	total   int
	entries map[ledgerKey]*ledgerEntry
	minutes map[string]map[int64]int // API -> Unix minute -> calls
}

func newLedger() ledger {
	return ledger{entries: map[ledgerKey]*ledgerEntry{}, minutes: map[string]map[int64]int{}}
}

// count puts a call into the ledger. The corp is named as it was configured,
// whatever form of its id the caller used.
func (l *ledger) count(c *call) *ledgerEntry {
	k := ledgerKey{api: c.api, suite: c.suiteID}
	if c.corp != nil {
		k.corp = c.corp.CorpID
	}
	e := l.entries[k]
	if e == nil {
		e = &ledgerEntry{first: c.at}
		l.entries[k] = e
	}
	l.total++
	e.count++
	e.latest = c.at
	if l.minutes[c.api] == nil {
		l.minutes[c.api] = map[int64]int{}
	}
	l.minutes[c.api][c.at.Unix()/60]++
	return e
}

func (e *ledgerEntry) done(refused *refusal) {
	if refused == nil {
		e.ok++
		return
	}
	e.fail(refused.code)
}

// faulted notes a call that a fault strikes.
func (e *ledgerEntry) faulted(f *activeFault) {
	e.faults++
	if code, isErrcode := f.errcode(); isErrcode {
		e.fail(code)
	}
}

func (e *ledgerEntry) fail(code int) {
	if e.errors == nil {
		e.errors = map[int]int{}
	}
	e.errors[code]++
}

// list copies what matches; empty means any.
func (l *ledger) list(api string, corp wecom.CorpID, suite wecom.SuiteID) Calls {
	out := Calls{Calls: []Call{}, PerMinute: map[string]map[string]int{}}
	for k, e := range l.entries {
		if api != "" && k.api != api || corp != "" && k.corp != corp || suite != "" && k.suite != suite {
			continue
		}
		out.Total += e.count
		c := Call{API: k.api, SuiteID: k.suite, CorpID: k.corp, Count: e.count, OK: e.ok, Faults: e.faults, FirstAt: e.first, LatestAt: e.latest}
		if len(e.errors) > 0 {
			c.Errors = map[int]int{}
			for code, n := range e.errors {
				c.Errors[code] = n
			}
		}
		out.Calls = append(out.Calls, c)
	}
	slices.SortFunc(out.Calls, func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.API, b.API), cmp.Compare(a.SuiteID, b.SuiteID), cmp.Compare(a.CorpID, b.CorpID))
	})
	for name, minutes := range l.minutes {
		if api != "" && name != api {
			continue
		}
		out.PerMinute[name] = map[string]int{}
		for m, n := range minutes {
			out.PerMinute[name][time.Unix(m*60, 0).UTC().Format(time.RFC3339)] = n
		}
	}
	return out
}
