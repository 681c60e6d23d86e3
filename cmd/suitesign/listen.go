package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// listen opens the listeners, or takes the ones it was handed: with LISTEN_FDS of
// the service manager one socket outlives every restart, and no connection is refused.
func listen(ctx context.Context, config Config) ([]listener, error) {
	passed, err := passedSockets(os.Getenv)
	if err != nil {
		return nil, err
	}
	open := func(name, addr, variable string) (net.Listener, error) {
		if fd, ok := passed[name]; ok {
			f := os.NewFile(fd, name)
			defer f.Close() // FileListener has a copy of its own
			ln, err := net.FileListener(f)
			if err != nil {
				return nil, fmt.Errorf("the socket that was passed for the %s listener: %w", name, err)
			}
			return ln, nil
		}
		var lc net.ListenConfig
		ln, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w: free the address, or name another one", variable, addr, err)
		}
		return ln, nil
	}
	var all []listener
	if config.HTTP {
		ln, err := open("public", config.PublicAddr, "SUITESIGN_PUBLIC_ADDR")
		if err != nil {
			return nil, err
		}
		all = append(all, listener{Listener: ln, passed: has(passed, "public")})
	} else if has(passed, "public") {
		return nil, errors.New("LISTEN_FDS passes a socket for the public listener, which SUITESIGN_HTTP switches off")
	}
	ln, err := open("admin", config.AdminAddr, "SUITESIGN_ADMIN_ADDR")
	if err != nil {
		_ = closeAll(all)
		return nil, err
	}
	return append(all, listener{Listener: ln, admin: true, passed: has(passed, "admin")}), nil
}

func has(passed map[string]uintptr, name string) bool { return passed[name] != 0 }

func closeAll(listeners []listener) error {
	var faults []error
	for _, l := range listeners {
		faults = append(faults, l.Close())
	}
	return errors.Join(faults...)
}

// firstPassed is the file descriptor of the first passed socket (sd_listen_fds(3)).
const firstPassed = 3

// passedSockets finds the sockets that a service manager passed: named public and
// admin by LISTEN_FDNAMES, in this order where they have other names or none. A
// LISTEN_PID that is not ours means that they are for somebody else; without one,
// as a shell or a supervisor passes them, they are for us.
func passedSockets(getenv func(string) string) (map[string]uintptr, error) {
	count := getenv("LISTEN_FDS")
	if pid := getenv("LISTEN_PID"); count == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	known := []string{"public", "admin"}
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > len(known) {
		return nil, fmt.Errorf("LISTEN_FDS is %q: 1 or 2 sockets can be passed, the public listener's and the admin listener's", count)
	}
	names := known
	if given := strings.Split(getenv("LISTEN_FDNAMES"), ":"); slices.ContainsFunc(given, func(s string) bool { return slices.Contains(known, s) }) {
		names = given
	}
	passed := map[string]uintptr{}
	for i := range uintptr(n) {
		if int(i) >= len(names) || !slices.Contains(known, names[i]) || passed[names[i]] != 0 {
			return nil, fmt.Errorf("LISTEN_FDS passes %d sockets and LISTEN_FDNAMES calls them %q: name them public and admin", n, getenv("LISTEN_FDNAMES"))
		}
		passed[names[i]] = firstPassed + i
	}
	return passed, nil
}
