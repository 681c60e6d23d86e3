package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A pair is a primary and a standby that its commits wait for.
type pair struct {
	t                *testing.T
	primary, standby *ownServer
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, primary: newOwnServer(t), standby: unstartedServer(t)}
	// Here only processes die, never the machine: what was written is there without a flush.
	p.set(p.primary, "fsync", "off")
	p.copyPrimary()
	p.standby.start()
	p.set(p.primary, "synchronous_standby_names", "*")
	p.waitSynchronous()
	return p
}

// set changes a setting of one of the two.
func (p *pair) set(s *ownServer, name, value string) {
	p.t.Helper()
	execute(p.t, s.URL("postgres"), `ALTER SYSTEM SET `+name+` = '`+value+`'`)
	execute(p.t, s.URL("postgres"), `SELECT pg_reload_conf()`)
}

// copyPrimary makes the standby's data out of the primary's, with how to follow it.
func (p *pair) copyPrimary() {
	p.t.Helper()
	from, to := filepath.Join(p.primary.Dir(), "data"), filepath.Join(p.standby.dir, "data")
	if err := os.Mkdir(p.standby.dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	u, err := url.Parse(p.primary.URL("postgres"))
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := exec.CommandContext(p.t.Context(), p.primary.Binaries().Path("pg_basebackup"), "--pgdata="+to, "--write-recovery-conf", "--checkpoint=fast",
		"--no-sync", "--host="+u.Query().Get("host"), "--port="+u.Query().Get("port"), "--username="+u.User.Username()).CombinedOutput()
	if err != nil {
		p.t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	// Of root's copy the server's user is the owner, as of what it copies.
	info, err := os.Stat(from)
	if err != nil {
		p.t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	err = filepath.WalkDir(to, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(owner.Uid), int(owner.Gid)))
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// waitSynchronous waits until the primary's commits wait for the standby.
func (p *pair) waitSynchronous() {
	p.t.Helper()
	eventually(p.t, 30*time.Second, func() error {
		if n := scalar[int](p.t, p.primary.URL("postgres"), `SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')`); n != 1 {
			return fmt.Errorf("%d synchronous standbys, want one", n)
		}
		return nil
	})
}

// promote makes the standby a primary, and answers when it was one.
func (p *pair) promote() time.Time {
	p.t.Helper()
	if !scalar[bool](p.t, p.standby.URL("postgres"), `SELECT pg_promote(true, 25)`) {
		p.t.Fatal("the standby is not promoted")
	}
	return time.Now()
}

// both is the connection string that names both servers, as operators are told to write it.
func (p *pair) both(string) string {
	var hosts, ports []string
	for _, s := range []*ownServer{p.primary, p.standby} {
		u, err := url.Parse(s.URL("postgres"))
		if err != nil {
			p.t.Fatal(err)
		}
		hosts, ports = append(hosts, u.Query().Get("host")), append(ports, u.Query().Get("port"))
	}
	return "host=" + strings.Join(hosts, ",") + " port=" + strings.Join(ports, ",") + " user=postgres dbname=postgres target_session_attrs=read-write"
}

// newPairedWorld is the product with the connection string of a pair, and a corp that it signs for.
func newPairedWorld(t *testing.T, suite, corp string) (*pair, *world, testSuite) {
	t.Helper()
	p := newPair(t)
	w := newWorld(t, options{database: p.primary.URL("postgres"), through: p.both, environ: unlimited})
	s := w.suite(suite, "third_party", "corp.example.com")
	w.install(s.ID, corp, pageURL)
	return p, w, s
}

// stored counts which of the messages a server has.
func stored(t *testing.T, database string, messages []string) int {
	t.Helper()
	digests := [][]byte{}
	for _, m := range messages {
		digests = append(digests, digestOf(m))
	}
	return scalar[int](t, database, `SELECT count(*) FROM callback_events WHERE digest = ANY($1)`, digests)
}

// warned waits until /readyz says 200 and a warning with some words.
func warned(t *testing.T, r *replica, words string) {
	t.Helper()
	eventually(t, 40*time.Second, func() error { // warnings are looked for each ten seconds
		a := anonymous(t, http.MethodGet, r.public+"/readyz", nil)
		var readiness struct{ Warnings []string }
		if a.status != http.StatusOK || json.Unmarshal(a.body, &readiness) != nil {
			t.Fatalf("readyz = %s, want 200: what still signs must not be taken away", a)
		}
		if !slices.ContainsFunc(readiness.Warnings, func(w string) bool { return strings.Contains(w, words) }) {
			return fmt.Errorf("readyz warns of %q, want %q among it", readiness.Warnings, words)
		}
		return nil
	})
}

// The primary dies with all its processes and the standby takes over: what was
// acknowledged is there, pages are signed all the while, and writes come back by
// themselves: callbacks, the worker's and an admin's.
func TestFailoverLosesNothing(t *testing.T) {
	t.Parallel()
	p, w, s := newPairedWorld(t, "ww-failover", "wwfailover")
	r := w.replicas[0]
	tr := newTraffic(t)
	tr.sign(r, s, "wwfailover")
	tr.push(r, s)
	tr.waitAcknowledged(100)
	p.primary.crash()
	tr.waitRefused(10)
	if a := anonymous(t, http.MethodGet, r.public+"/readyz", nil); a.status != http.StatusOK {
		t.Errorf("readyz = %s, want 200: what still signs must not be taken away", a)
	}
	promoted := p.promote()
	tr.waitAcknowledged(100)
	tr.end()
	t.Logf("the first callback was acknowledged %s after the promotion", tr.firstAfter(promoted))

	w.database = p.standby.URL("postgres")
	acked := tr.acknowledged()
	if n := stored(t, w.database, acked); n != len(acked) {
		t.Errorf("%d of %d acknowledged callbacks are on the new primary", n, len(acked))
	}
	tr.wantSigned()
	w.install(s.ID, "wwlater", "") // callback, exchange and refresh
	w.waitSigned(r, pageURL, s.ID, "wwlater", 30*time.Second)
	w.api(http.MethodPatch, "/v1/suites/"+s.ID, http.StatusOK, map[string]any{"name": "New"}, nil)
}

// The writes go to the standby and the old primary lives on, read-only: nobody stays
// with it, not even who never writes. A replica that did would answer from what was
// true before, and sign for whom an admin has switched off since.
func TestSwitchoverLeavesNobodyBehind(t *testing.T) {
	t.Parallel()
	p, w, s := newPairedWorld(t, "ww-switch", "wwswitch")
	r, quiet := w.replicas[0], w.addReplica("SUITESIGN_WORKER=false")
	w.waitReady(quiet)
	w.waitSigned(quiet, pageURL, s.ID, "wwswitch", 10*time.Second)
	tr := newTraffic(t)
	tr.sign(r, s, "wwswitch")
	tr.push(r, s)
	tr.waitAcknowledged(50)
	p.set(p.primary, "default_transaction_read_only", "on")
	tr.waitRefused(3)
	promoted := p.promote()
	tr.waitAcknowledged(50)
	tr.end()
	t.Logf("the first callback was acknowledged %s after the promotion", tr.firstAfter(promoted))
	tr.wantSigned()
	old := p.primary.URL("postgres")
	w.database = p.standby.URL("postgres")
	if acked := tr.acknowledged(); stored(t, w.database, acked) != len(acked) {
		t.Errorf("%d of %d acknowledged callbacks are on the new primary", stored(t, w.database, acked), len(acked))
	}

	eventually(t, 30*time.Second, func() error {
		const ours = `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'suitesign%'`
		if n := scalar[int](t, old, ours); n > 0 {
			return fmt.Errorf("%d connections are still with the old primary", n)
		}
		if n := scalar[int](t, w.database, ours+` AND application_name = 'suitesign listen'`); n != 2 {
			return fmt.Errorf("%d connections LISTEN on the new primary, want one for each of two replicas", n)
		}
		return nil
	})
	w.api(http.MethodPatch, "/v1/tenants/"+w.tenant(s.ID, "wwswitch").ID, http.StatusOK, map[string]any{"status": "disabled"}, nil)
	for _, replica := range []*replica{r, quiet} {
		eventually(t, 30*time.Second, func() error {
			if a := anonymous(t, http.MethodGet, replica.signURL("signatures", pageURL, s.ID, "wwswitch"), nil); a.code() != "tenant_inactive" {
				return fmt.Errorf("%s for a tenant that was switched off: %s", replica.name, a)
			}
			return nil
		})
	}
	w.install(s.ID, "wwlater", "")
	for _, replica := range []*replica{r, quiet} {
		w.waitSigned(replica, pageURL, s.ID, "wwlater", 30*time.Second)
	}
}

// cancelWaits cancels, as an operator might, every wait for a standby, until it is
// stopped; then it answers how many were a callback's.
func cancelWaits(t *testing.T, database string) (stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	cancelled := make(chan int, 1)
	go func() {
		n := 0
		for ctx.Err() == nil {
			var more int
			const q = `SELECT count(*) FILTER (WHERE query LIKE '%INSERT INTO callback_events%' AND pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`
			if conn.QueryRow(ctx, q).Scan(&more) == nil {
				n += more
			}
			time.Sleep(10 * time.Millisecond) // between looks
		}
		_ = conn.Close(context.Background())
		cancelled <- n
	}()
	return func() int {
		cancel()
		return <-cancelled
	}
}

// The standby is away and commits have to wait for it: no callback is acknowledged,
// however often it comes and whoever cancels the waits, for each is on the primary alone
// by then and would be lost with it. Once the standby is back all of them are.
func TestNothingIsAcknowledgedWithoutTheStandby(t *testing.T) {
	t.Parallel()
	p, w, s := newPairedWorld(t, "ww-alone", "wwalone")
	r := w.replicas[0]
	tr := newTraffic(t)
	tr.sign(r, s, "wwalone")
	p.standby.crash()
	var messages []string
	for i := range 4 {
		messages = append(messages, s.event("change_contact", time.Now(), "UserID", fmt.Sprint(i)))
	}
	refused := func(what string) {
		t.Helper()
		for _, message := range messages {
			a, err := s.push(r, "command", s.ID, message)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			wantProblem(t, what, a, http.StatusInternalServerError, "callback_not_stored")
		}
	}
	refused("a callback without the standby")
	refused("its redelivery") // which finds its row
	rounds := 0
	for cancelled := 0; cancelled == 0; rounds++ {
		if rounds == 10 {
			t.Fatal("no wait of a callback was cancelled, so this shows nothing")
		}
		stop := cancelWaits(t, p.primary.URL("postgres"))
		refused("a callback whose wait was cancelled")
		cancelled = stop()
	}
	if n := stored(t, p.primary.URL("postgres"), messages); n != len(messages) {
		t.Errorf("%d of %d refused callbacks are on the primary, want all: that is what makes a redelivery dangerous", n, len(messages))
	}
	warned(t, r, "standby that does not answer")
	p.standby.start()
	for _, message := range messages {
		eventually(t, 30*time.Second, func() error {
			if a, err := s.push(r, "command", s.ID, message); err != nil || string(a.body) != "success" {
				return fmt.Errorf("a callback once the standby is back = %s %w", a, err)
			}
			return nil
		})
	}
	if n := stored(t, p.standby.URL("postgres"), messages); n != len(messages) {
		t.Errorf("%d of %d acknowledged callbacks are on the standby", n, len(messages))
	}
	w.install(s.ID, "wwlater", "")
	w.waitSigned(r, pageURL, s.ID, "wwlater", 30*time.Second)
	tr.end()
	tr.wantSigned()
}
