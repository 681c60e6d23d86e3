package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"suitesign/web"
)

// writes keeps what is written, write by write.
type writes struct {
	mu  sync.Mutex
	all []string
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, string(b))
	return len(b), nil
}

func (w *writes) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// TestAccessLinesAreGathered: the lines that web writes for requests wait for each
// other; another line takes them along.
func TestAccessLinesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		log := newLogger(defaultConfig(), &out)
		server := &web.Server{Log: log, Metrics: web.NewMetrics(), Health: &web.Health{}}
		public := server.Public()
		ask := func(times int) {
			for range times {
				public.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/nothing", nil))
			}
		}
		expect := func(when string, want ...int) { // lines of each write so far
			t.Helper()
			var got []int
			for _, w := range out.seen() {
				got = append(got, strings.Count(w, "\n"))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s the writes had %v lines, want %v:\n%s", when, got, want, strings.Join(out.seen(), "---\n"))
			}
		}
		ask(3)
		expect("at once")
		time.Sleep(gatherFor) // synctest's clock
		synctest.Wait()
		expect("a moment later", 3)
		ask(2)
		log.With("a", 1).WithGroup("g").Info("stopped", "b", 2)
		expect("after another line", 3, 3)
		if last := out.seen()[1]; !strings.HasSuffix(last, `"msg":"stopped","a":1,"g":{"b":2}}`+"\n") {
			t.Errorf("the last line is not that which was written last: %s", last)
		}
		log.LogAttrs(context.Background(), slog.LevelError, accessLine)
		expect("after a failed request", 3, 3, 1)
		time.Sleep(time.Second)
		synctest.Wait()
		expect("when nothing more comes", 3, 3, 1)
	})
}

// TestGatheredLinesAreBounded: a flood of lines is written without waiting, whole.
func TestGatheredLinesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		g := &gatherer{to: &out}
		line := []byte(strings.Repeat("x", 999) + "\n")
		const n = 100
		for range n {
			if _, err := g.Write(line); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(out.seen()); got != 3 { // of 32 lines each
			t.Errorf("%d lines led to %d writes before a moment had passed, want 3", n, got)
		}
		g.flush()
		if got := strings.Join(out.seen(), ""); got != string(bytes.Repeat(line, n)) {
			t.Errorf("%d bytes came through, want %d", len(got), n*len(line))
		}
		time.Sleep(gatherFor)
	})
}
