package web

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"suitesign/wecom/jsapi"
)

// The catalogue is the same for everybody: every origin may read it, every cache
// may keep it.
func TestAPIs(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	ts := httptest.NewServer(s.Public())
	t.Cleanup(ts.Close)
	at := ts.URL + "/api/jssdk/apis"
	resp := send(t, http.MethodGet, at, nil, "Origin", "https://h5.example.com")
	var c jsapi.Catalogue
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil || resp.StatusCode != http.StatusOK || len(c.APIs) != len(jsapi.All().APIs) {
		t.Fatalf("%d with %d APIs, %v; want the whole catalogue", resp.StatusCode, len(c.APIs), err)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=3600", "Content-Type": "application/json",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	tag := resp.Header.Get("ETag")
	for _, tt := range []struct {
		method, tag string
		status      int
		length      int
	}{
		{http.MethodGet, tag, http.StatusNotModified, 0},
		{http.MethodGet, `"other", W/` + tag, http.StatusNotModified, 0},
		{http.MethodGet, `"other"`, http.StatusOK, len(jsapi.JSON)},
		{http.MethodHead, `"other"`, http.StatusOK, 0},
	} {
		resp := send(t, tt.method, at, nil, "If-None-Match", tt.tag)
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != tt.status || len(body) != tt.length || resp.Header.Get("ETag") != tag {
			t.Errorf("%s if none match %s = %d, %d bytes, ETag %s, %v; want %d, %d bytes", tt.method, tt.tag, resp.StatusCode, len(body), resp.Header.Get("ETag"), err, tt.status, tt.length)
		}
	}
	if p := problemOf(t, send(t, http.MethodPost, at, nil)); p.Code != "method_not_allowed" {
		t.Errorf("POST = %s, want method_not_allowed", p.Code)
	}
}

// Reading it is charged to the address, as signatures are.
func TestAPIsAreLimited(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	s.Limits = Limits{SignPerSecond: 0.001, SignBurst: 1}
	ts := httptest.NewServer(s.Public())
	t.Cleanup(ts.Close)
	send(t, http.MethodGet, ts.URL+"/api/jssdk/apis", nil)
	if p := problemOf(t, send(t, http.MethodGet, ts.URL+"/api/jssdk/apis", nil)); p.Code != "rate_limited" {
		t.Errorf("the second = %s, want rate_limited", p.Code)
	}
}
