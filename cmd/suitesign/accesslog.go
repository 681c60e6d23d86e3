package main

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"
)

// accessLine is the message of the line that web writes for a request.
const accessLine = "request"

// Lines of requests are written together, as many as come within gatherFor or fit
// into gatherMost: one write for each costs a busy replica as much as the
// signature itself. A crash loses the lines of that moment.
const (
	gatherFor  = 10 * time.Millisecond
	gatherMost = 32 << 10
)

// gathering is a handler whose lines of requests wait a moment for others. Every
// other line is written at once, and with it those that wait, so that the order
// stays and nothing waits when the process ends in order.
type gathering struct {
	slog.Handler // writes to lines
	lines        *gatherer
	json         bool   // the handler writes JSON, and its attributes are same
	same         []byte // as a line has them
}

func (g gathering) Handle(ctx context.Context, r slog.Record) error {
	if r.Level == slog.LevelInfo && r.Message == accessLine {
		var stack [512]byte
		if line, ok := g.encode(stack[:0], &r); ok {
			_, err := g.lines.Write(line)
			return err
		}
		return g.Handler.Handle(ctx, r)
	}
	err := g.Handler.Handle(ctx, r)
	g.lines.flush()
	return err
}

// encode writes the line of a request as slog's JSON handler would, in half of
// its time. What is not a plain text or a number is left to that.
func (g gathering) encode(b []byte, r *slog.Record) (line []byte, ok bool) {
	if !g.json || r.PC != 0 {
		return nil, false
	}
	b = append(b, `{"time":"`...)
	b = r.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"INFO","msg":"`+accessLine+`"`...)
	b = append(b, g.same...)
	ok = true
	r.Attrs(func(a slog.Attr) bool {
		b, ok = appendAttr(b, a)
		return ok
	})
	return append(b, "}\n"...), ok
}

func appendAttr(b []byte, a slog.Attr) ([]byte, bool) {
	b = append(b, `,"`...)
	b = append(b, a.Key...)
	b = append(b, `":`...)
	switch a.Value.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(b, a.Value.Int64(), 10), plain(a.Key)
	case slog.KindString:
		text := a.Value.String()
		b = append(b, '"')
		b = append(b, text...)
		return append(b, '"'), plain(a.Key) && plain(text)
	default:
		return b, false
	}
}

// plain reports a text that JSON has as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

func (g gathering) WithAttrs(attrs []slog.Attr) slog.Handler {
	g.Handler = g.Handler.WithAttrs(attrs)
	g.same = slices.Clone(g.same)
	for _, a := range attrs {
		var ok bool
		g.same, ok = appendAttr(g.same, a)
		g.json = g.json && ok
	}
	return g
}

func (g gathering) WithGroup(name string) slog.Handler {
	return gathering{Handler: g.Handler.WithGroup(name), lines: g.lines}
}

// gatherer passes on what is written to it after a moment.
type gatherer struct {
	to io.Writer

	mu    sync.Mutex
	lines []byte
	armed bool // a flush is to come
}

func (g *gatherer) Write(line []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.lines)+len(line) > gatherMost {
		g.pass()
	}
	g.lines = append(g.lines, line...)
	if !g.armed {
		g.armed = true
		time.AfterFunc(gatherFor, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.armed = false
			g.pass()
		})
	}
	return len(line), nil
}

func (g *gatherer) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass()
}

// pass writes what has gathered; the caller holds mu.
func (g *gatherer) pass() {
	if len(g.lines) > 0 {
		_, _ = g.to.Write(g.lines) // a log that cannot be written has nowhere to say so
		g.lines = g.lines[:0]
	}
}
