package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"suitesign/migrations/pglocal"
)

// hurried is who waits no longer than WeCom does: 1000 ms for a callback's answer.
var hurried = &http.Client{Timeout: time.Second}

// pushInTime pushes and waits as long as WeCom does.
func (s testSuite) pushInTime(r *replica, message string) (answer, error) {
	e := s.envelope()
	encrypt := e.encrypt(message, s.ID)
	return askWith(hurried, http.MethodPost, r.callbackURL(s.ID, "command", e.query(now(), "n0nce", encrypt)), map[string]string{"Accept-Language": "en"}, body(encrypt))
}

// ownServer is a PostgreSQL that a test may break.
type ownServer struct {
	t   *testing.T
	dir string
	*pglocal.Server
}

func newOwnServer(t *testing.T) *ownServer {
	t.Helper()
	s := unstartedServer(t)
	s.start()
	return s
}

// unstartedServer is an ownServer whose data is still to be put into its folder.
func unstartedServer(t *testing.T) *ownServer {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "suitesign-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's own user must get through; its data is private
		t.Fatal(err)
	}
	s := &ownServer{t: t, dir: filepath.Join(dir, "pg")}
	t.Cleanup(func() {
		if s.Server != nil {
			_ = s.Stop(context.Background())
		}
		os.RemoveAll(dir)
	})
	return s
}

func (s *ownServer) start() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var err error
	if s.Server, err = pglocal.Start(ctx, pglocal.Config{Dir: s.dir, Durable: true}); err != nil {
		s.t.Fatal(err)
	}
}

// crash kills the server with all its processes.
func (s *ownServer) crash() {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir(), "data", "postmaster.pid"))
	if err != nil {
		s.t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		s.t.Fatal(err)
	}
	children, _ := exec.CommandContext(s.t.Context(), "pgrep", "-P", first).Output()
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for _, c := range strings.Fields(string(children)) {
		if child, err := strconv.Atoi(c); err == nil {
			_ = syscall.Kill(child, syscall.SIGKILL)
		}
	}
	_ = s.Stop(context.Background()) // it is dead: only the folder's lock is given back
}

