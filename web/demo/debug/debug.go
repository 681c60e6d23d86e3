// Package debug serves the debugger page at /demo/debug: whoever has a page that
// WeCom refuses pastes its URL, the triple and the error, and sees what explain
// says of it, each part of the string that is signed and the character where it
// differs. It is framework-free, reads the public POST /api/jssdk/explain, and
// keeps nothing.
package debug

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
)

//go:embed static
var static embed.FS

// Path is the page's; what it loads lies below.
const Path = "/demo/debug"

// policy lets the page load and ask what is beside it, and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src data:; script-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// Handler serves the page and what it loads.
func Handler() (http.Handler, error) {
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, fmt.Errorf("debugger page: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "debug.html")
	})
	for _, name := range []string{"debug.css", "debug.js", "words.js"} {
		mux.HandleFunc("GET "+Path+"/"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, name)
		})
	}
	mux.Handle("GET "+Path+"/{$}", http.RedirectHandler(Path, http.StatusFound))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // the page's own URL may hold what was pasted
		h.Set("Cache-Control", "no-cache")
		mux.ServeHTTP(w, r)
	}), nil
}
