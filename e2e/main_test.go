package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// bin holds the built binaries.
var bin string

// atOnce is how many tests run at a time unless -parallel says otherwise: they wait
// for processes more than they compute, so that one for each processor is too few.
const atOnce = 4

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set(strconv.Itoa(max(atOnce, runtime.GOMAXPROCS(0)))); err != nil {
			panic(err)
		}
	}
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
