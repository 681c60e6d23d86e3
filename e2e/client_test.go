//go:build client

package e2e

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A client that others generate from the contract works against the binary: the
// story that web/api/client/src/story.ts tells. `make test-client` builds it before.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "dist/story.js")
	cmd.Dir = "../web/api/client"
	cmd.Env = append(os.Environ(), "ADMIN_URL="+w.replicas[0].admin, "API_KEY="+w.apiKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
