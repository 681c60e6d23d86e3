package wecomtest

import (
	"net/http"

	"suitesign/wecom"
)

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
