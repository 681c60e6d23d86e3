package web

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipe is a lazy connection in virtual time, and what is at its other end.
func pipe(t *testing.T) (lazy *lazyConn, other net.Conn) {
	t.Helper()
	ours, other := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), other.Close() })
	return newLazyConn(ours), other
}

// later asks for a deadline after a while.
func later(t *testing.T, in time.Duration, ask func(time.Time) error, at time.Time) {
	t.Helper()
	go func() {
		time.Sleep(in)
		if err := ask(at); err != nil {
			t.Error(err)
		}
	}()
}

func TestReadsEndAtTheDeadlineThatIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		asked []time.Duration // before the read, from now; 0: none
		moved time.Duration   // a second into the read
		ends  time.Duration
	}{
		{"as asked", []time.Duration{2 * time.Second}, 2 * time.Second, 2 * time.Second},
		{"moved away while it waits", []time.Duration{2 * time.Second}, 5 * time.Second, 5 * time.Second},
		{"moved away before", []time.Duration{2 * time.Second, 5 * time.Second}, 5 * time.Second, 5 * time.Second},
		{"moved nearer while it waits", []time.Duration{90 * time.Second}, 3 * time.Second, 3 * time.Second},
		{"moved nearer before", []time.Duration{90 * time.Second, 3 * time.Second}, 3 * time.Second, 3 * time.Second},
		{"none, then one", []time.Duration{2 * time.Second, 0}, 7 * time.Second, 7 * time.Second},
		{"over while it waits", []time.Duration{90 * time.Second}, -time.Hour, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := pipe(t)
				began := time.Now()
				for _, in := range tt.asked {
					at := time.Time{}
					if in != 0 {
						at = began.Add(in)
					}
					if err := c.SetReadDeadline(at); err != nil {
						t.Fatal(err)
					}
				}
				later(t, time.Second, c.SetReadDeadline, began.Add(tt.moved))
				_, err := c.Read(make([]byte, 1))
				if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took != tt.ends {
					t.Errorf("the read ended after %s with %v, want %s and a deadline that has passed", took, err, tt.ends)
				}
				var timeout net.Error
				if !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("%v is no time-out to net/http", err)
				}
			})
		})
	}
}

// net/http ends a read that waits by a deadline of 1970, and reads on after it.
func TestACutReadIsOneRead(t *testing.T) {
	t.Parallel()
	for _, waits := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c, other := pipe(t)
			cut := time.Unix(1, 0)
			if waits {
				later(t, time.Second, c.SetReadDeadline, cut)
			} else if err := c.SetReadDeadline(cut); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("a read that is cut ended with %v", err)
			}
			for _, at := range []time.Time{{}, time.Now().Add(90 * time.Second)} {
				if err := c.SetReadDeadline(at); err != nil {
					t.Fatal(err)
				}
			}
			go func() {
				time.Sleep(time.Minute)
				_, _ = other.Write([]byte("x"))
			}()
			if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Errorf("the next read: %d bytes, %v; want what came a minute later", n, err)
			}
		})
	}
}

// Who reads slowly gets all of it, as long as the deadline is not over.
func TestWritesEndAtTheDeadlineThatIsAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, other := pipe(t)
		began := time.Now()
		if err := c.SetWriteDeadline(began.Add(2 * time.Second)); err != nil {
			t.Fatal(err)
		}
		later(t, time.Second, c.SetWriteDeadline, began.Add(30*time.Second))
		got := make([]byte, 20)
		go func() {
			for i := range 15 { // a byte each 1.5 s, and then no more
				time.Sleep(1500 * time.Millisecond)
				_, _ = io.ReadFull(other, got[i:i+1])
			}
		}()
		n, err := c.Write([]byte("twenty bytes of text"))
		if took := time.Since(began); n != 15 || !errors.Is(err, os.ErrDeadlineExceeded) || took != 30*time.Second {
			t.Errorf("wrote %d bytes in %s: %v; want 15 in 30s", n, took, err)
		}
		if string(got[:15]) != "twenty bytes of" {
			t.Errorf("the other end got %q", got[:15])
		}
	})
}

// countedListener counts how often deadlines of its connections are set.
type countedListener struct {
	net.Listener
	sets *atomic.Int64
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countedConn{c, l.sets}, err
}

type countedConn struct {
	net.Conn
	sets *atomic.Int64
}

func (c countedConn) SetReadDeadline(t time.Time) error {
	c.sets.Add(1)
	return c.Conn.SetReadDeadline(t)
}

func (c countedConn) SetWriteDeadline(t time.Time) error {
	c.sets.Add(1)
	return c.Conn.SetWriteDeadline(t)
}

func TestRequestsSetFewDeadlines(t *testing.T) {
	t.Parallel()
	var sets atomic.Int64
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = newHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }), nil)
	ts.Listener = lazyListener{countedListener{ts.Listener, &sets}}
	ts.Start()
	t.Cleanup(ts.Close)
	const requests = 200
	for range requests {
		resp := send(t, "GET", ts.URL, nil)
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "ok" {
			t.Fatalf("answered %q, %v", body, err)
		}
		resp.Body.Close()
	}
	// net/http asks for eight with each; what is left are reads that waited when they were cut.
	if n := sets.Load(); n > requests {
		t.Errorf("%d requests set %d deadlines of their connections", requests, n)
	} else {
		t.Logf("%d requests set %d deadlines", requests, n)
	}
}
