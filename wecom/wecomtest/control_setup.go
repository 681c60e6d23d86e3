package wecomtest

import (
	"fmt"
	"net/http"

	"suitesign/wecom"
)

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
