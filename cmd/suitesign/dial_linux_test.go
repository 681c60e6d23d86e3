package main

import (
	"net"
	"syscall"
	"testing"
)

// The kernel gives up a connection to PostgreSQL that nothing is heard from, a unix socket's needs no such thing.
func TestDatabaseDialerLimitsSilence(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := databaseDialer().DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := func(level, name, want int) {
		t.Helper()
		var got int
		var refused error
		if err := raw.Control(func(fd uintptr) { got, refused = syscall.GetsockoptInt(int(fd), level, name) }); err != nil || refused != nil {
			t.Fatal(err, refused)
		}
		if got != want {
			t.Errorf("option %d = %d, want %d", name, got, want)
		}
	}
	option(syscall.IPPROTO_TCP, tcpUserTimeout, 10_000)
	option(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	option(syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 5)
	option(syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 2)

	unix, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	local, err := databaseDialer().DialContext(t.Context(), "unix", unix.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	local.Close()
}
