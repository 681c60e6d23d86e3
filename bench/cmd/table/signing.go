package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// signRounds is how often each benchmark runs; one run of it is short.
const signRounds = 15

// figures of one benchmark, round by round.
type figures struct {
	nanos                     []float64
	bytes, allocations, query float64 // of one operation; the worst of all rounds
}

// signing measures Sign beside the bare signer, in process.
func (h *house) signing(ctx context.Context, t *table) error {
	say("signing in process")
	environ := append(cleanEnvironment(), "SUITESIGN_TEST_DATABASE_URL="+h.database.URL("postgres"))
	found := map[string]*figures{}
	for range signRounds {
		for _, name := range []string{"BareSigner", "Sign", "SignByHost", "Silenceper", "Workwx"} { // each by a new process: none runs on what another left
			args := []string{"-test.run=^$", "-test.bench=^Benchmark" + name + "$", "-test.benchtime=0.3s"}
			cmd := exec.CommandContext(ctx, h.file("bench.test"), args...) //nolint:gosec // our own binary
			cmd.Env, cmd.Stderr = environ, os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return fmt.Errorf("the benchmark %s: %w\n%s", name, err, out)
			}
			if err := readBenchmarks(string(out), found); err != nil {
				return err
			}
		}
	}
	bare, sign, byHost := found["BenchmarkBareSigner"], found["BenchmarkSign"], found["BenchmarkSignByHost"]
	silenceper, workwx := found["BenchmarkSilenceper"], found["BenchmarkWorkwx"]
	if bare == nil || sign == nil || byHost == nil || silenceper == nil || workwx == nil {
		return fmt.Errorf("the benchmarks told of %d, want five", len(found))
	}
	ratio := compare(sign.nanos, bare.nanos)
	t.judged("`Signer.Sign`, ten hot tenants, beside a bare signer", fmt.Sprintf("%.0f ns : %.0f ns = %s", median(sign.nanos), median(bare.nanos), ratio), "≤ 2.5", ratio.of <= 2.5)
	t.judged("its allocations", fmt.Sprintf("%.0f (%.0f B)", sign.allocations, sign.bytes), "≤ 4", sign.allocations <= 4)
	t.judged("its queries", fmt.Sprintf("%g", sign.query), "0", sign.query == 0)
	t.told("the same where the page's host alone names the tenant", fmt.Sprintf("%.0f ns = %s, %.0f allocations, %g queries",
		median(byHost.nanos), compare(byHost.nanos, bare.nanos), byHost.allocations, byHost.query))
	faster := compare(silenceper.nanos, sign.nanos)
	t.judged("faster than `silenceper/wechat/v2` v2.1.14 from a warm cache, which checks no host", fmt.Sprintf("%.0f ns, %.0f allocations: %s times", median(silenceper.nanos), silenceper.allocations, faster), "≥ 5", faster.of >= 5)
	t.told("beside `xen0n/go-workwx` v1.7.0, which only holds the ticket, with the bare signer around it", fmt.Sprintf("%.0f ns, %.0f allocations: %s times", median(workwx.nanos), workwx.allocations, compare(workwx.nanos, sign.nanos)))
	return nil
}

// readBenchmarks reads what `go test -bench` prints:
//
//	BenchmarkSign-2   878859   1225 ns/op   0 queries/op   208 B/op   2 allocs/op
func readBenchmarks(out string, into map[string]*figures) error {
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name, _, _ := strings.Cut(fields[0], "-")
		f := into[name]
		if f == nil {
			f = &figures{}
			into[name] = f
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			switch fields[i+1] {
			case "ns/op":
				f.nanos = append(f.nanos, value)
			case "B/op":
				f.bytes = max(f.bytes, value)
			case "allocs/op":
				f.allocations = max(f.allocations, value)
			case "queries/op":
				f.query = max(f.query, value)
			}
		}
	}
	return nil
}

// ratio of two medians, with the lowest and the highest of a single round.
type ratio struct{ of, low, high float64 }

func (r ratio) String() string { return fmt.Sprintf("**%.2f** (%.2f to %.2f)", r.of, r.low, r.high) }

// compare rounds that were run one after the other.
func compare(these, those []float64) ratio {
	rounds := make([]float64, min(len(these), len(those)))
	for i := range rounds {
		rounds[i] = these[i] / those[i]
	}
	return ratio{of: median(these) / median(those), low: slices.Min(rounds), high: slices.Max(rounds)}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
