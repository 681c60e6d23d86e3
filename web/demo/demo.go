// Package demo serves the demo page at /demo/: a sample, without any framework,
// of what an H5 page does with the signing endpoints and the JS-SDK. It registers
// both identities, goes through the chat toolbar's flow, and lets every API of the
// catalogue be called, group by group, with its result or error and what to do.
//
// In WeCom or WeChat the page uses the client it runs in. In an ordinary browser it
// loads the simulator's bridge first, where one is configured.
package demo

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"suitesign/web/jssdk"
)

//go:embed static
var static embed.FS

// Options tell the page whom it registers as. The page's own query parameters
// suite_id, corp_id and agent_id come before them, so that an empty Options makes
// a page that is told everything by its URL.
type Options struct {
	SuiteID string
	CorpID  string
	AgentID int64
	// SimURL is the simulator's base URL, "" without one.
	SimURL string
	// Endpoint is where the signing endpoints and the SDK are on the page's own host:
	// "" at its top, "/sim" where the simulator stands in for suitesign.
	Endpoint string
	// Bridge is the path of the simulator's bridge where the simulator itself serves the page.
	Bridge string
}

// Handler serves everything below /demo/.
func Handler(o Options) (http.Handler, error) {
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, fmt.Errorf("demo page: %w", err)
	}
	// Only what the page needs may load or be called: itself and the simulator.
	sim := ""
	if o.SimURL != "" {
		u, err := url.Parse(o.SimURL)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("demo page: simulator URL %q is not a URL", o.SimURL)
		}
		sim = " " + u.Scheme + "://" + u.Host
	}
	csp := "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'" + sim +
		"; connect-src 'self'" + sim + "; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
	bridge := o.Bridge
	if o.SimURL != "" {
		bridge = strings.TrimSuffix(o.SimURL, "/") + "/sim/bridge.js"
	}
	config, err := json.Marshal(map[string]any{
		"suite_id": o.SuiteID, "corp_id": o.CorpID, "agent_id": o.AgentID,
		"endpoint": o.Endpoint, "sdk_url": o.Endpoint + jssdk.Path, "bridge_url": bridge,
	})
	if err != nil {
		return nil, fmt.Errorf("demo page: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /demo/config.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(config)
	})
	mux.Handle("GET /demo/", http.StripPrefix("/demo/", http.FileServerFS(files)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		mux.ServeHTTP(w, r)
	}), nil
}
