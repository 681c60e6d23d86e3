package wecomtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"suitesign/wecom"
)

// FaultKind is a way to misbehave.
type FaultKind string

// Faults that happen instead of the work: nothing is done, nothing consumed.
const (
	Errcode  FaultKind = "errcode"  // value: the errcode, or {"errcode":…,"errmsg":…}
	Status   FaultKind = "status"   // value: the HTTP status; default 503
	HTML     FaultKind = "html"     // a proxy's error page; value: its HTTP status, default 502
	Empty    FaultKind = "empty"    // 200 and not one byte
	Redirect FaultKind = "redirect" // 302; value: where to, default https://example.com/
	Drop     FaultKind = "drop"     // the connection is cut without an answer
	Silent   FaultKind = "silent"   // accepted, then nothing until the client leaves
)

// Latency delays the answer, which is otherwise the real one. It goes together
// with another fault of the same call. Value: milliseconds, or "1.5s".
const Latency FaultKind = "latency"

// Faults that happen to the answer: the work is done.
const (
	DropAfter     FaultKind = "drop_after"     // executed, then the connection is cut
	Malformed     FaultKind = "malformed"      // no JSON; value: the body to send instead
	Truncated     FaultKind = "truncated"      // the answer ends early; value: bytes to send, default half of it
	Slow          FaultKind = "slow"           // one byte at a time; value: milliseconds between two, default 1000
	Big           FaultKind = "big"            // the answer and a great deal more; value: bytes, default 10 MiB
	ExpiresIn     FaultKind = "expires_in"     // value: what expires_in says, any JSON; null: it is absent
	DuplicateKeys FaultKind = "duplicate_keys" // every key twice, with another value first
	SetFields     FaultKind = "set"            // value: an object whose keys replace those of the answer; null removes
	Strings       FaultKind = "strings"        // numbers become strings
	BOM           FaultKind = "bom"            // a byte order mark in front
	ContentType   FaultKind = "content_type"   // value: the Content-Type, default text/html
	Null          FaultKind = "null"           // the answer is null
)

// Duplicate is for the API "callback" only: every push is sent that many times
// more, each with a new ciphertext, at the same time. Value: how many, default 1.
const Duplicate FaultKind = "duplicate"

// Callbacks is the API name of the simulator's own pushes: with Drop they get
// lost on the way, with Latency they come late, with Duplicate more than once.
const Callbacks = "callback"

// Fault makes calls fail. An empty CorpID or SuiteID is any; API "*" is every API
// of the platform.
type Fault struct {
	ID      int64         `json:"id,omitempty"` // given by the simulator
	API     string        `json:"api"`
	SuiteID wecom.SuiteID `json:"suite_id,omitempty"`
	CorpID  wecom.CorpID  `json:"corp_id,omitempty"`
	Kind    FaultKind     `json:"kind"`
	Value   any           `json:"value,omitempty"` // see the kind
	Times   int           `json:"times,omitempty"` // how many calls: 0 is one, negative all until it is deleted
	Skip    int           `json:"skip,omitempty"`  // calls that go well before
}

type fault struct {
	Fault
	value json.RawMessage
	delay time.Duration
	code  *refusal
	n     int // the number of an ordinary value
}

// activeFault is what one call suffers.
type activeFault struct {
	*fault               // nil: a delay only
	delay  time.Duration // before anything else
}

// errFault is wrapped by what is wrong with a fault.
var errFault = errors.New("invalid fault")

func parseFault(f Fault) (*fault, error) {
	f.API = apiName(f.API)
	p := &fault{Fault: f}
	switch {
	case f.API == "":
		return nil, fmt.Errorf("%w: api is missing; \"*\" is every API", errFault)
	case f.API == Callbacks:
		if f.Kind != Drop && f.Kind != Latency && f.Kind != Duplicate {
			return nil, fmt.Errorf("%w: callbacks know the kinds drop, latency and duplicate, not %q", errFault, f.Kind)
		}
	case f.API != "*" && !knownAPI(f.API):
		return nil, fmt.Errorf("%w: there is no api %q; name it as in get_corp_token, v2/get_auth_info, ticket/get", errFault, f.API)
	case f.Kind == Duplicate:
		return nil, fmt.Errorf("%w: duplicate is for the api \"callback\"; duplicate_keys is for answers", errFault)
	}
	if f.Skip < 0 {
		return nil, fmt.Errorf("%w: skip is negative", errFault)
	}
	if p.Times == 0 {
		p.Times = 1
	}
	raw, err := json.Marshal(f.Value)
	if err != nil {
		return nil, fmt.Errorf("%w: value: %w", errFault, err)
	}
	p.value = raw
	if err := p.readValue(); err != nil {
		return nil, fmt.Errorf("%w: kind %s: %w", errFault, f.Kind, err)
	}
	return p, nil
}

