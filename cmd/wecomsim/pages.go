package main

import (
	"net/http"

	"suitesign/web/demo"
	"suitesign/web/h5"
	"suitesign/web/jssdk"
)

// standInPath is where the simulator stands in for suitesign.
const standInPath = "/sim"

// withPages adds what an H5 page loads to a simulator: the helper, the SDK, and the
// demo page as a sample, below /sim/ beside the signing stand-in.
func (w *setup) withPages(sim http.Handler) (http.Handler, error) {
	o := demo.Options{Endpoint: standInPath, Bridge: standInPath + "/bridge.js"}
	if w != nil {
		o.SuiteID, o.CorpID, o.AgentID, _ = w.first()
	}
	page, err := demo.Handler(o)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+standInPath+jssdk.Path, jssdk.Handler())
	mux.Handle("GET "+standInPath+h5.Path, h5.Handler())
	mux.Handle("GET "+standInPath+"/demo/", http.StripPrefix(standInPath, page))
	mux.Handle("/", sim)
	return mux, nil
}
