package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"suitesign/migrations/pglocal"
)

// postgresTool runs pg_dump and pg_restore as an operator does.
func postgresTool(t *testing.T, name string, args ...string) {
	t.Helper()
	found, err := pglocal.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), found.Path(name), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, stderr.String())
	}
}

// twoDatabases are empty, and on a server that this machine's pg_dump knows: a
// container may run a newer one.
func twoDatabases(t *testing.T) (before, after string) {
	t.Helper()
	if server.from == localBinaries {
		return newDatabase(t), newDatabase(t)
	}
	own := newOwnServer(t)
	execute(t, own.URL("postgres"), `CREATE DATABASE before`)
	execute(t, own.URL("postgres"), `CREATE DATABASE after`)
	return own.URL("before"), own.URL("after")
}

// moveTo starts the replica anew on another database, at the same addresses.
func (w *world) moveTo(r *replica, database string) {
	w.t.Helper()
	w.database, w.through = database, database
	r.environ = append(r.environ, "SUITESIGN_DATABASE_URL="+database)
	r.process = startProcess(w.t, r.name+" restored", r.environ, "suitesign", "serve")
	w.waitReady(r)
}

// wantUnsigned holds a tenant's answer against the one thing that it must not be.
func (w *world) wantUnsigned(r *replica, suite, corp string) {
	w.t.Helper()
	a, err := ask(http.MethodGet, r.signURL("signatures", pageURL, suite, corp), nil, nil)
	if err == nil && a.status == http.StatusOK {
		w.t.Errorf("%s signs for %s, which cancelled after the backup: %s", r.name, corp, a)
	}
}

// A backup is restored that knows nothing of what happened since: a corp cancelled,
// one changed its agents, one installed, an API key was revoked. Who cancelled gets
// no signature, not one; who stayed signs again by itself, with the agents of today.
func TestContractRestoreOfAnOlderBackup(t *testing.T) {
	t.Parallel()
	before, restored := twoDatabases(t)
	w := newWorld(t, options{database: before})
	r := w.replicas[0]
	w.suite("ww-back", "third_party", "corp.example.com")
	w.install("ww-back", "wwstays", pageURL)
	w.install("ww-back", "wwgone", pageURL)
	gone := w.tenant("ww-back", "wwgone").ID
	command(t, w.environ(0, 0), 0, "suitesign_", "apikey", "create", "leaked")
	backup := filepath.Join(t.TempDir(), "backup")
	postgresTool(t, "pg_dump", "--format=custom", "--file="+backup, before)

	w.simulate("uninstall", map[string]any{"suite_id": "ww-back", "corp_id": "wwgone"}, nil)
	w.simulate("change", map[string]any{"suite_id": "ww-back", "corp_id": "wwstays", "agents": []map[string]any{{"agent_id": 1000077}}}, nil)
	w.install("ww-back", "wwnew", pageURL)
	r.kill()
	postgresTool(t, "pg_restore", "--dbname="+restored, "--exit-on-error", backup)
	const live = `SELECT count(*) FROM credentials WHERE tenant_id = $1::uuid AND value_sealed IS NOT NULL AND expires_at > now()`
	if n := scalar[int64](t, restored, live, gone); n == 0 {
		t.Fatal("the backup holds nothing that would sign for who cancelled: this shows nothing")
	}

	environ := append(w.environ(0, 0), "SUITESIGN_DATABASE_URL="+restored)
	command(t, environ, 1, "say --yes", "restored")
	command(t, environ, 1, "--batch", "restored", "--yes", "--batch", "0")
	command(t, append(environ, "SUITESIGN_MASTER_KEY="+masterKey()), 1, "master key does not open", "restored", "--yes")
	if n := scalar[int64](t, restored, live, gone); n == 0 {
		t.Error("a command that was refused forgot something")
	}
	out := command(t, environ, 0, "Forgot the tokens and tickets of 2 tenants, the suite_access_tokens of 1 suites, and 0 suite_tickets", "restored", "--yes")
	for _, want := range []string{"2 are due", "API keys       1 are valid", "apikey revoke", "health=needs_reauthorization", "webhook-id"} {
		if !strings.Contains(out, want) {
			t.Errorf("restored does not say %q:\n%s", want, out)
		}
	}
	command(t, environ, 0, "2 tenants", "restored", "--yes", "--batch", "1") // repeating it is no error
	if n := scalar[int64](t, restored, live, gone); n != 0 {
		t.Fatalf("%d credentials of who cancelled are left", n)
	}
	if n := scalar[int64](t, restored, `SELECT count(*) FROM audit_log WHERE action = 'database.restore' AND actor_kind = 'cli'`); n != 2 {
		t.Errorf("%d audit entries tell of it, want one for each", n)
	}

	w.moveTo(r, restored)
	eventually(t, 20*time.Second, func() error {
		w.wantUnsigned(r, "ww-back", "wwgone")
		var list struct {
			Items []struct {
				CorpID string `json:"corp_id"`
			} `json:"items"`
		}
		if err := w.try(http.MethodGet, r.admin+"/v1/tenants?"+url.Values{"health": {"needs_reauthorization"}}.Encode(),
			map[string]string{"Authorization": "Bearer " + w.apiKey}, nil, &list); err != nil {
			return err
		}
		if len(list.Items) != 1 || list.Items[0].CorpID != "wwgone" {
			return fmt.Errorf("an admin finds %v as needing reauthorization, want wwgone", list.Items)
		}
		return nil
	})
	eventually(t, 20*time.Second, func() error {
		w.wantUnsigned(r, "ww-back", "wwgone")
		var s signed
		if err := w.try(http.MethodGet, r.signURL("signatures", pageURL, "ww-back", "wwstays"), nil, nil, &s); err != nil {
			return err
		}
		if s.AgentID == nil || *s.AgentID != 1000077 {
			return fmt.Errorf("wwstays signs for the agent %v, want the one that it has by now", s.AgentID)
		}
		return nil
	})
	w.waitSigned(r, pageURL, "ww-back", "wwstays", 20*time.Second)
	wantProblem(t, "who installed since", call(t, http.MethodGet, r.signURL("signatures", pageURL, "ww-back", "wwnew"), nil, nil), http.StatusNotFound, "tenant_not_found")
	w.install("ww-back", "wwnew", pageURL)
	w.install("ww-back", "wwgone", pageURL) // and who comes back is welcome
}

// The command while replicas run, which nobody should do: they forget what they hold
// in memory, and fetch it anew.
func TestContractRestoredWhileReplicasRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suite("ww-live", "third_party", "corp.example.com")
	w.install("ww-live", "wwlive", pageURL)
	for _, r := range w.replicas {
		w.waitSigned(r, pageURL, "ww-live", "wwlive", 10*time.Second)
	}
	w.simulate("faults", map[string]any{"api": "get_corp_token", "suite_id": "ww-live", "kind": "errcode", "value": -1, "times": -1}, nil)
	command(t, w.environ(0, 0), 0, "Forgot the tokens and tickets of 1 tenants", "restored", "--yes")
	for _, r := range w.replicas {
		eventually(t, 10*time.Second, func() error {
			a := call(t, http.MethodGet, r.signURL("signatures", pageURL, "ww-live", "wwlive"), nil, nil)
			if a.status != http.StatusServiceUnavailable {
				return fmt.Errorf("%s still signs from memory: %s", r.name, a)
			}
			return nil
		})
	}
	call(t, http.MethodDelete, w.simURL+"/sim/faults", nil, nil)
	for _, r := range w.replicas {
		w.waitSigned(r, pageURL, "ww-live", "wwlive", 60*time.Second)
	}
}
