// Package jssdk serves the official WeCom JS-SDK from our own binary, so that a
// page needs no CDN. The file is the published one, byte for byte: SHA256 says
// which, LICENSE.md says whence.
package jssdk

import (
	_ "embed" // the SDK is part of the binary
	"net/http"
	"strconv"
)

// Version is the version of @wecom/jssdk that Path serves.
const Version = "2.4.4"

// Path is where the SDK is served.
const Path = "/sdk/wecom-jssdk-" + Version + ".js"

// SHA256 is the checksum of the served file, as published.
const SHA256 = "6a99cd5a09794bc4a267be3103c33dd0e5782491891121c66014e4fdf518ad8a"

//go:embed wecom-jssdk-2.4.4.js
var source []byte

// Handler serves the SDK. The path names the version, so the answer never changes.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Length", strconv.Itoa(len(source)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(source)
		}
	})
}
