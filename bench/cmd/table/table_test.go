package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestReadBenchmarks(t *testing.T) {
	t.Parallel()
	found := map[string]*figures{}
	for _, out := range []string{
		"goos: linux\nBenchmarkBareSigner-2 \t 1000 \t 500.5 ns/op \t 96 B/op \t 1 allocs/op\nBenchmarkSign-2 \t 878 \t 1200 ns/op \t 0 queries/op \t 208 B/op \t 2 allocs/op\nPASS\n",
		"BenchmarkSign-2 \t 878 \t 1000 ns/op \t 0.5 queries/op \t 208 B/op \t 3 allocs/op\n",
	} {
		if err := readBenchmarks(out, found); err != nil {
			t.Fatal(err)
		}
	}
	sign := found["BenchmarkSign"]
	if len(found) != 2 || sign == nil {
		t.Fatalf("found %v, want two benchmarks", found)
	}
	if got := median(sign.nanos); got != 1100 || sign.bytes != 208 || sign.allocations != 3 || sign.query != 0.5 {
		t.Errorf("Sign = %+v with median %g; want 1100 ns and the worst of the counts", sign, got)
	}
	if err := readBenchmarks("BenchmarkSign-2 1 fast ns/op\n", found); err == nil {
		t.Error("readBenchmarks took a number that is none")
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	if got, want := compare([]float64{2, 9, 4}, []float64{1, 3, 4}), (ratio{of: 4.0 / 3, low: 1, high: 3}); got != want {
		t.Errorf("compare = %+v, want %+v", got, want)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doc.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a\n" + partBegins + "old\n" + partEnds + "b\n")
	for range 2 {
		if err := replace(path, "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); string(got) != "a\n"+partBegins+"new\n"+partEnds+"b\n" || err != nil {
		t.Errorf("the document is %q, %v", got, err)
	}
	write("no part\n")
	if err := replace(path, "new\n"); err == nil {
		t.Error("replace found a part in a document without one")
	}
}

// A process's figures are read of this test itself.
func TestProcessFigures(t *testing.T) {
	t.Parallel()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: &exec.Cmd{Process: self}}
	if rss, peak, err := p.memory(); err != nil || rss <= mebibyte || peak < rss {
		t.Errorf("memory = %d, %d, %v; want some MiB, and at most the peak", rss, peak, err)
	}
	if _, err := p.cpu(); err != nil {
		t.Errorf("cpu: %v", err)
	}
}
