package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// bin holds the built binaries.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "suitesign-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	// With the race detector: a race in the product fails the run (its exit code does).
	build := exec.CommandContext(ctx, "go", "build", "-race", "-o", bin+string(filepath.Separator), "suitesign/cmd/suitesign", "suitesign/cmd/wecomsim")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the binaries: %v\n%s", err, out)
		return 1
	}
	if err := startPostgres(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		if server.stop != nil {
			server.stop()
		}
		return 1
	}
	defer server.stop()
	fmt.Println("e2e: PostgreSQL from", server.from)
	return m.Run()
}
