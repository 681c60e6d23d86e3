package wecomtest

import "testing"

// Routes are the operations that the server knows, as "METHOD /path".
func (s *Server) Routes() []string {
	var list []string
	for _, r := range s.table() {
		path := r.path
		if path == "/{$}" {
			path = "/"
		}
		list = append(list, r.method+" "+path)
	}
	return list
}

// Wrap makes a Sim of a server that a test started itself.
func Wrap(t testing.TB, s *Server, url string) *Sim { return &Sim{Server: s, URL: url, t: t} }
