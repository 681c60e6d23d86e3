package wecomtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"suitesign/wecom"
)

// Revoke ends credentials behind their holder's back, as the platform may "for
// operational reasons".
type Revoke struct {
	SuiteID wecom.SuiteID `json:"suite_id,omitempty"`
	CorpID  wecom.CorpID  `json:"corp_id,omitempty"`
	AgentID wecom.AgentID `json:"agent_id,omitempty"` // without a suite_id: the internal app
	Kind    Kind          `json:"kind"`               // suite_access_token, provider_access_token, access_token, jsapi_ticket, agent_config
}

// Revoke ends every live credential of one kind and owner, and answers with how
// many there were.
func (s *Server) Revoke(in Revoke) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl, err := s.slotFor(in)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, c := range *sl {
		if c.live(s.now()) {
			n++
		}
	}
	sl.kill()
	s.changed()
	return n, nil
}

func (s *Server) slotFor(in Revoke) (*slot, error) {
	switch in.Kind {
	case SuiteAccessToken, ProviderAccessToken:
		su := s.suites[in.SuiteID]
		if su == nil {
			return nil, fmt.Errorf("%w: no suite %q", ErrUnknown, in.SuiteID)
		}
		if in.Kind == ProviderAccessToken {
			return &su.vendor.tokens, nil
		}
		return &su.tokens, nil
	case AccessToken, JSAPITicket, AgentTicket:
		a, err := s.findApp(in.SuiteID, in.CorpID, in.AgentID)
		if err != nil {
			return nil, err
		}
		return a.slotOf(in.Kind), nil
	default:
		return nil, fmt.Errorf("%w: kind %q: want suite_access_token, provider_access_token, access_token, jsapi_ticket or agent_config", ErrInvalid, in.Kind)
	}
}

// Disable changes the state of an app, or of a whole corp.
type Disable struct {
	SuiteID wecom.SuiteID `json:"suite_id,omitempty"`
	CorpID  wecom.CorpID  `json:"corp_id"`
	AgentID wecom.AgentID `json:"agent_id,omitempty"` // without a suite_id: the internal app; without both: all apps of the corp
	State   AppTrouble    `json:"state,omitempty"`    // disabled unless set
}

// AppTrouble is a state in which an app cannot be used.
type AppTrouble string

// The states of an app.
const (
	Enabled   AppTrouble = "enabled"   // as usual again
	Disabled  AppTrouble = "disabled"  // by the corp: 50003
	Inactive  AppTrouble = "inactive"  // nobody used it: 48006
	Dissolved AppTrouble = "dissolved" // the corp is gone: 301007, without any cancel_auth for now
)

var troubleCode = map[AppTrouble]int{Enabled: 0, Disabled: 50003, Inactive: 48006, Dissolved: 301007}

