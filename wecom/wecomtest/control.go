package wecomtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"suitesign/wecom"
)

// control makes an operation of what answers or fails.
func control(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		if err != nil {
			writeProblem(w, err)
			return
		}
		b, err := json.Marshal(out)
		if err != nil {
			writeProblem(w, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		writeBytes(w, append(b, '\n'))
	}
}

// problem is what a refused control answers with.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func writeProblem(w http.ResponseWriter, err error) {
	p := problem{Title: "internal error", Status: http.StatusInternalServerError, Detail: err.Error()}
	switch {
	case errors.Is(err, errMediaType):
		p.Title, p.Status = "unsupported media type", http.StatusUnsupportedMediaType
	case errors.Is(err, ErrInvalid), errors.Is(err, errFault):
		p.Title, p.Status = "bad request", http.StatusBadRequest
	case errors.Is(err, ErrUnknown):
		p.Title, p.Status = "not found", http.StatusNotFound
	case errors.Is(err, ErrConflict):
		p.Title, p.Status = "conflict", http.StatusConflict
	}
	b, _ := json.Marshal(p)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n')) // the client may have left
}

func notFound(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, fmt.Errorf("%w: there is no %s here; GET /sim/openapi.yaml lists the controls", ErrUnknown, r.URL.Path))
}

var errMediaType = errors.New("unsupported media type")

// read decodes a control's body: JSON, one object, no field that does not exist.
func read(r *http.Request, into any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return fmt.Errorf("%w: send Content-Type: application/json", errMediaType)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("%w: the body could not be read: %w", ErrInvalid, err)
	}
	if len(b) > maxBody {
		return fmt.Errorf("%w: the body is longer than %d bytes", ErrInvalid, maxBody)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		return fmt.Errorf("%w: the body must be a JSON object", ErrInvalid)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: body: %s", ErrInvalid, strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: body: something follows the JSON object", ErrInvalid)
	}
	return nil
}

// filter reads the query parameters that an operation knows.
func filter(r *http.Request, known ...string) (map[string]string, error) {
	out := map[string]string{}
	for name, v := range r.URL.Query() {
		found := false
		for _, k := range known {
			found = found || k == name
		}
		if !found || len(v) != 1 {
			return nil, fmt.Errorf("%w: query parameter %q: known, and once each, are: %s", ErrInvalid, name, strings.Join(known, ", "))
		}
		out[name] = v[0]
	}
	return out, nil
}

func (s *Server) getState(r *http.Request) (any, error) {
	f, err := filter(r, "suite_id", "corp_id")
	if err != nil {
		return nil, err
	}
	return s.State(wecom.SuiteID(f["suite_id"]), wecom.CorpID(f["corp_id"])), nil
}

func (s *Server) getCalls(r *http.Request) (any, error) {
	f, err := filter(r, "api", "suite_id", "corp_id")
	if err != nil {
		return nil, err
	}
	return s.Calls(f["api"], wecom.CorpID(f["corp_id"]), wecom.SuiteID(f["suite_id"])), nil
}

// Calls tells what was asked; empty is any.
func (s *Server) Calls(api string, corpID wecom.CorpID, suiteID wecom.SuiteID) Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	if co := s.corps[corpID]; co != nil {
		corpID = co.CorpID
	}
	return s.ledger.list(apiName(api), corpID, suiteID)
}

// ForgetCalls starts the counts anew.
func (s *Server) ForgetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger = newLedger()
}

func (s *Server) deleteCalls(*http.Request) (any, error) {
	s.ForgetCalls()
	return struct{}{}, nil
}

type suiteResult struct {
	Suite
	Verification []Verification `json:"verification"`
}

func (s *Server) postSuite(r *http.Request) (any, error) {
	var in Suite
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.SuiteID == "" {
		return nil, fmt.Errorf("%w: suite_id is missing", ErrInvalid)
	}
	out, err := s.PutSuite(in)
	if err != nil {
		return nil, err
	}
	checks, err := s.Verify(r.Context(), out.SuiteID)
	return suiteResult{out, checks}, err
}

type corpRequest struct {
	Corp
	Generate *generate `json:"generate,omitempty"`
}

// generate makes many corps at once: prefix and a number.
type generate struct {
	Prefix string `json:"prefix"`
	Count  int    `json:"count"`
}

func (s *Server) postCorp(r *http.Request) (any, error) {
	var in corpRequest
	if err := read(r, &in); err != nil {
		return nil, err
	}
	switch {
	case in.Generate != nil && in.CorpID != "":
		return nil, fmt.Errorf("%w: either corp_id or generate", ErrInvalid)
	case in.Generate != nil:
		return s.generateCorps(in.Generate.Prefix, in.Generate.Count)
	case in.CorpID == "":
		return nil, fmt.Errorf("%w: corp_id is missing", ErrInvalid)
	}
	return s.PutCorp(in.Corp)
}

const maxGenerated = 1_000_000

type generated struct {
	First wecom.CorpID `json:"first"`
	Last  wecom.CorpID `json:"last"`
	Count int          `json:"count"`
}

