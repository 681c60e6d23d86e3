package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What the contract says of starting and stopping (design.md 2.4), on the built binary.

// passSocket makes a listening socket of the test's that replicas are handed, as
// a service manager does.
func passSocket(t *testing.T) (file *os.File, addr string) {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() // the file is a copy
	if file, err = ln.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file, ln.Addr().String()
}

// addPassed starts a replica whose public listener is a passed socket.
func (w *world) addPassed(public *os.File, addr string, environ ...string) *replica {
	w.t.Helper()
	admin := freePort(w.t)
	r := &replica{public: "http://" + addr, admin: local(admin), environ: append(append(w.environ(0, admin),
		"SUITESIGN_PUBLIC_ADDR="+addr, "SUITESIGN_PUBLIC_URL=http://"+addr, "LISTEN_FDS=1", "LISTEN_FDNAMES=public"), environ...)}
	// The shell knows the pid that it hands to the program that takes its place.
	r.process = newProcess(w.t, fmt.Sprintf("suitesign %d", len(w.replicas)), r.environ, "suitesign")
	r.cmd.Args = []string{"sh", "-c", `LISTEN_PID=$$ exec "$0" serve`, r.cmd.Path}
	r.cmd.Path = "/bin/sh"
	r.cmd.ExtraFiles = []*os.File{public} // file descriptor 3
	r.start()
	w.replicas = append(w.replicas, r)
	return r
}

// One socket outlives every replica: over restarts under load, with kept and with
// fresh connections, GET and POST, no request is lost.
func TestContractAPassedSocketLosesNoRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.suite("ww-fds", "third_party", "corp.example.com")
	w.install("ww-fds", "wwfds", pageURL)
	socket, addr := passSocket(t)
	environ := []string{"SUITESIGN_DRAIN_ACCEPT=1s", "SUITESIGN_LIMITS_PER_IP=0", "SUITESIGN_LIMITS_PER_TENANT=0"}
	old := w.addPassed(socket, addr, environ...)
	w.waitReady(old)

	// The socket is the same whoever serves it, and so are the addresses.
	signing := old.signURL("config-signature", pageURL, "ww-fds", "wwfds")
	callback := old.public + "/callback/ww-fds/command?msg_signature=x&timestamp=1&nonce=n"
	var sent, lost, again atomic.Int64
	var firstLoss atomic.Pointer[string]
	stop := make(chan struct{})
	var group sync.WaitGroup
	lose := func(why string) {
		lost.Add(1)
		firstLoss.CompareAndSwap(nil, &why)
	}
	for worker := range 6 {
		c := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: worker%3 == 0}}
		group.Go(func() {
			defer c.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				sent.Add(1)
				// A POST is not sent again by the client, so one that is cut is lost; the answer to
				// this one is a refusal (its envelope is none), which is an answer.
				target, method, want := signing, http.MethodGet, http.StatusOK
				var in io.Reader
				if worker%2 == 0 {
					target, method, want = callback, http.MethodPost, 0
					in = strings.NewReader(body("AAAA"))
				}
				req, err := http.NewRequestWithContext(context.Background(), method, target, in)
				if err != nil {
					lose(err.Error())
					return
				}
				resp, err := c.Do(req)
				if err != nil {
					lose(err.Error())
					continue
				}
				data, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				// On a machine that does everything at once a replica that has just started may need
				// longer than a callback has: then it asks for it again, which is no loss.
				if err == nil && bytes.Contains(data, []byte(`"callback_not_stored"`)) {
					again.Add(1)
					continue
				}
				if err != nil || (want != 0 && resp.StatusCode != want) || resp.StatusCode >= http.StatusInternalServerError {
					lose(fmt.Sprintf("%s %s = %d %s %v", method, req.URL.Path, resp.StatusCode, data, err))
				}
			}
		})
	}
	served := func(more int64) {
		t.Helper()
		from := sent.Load()
		eventually(t, 30*time.Second, func() error {
			if n := sent.Load() - from; n < more {
				return fmt.Errorf("%d requests, want %d", n, more)
			}
			return nil
		})
	}
	served(100)
	for range 3 {
		next := w.addPassed(socket, addr, environ...)
		w.waitReady(next)
		old.signal(syscall.SIGTERM)
		if err := old.wait(20 * time.Second); err != nil {
			t.Errorf("the replica ended with %v, want 0", err)
		}
		served(100)
		old = next
	}
	close(stop)
	group.Wait()
	if n := again.Load(); n > sent.Load()/100 {
		t.Errorf("%d of %d requests were to be sent again", n, sent.Load())
	}
	if lost.Load() > 0 {
		t.Errorf("%d of %d requests were lost, the first with %s", lost.Load(), sent.Load(), *firstLoss.Load())
	}
}

// Passed sockets that make no sense are told, and those of another process are not taken.
func TestContractPassedSocketsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	w := &world{t: t, database: database, through: database, masterKey: masterKey(), apiKey: strings.Repeat("k", 32), simURL: "http://127.0.0.1:1"}
	for _, environ := range [][]string{
		{"LISTEN_FDS=3"}, {"LISTEN_FDS=none"}, {"LISTEN_FDS=2", "LISTEN_FDNAMES=public:public"},
		{"LISTEN_FDS=1"}, // and nothing is there
		{"LISTEN_FDS=1", "SUITESIGN_HTTP=false"},
	} {
		out, code := runCommand(t, append(w.environ(freePort(t), freePort(t)), environ...), "suitesign", "serve")
		if code != 1 || !strings.Contains(out, "LISTEN_FDS") && !strings.Contains(out, "socket that was passed") {
			t.Errorf("serve with %v ended %d:\n%s", environ, code, out)
		}
	}
	// These go on to the database, which has no schema.
	out, code := runCommand(t, append(w.environ(freePort(t), freePort(t)), "LISTEN_FDS=1", "LISTEN_PID=1"), "suitesign", "serve")
	if code != 1 || !strings.Contains(out, "migrate up") {
		t.Errorf("serve with somebody else's sockets ended %d:\n%s", code, out)
	}
}

