package wecomtest

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"suitesign/wecom/jsapi"
)

// The bridge is one script in several files: what it is, the client that it
// plays, what that client answers, the bridge itself, and its panel.
//
//go:embed bridge/*.js
var bridgeFiles embed.FS

var bridgeOrder = []string{"about", "client", "answers", "core", "panel"}

// bridge is the script as it is served, with what it has to know of the catalogue.
var bridge = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	for i, name := range bridgeOrder {
		text, err := bridgeFiles.ReadFile("bridge/" + name + ".js")
		if err != nil {
			panic(err)
		}
		if i == 1 { // behind what it is; a real client, or this script a second time, is left alone
			fmt.Fprintf(&b, "(function () {\n'use strict'\n\nif (window.WeixinJSBridge) {\n  return\n}\n\nconst catalogue = %s\n\n", bridgeCatalogue())
		}
		b.Write(text)
	}
	b.WriteString("})()\n")
	return b.Bytes()
})

// bridgeCatalogue is the part of the catalogue that decides whether a call works.
func bridgeCatalogue() []byte {
	type api struct {
		Name     string                        `json:"name"`
		Wire     string                        `json:"wire"`
		Identity map[jsapi.Kind]jsapi.Identity `json:"identity"`
		Clients  []jsapi.Support               `json:"clients,omitempty"`
		Entries  []jsapi.Entry                 `json:"entries,omitempty"`
	}
	all := jsapi.All()
	out := struct {
		Entries []string          `json:"entries"`
		Parts   map[string]string `json:"parts"`
		APIs    []api             `json:"apis"`
	}{Entries: all.Entries, Parts: apiParts}
	for _, a := range all.APIs {
		out.APIs = append(out.APIs, api{a.Name, a.Wire, a.Identity, a.Clients, a.Entries})
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return b
}

func serveBridge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(bridge()) // the browser may have left
}
