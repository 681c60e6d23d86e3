package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// process is one of our binaries, running. Its output is kept for a failed test.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd

	mu    sync.Mutex
	lines []string
	ended chan struct{}
	err   error
}

func startProcess(t *testing.T, name string, environ []string, program string, args ...string) *process {
	t.Helper()
	p := newProcess(t, name, environ, program, args...)
	p.start()
	return p
}

// newProcess is a process that has not started yet, for who wants to change its command.
func newProcess(t *testing.T, name string, environ []string, program string, args ...string) *process {
	p := &process{t: t, name: name, ended: make(chan struct{}),
		cmd: exec.Command(filepath.Join(bin, program), args...)}
	// Nothing of the caller's configuration reaches the product.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SUITESIGN_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, environ...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return p
}

func (p *process) start() {
	t := p.t
	t.Helper()
	r, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		s := bufio.NewScanner(r)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			p.mu.Lock()
			p.lines = append(p.lines, s.Text())
			p.mu.Unlock()
		}
	}()
	go func() {
		p.err = p.cmd.Wait()
		w.Close()
		<-read
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if out := p.output(); strings.Contains(out, "WARNING: DATA RACE") || strings.Contains(out, "panic: ") {
			t.Errorf("%s raced or panicked:\n%s", p.name, out)
		} else if t.Failed() {
			t.Logf("what %s said, at last:\n%s", p.name, tail(out, 60))
		}
	})
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

func tail(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// kill ends the process at once, as a crash would, with all its children.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// wait waits for the end of the process.
func (p *process) wait(limit time.Duration) error {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(limit):
		p.t.Fatalf("%s has not ended within %s:\n%s", p.name, limit, tail(p.output(), 40))
		return nil
	}
}

// runCommand runs one of our binaries to its end.
func runCommand(t *testing.T, environ []string, program string, args ...string) (output string, code int) {
	t.Helper()
	p := startProcess(t, program+" "+strings.Join(args, " "), environ, program, args...)
	_ = p.wait(60 * time.Second)
	return p.output(), p.cmd.ProcessState.ExitCode()
}

// lastPort is the last one that freePort gave away.
var lastPort atomic.Int64

func init() { lastPort.Store(int64(10_000 + os.Getpid()*97%20_000)) }

// freePort finds a port on loopback that nobody uses now. It gives none away twice,
// and none from the range that the system takes for outgoing connections: another
// test's would have it before the process that it is meant for.
func freePort(t *testing.T) int {
	t.Helper()
	var lc net.ListenConfig
	for range 1000 {
		port := 10_000 + int(lastPort.Add(1))%20_000
		if ln, err := lc.Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no port is free between 10000 and 30000")
	return 0
}

// eventually tries until what says nil, and fails with its last word.
func eventually(t *testing.T, limit time.Duration, what func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := what()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", limit, err)
		}
		time.Sleep(50 * time.Millisecond) // between looks
	}
}

func local(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }
