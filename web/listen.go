package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// ServeOptions say how a listener is taken down.
type ServeOptions struct {
	Drain     func()        // called when ctx ends: /readyz turns 503, claiming stops; may be called once per listener
	AcceptFor time.Duration // how long requests are still accepted then; 5 s unless set
	FinishFor time.Duration // how long requests in flight may take after that; 10 s unless set
	Log       *slog.Logger  // net/http's own complaints; slog.Default unless set
}

// Serve answers on ln until ctx ends, and then goes without losing a request:
//
//  1. Drain is called, so that the balancer sees /readyz turn 503 and stops
//     sending; for AcceptFor more, connections are accepted and answered, each
//     answer with Connection: close. Keep-alives are not switched off instead:
//     that closes idle connections at once, under requests that are on their way.
//  2. The listener is closed, and for a moment more what it had accepted is
//     answered: http.Server.Shutdown, when its time comes, drops a request whose
//     header it has just read.
//  3. Shutdown: requests in flight have the rest of FinishFor to end.
//
// It returns nil when nothing was cut.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, o ServeOptions) error {
	if o.AcceptFor == 0 {
		o.AcceptFor = 5 * time.Second
	}
	if o.FinishFor == 0 {
		o.FinishFor = 10 * time.Second
	}
	var draining atomic.Bool
	server := newHTTPServer(askToClose(h, &draining), o.Log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(lazyListener{ln}) }()

	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	draining.Store(true)
	if o.Drain != nil {
		o.Drain()
	}
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-time.After(o.AcceptFor):
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.FinishFor) // ctx has ended; what is in flight has not
	defer cancel()
	closed := ln.Close()
	if err := <-served; closed == nil && !errors.Is(err, net.ErrClosed) {
		closed = err
	}
	time.Sleep(min(time.Second, o.FinishFor/10))
	if err := server.Shutdown(finish); err != nil {
		return fmt.Errorf("requests on %s were cut after %s: %w", ln.Addr(), o.FinishFor, errors.Join(err, server.Close()))
	}
	if closed != nil {
		return fmt.Errorf("close %s: %w", ln.Addr(), closed)
	}
	return nil
}

// newHTTPServer sets the bounds on time and size that keep slow and greedy
// clients from holding the service.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	if log == nil {
		log = slog.Default()
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 2 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      30 * time.Second, // the longest answer waits for a forced refresh, 12 s
		IdleTimeout:       90 * time.Second, // longer than the keep-alive of the usual proxies, so that they close first
		// A page URL of 8,192 bytes is 24 KiB when every byte of it is percent-encoded.
		MaxHeaderBytes:               32 << 10,
		DisableGeneralOptionsHandler: true, // OPTIONS * is a problem like any other path
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// askToClose asks clients to come again on a new connection once draining is set.
func askToClose(h http.Handler, draining *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}
