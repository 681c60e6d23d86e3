package wecomtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"suitesign/wecom"
)

// checkRequest is a Check as pages send it: the SDK stringifies, others do not.
type checkRequest struct {
	Kind      string        `json:"kind"`
	SuiteID   wecom.SuiteID `json:"suite_id"`
	CorpID    wecom.CorpID  `json:"corp_id"`
	AgentID   text          `json:"agent_id"`
	URL       string        `json:"url"`
	Timestamp text          `json:"timestamp"`
	NonceStr  string        `json:"nonceStr"`
	Signature string        `json:"signature"`
	JSAPIList []string      `json:"jsApiList"`
}

// text is a JSON string or number, as text.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return errors.New("want a string or a number")
	}
	*t = text(n)
	return nil
}

func (s *Server) postJSAPI(r *http.Request) (any, error) {
	var in checkRequest
	if err := read(r, &in); err != nil {
		return nil, err
	}
	c := Check{SuiteID: in.SuiteID, CorpID: in.CorpID, AgentID: string(in.AgentID), URL: in.URL, Timestamp: string(in.Timestamp), NonceStr: in.NonceStr, Signature: in.Signature, JSAPIList: in.JSAPIList}
	switch in.Kind {
	case "config", "preVerifyJSAPI":
		c.Kind = ConfigIdentity
	case "agent_config", "agentConfig", "agent":
		c.Kind = AgentIdentity
	default:
		return nil, fmt.Errorf("%w: kind %q: want config or agent_config", ErrInvalid, in.Kind)
	}
	return s.JSAPI(c), nil
}
