package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"suitesign/secret"
)

const (
	secretPrefix = "whsec_"
	secretBytes  = 32 // the specification wants 24 to 64
)

// generate makes a secret in the form in which receivers' libraries take it.
func generate() secret.String {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the program instead
	return secret.New(secretPrefix + base64.StdEncoding.EncodeToString(random))
}

// sign is the value of webhook-signature: a signature for each secret, the newest
// first.
func sign(secrets []secret.String, id string, at time.Time, body []byte) (string, error) {
	var header string
	for _, s := range secrets {
		w, err := standardwebhooks.NewWebhook(s.Reveal())
		if err != nil {
			return "", fmt.Errorf("sign: the secret is not %s and base64", secretPrefix) // the library's error quotes it
		}
		one, err := w.Sign(id, at, body)
		if err != nil {
			return "", fmt.Errorf("sign: %w", err)
		}
		if header != "" {
			header += " "
		}
		header += one
	}
	return header, nil
}
