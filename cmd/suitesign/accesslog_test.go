package main

import (
	"bytes"
	"context"
	"errors"
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
		time.Sleep(time.Second) // virtual time
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
		time.Sleep(gatherFor) // virtual time
	})
}

// TestAccessLinesAreLikeSlogs: a line that is encoded here reads as if slog had.
func TestAccessLinesAreLikeSlogs(t *testing.T) {
	t.Parallel()
	var ours, slogs bytes.Buffer
	lines := &gatherer{to: &ours}
	quick := gathering{Handler: slog.NewJSONHandler(lines, nil), lines: lines, json: true}
	whole := slog.NewJSONHandler(&slogs, nil)
	at := time.Date(2026, 3, 1, 8, 0, 0, 123000000, time.FixedZone("", 8*3600))
	for name, tt := range map[string]struct {
		same, attrs []slog.Attr
		group       string
		quick       bool
	}{
		"a request": {quick: true,
			same:  []slog.Attr{slog.String("listener", "public"), slog.String("route", "/api/jssdk/config-signature")},
			attrs: []slog.Attr{slog.Int("status", 200), slog.Int64("bytes", -1), slog.String("ip", "2001:db8::1"), slog.String("request_id", "a.b:c")}},
		"no attributes":   {quick: true},
		"quotes":          {attrs: []slog.Attr{slog.String("error", `a "b" \ c`)}},
		"not ASCII":       {attrs: []slog.Attr{slog.String("api_key", "运维"), slog.Int("status", 200)}},
		"control":         {same: []slog.Attr{slog.String("route", "a\nb")}},
		"a key to escape": {attrs: []slog.Attr{slog.Int(`a"b`, 1)}},
		"an empty text":   {attrs: []slog.Attr{slog.String("code", "")}},
		"another kind":    {attrs: []slog.Attr{slog.Duration("took", time.Second), slog.Group("g", slog.Int("a", 1))}},
		"in a group":      {group: "g", attrs: []slog.Attr{slog.Int("a", 1)}},
	} {
		ours.Reset()
		slogs.Reset()
		r := slog.NewRecord(at, slog.LevelInfo, accessLine, 0)
		r.AddAttrs(tt.attrs...)
		var a, b slog.Handler = quick, whole
		if len(tt.same) > 0 {
			a, b = a.WithAttrs(tt.same), b.WithAttrs(tt.same)
		}
		if tt.group != "" {
			a, b = a.WithGroup(tt.group), b.WithGroup(tt.group)
		}
		if _, ok := a.(gathering).encode(nil, &r); ok != tt.quick {
			t.Errorf("%s: encoded here: %v, want %v", name, ok, tt.quick)
		}
		if err := errors.Join(a.Handle(t.Context(), r), b.Handle(t.Context(), r)); err != nil {
			t.Fatal(err)
		}
		lines.flush()
		if ours.String() != slogs.String() {
			t.Errorf("%s:\n%s\nwant, as slog has it,\n%s", name, ours.String(), slogs.String())
		}
	}
}