// Disable changes the state of an app, and answers with how many apps it changed.
func (s *Server) Disable(in Disable) (int, error) {
	code, known := troubleCode[or(in.State, Disabled)]
	if !known {
		return 0, fmt.Errorf("%w: state %q: want enabled, disabled, inactive or dissolved", ErrInvalid, in.State)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.SuiteID != "" || in.AgentID != 0 {
		a, err := s.findApp(in.SuiteID, in.CorpID, in.AgentID)
		if err != nil {
			return 0, err
		}
		a.trouble = code
		s.changed()
		return 1, nil
	}
	co := s.corps[in.CorpID]
	if co == nil {
		return 0, fmt.Errorf("%w: no corp %q", ErrUnknown, in.CorpID)
	}
	for _, a := range co.apps {
		a.trouble = code
	}
	s.changed()
	return len(co.apps), nil
}

// Push is any event the platform might send.
type Push struct {
	SuiteID   wecom.SuiteID     `json:"suite_id"`
	CorpID    wecom.CorpID      `json:"corp_id,omitempty"`
	Door      PushDoor          `json:"door,omitempty"`      // command unless set
	InfoType  string            `json:"info_type,omitempty"` // the suite shape, or …
	Event     string            `json:"event,omitempty"`     // … the Event shape
	TimeStamp int64             `json:"timestamp,omitempty"` // Unix seconds, of TimeStamp or CreateTime; now unless set
	Fields    map[string]string `json:"fields,omitempty"`    // further elements
	Message   string            `json:"message,omitempty"`   // instead of all that: the message word by word
	Copies    int               `json:"copies,omitempty"`    // how often it is sent at the same time; 1 unless set
	Async     bool              `json:"async,omitempty"`     // do not wait for the first attempt
}

// Push sends an event.
func (s *Server) Push(ctx context.Context, in Push) ([]Delivery, error) {
	in.Door = or(in.Door, Command)
	in.Copies = or(in.Copies, 1)
	shapes := 0
	for _, set := range []bool{in.InfoType != "", in.Event != "", in.Message != ""} {
		if set {
			shapes++
		}
	}
	switch {
	case in.Door != Command && in.Door != Data:
		return nil, fmt.Errorf("%w: door %q: want command or data", ErrInvalid, in.Door)
	case shapes != 1:
		return nil, fmt.Errorf("%w: exactly one of info_type, event and message must be set", ErrInvalid)
	case in.Copies < 1 || in.Copies > 1000:
		return nil, fmt.Errorf("%w: copies must be 1 to 1000", ErrInvalid)
	}
	for name := range in.Fields {
		if !elementName(name) {
			return nil, fmt.Errorf("%w: fields: %q is no element name", ErrInvalid, name)
		}
	}
	s.mu.Lock()
	su := s.suites[in.SuiteID]
	if su == nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("%w: no suite %q; POST /sim/suites makes one", ErrUnknown, in.SuiteID)
	}
	if co := s.corps[in.CorpID]; co != nil {
		in.CorpID = su.corpID(co)
	}
	m := s.messageOf(su, in)
	s.mu.Unlock()
	return s.pushCopies(ctx, su, in, m), nil
}

func (s *Server) messageOf(su *suite, in Push) []byte {
	if in.Message != "" {
		return []byte(in.Message)
	}
	at := s.now()
	stamp := unix(at)
	if in.TimeStamp != 0 {
		stamp = fmt.Sprint(in.TimeStamp)
	}
	elements := []element{{"SuiteId", string(su.SuiteID)}, {"InfoType", in.InfoType}, {"TimeStamp", stamp}}
	if in.CorpID != "" {
		elements = append(elements, element{"AuthCorpId", string(in.CorpID)})
	}
	if in.Event != "" {
		to := string(in.CorpID)
		if to == "" {
			to = string(su.SuiteID)
		}
		elements = []element{{"ToUserName", to}, {"FromUserName", "sys"}, {"CreateTime", stamp}, {"MsgType", "event"}, {"Event", in.Event}}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Fields)) {
		i := slices.IndexFunc(elements, func(e element) bool { return e.name == name })
		if i >= 0 {
			elements[i].text = in.Fields[name]
			continue
		}
		elements = append(elements, element{name, in.Fields[name]})
	}
	return message(elements)
}

func (s *Server) pushCopies(ctx context.Context, su *suite, in Push, m []byte) []Delivery {
	event := in.InfoType + in.Event
	if event == "" {
		event = "message"
	}
	out := make([]Delivery, in.Copies)
	done := make(chan struct{}, in.Copies)
	for i := range out {
		s.background(func() {
			out[i] = s.push(context.WithoutCancel(ctx), su, in.Door, in.CorpID, event, m)
			done <- struct{}{}
		})
	}
	if in.Async {
		return []Delivery{}
	}
	for range out {
		select {
		case <-done:
		case <-s.closing.Done():
			return []Delivery{}
		}
	}
	return out
}

func elementName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == "" && (s[0] > '9' || s[0] < '0')
}
