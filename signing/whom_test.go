package signing_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"suitesign/signing"
	"suitesign/tenant"
)

// TestWhom: it is whom Sign means, also where that one may not sign.
func TestWhom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("s1", "wwA"), w.tenant("s1", "wwB")
	w.trust(a, "a.example.com", "both.example.com")
	w.trust(b, "both.example.com")
	if _, err := w.store.SetDisabled(t.Context(), a, true, nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		suite, corp, url string
		want             uuid.UUID
		err              error
	}{
		{"s1", "wwA", "https://evil.example.org/", a, nil},
		{"", "", "https://a.example.com/", a, nil},
		{"", "", "https://both.example.com/", b, nil},
		{"", "", "https://evil.example.org/", uuid.Nil, signing.ErrUntrusted},
		{"s1", "wwC", "https://a.example.com/", uuid.Nil, signing.ErrTenantNotFound},
	} {
		page, err := tenant.PageOf(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := w.dir.Whom(t.Context(), tt.suite, tt.corp, page); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Whom(%s, %s, %s) = %s, %v; want %s, %v", tt.suite, tt.corp, tt.url, got, err, tt.want, tt.err)
		}
	}
}
