package web

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Bounds on slow clients cost net/http eight changes of a deadline for a request, each
// a timer of the runtime: together more than the signature's hash. Nearly all of them
// move a deadline away that is never reached. So what is asked for is only noted here,
// and the deadline that the runtime knows stays where it is as long as it comes sooner:
// when it comes, who waits looks what is asked for by then, and waits on.

// lazyListener hands out connections that keep their deadlines so.
type lazyListener struct{ net.Listener }

// Accept waits for a connection.
func (l lazyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newLazyConn(c), nil
}

// lazyConn ends reads and writes at their deadlines like the connection it has, and
// moves these later than told.
type lazyConn struct {
	net.Conn
	reads, writes lazyDeadline
}

func newLazyConn(c net.Conn) *lazyConn {
	lazy := &lazyConn{Conn: c}
	lazy.reads.set, lazy.writes.set = c.SetReadDeadline, c.SetWriteDeadline
	return lazy
}

// Read reads until the deadline that is asked for.
func (c *lazyConn) Read(p []byte) (int, error) {
	if !c.reads.begin() {
		return 0, os.ErrDeadlineExceeded
	}
	defer c.reads.end()
	for {
		n, err := c.Conn.Read(p)
		if err == nil || n > 0 || !c.reads.early(err) {
			return n, err
		}
	}
}

// Write writes until the deadline that is asked for.
func (c *lazyConn) Write(p []byte) (n int, err error) {
	if !c.writes.begin() {
		return 0, os.ErrDeadlineExceeded
	}
	defer c.writes.end()
	for {
		wrote, err := c.Conn.Write(p[n:])
		n += wrote
		if err == nil || !c.writes.early(err) {
			return n, err
		}
	}
}

// SetReadDeadline bounds reads that wait, and those to come; the zero time is no bound.
func (c *lazyConn) SetReadDeadline(t time.Time) error { return c.reads.ask(t) }

// SetWriteDeadline bounds writes; the zero time is no bound.
func (c *lazyConn) SetWriteDeadline(t time.Time) error { return c.writes.ask(t) }

// SetDeadline bounds both.
func (c *lazyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.reads.ask(t), c.writes.ask(t))
}

// CloseWrite tells the client that nothing follows: net/http does so before it leaves a
// client that still sends.
func (c *lazyConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// lazyDeadline is one deadline: as it is asked for, and as the connection has it.
type lazyDeadline struct {
	set func(time.Time) error // sets the connection's

	mu    sync.Mutex
	asked time.Time // zero: none
	armed time.Time // the connection's; zero: none. Never later than asked while somebody waits
	users int       // who reads, or writes
}

// longAgo is before any deadline that bounds a client: net/http asks for one of 1970 to
// end a read that waits, after every request.
var longAgo = time.Unix(2, 0)

// ask asks for another deadline.
func (d *lazyDeadline) ask(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = t
	switch {
	case t.IsZero():
		return nil
	case t.Before(longAgo) && d.users == 0: // nobody waits: who comes sees it
		return nil
	case !d.armed.IsZero() && !t.Before(d.armed):
		return nil
	}
	d.armed = t
	return d.set(t)
}

// begin counts one who reads or writes, unless the deadline is long over.
func (d *lazyDeadline) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.asked.IsZero() && d.asked.Before(longAgo) {
		return false
	}
	d.users++
	return true
}

func (d *lazyDeadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users--
}

// early reports that an error came of a deadline that nobody asks for any longer. The
// connection has the one that is asked for then.
func (d *lazyDeadline) early(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.asked.IsZero() && !time.Now().Before(d.asked) {
		return false
	}
	d.armed = d.asked
	return d.set(d.asked) == nil
}
