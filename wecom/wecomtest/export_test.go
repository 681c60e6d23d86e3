package wecomtest

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
