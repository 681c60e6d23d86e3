package main

import (
	"context"
	"io"
	"log/slog"
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
}

func (g gathering) Handle(ctx context.Context, r slog.Record) error {
	err := g.Handler.Handle(ctx, r)
	if r.Level != slog.LevelInfo || r.Message != accessLine {
		g.lines.flush()
	}
	return err
}

func (g gathering) WithAttrs(attrs []slog.Attr) slog.Handler {
	return gathering{g.Handler.WithAttrs(attrs), g.lines}
}

func (g gathering) WithGroup(name string) slog.Handler {
	return gathering{g.Handler.WithGroup(name), g.lines}
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
