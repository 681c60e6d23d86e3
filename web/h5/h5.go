// Package h5 serves @suitesign/h5, the helper for H5 pages, as one script for pages
// without a bundler: window.suitesign, which loads the SDK beside it (package jssdk)
// and registers a page with the signatures of the service that it came from.
//
// The helper is TypeScript in src, and tested in test by Vitest. What it builds is
// committed in dist, so that Go needs no Node: `make h5` builds, `make test-h5` tests
// and holds dist to the sources. docs/h5.md is for those who use it.
package h5

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the script is part of the binary
	"encoding/hex"
	"net/http"
	"time"
)

// Path is where the script is served.
const Path = "/sdk/suitesign.js"

//go:embed dist/suitesign.js
var source []byte

// Handler serves the script. The path names no version, so that a page gets the one
// of the service it asks: a copy is good for five minutes, and then compared.
func Handler() http.Handler {
	sum := sha256.Sum256(source)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("ETag", etag)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Access-Control-Allow-Origin", "*") // for <script crossorigin>, which shows a page its errors
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(source))
	})
}
