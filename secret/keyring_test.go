package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"suitesign/secret"
	"suitesign/secret/secrettest"
)

var here = secret.Binding{Table: "credentials", Column: "value_sealed", Row: "0190/jsapi_ticket"}

func seal(t *testing.T, k *secret.Keyring, v string, b secret.Binding) []byte {
	t.Helper()
	sealed, err := k.Seal(secret.New(v), b)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestASealedValueOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	k := secrettest.New(t)
	sealed := seal(t, k, canary, here)
	if bytes.Contains(sealed, []byte(canary)) {
		t.Error("a sealed value shows what is inside")
	}
	if got, err := k.Open(sealed, here); err != nil || got.Reveal() != canary {
		t.Errorf("in its place: %q, %v", got.Reveal(), err)
	}
	for name, b := range map[string]secret.Binding{
		"another row":            {Table: here.Table, Column: here.Column, Row: "0191/jsapi_ticket"},
		"another column":         {Table: here.Table, Column: "previous_sealed", Row: here.Row},
		"another table":          {Table: "suites", Column: here.Column, Row: here.Row},
		"nowhere":                {},
		"column and row shifted": {Table: here.Table, Column: here.Column + here.Row[:1], Row: here.Row[1:]},
		"table and column shift": {Table: here.Table + here.Column, Row: here.Row},
		"a separator moved":      {Table: here.Table, Column: here.Column + "/0190", Row: "jsapi_ticket"},
	} {
		if got, err := k.Open(sealed, b); !errors.Is(err, secret.ErrSealed) || !got.IsZero() {
			t.Errorf("in %s: %q, %v; want ErrSealed", name, got.Reveal(), err)
		}
	}
}

func TestNoChangedByteOpens(t *testing.T) {
	t.Parallel()
	k := secrettest.New(t)
	sealed := seal(t, k, canary, here)
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := k.Open(changed, here); !errors.Is(err, secret.ErrSealed) && !errors.Is(err, secret.ErrUnknownKey) {
			t.Errorf("with byte %d changed: %v, want a refusal", i, err)
		}
		if _, err := k.Open(sealed[:i], here); err == nil {
			t.Errorf("cut after %d bytes it opens", i)
		}
	}
	if _, err := secrettest.New(t).Open(sealed, here); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("with another ring: %v, want ErrUnknownKey", err)
	}
}

func TestEveryValueAndPlaceSealsAndOpens(t *testing.T) {
	t.Parallel()
	k := secrettest.New(t)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		one := secret.Binding{Table: rapid.String().Draw(t, "table"), Column: rapid.String().Draw(t, "column"), Row: rapid.String().Draw(t, "row")}
		sealed, err := k.Seal(secret.New(value), one)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Open(sealed, one); err != nil || got.Reveal() != value {
			t.Fatalf("opened %q, %v; want %q", got.Reveal(), err, value)
		}
		again, err := k.Seal(secret.New(value), one)
		if err != nil || bytes.Equal(sealed, again) {
			t.Fatalf("sealing twice gives the same bytes, %v", err)
		}
		// However the same letters are dealt to the three parts, only the same parts open.
		all := one.Table + one.Column + one.Row
		i := rapid.IntRange(0, len(all)).Draw(t, "i")
		j := rapid.IntRange(i, len(all)).Draw(t, "j")
		other := secret.Binding{Table: all[:i], Column: all[i:j], Row: all[j:]}
		if _, err := k.Open(sealed, other); (err == nil) != (other == one) {
			t.Fatalf("sealed for %q it opens for %q: %v", one, other, err)
		}
	})
}

func TestOpenErrorsNameThePlaceAndNoValue(t *testing.T) {
	t.Parallel()
	k := secrettest.New(t)
	_, err := k.Open([]byte(canary), here)
	if !errors.Is(err, secret.ErrSealed) || !strings.Contains(err.Error(), "credentials.value_sealed of 0190/jsapi_ticket") || leaks(err.Error()) {
		t.Errorf("Open of what was never sealed = %v; want the place and not the value", err)
	}
}

func TestKeyringsNeverPrintKeys(t *testing.T) {
	t.Parallel()
	raw := []byte(canary + strings.Repeat("k", 32-len(canary)))
	mk, err := secret.ParseMasterKey(secret.New(base64.StdEncoding.EncodeToString(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"MasterKey": mk, "a pointer to it": &mk, "a field": struct{ mk secret.MasterKey }{mk}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); leaks(got) {
				t.Errorf("%s as %s prints %s", name, verb, got)
			}
		}
	}
}

func TestParseMasterKey(t *testing.T) {
	t.Parallel()
	key := func(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, n)) }
	for _, tt := range []struct {
		name, in string
		good     bool
	}{
		{"32 bytes", key(32), true},
		{"as a file ends", key(32) + "\n", true},
		{"31 bytes", key(31), false},
		{"33 bytes", key(33), false},
		{"16 bytes", key(16), false},
		{"nothing", "", false},
		{"no base64", strings.Repeat("!", 44), false},
		{"URL-safe base64", base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 32)), false},
		{"hexadecimal", strings.Repeat("ab", 32), false},
		{"a sentence", canary + " is the key", false},
	} {
		_, err := secret.ParseMasterKey(secret.New(tt.in))
		if (err == nil) != tt.good || (err != nil && !errors.Is(err, secret.ErrMasterKey)) {
			t.Errorf("%s: ParseMasterKey = %v, want good = %t", tt.name, err, tt.good)
		}
		if err != nil && leaks(err.Error()) {
			t.Errorf("%s: the error quotes the key: %v", tt.name, err)
		}
	}
}

func TestSealedValuesNameTheirKey(t *testing.T) {
	t.Parallel()
	k := secrettest.New(t)
	sealed := seal(t, k, canary, here)
	info := k.Info()
	if got := binary.BigEndian.Uint32(sealed[1:5]); got != info.Primary || len(info.Keys) != 1 || info.Keys[0] != got {
		t.Errorf("sealed with key %d, the ring says %+v", got, info)
	}
	info.Keys[0]++
	if k.Info().Keys[0] == info.Keys[0] {
		t.Error("Info hands out the ring's own memory")
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	k := secrettest.New(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				sealed, err := k.Seal(secret.New(canary), here)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := k.Open(sealed, here); err != nil || got.Reveal() != canary {
					t.Errorf("Open = %q, %v", got.Reveal(), err)
					return
				}
				k.Info()
				if err := k.Reload(t.Context()); err != nil {
					t.Errorf("Reload of a ring that is kept nowhere = %v", err)
				}
			}
		})
	}
	wg.Wait()
}
