package wecomtest

import "net/http"

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
