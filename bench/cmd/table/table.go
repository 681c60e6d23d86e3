package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// table is what is printed: Markdown, as docs/performance.md has it.
type table struct{ lines []string }

// judged adds a line that has a target.
func (t *table) judged(line, measured, target string, met bool) {
	verdict := "met"
	if !met {
		verdict = "**missed**"
	}
	t.add(line, measured, target, verdict)
}

// told adds a line that is only told.
func (t *table) told(line, measured string) { t.add(line, measured, "", "") }

func (t *table) add(cells ...string) {
	line := "| " + strings.Join(cells, " | ") + " |\n"
	fmt.Fprint(os.Stderr, line) // at once: the whole comes minutes later
	t.lines = append(t.lines, line)
}

func (t *table) markdown() string {
	return "| line | measured | target | |\n|---|---|---|---|\n" + strings.Join(t.lines, "")
}

// machine tells where and how it was measured.
func machine(ctx context.Context, h *house) string {
	pinned := "nothing pinned"
	if h.pin {
		pinned = "server pinned to CPU " + serverCPU + ", wrk to CPU " + wrkCPU
	}
	return fmt.Sprintf("%s: %d CPUs (%s), %s, %s, PostgreSQL %d; %d rounds of %s, %s.\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), cpuModel(), kernel(ctx), runtime.Version(),
		h.database.Binaries().Major, h.rounds, h.duration, pinned)
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "uname", "-sr").Output()
	if err != nil {
		return runtime.GOOS
	}
	return strings.TrimSpace(string(out))
}

// The measured part of a document stands between these.
const (
	partBegins = "<!-- measured -->\n"
	partEnds   = "<!-- /measured -->\n"
)

// replace puts what was measured into a document.
func replace(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(old), partBegins)
	_, after, ends := strings.Cut(rest, partEnds)
	if !begins || !ends {
		return fmt.Errorf("%s has no part between %q and %q", path, partBegins, partEnds)
	}
	return os.WriteFile(path, []byte(before+partBegins+text+partEnds+after), 0o644) //nolint:gosec // a document
}