// A replica that waits for its database goes when it is told to, and quickly; it ends 0.
func TestContractStopWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	p := newDBProxy(t)
	w := newWorld(t, options{through: p.through})
	p.set(refusing)
	r := w.addReplica()
	eventually(t, 30*time.Second, func() error { return w.try(http.MethodGet, r.admin+"/healthz", nil, nil, nil) })
	if out, code := runCommand(t, r.environ, "suitesign", "healthcheck"); code != 1 || !strings.Contains(out, "starting") {
		t.Errorf("healthcheck of a starting replica ended %d:\n%s\nwant 1 and that it is starting", code, out)
	}
	r.signal(syscall.SIGTERM)
	if err := r.wait(10 * time.Second); err != nil {
		t.Errorf("told to stop while it waited for its database, it ended with %v, want 0", err)
	}
}

// The order of a stop: readyz says 503 on both listeners while requests are still
// answered, each with Connection: close; then the listener is closed; then it ends 0.
func TestContractOrderOfAStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{environ: []string{"SUITESIGN_DRAIN_ACCEPT=3s"}})
	w.suite("ww-stop", "third_party", "corp.example.com")
	w.install("ww-stop", "wwstop", pageURL)
	r := w.replicas[0]
	before := call(t, http.MethodGet, r.signURL("config-signature", pageURL, "ww-stop", "wwstop"), nil, nil)
	if before.status != http.StatusOK || before.header.Get("Connection") != "" {
		t.Fatalf("before the stop: %s, Connection %q", before, before.header.Get("Connection"))
	}
	r.signal(syscall.SIGTERM)
	for _, listener := range []string{r.public, r.admin} {
		eventually(t, 2*time.Second, func() error {
			if a := call(t, http.MethodGet, listener+"/readyz", nil, nil); a.status != http.StatusServiceUnavailable || !strings.Contains(string(a.body), "draining") {
				return fmt.Errorf("readyz of a replica that goes = %s, want 503 draining", a)
			}
			return nil
		})
	}
	// net/http's client hides the header; the connection is looked at itself.
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.public, "http://"))
	if err != nil {
		t.Fatalf("while it drains no connection is accepted: %v", err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", strings.TrimPrefix(r.signURL("config-signature", pageURL, "ww-stop", "wwstop"), r.public))
	raw, err := io.ReadAll(conn) // ends because the server closes
	if err != nil || !strings.HasPrefix(string(raw), "HTTP/1.1 200 ") || !strings.Contains(string(raw), "\r\nConnection: close\r\n") {
		t.Errorf("while it drains: %v\n%s\nwant 200 with Connection: close", err, raw)
	}
	if err := r.wait(20 * time.Second); err != nil {
		t.Errorf("it ended with %v, want 0", err)
	}
	if _, err := ask(http.MethodGet, r.public+"/healthz", nil, nil); err == nil {
		t.Error("after its end somebody answers")
	}
}

// LISTEN connections that are killed: a revocation right after holds within 5 s
// on every replica, and once they listen again within 2 s.
func TestContractRevocationWhenListenIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	w.suite("ww-deaf", "third_party", "corp.example.com")
	w.install("ww-deaf", "wwdeaf", "")
	for _, r := range w.replicas {
		w.waitSigned(r, pageURL, "ww-deaf", "wwdeaf", 10*time.Second)
	}
	id := w.tenant("ww-deaf", "wwdeaf").ID
	const listeners = `FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'suitesign listen'`
	eventually(t, 10*time.Second, func() error {
		if n := scalar[int](t, w.database, `SELECT count(*) `+listeners); n != 2 {
			return fmt.Errorf("%d connections LISTEN, want one for each of two replicas", n)
		}
		return nil
	})
	if n := scalar[int](t, w.database, `SELECT count(pg_terminate_backend(pid)) `+listeners); n != 2 {
		t.Fatalf("%d LISTEN connections were killed, want 2", n)
	}
	status := func(status string, code string, within time.Duration) {
		t.Helper()
		w.api(http.MethodPatch, "/v1/tenants/"+id, http.StatusOK, map[string]any{"status": status}, nil)
		for _, r := range w.replicas {
			eventually(t, within, func() error {
				if a := call(t, http.MethodGet, r.signURL("config-signature", pageURL, "ww-deaf", "wwdeaf"), nil, nil); a.code() != code {
					return fmt.Errorf("%s after the tenant was made %s: %s, want %q", r.name, status, a, code)
				}
				return nil
			})
		}
	}
	status("disabled", "tenant_inactive", 5*time.Second)
	eventually(t, 10*time.Second, func() error {
		if n := scalar[int](t, w.database, `SELECT count(*) `+listeners); n != 2 {
			return fmt.Errorf("%d connections LISTEN again, want 2", n)
		}
		return nil
	})
	status("active", "", 5*time.Second)
	status("disabled", "tenant_inactive", 2*time.Second)
}