func (s *Server) generateCorps(prefix string, count int) (any, error) {
	if prefix == "" || len(prefix) > 32 || count < 1 || count > maxGenerated {
		return nil, fmt.Errorf("%w: generate: prefix must be 1 to 32 bytes and count 1 to %d", ErrInvalid, maxGenerated)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := func(i int) wecom.CorpID { return wecom.CorpID(fmt.Sprintf("%s%07d", prefix, i)) }
	for i := range count {
		s.corp(id(i))
	}
	s.changed()
	return generated{id(0), id(count - 1), count}, nil
}

func (s *Server) postInstall(r *http.Request) (any, error) {
	var in Install
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return s.Install(r.Context(), in)
}

// told is the answer of a control that pushes something.
type told struct {
	Delivery *Delivery `json:"delivery"`
}

func (s *Server) postUninstall(r *http.Request) (any, error) {
	var in Target
	if err := read(r, &in); err != nil {
		return nil, err
	}
	d, err := s.Uninstall(r.Context(), in)
	return told{d}, err
}

func (s *Server) postChange(r *http.Request) (any, error) {
	var in Change
	if err := read(r, &in); err != nil {
		return nil, err
	}
	d, err := s.Change(r.Context(), in)
	return told{d}, err
}

func (s *Server) postResetPermanentCode(r *http.Request) (any, error) {
	var in Target
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return s.ResetPermanentCode(r.Context(), in)
}

type suiteRequest struct {
	SuiteID wecom.SuiteID `json:"suite_id"`
}

func (s *Server) postPushSuiteTicket(r *http.Request) (any, error) {
	var in suiteRequest
	if err := read(r, &in); err != nil {
		return nil, err
	}
	d, err := s.PushSuiteTicket(r.Context(), in.SuiteID)
	return told{&d}, err
}

type deliveries struct {
	Deliveries []Delivery `json:"deliveries"`
}

func (s *Server) postPush(r *http.Request) (any, error) {
	var in Push
	if err := read(r, &in); err != nil {
		return nil, err
	}
	d, err := s.Push(r.Context(), in)
	return deliveries{d}, err
}

type verifications struct {
	Verification []Verification `json:"verification"`
}

func (s *Server) postVerify(r *http.Request) (any, error) {
	var in suiteRequest
	if err := read(r, &in); err != nil {
		return nil, err
	}
	v, err := s.Verify(r.Context(), in.SuiteID)
	return verifications{v}, err
}

type counted struct {
	Count int `json:"count"`
}

func (s *Server) postRevoke(r *http.Request) (any, error) {
	var in Revoke
	if err := read(r, &in); err != nil {
		return nil, err
	}
	n, err := s.Revoke(in)
	return counted{n}, err
}

func (s *Server) postDisable(r *http.Request) (any, error) {
	var in Disable
	if err := read(r, &in); err != nil {
		return nil, err
	}
	n, err := s.Disable(in)
	return counted{n}, err
}

func (s *Server) postFault(r *http.Request) (any, error) {
	var in Fault
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return s.AddFault(in)
}

// AddFault makes calls fail.
func (s *Server) AddFault(f Fault) (Fault, error) { return s.addFault(f) }

type faultList struct {
	Faults []Fault `json:"faults"`
}

func (s *Server) getFaults(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return faultList{s.listFaults()}, nil
}

// ClearFaults ends all faults, or only those of an API, and answers with how many.
func (s *Server) ClearFaults(api string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := []*fault{}
	for _, f := range s.faults {
		if api != "" && f.API != apiName(api) {
			kept = append(kept, f)
		}
	}
	n := len(s.faults) - len(kept)
	s.faults = kept
	return n
}

func (s *Server) deleteFaults(r *http.Request) (any, error) {
	f, err := filter(r, "api")
	if err != nil {
		return nil, err
	}
	return counted{s.ClearFaults(f["api"])}, nil
}

// Reset forgets everything: suites, corps, credentials, faults and counts.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, su := range s.suiteOrder {
		su.stop()
	}
	s.empty()
	s.changed()
}

func (s *Server) postReset(*http.Request) (any, error) {
	s.Reset()
	return struct{}{}, nil
}

type health struct {
	Status string `json:"status"`
	Suites int    `json:"suites"`
	Corps  int    `json:"corps"`
}

func (s *Server) getHealth(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return health{"ok", len(s.suiteOrder), len(s.corpOrder)}, nil
}

// checkRequest is a Check as pages send it: the SDK stringifies, others do not.
type checkRequest struct {
	Kind      string       `json:"kind"`
	CorpID    wecom.CorpID `json:"corp_id"`
	AgentID   text         `json:"agent_id"`
	URL       string       `json:"url"`
	Timestamp text         `json:"timestamp"`
	NonceStr  string       `json:"nonceStr"`
	Signature string       `json:"signature"`
	JSAPIList []string     `json:"jsApiList"`
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
	c := Check{CorpID: in.CorpID, AgentID: string(in.AgentID), URL: in.URL, Timestamp: string(in.Timestamp), NonceStr: in.NonceStr, Signature: in.Signature, JSAPIList: in.JSAPIList}
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
