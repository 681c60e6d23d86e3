package wecom_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// prints is v in every way that a log, a test or a panic might print it.
func prints(v any) string {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	if j, err := json.Marshal(v); err == nil {
		b.Write(j)
	}
	// %x shows a text in hexadecimal, which no search for the text finds.
	return strings.ReplaceAll(b.String(), hex.EncodeToString([]byte(canary)), canary)
}

// printsChain is prints of err and of everything that it wraps.
func printsChain(err error) string {
	if err == nil {
		return ""
	}
	text := prints(err)
	switch e := err.(type) { //nolint:errorlint // the chain is walked here, link by link
	case interface{ Unwrap() error }:
		text += printsChain(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			text += printsChain(inner)
		}
	}
	return text
}
