package apikey

import (
	"regexp"
	"strings"
	"testing"

	"suitesign/secret"
)

// shape is the rule that docs/api.md gives to secret scanners.
var shape = regexp.MustCompile(`^suitesign_[0-9A-Za-z]{49}$`)

func TestGeneratedKeysAreWellFormedAndDiffer(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 1000 {
		key := generate()
		if !shape.MatchString(key.Reveal()) || !WellFormed(key) {
			t.Fatalf("generate made a key that is not well-formed, shape %v", shape)
		}
		if seen[key.Reveal()] {
			t.Fatal("generate made the same key twice")
		}
		seen[key.Reveal()] = true
		if prefix := prefixOf(key); len(prefix) != 18 || !strings.HasPrefix(key.Reveal(), prefix) {
			t.Fatalf("prefixOf has %d characters, want the first 18 of the key", len(prefix))
		}
	}
}

// The checksum is part of the contract: keys of older versions stay valid.
func TestKeyFormatIsStable(t *testing.T) {
	t.Parallel()
	body := "suitesign_" + strings.Repeat("0", 42) + "1"
	if got, want := checksum(body), "0Jslat"; got != want {
		t.Errorf("checksum(%q) = %q, want %q", body, got, want)
	}
}

func TestMistypedKeysAreNotWellFormed(t *testing.T) {
	t.Parallel()
	key := generate().Reveal()
	for i := range len(key) {
		other := byte('a')
		if key[i] == 'a' {
			other = 'b'
		}
		if typo := key[:i] + string(other) + key[i+1:]; WellFormed(secret.New(typo)) {
			t.Errorf("a key with character %d mistyped is well-formed", i)
		}
	}
	for _, v := range []string{"", "suitesign_", key[1:], key[:len(key)-1], key + "0", " " + key, strings.ToUpper(key)} {
		if WellFormed(secret.New(v)) {
			t.Errorf("WellFormed(%d characters, not a key) = true", len(v))
		}
	}
}

func FuzzWellFormed(f *testing.F) {
	f.Add(generate().Reveal())
	f.Add("")
	f.Add("suitesign_")
	f.Fuzz(func(t *testing.T, v string) {
		if WellFormed(secret.New(v)) && !shape.MatchString(v) {
			t.Errorf("WellFormed(%q) = true, want the shape %v", v, shape)
		}
	})
}
