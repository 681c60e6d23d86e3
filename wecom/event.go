package wecom

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"suitesign/secret"
)

// Caps on what an event may hold. ExtraInfo and approval notices nest a few
// levels; nothing published comes near.
const (
	maxEventBytes = maxEnvelope
	maxEventDepth = 16
	maxIDBytes    = 128          // of a name or an id
	maxCodeBytes  = 512          // of a code or a ticket: 90601, 90628, 90642
	maxUnixTime   = 253402300799 // the end of the year 9999
)

// ErrEvent is returned for a message that is no event the platform could have written.
var ErrEvent = errors.New("malformed event")

// Event is what a callback tells. The platform writes two shapes and sends both
// to both URLs (developer.work.weixin.qq.com/document/path/92633), so one struct
// holds both: Name says what happened in either. Elements that are not named here
// are ignored.
type Event struct {
	// The suite's shape (path/90628, path/90642, path/97175).
	SuiteID     SuiteID
	InfoType    string
	TimeStamp   int64 // Unix seconds, 0 when absent
	AuthCorpID  CorpID
	AuthCode    secret.String // create_auth, reset_permanent_code
	State       string        // of the QR code or the link that led to create_auth
	SuiteTicket SuiteTicket
	ChangeType  string // of change_contact and its like
	PaidCorpID  CorpID // paid editions name the corp so (path/91933)
	AuthType    string // of special and data permissions (path/98959)

	// The shape of an app's events (path/90376).
	ToUserName   string
	FromUserName string
	CreateTime   int64 // Unix seconds, 0 when absent
	MsgType      string
	Event        string
	AgentID      AgentID // 0 when the event names none
}

// Name says what happened: InfoType in the suite's shape, Event in the other, and
// MsgType for what is a message and no event. It is never empty.
func (e Event) Name() string {
	switch {
	case e.InfoType != "":
		return e.InfoType
	case e.Event != "":
		return e.Event
	default:
		return e.MsgType
	}
}

// Time is when the platform says it happened, or the zero time.
func (e Event) Time() time.Time {
	t := e.TimeStamp
	if e.InfoType == "" {
		t = e.CreateTime
	}
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(t, 0).UTC()
}

// Corp is the corp that the event is about, or "" (create_auth names none).
func (e Event) Corp() CorpID {
	switch {
	case e.AuthCorpID != "":
		return e.AuthCorpID
	case e.PaidCorpID != "":
		return e.PaidCorpID
	case e.InfoType == "":
		return CorpID(e.ToUserName)
	default:
		return ""
	}
}

// ParseEvent reads a decrypted message. It refuses what is no strict XML, what
// says twice one of the things we act on, and values that no id or code can have;
// the error names the element and never its value.
func ParseEvent(message []byte) (Event, error) {
	if len(message) > maxEventBytes {
		return Event{}, fmt.Errorf("%w: longer than %d bytes", ErrEvent, maxEventBytes)
	}
	var e Event
	fields := e.fields()
	seen := make(map[string]bool, len(fields))
	err := walkXML(message, maxEventDepth, func(x element) error {
		set, known := fields[x.name]
		if x.depth != 2 || !known {
			return nil
		}
		if seen[x.name] {
			return badXML("%s is there twice", x.name)
		}
		seen[x.name] = true
		if x.children {
			return badXML("%s holds elements", x.name)
		}
		if problem := set(x.text); problem != "" {
			return badXML("%s %s", x.name, problem)
		}
		return nil
	})
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	if e.Name() == "" {
		return Event{}, fmt.Errorf("%w: neither InfoType nor MsgType", ErrEvent)
	}
	return e, nil
}

// fields maps the platform's element names, which are exact, to where they go.
// A setter answers with what is wrong, or with "".
func (e *Event) fields() map[string]func(string) string {
	return map[string]func(string) string{
		"SuiteId":      idField(&e.SuiteID),
		"InfoType":     idField(&e.InfoType),
		"TimeStamp":    timeField(&e.TimeStamp),
		"AuthCorpId":   idField(&e.AuthCorpID),
		"AuthCode":     codeField(&e.AuthCode),
		"State":        idField(&e.State),
		"SuiteTicket":  codeField(&e.SuiteTicket.String),
		"ChangeType":   idField(&e.ChangeType),
		"PaidCorpId":   idField(&e.PaidCorpID),
		"AuthType":     idField(&e.AuthType),
		"ToUserName":   idField(&e.ToUserName),
		"FromUserName": idField(&e.FromUserName),
		"CreateTime":   timeField(&e.CreateTime),
		"MsgType":      idField(&e.MsgType),
		"Event":        idField(&e.Event),
		"AgentID":      agentField(&e.AgentID),
	}
}

func idField[T ~string](to *T) func(string) string {
	return func(s string) string {
		*to = T(s)
		return checkText(s, maxIDBytes)
	}
}

func codeField(to *secret.String) func(string) string {
	return func(s string) string {
		*to = secret.New(s)
		return checkText(s, maxCodeBytes)
	}
}

func timeField(to *int64) func(string) string {
	return func(s string) string {
		n, err := strconv.ParseUint(s, 10, 63)
		if s != "" && (err != nil || n > maxUnixTime) {
			return "is not Unix seconds"
		}
		*to = int64(n)
		return ""
	}
}

func agentField(to *AgentID) func(string) string {
	return func(s string) string {
		n, err := strconv.ParseUint(s, 10, 63)
		if s != "" && err != nil {
			return "is not a number"
		}
		*to = AgentID(n)
		return ""
	}
}

// checkText is what every id, name and code must be: short, and free of characters
// that end lines, move cursors or upset a database.
func checkText(s string, limit int) string {
	if len(s) > limit {
		return "is longer than " + strconv.Itoa(limit) + " bytes"
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "holds control characters"
	}
	return ""
}
