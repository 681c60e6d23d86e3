package h5_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"testing"

	"suitesign/web/h5"
	"suitesign/web/jssdk"
)

func get(t *testing.T, method string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, h5.Path, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h5.Handler().ServeHTTP(w, r)
	return w
}

func TestServesTheCommittedScript(t *testing.T) {
	t.Parallel()
	built, err := os.ReadFile("dist/suitesign.js")
	if err != nil {
		t.Fatal(err)
	}
	w := get(t, http.MethodGet, nil)
	if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), built) {
		t.Errorf("answer = %d with %d bytes, want 200 with the %d of dist/suitesign.js", w.Code, w.Body.Len(), len(built))
	}
	for name, want := range map[string]string{
		"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "public, max-age=300",
		"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if w := get(t, http.MethodHead, nil); w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("HEAD = %d with %d bytes, want 200 without a body", w.Code, w.Body.Len())
	}
}

func TestACopyIsCompared(t *testing.T) {
	t.Parallel()
	etag := get(t, http.MethodGet, nil).Header().Get("ETag")
	if len(etag) != 34 {
		t.Fatalf("ETag = %q, want 32 hex digits in quotes", etag)
	}
	if w := get(t, http.MethodGet, http.Header{"If-None-Match": {etag}}); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("with that ETag = %d with %d bytes, want 304 without a body", w.Code, w.Body.Len())
	}
	if w := get(t, http.MethodGet, http.Header{"If-None-Match": {`"another"`}}); w.Code != http.StatusOK {
		t.Errorf("with another ETag = %d, want 200", w.Code)
	}
}

// The promise is 5 KiB gzipped, without the SDK.
func TestIsSmall(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write(get(t, http.MethodGet, nil).Body.Bytes())
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if zipped.Len() > 5<<10 {
		t.Errorf("suitesign.js is %d bytes gzipped, want at most %d", zipped.Len(), 5<<10)
	}
}

// The script names the SDK by its file: a new version of the SDK is a new build.
func TestLoadsTheSDKThatIsServed(t *testing.T) {
	t.Parallel()
	if path.Dir(h5.Path) != path.Dir(jssdk.Path) {
		t.Errorf("the SDK is at %s, not beside %s", jssdk.Path, h5.Path)
	}
	if !strings.Contains(get(t, http.MethodGet, nil).Body.String(), path.Base(jssdk.Path)) {
		t.Errorf("suitesign.js does not load %s: change src/script.ts and run make h5", path.Base(jssdk.Path))
	}
}
