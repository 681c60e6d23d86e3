package wecomtest_test

import (
	"testing"

	"suitesign/secret"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

func keysOf(t *testing.T, su wecomtest.Suite) wecom.Keys {
	t.Helper()
	k, err := wecom.ParseCallbackKey(secret.New(su.Token), secret.New(su.EncodingAESKey))
	if err != nil {
		t.Fatal(err)
	}
	return wecom.Keys{k}
}
