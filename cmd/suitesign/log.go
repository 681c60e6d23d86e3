package main

import (
	"io"
	"log/slog"
)

// newLogger writes one event a line. A bad level is a fault of the configuration
// and never comes this far.
func newLogger(c Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel))
	options := &slog.HandlerOptions{Level: level}
	lines := &gatherer{to: w}
	if c.LogFormat == "text" {
		return slog.New(gathering{Handler: slog.NewTextHandler(lines, options), lines: lines})
	}
	return slog.New(gathering{Handler: slog.NewJSONHandler(lines, options), lines: lines, json: true})
}
