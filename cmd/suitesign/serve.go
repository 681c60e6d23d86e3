package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"suitesign/audit"
	"suitesign/migrations"
	"suitesign/secret"
	"suitesign/web"
)

// ballast is how much memory is held and never touched. It takes no RAM, but the
// garbage collector counts it: by the 6 MiB that an idle replica really holds alone, a
// busy one would collect six times as often.
const ballast = 32 << 20

// newBallast makes it. Where it comes to lie on memory that was used before, the runtime
// has zeroed all of it, and so touched it: that is given back to the system.
func newBallast() []byte {
	b := make([]byte, ballast)
	untouch(b)
	return b
}

type serveCmd struct{}

// Run serves until SIGTERM or Ctrl-C.
func (serveCmd) Run(ctx context.Context, c *cli) error {
	config, log, err := c.load()
	if err != nil {
		return err
	}
	slog.SetDefault(log)
	return serve(ctx, config, log)
}

// serve runs the service until ctx ends, then takes it down in order.
//
// The listeners open before the database answers: a replica that starts while
// PostgreSQL is away says so at /readyz and gets to work as soon as it is back. Only
// a socket that was passed waits: others may still answer on it, or who connects
// waits with it, and either is better than to be refused.
// What no waiting can heal (a schema out of range, a wrong master key) ends it.
func serve(ctx context.Context, config Config, log *slog.Logger) error {
	ctx = audit.AsSystem(ctx)
	defer runtime.KeepAlive(newBallast())
	pools, err := openPools(config)
	if err != nil {
		return err
	}
	defer pools.close()
	listeners, err := listen(ctx, config)
	if err != nil {
		return err
	}
	a := newApp(config, log, pools)

	// The parts end in an order of their own, so they have contexts of their own:
	// requests first, then the background, then the pools.
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	started := make(chan error, 1)
	go func() { started <- a.start(ctx, background) }()

	group, serving := errgroup.WithContext(ctx)
	for _, l := range listeners {
		group.Go(func() error {
			handler := a.public
			if l.admin {
				handler = a.admin
			}
			if l.passed && !a.wait(serving) {
				return l.Close()
			}
			log.InfoContext(serving, "listening", "listener", l.name(), "addr", l.Addr().String())
			return web.Serve(serving, l, handler, config.Drain.options(a.drain, log))
		})
	}
	var unfit error // why the service cannot start at all
	group.Go(func() error {
		select {
		case unfit = <-started:
			if unfit != nil {
				// Nobody was served, so there is nothing to drain: the listeners end at once.
				return errors.Join(unfit, closeAll(listeners))
			}
			// What the start has left (the contract read, /docs rendered) would stay for as long
			// as nothing fills the ballast.
			debug.FreeOSMemory()
			<-serving.Done()
		case <-serving.Done():
		}
		a.drain()
		return nil
	})
	err = group.Wait()
	stopBackground()
	a.stop()
	switch {
	case unfit != nil && ctx.Err() == nil:
		return unfit
	case unfit == nil && err != nil:
		return err
	}
	log.Info("stopped")
	return nil
}

// options are those of a listener. Its zero durations would mean its defaults; ours mean at once.
func (d DrainConfig) options(drain func(), log *slog.Logger) web.ServeOptions {
	return web.ServeOptions{Drain: drain, AcceptFor: max(d.Accept, 1), FinishFor: max(d.Finish, 1), Log: log}
}

// dbPools are two, so that a flood of requests leaves the worker its connections
// and the other way round.
type dbPools struct {
	serving *pgxpool.Pool
	working *pgxpool.Pool
	trouble *databaseTrouble // of both
}

func openPools(config Config) (dbPools, error) {
	half := config
	half.DatabaseConns = max(2, config.DatabaseConns/2)
	trouble := &databaseTrouble{}
	serving, err := trouble.openPool(half)
	if err != nil {
		return dbPools{}, err
	}
	working, err := trouble.openPool(half)
	if err != nil {
		serving.Close()
		return dbPools{}, err
	}
	return dbPools{serving, working, trouble}, nil
}

func (p dbPools) close() {
	p.working.Close()
	p.serving.Close()
}

// open waits until the database answers, has a schema in range and a keyring that
// the master key opens.
func (a *app) open(ctx context.Context) (*secret.Keyring, error) {
	master, err := secret.ParseMasterKey(a.config.MasterKey)
	if err != nil {
		return nil, fmt.Errorf("SUITESIGN_MASTER_KEY: %w", err)
	}
	told := ""
	for {
		ring, err := a.tryOpen(ctx, master)
		if err == nil || errors.Is(err, migrations.ErrSchemaOutOfRange) || errors.Is(err, secret.ErrWrongMasterKey) || ctx.Err() != nil {
			return ring, err
		}
		if err.Error() != told {
			told = err.Error()
			a.log.ErrorContext(ctx, "the database does not answer; waiting for it", "error", err)
		}
		if err := pause(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

func (a *app) tryOpen(ctx context.Context, master secret.MasterKey) (*secret.Keyring, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := migrations.Check(ctx, a.pools.serving); err != nil {
		return nil, err
	}
	ring, created, err := secret.LoadOrCreate(ctx, a.pools.serving, master)
	if err == nil && created {
		a.log.InfoContext(ctx, "made the first keyset; keep the master key, without it no stored secret opens again")
	}
	return ring, err
}

// switchable is a handler that is replaced once, when the service has started.
type switchable struct{ h atomic.Pointer[http.Handler] }

func (s *switchable) set(h http.Handler) { s.h.Store(&h) }

// ServeHTTP passes on.
func (s *switchable) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*s.h.Load()).ServeHTTP(w, r) }

// pause waits, or says that the context has ended.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// listener is one of the two, and which.
type listener struct {
	net.Listener
	admin  bool
	passed bool // by a service manager, and perhaps shared
}

func (l listener) name() string {
	if l.admin {
		return "admin"
	}
	return "public"
}
