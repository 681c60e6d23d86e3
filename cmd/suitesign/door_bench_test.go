package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"suitesign/signing"
	"suitesign/web"
)

type nowhere struct{ h http.Header }

func (n nowhere) Header() http.Header         { return n.h }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

type oneSignature struct{ s signing.Signed }

func (o *oneSignature) Sign(context.Context, signing.Request) (signing.Signed, error) {
	return o.s, nil
}

// BenchmarkDoor is what of an answer is ours, but for Sign: the door, parameters, the
// answer, the log line, the metrics.
func BenchmarkDoor(b *testing.B) {
	s := &web.Server{Log: newLogger(defaultConfig(), io.Discard), Metrics: web.NewMetrics(), Health: &web.Health{},
		Signer: &oneSignature{signing.Signed{Config: &signing.Signature{Timestamp: "1414587457", NonceStr: "0123456789abcdef0123456789abcdef", Signature: "0123456789abcdef0123456789abcdef01234567"}}}}
	public := s.Public()
	r := httptest.NewRequest(http.MethodGet, "/api/jssdk/config-signature?corp_id=wwbench00corp00000&suite_id=bench&url=https%3A%2F%2Fcorp1.example.com%2Forders%2Flist%3Fid%3D20260301-0007%26from%3Dmenu", nil)
	w := nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		public.ServeHTTP(w, r)
	}
}
