package jssdk_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"suitesign/web/jssdk"
)

func TestServesThePublishedFileUnmodified(t *testing.T) {
	w := httptest.NewRecorder()
	jssdk.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, jssdk.Path, nil))
	sum := sha256.Sum256(w.Body.Bytes())
	if got := hex.EncodeToString(sum[:]); got != jssdk.SHA256 {
		t.Errorf("sha256 = %s, want %s", got, jssdk.SHA256)
	}
	if ct := w.Header().Get("Content-Type"); !strings.HasPrefix(ct, "text/javascript") {
		t.Errorf("content type = %q", ct)
	}
	if !strings.Contains(w.Body.String(), jssdk.Version) {
		t.Errorf("the file does not name version %s", jssdk.Version)
	}
}
