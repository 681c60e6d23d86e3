package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CPUs of pinned runs.
const (
	serverCPU = "0"
	wrkCPU    = "1"
)

// process is a server under measurement.
type process struct {
	name   string
	origin string // where it is loaded, like http://127.0.0.1:1234
	cmd    *exec.Cmd
	log    *os.File // stdout and stderr
	ended  chan struct{}
	err    error
}

// start starts a program with its output in a file. Nothing of the caller's own
// configuration reaches it.
func (h *house) start(name, origin string, environ []string, program string, args ...string) (*process, error) {
	// As a container's or a unit's log: appended, so that truncating it between runs works.
	log, err := os.OpenFile(h.file(name+".log"), os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if h.pin {
		program, args = "taskset", append([]string{"--cpu-list", serverCPU, program}, args...)
	}
	p := &process{name: name, origin: origin, log: log, ended: make(chan struct{}), cmd: exec.Command(program, args...)} //nolint:gosec,noctx // our own binaries; stop ends them
	p.cmd.Env = append(cleanEnvironment(), environ...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for us; we end it
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), log.Close())
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func cleanEnvironment() []string {
	var out []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SUITESIGN_") && !strings.HasPrefix(v, "GO") {
			out = append(out, v)
		}
	}
	return out
}

// stop ends the process: politely, then not.
func (p *process) stop() {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = p.cmd.Process.Signal(s) // fails only when it has ended
		select {
		case <-p.ended:
			_ = p.log.Close()
			return
		case <-time.After(15 * time.Second):
		}
	}
}

// said is the end of what the process wrote.
func (p *process) said() string {
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// cpu is the processor time that a process has used (proc_pid_stat(5)).
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in parentheses, and may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const utime, stime = 14 - 3, 15 - 3 // fields are counted from 1, and two are cut off
	if len(fields) <= stime {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", p.cmd.Process.Pid, len(fields))
	}
	var ticks int64
	for _, i := range []int{utime, stime} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil // USER_HZ is 100 on every Linux that Go runs on
}

// memory is what a process holds in RAM, and the most that it ever held, in bytes.
func (p *process) memory() (rss, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		var into *int64
		switch {
		case strings.HasPrefix(line, "VmRSS:"):
			into = &rss
		case strings.HasPrefix(line, "VmHWM:"):
			into = &peak
		default:
			continue
		}
		if _, err := fmt.Sscanf(strings.Fields(line)[1], "%d", into); err != nil {
			return 0, 0, err
		}
		*into <<= 10
	}
	return rss, peak, nil
}

// freePort finds a port on loopback that nobody uses now.
func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// wait tries until what says nil; the process must live meanwhile.
func (p *process) wait(ctx context.Context, limit time.Duration, what func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := what()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s: %w\n%s", p.name, limit, err, p.said())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return fmt.Errorf("%s ended (%w):\n%s", p.name, p.err, p.said())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
