package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.(*net.TCPListener)
}

func TestServeDrainsBeforeItGoes(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	url := "http://" + ln.Addr().String()
	arrived, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "slow")
	})
	mux.HandleFunc("/fast", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fast") })

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	drained := make(chan *http.Response, 1)
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, ln, mux, ServeOptions{
			Drain:     func() { drained <- send(t, "GET", url+"/fast", nil) },
			AcceptFor: time.Millisecond,
			FinishFor: time.Minute,
		})
	}()
	slow := make(chan *http.Response, 1)
	go func() { slow <- send(t, "GET", url+"/slow", nil) }()
	<-arrived
	if resp := send(t, "GET", url+"/fast", nil); resp.Close {
		t.Error("Connection: close before the drain")
	}
	stop()
	if resp := <-drained; resp.StatusCode != http.StatusOK || !resp.Close {
		t.Errorf("while draining: status %d, Connection: close %v; want 200, true", resp.StatusCode, resp.Close)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the listener stays open")
		}
	}
	close(release)
	resp := <-slow
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "slow" {
		t.Errorf("the request in flight got %q, %v; want slow", body, err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	arrived := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, ln, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
		}), ServeOptions{AcceptFor: time.Millisecond, FinishFor: time.Millisecond})
	}()
	failed := make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + ln.Addr().String())
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	<-arrived
	stop()
	if err := <-served; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve = %v, want %v", err, context.DeadlineExceeded)
	}
	if err := <-failed; err == nil {
		t.Error("the endless request was answered")
	}
}

func TestServeTellsThatTheListenerBroke(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	ln.Close()
	if err := Serve(t.Context(), ln, http.NotFoundHandler(), ServeOptions{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve on a closed listener = %v, want %v", err, net.ErrClosed)
	}
}

// Two processes that share a listening socket hand over without losing a
// request, POSTs on kept-alive connections among them.
func TestHandOverLosesNoRequest(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	file, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	shared, err := net.FileListener(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	old, stopOld := context.WithCancel(t.Context())
	defer stopOld()
	young, stopYoung := context.WithCancel(t.Context())
	defer stopYoung()
	oldServed, youngServed := make(chan error, 1), make(chan error, 1)
	o := ServeOptions{AcceptFor: time.Second, FinishFor: time.Minute}
	go func() { oldServed <- Serve(old, ln, h, o) }()
	go func() { youngServed <- Serve(young, shared, h, o) }()

	var done sync.WaitGroup
	var sent, lost atomic.Int64
	enough := make(chan struct{})
	for range 8 {
		done.Go(func() {
			// One connection, always in use: one that idles while the listener closes
			// cannot be closed without a race with its client (golang/go 23829).
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-enough:
					return
				default:
				}
				sent.Add(1)
				resp, err := client.Post("http://"+ln.Addr().String(), "text/plain", strings.NewReader("ping"))
				if err != nil {
					lost.Add(1)
					t.Log(err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	for sent.Load() < 100 { // both are at work
		time.Sleep(time.Millisecond) // polls a counter
	}
	stopOld()
	if err := <-oldServed; err != nil {
		t.Errorf("the old process: %v", err)
	}
	after := sent.Load()
	for sent.Load() < after+100 {
		time.Sleep(time.Millisecond) // polls a counter
	}
	close(enough)
	done.Wait()
	if lost.Load() != 0 {
		t.Errorf("%d of %d requests lost, want 0", lost.Load(), sent.Load())
	}
	stopYoung()
	if err := <-youngServed; err != nil {
		t.Errorf("the young process: %v", err)
	}
}

// Slow and greedy clients are bounded by the server's own limits.
func TestServerBoundsTimeAndSize(t *testing.T) {
	t.Parallel()
	s := newHTTPServer(http.NotFoundHandler(), nil)
	if s.ReadHeaderTimeout != 2*time.Second || s.ReadTimeout != 5*time.Second || s.WriteTimeout != 30*time.Second || s.IdleTimeout != 90*time.Second {
		t.Errorf("header %s, read %s, write %s, idle %s", s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout)
	}
	if s.MaxHeaderBytes != 32<<10 {
		t.Errorf("MaxHeaderBytes = %d, want 32 KiB", s.MaxHeaderBytes)
	}
}
