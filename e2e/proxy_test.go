package e2e

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// A dbProxy stands between replicas and PostgreSQL, and misbehaves on command.
type dbProxy struct {
	t  *testing.T
	ln net.Listener

	network, address string // where PostgreSQL is

	mu     sync.Mutex
	moved  *sync.Cond // the mode has changed
	mode   proxyMode
	closed bool
	conns  map[net.Conn]bool
	deaf   bool // connections that LISTEN are black holes
}

type proxyMode int

const (
	passing  proxyMode = iota // every byte is passed on
	refusing                  // connections are cut, and new ones at once
	frozen                    // nothing is passed on, and nothing is cut
)

// newDBProxy makes a proxy; its through is for a world's options.
func newDBProxy(t *testing.T) *dbProxy {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &dbProxy{t: t, ln: ln, conns: map[net.Conn]bool{}}
	p.moved = sync.NewCond(&p.mu)
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		p.closed = true
		for c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.moved.Broadcast()
	})
	return p
}

// through is the URL of a database by way of the proxy.
func (p *dbProxy) through(database string) string {
	u, err := url.Parse(database)
	if err != nil {
		p.t.Fatal(err)
	}
	q := u.Query()
	if dir := q.Get("host"); dir != "" {
		p.network, p.address = "unix", dir+"/.s.PGSQL."+q.Get("port")
	} else {
		p.network, p.address = "tcp", u.Host
	}
	q.Del("host")
	q.Del("port")
	q.Set("sslmode", "disable")
	u.Host, u.RawQuery = p.ln.Addr().String(), q.Encode()
	go p.serve()
	return u.String()
}

func (p *dbProxy) set(mode proxyMode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
	if mode == refusing {
		for c := range p.conns {
			c.Close()
		}
	}
	p.moved.Broadcast()
}

// deafen makes black holes of the connections that LISTEN, now and from now on:
// nothing comes through them and nobody is told.
func (p *dbProxy) deafen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
}

func (p *dbProxy) serve() {
	for {
		in, err := p.ln.Accept()
		if err != nil {
			return
		}
		go p.pass(in)
	}
}

func (p *dbProxy) pass(in net.Conn) {
	defer in.Close()
	if !p.keep(in) {
		return
	}
	defer p.drop(in)
	out, err := net.DialTimeout(p.network, p.address, 5*time.Second)
	if err != nil {
		return
	}
	defer out.Close()
	if !p.keep(out) {
		return
	}
	defer p.drop(out)
	var listens bool // guarded by p.mu
	done := make(chan struct{}, 2)
	copyTo := func(to, from net.Conn, upwards bool) {
		defer func() { done <- struct{}{} }()
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 && !p.hold(buf[:n], upwards, &listens) {
				return
			}
			if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}
	go copyTo(out, in, true)
	go copyTo(in, out, false)
	<-done
}

func (p *dbProxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == refusing || p.closed {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *dbProxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// hold waits until bytes may pass; false: never.
func (p *dbProxy) hold(b []byte, upwards bool, listens *bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if upwards && bytes.Contains(bytes.ToLower(b), []byte("listen ")) {
		*listens = true
	}
	for (p.mode == frozen || p.deaf && *listens) && !p.closed {
		p.moved.Wait()
	}
	return p.mode != refusing && !p.closed
}