// readValue understands the value by the fault's kind.
func (p *fault) readValue() error {
	absent := p.Value == nil
	switch p.Kind {
	case Errcode:
		return p.readErrcode()
	case Status, HTML:
		p.n = 503
		if p.Kind == HTML {
			p.n = 502
		}
		return p.readInt(absent, 100, 999)
	case Latency:
		return p.readDelay(0)
	case Slow:
		return p.readDelay(time.Second)
	case Truncated:
		p.n = -1
		return p.readInt(absent, 0, maxBody)
	case Big:
		p.n = 10 << 20
		return p.readInt(absent, 1, 1<<30)
	case Duplicate:
		p.n = 1
		return p.readInt(absent, 1, 1000)
	case Redirect, Malformed, ContentType:
		var s string
		if !absent && json.Unmarshal(p.value, &s) != nil {
			return errors.New("value must be a string")
		}
		return nil
	case SetFields:
		var m map[string]json.RawMessage
		if json.Unmarshal(p.value, &m) != nil || m == nil {
			return errors.New("value must be an object")
		}
		return nil
	case ExpiresIn, Empty, Drop, Silent, DropAfter, DuplicateKeys, Strings, BOM, Null:
		return nil
	default:
		return errors.New("there is no such kind")
	}
}

func (p *fault) readInt(absent bool, least, most int) error {
	if absent {
		return nil
	}
	if json.Unmarshal(p.value, &p.n) != nil || p.n < least || p.n > most {
		return fmt.Errorf("value must be a number from %d to %d", least, most)
	}
	return nil
}

func (p *fault) readErrcode() error {
	var n int
	if json.Unmarshal(p.value, &n) == nil && n != 0 {
		p.code = refuse(n)
		return nil
	}
	var v struct {
		Errcode int    `json:"errcode"`
		Errmsg  string `json:"errmsg"`
	}
	if json.Unmarshal(p.value, &v) != nil || v.Errcode == 0 {
		return errors.New("value must be an errcode other than 0, or {\"errcode\":…,\"errmsg\":…}")
	}
	p.code = &refusal{code: v.Errcode, text: v.Errmsg}
	return nil
}

func (p *fault) readDelay(otherwise time.Duration) error {
	p.delay = otherwise
	if p.Value == nil && otherwise > 0 {
		return nil
	}
	var ms float64
	var text string
	switch {
	case p.Value != nil && json.Unmarshal(p.value, &ms) == nil:
		p.delay = time.Duration(ms * float64(time.Millisecond))
	case p.Value != nil && json.Unmarshal(p.value, &text) == nil:
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("value must be milliseconds or a duration such as \"1.5s\"")
		}
		p.delay = d
	default:
		return errors.New("value must be milliseconds or a duration such as \"1.5s\"")
	}
	if p.delay < 0 || p.delay > time.Hour {
		return errors.New("value must be between 0 and one hour")
	}
	return nil
}

func (p *fault) matches(api string, su wecom.SuiteID, corps ...wecom.CorpID) bool {
	if p.API != api && (p.API != "*" || api == Callbacks) {
		return false
	}
	return (p.SuiteID == "" || p.SuiteID == su) && (p.CorpID == "" || slices.Contains(corps, p.CorpID))
}

// takeFault finds what a call has to suffer and counts it down.
func (s *Server) takeFault(c *call) *activeFault {
	var corps []wecom.CorpID
	if c.corp != nil {
		corps = []wecom.CorpID{c.corp.CorpID, c.corp.OpenCorpID}
	}
	return s.take(c.api, c.suiteID, corps...)
}

func (s *Server) take(api string, su wecom.SuiteID, corps ...wecom.CorpID) *activeFault {
	var found activeFault
	delayed := false
	s.faults = slices.DeleteFunc(s.faults, func(p *fault) bool {
		taken := p.Kind == Latency && delayed || p.Kind != Latency && found.fault != nil
		if taken || !p.matches(api, su, corps...) {
			return false
		}
		if p.Skip > 0 {
			p.Skip--
			return false
		}
		if p.Kind == Latency {
			found.delay, delayed = p.delay, true
		} else {
			found.fault = p
		}
		if p.Times > 0 {
			p.Times--
		}
		return p.Times == 0
	})
	if !delayed && found.fault == nil {
		return nil
	}
	return &found
}

func (s *Server) addFault(f Fault) (Fault, error) {
	p, err := parseFault(f)
	if err != nil {
		return Fault{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastFault++
	p.ID = s.lastFault
	s.faults = append(s.faults, p)
	return p.Fault, nil
}
