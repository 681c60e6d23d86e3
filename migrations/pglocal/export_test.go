//go:build unix

package pglocal

import (
	"context"
	"os/exec"
	"testing"
)

// Abandon leaves the server running without an owner and without a watchdog, as
// when both were killed.
func (s *Server) Abandon() {
	s.watchdog.dismiss()
	_ = s.lock.Close()
	s.watchdog, s.lock, s.process = nil, nil, nil
}

// Pid is the postmaster's process id.
func (s *Server) Pid() int { return s.process.Process.Pid }

// Follows reports whether another process owns the server.
func (s *Server) Follows() bool { return s.lock == nil }

// AsServer prepares a program that runs as the user that servers run as.
func AsServer(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	a, err := serverAccount("")
	if err != nil {
		t.Fatal(err)
	}
	return a.command(context.Background(), "/", program, args...)
}

var (
	PrivateDir = privateDir
	Ended      = ended
)

// SetUsualPlaces makes Find look elsewhere until the test ends.
func SetUsualPlaces(t *testing.T, patterns ...string) {
	t.Helper()
	before := usualPlaces
	usualPlaces = patterns
	t.Cleanup(func() { usualPlaces = before })
}

// SetClusterConfig makes Install write elsewhere until the test ends.
func SetClusterConfig(t *testing.T, dir string) {
	t.Helper()
	before := clusterConfig
	clusterConfig = dir
	t.Cleanup(func() { clusterConfig = before })
}