// PostgreSQL dies and comes back, twice: by a crash and by a stop. Pages are
// signed all the while, callbacks are stored or are no success, admins are told,
// and a few moments later everything works without a restart.
func TestContractDatabaseAway(t *testing.T) {
	t.Parallel()
	pg := newOwnServer(t)
	w := newWorld(t, options{database: pg.URL("postgres")})
	r := w.replicas[0]
	s := w.suite("ww-away", "third_party", "corp.example.com")
	w.install(s.ID, "wwaway", pageURL)
	config, agent := w.tickets(s.ID, "wwaway")

	var acked []string
	serial := 0
	for _, end := range []struct {
		name string
		do   func()
	}{{"crash", pg.crash}, {"stop", func() { _ = pg.Stop(context.Background()) }}} {
		end.do()
		// The platform pushes while nobody can store it, and does not wait for us.
		w.simulate("push", map[string]any{"suite_id": s.ID, "info_type": "change_contact", "fields": map[string]string{"UserID": end.name}, "async": true}, nil)
		for range 20 {
			a := anonymous(t, http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwaway"), nil)
			var signed signed
			if a.status != http.StatusOK || json.Unmarshal(a.body, &signed) != nil {
				t.Fatalf("%s: a signature without the database = %s", end.name, a)
			}
			wantSignature(t, "without the database", config, strings.Split(pageURL, "#")[0], signed.Config)
			wantSignature(t, "without the database", agent, strings.Split(pageURL, "#")[0], *signed.Agent)

			serial++
			message := s.event("change_contact", time.Now(), "UserID", fmt.Sprint(serial))
			switch a, err := s.pushInTime(r, message); {
			case err != nil:
				t.Fatalf("%s: a callback without the database was not answered in time: %v", end.name, err)
			case a.status == http.StatusOK:
				t.Fatalf("%s: a callback without the database = %s", end.name, a)
			default:
				wantProblem(t, end.name+": a callback without the database", a, http.StatusInternalServerError, "callback_not_stored")
			}
			if a := s.verify(t, r, "command", "echo", ""); a.status/100 == 4 {
				t.Fatalf("%s: a verification without the database = %s, want it answered or a fault of ours", end.name, a)
			}
		}
		a := call(t, http.MethodPatch, r.admin+"/v1/suites/"+s.ID, map[string]string{"Authorization": "Bearer " + w.apiKey, "Accept-Language": "en"}, map[string]any{"name": "New"})
		wantProblem(t, end.name+": an admin's write", a, http.StatusServiceUnavailable, "database_unavailable")
		if a := anonymous(t, http.MethodGet, r.public+"/readyz", nil); a.status != http.StatusOK {
			t.Errorf("%s: readyz = %s, want 200: what still signs must not be taken away", end.name, a)
		}
		strange := anonymous(t, http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwstrange"), map[string]string{"Origin": "https://h5.corp.example.com"})
		wantProblem(t, end.name+": a tenant that nobody has asked for", strange, http.StatusServiceUnavailable, "database_unavailable")
		wantCORS(t, end.name+": a tenant that nobody has asked for", strange, "https://h5.corp.example.com", true)

		pg.start()
		message := s.event("change_contact", time.Now(), "UserID", end.name+" is over")
		eventually(t, 2*time.Second, func() error {
			if a, err := s.push(r, "command", s.ID, message); err != nil || string(a.body) != "success" {
				return fmt.Errorf("after the %s a callback = %s %w", end.name, a, err)
			}
			return nil
		})
		acked = append(acked, message)
		eventually(t, 2*time.Second, func() error {
			return w.try(http.MethodPatch, r.admin+"/v1/suites/"+s.ID, map[string]string{"Authorization": "Bearer " + w.apiKey}, map[string]any{"name": "New"}, nil)
		})
		// What was pushed meanwhile comes again by the platform's own retry, 5 s later, and is stored once.
		eventually(t, 15*time.Second, func() error {
			// What changed is read again when it is next asked for, so ask.
			if err := w.try(http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwaway"), nil, nil, nil); err != nil {
				return err
			}
			var state struct {
				Deliveries []struct {
					Event, State, Message string
					Attempts              []struct {
						Status int
						OK     bool
					}
				}
			}
			if err := w.try(http.MethodGet, w.simURL+"/sim/state?suite_id="+s.ID, nil, nil, &state); err != nil {
				return err
			}
			for _, d := range state.Deliveries {
				if d.Event == "change_contact" && strings.Contains(d.Message, "["+end.name+"]") {
					if d.State != "delivered" {
						return fmt.Errorf("%s: the push is %s: %+v", end.name, d.State, d.Attempts)
					}
					if len(d.Attempts) < 2 || d.Attempts[0].OK || d.Attempts[0].Status != http.StatusInternalServerError {
						t.Errorf("%s: attempts %+v, want a 500 first", end.name, d.Attempts)
					}
					acked = append(acked, d.Message)
					return nil
				}
			}
			return fmt.Errorf("%s: the simulator knows no such push", end.name)
		})
	}
	for _, message := range acked {
		if n := scalar[int](t, w.database, `SELECT count(*) FROM callback_events WHERE digest = $1`, digestOf(message)); n != 1 {
			t.Errorf("%s is stored %d times, want once", message, n)
		}
	}
	w.waitSigned(r, pageURL, s.ID, "wwaway", 5*time.Second)
}

// A database that neither answers nor refuses: every callback is answered in time
// all the same, and pages are signed.
func TestContractDatabaseSilent(t *testing.T) {
	t.Parallel()
	p := newDBProxy(t)
	w := newWorld(t, options{through: p.through})
	r := w.replicas[0]
	s := w.suite("ww-silent", "third_party", "corp.example.com")
	w.install(s.ID, "wwsilent", pageURL)
	p.set(frozen)
	for i := range 12 { // more than the pool has connections
		a, err := s.pushInTime(r, s.event("change_contact", time.Now(), "UserID", fmt.Sprint(i)))
		if err != nil {
			t.Fatalf("a callback of a silent database was not answered within 1000 ms: %v", err)
		}
		wantProblem(t, "a callback of a silent database", a, http.StatusInternalServerError, "callback_not_stored")
		if a := anonymous(t, http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwsilent"), nil); a.status != http.StatusOK {
			t.Fatalf("a signature = %s", a)
		}
	}
	p.set(passing)
	eventually(t, 15*time.Second, func() error {
		if a, err := s.push(r, "command", s.ID, s.event("change_contact", time.Now(), "UserID", "after")); err != nil || string(a.body) != "success" {
			return fmt.Errorf("a callback after the silence = %s %w", a, err)
		}
		return nil
	})
	w.waitSigned(r, pageURL, s.ID, "wwsilent", 5*time.Second)
}

// From memory only for so long: behind signing.max_stale nobody knows what was revoked.
func TestContractMaxStale(t *testing.T) {
	t.Parallel()
	p := newDBProxy(t)
	w := newWorld(t, options{through: p.through, environ: []string{"SUITESIGN_SIGNING_MAX_STALE=4s"}})
	r := w.replicas[0]
	s := w.suite("ww-stale", "third_party", "corp.example.com")
	w.install(s.ID, "wwstale", pageURL)
	p.set(refusing)
	if a := anonymous(t, http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwstale"), nil); a.status != http.StatusOK {
		t.Errorf("a signature at once after the database went away = %s", a)
	}
	eventually(t, 10*time.Second, func() error {
		a := anonymous(t, http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwstale"), nil)
		if a.status == http.StatusOK {
			return fmt.Errorf("still signed")
		}
		wantProblem(t, "behind max_stale", a, http.StatusServiceUnavailable, "database_unavailable")
		return nil
	})
	eventually(t, 10*time.Second, func() error {
		if a := anonymous(t, http.MethodGet, r.public+"/readyz", nil); a.status != http.StatusServiceUnavailable {
			return fmt.Errorf("readyz behind max_stale = %s, want 503", a)
		}
		return nil
	})
	p.set(passing)
	w.waitSigned(r, pageURL, s.ID, "wwstale", 5*time.Second)
	w.waitReady(r)
}

// A replica whose LISTEN is dead without anybody's having been told still hears of
// a revocation, by its poll: within five seconds.
func TestContractDeafReplica(t *testing.T) {
	t.Parallel()
	p := newDBProxy(t)
	w := newWorld(t, options{})
	s := w.suite("ww-deaf", "third_party", "corp.example.com")
	w.through = p.through(w.database)
	deaf := w.addReplica()
	w.waitReady(deaf)
	w.install(s.ID, "wwdeaf", pageURL)
	w.waitSigned(deaf, pageURL, s.ID, "wwdeaf", 5*time.Second)
	p.deafen()
	tenant := w.tenant(s.ID, "wwdeaf").ID
	expect := func(what string, limit time.Duration, r *replica, code string) {
		t.Helper()
		eventually(t, limit, func() error {
			if a := anonymous(t, http.MethodGet, r.signURL("signatures", pageURL, s.ID, "wwdeaf"), nil); a.code() != code {
				return fmt.Errorf("%s: %s, want %q", what, a, code)
			}
			return nil
		})
	}
	for _, change := range []struct {
		what, method, path string
		body               any
		code               string
	}{
		{"disabled", http.MethodPatch, "/v1/tenants/" + tenant, map[string]any{"status": "disabled"}, "tenant_inactive"},
		{"active", http.MethodPatch, "/v1/tenants/" + tenant, map[string]any{"status": "active"}, ""},
		{"domain gone", http.MethodDelete, "/v1/suites/" + s.ID + "/domains/corp.example.com", nil, "untrusted_domain"},
	} {
		a := call(t, change.method, w.replicas[0].admin+change.path, map[string]string{"Authorization": "Bearer " + w.apiKey}, change.body)
		if a.status/100 != 2 {
			t.Fatalf("%s: %s", change.what, a)
		}
		expect(change.what+", the deaf replica", 5*time.Second, deaf, change.code)
		expect(change.what+", the other one", 2*time.Second, w.replicas[0], change.code)
	}
	s.mustPush(t, w.replicas[0], s.event("cancel_auth", time.Now().Add(time.Second), "AuthCorpId", "wwdeaf"))
	expect("cancelled, the deaf replica", 5*time.Second, deaf, "tenant_inactive")
}
