package webhook

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"suitesign/secret"
)

// The vector is the one that the specification's own libraries are held to
// (github.com/standard-webhooks/standard-webhooks, libraries/*/tests).
func TestSignTheStandardsVector(t *testing.T) {
	t.Parallel()
	got, err := sign([]secret.String{secret.New("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
		"msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want || err != nil {
		t.Errorf("sign = %q, %v; want %q", got, err, want)
	}
}

func TestEachSecretSigns(t *testing.T) {
	t.Parallel()
	one, two := generate(), generate()
	at, body := time.Unix(1, 0), []byte("{}")
	both, err := sign([]secret.String{one, two}, "id", at, body)
	if err != nil {
		t.Fatal(err)
	}
	first, err1 := sign([]secret.String{one}, "id", at, body)
	second, err2 := sign([]secret.String{two}, "id", at, body)
	if err1 != nil || err2 != nil || both != first+" "+second || first == second {
		t.Errorf("sign with two = %q, want %q and %q with a space between", both, first, second)
	}
}

func TestGeneratedSecrets(t *testing.T) {
	t.Parallel()
	one, two := generate().Reveal(), generate().Reveal()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(one, "whsec_"))
	if !strings.HasPrefix(one, "whsec_") || err != nil || len(key) < 24 || len(key) > 64 || one == two {
		t.Errorf("a secret has %d bytes, %v; want whsec_ and base64 of 24 to 64, another each time", len(key), err)
	}
}

func TestABadSecretIsNotRepeated(t *testing.T) {
	t.Parallel()
	_, err := sign([]secret.String{secret.New("whsec_CANARY!!")}, "id", time.Unix(1, 0), nil)
	if err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("sign with a broken secret = %v, want an error without it", err)
	}
}
