package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Whoever follows docs/api.md from an empty database comes to a signature: the
// commands of that section, as they are written, in one shell that ends at the first failure.
func TestFirstSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### From an empty database to a signature\n")
	section, _, _ = strings.Cut(section, "\n### ")
	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) < 5 {
		t.Fatalf("the section has %d blocks of commands", len(blocks))
	}
	for _, block := range blocks {
		script.WriteString(block[1])
	}
	commands := script.String()
	for documented, here := range map[string]string{
		"http://127.0.0.1:8080": w.replicas[0].public, "http://127.0.0.1:8081": w.replicas[0].admin, "http://127.0.0.1:8090": w.simURL,
	} {
		if !strings.Contains(commands, documented) {
			t.Errorf("the section does not name %s", documented)
		}
		commands = strings.ReplaceAll(commands, documented, here)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", commands)
	cmd.Env = append(os.Environ(), "SUITESIGN_BOOTSTRAP_API_KEY="+w.apiKey)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := lines[len(lines)-1]
	var s signed
	if err := json.Unmarshal([]byte(last[strings.LastIndex(last, `{"corpId"`):]), &s); err != nil || s.Agent == nil {
		t.Fatalf("the last command answers no signatures: %v\n%s", err, out)
	}
	const page = "https://h5.example.com/orders?id=7"
	w.verify("config", page, "", s.CorpID, nil, s.Config)
	w.verify("agent_config", page, "", s.CorpID, s.AgentID, *s.Agent)
}
