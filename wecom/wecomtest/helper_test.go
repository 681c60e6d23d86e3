package wecomtest_test

import (
	"testing"
	"time"

	"suitesign/secret"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// eventually polls until something holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came")
		}
	}
}

func keysOf(t *testing.T, su wecomtest.Suite) wecom.Keys {
	t.Helper()
	k, err := wecom.ParseCallbackKey(secret.New(su.Token), secret.New(su.EncodingAESKey))
	if err != nil {
		t.Fatal(err)
	}
	return wecom.Keys{k}
}
