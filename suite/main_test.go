package suite_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// A smaller counterexample is not worth the test's deadline.
	if err := flag.Set("rapid.shrinktime", "10s"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
