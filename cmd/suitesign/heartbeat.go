package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"
)

// job is a room's RunOnce and how often somebody should call it.
type job struct {
	name  string
	every time.Duration
	run   func(context.Context) error
}

// heartbeat calls the jobs. It decides nothing: what is due is data, and each
// RunOnce looks for it.
//
// cron is the clock. Because cron stands still when the wall clock steps back
// (its schedule is made of wall-clock times), a monotonic ticker beside it makes
// the beats that cron misses. Both go through the same guard: a job never runs
// twice at once, and a panic ends one beat, not the job.
type heartbeat struct {
	log   *slog.Logger
	jobs  []*beating
	cron  *cron.Cron
	cut   context.CancelFunc // of the beats' own context
	quit  chan struct{}      // closed to end the ticker
	ended chan struct{}      // closed when the ticker and its beats have ended
	done  chan struct{}      // closed when Stop is done
}

type beating struct {
	job
	log     *slog.Logger
	ctx     context.Context //nolint:containedctx // cron's Run has no argument; Stop cuts it
	paused  *atomic.Bool
	running sync.Mutex
	last    atomic.Int64 // when the last beat began, in monotonic nanoseconds since start
	start   time.Time
	failing string // the error of the last beat, so that a lasting one is told once
}

// startHeartbeat begins to beat at once.
func startHeartbeat(log *slog.Logger, jobs []job) *heartbeat {
	ctx, cancel := context.WithCancel(context.Background())
	h := &heartbeat{log: log, cut: cancel, quit: make(chan struct{}), ended: make(chan struct{}), done: make(chan struct{}),
		cron: cron.New(cron.WithLogger(cron.DiscardLogger))}
	paused := new(atomic.Bool)
	start := time.Now()
	for _, j := range jobs {
		b := &beating{job: j, log: log, ctx: ctx, start: start, paused: paused}
		h.jobs = append(h.jobs, b)
		h.cron.Schedule(cron.Every(j.every), b)
	}
	h.cron.Start()
	go h.tick()
	return h
}

// tick makes the beats that cron missed.
func (h *heartbeat) tick() {
	defer close(h.ended)
	var wg sync.WaitGroup
	defer wg.Wait()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-h.quit:
			return
		case <-t.C:
			for _, b := range h.jobs {
				if time.Since(b.start)-time.Duration(b.last.Load()) > b.every+2*time.Second {
					wg.Go(b.Run)
				}
			}
		}
	}
}

// Stop starts no further beat, lets the running ones end for as long as grace
// lasts, then ends their context: a RunOnce whose context has ended claims nothing
// more and comes to its end. It answers when nothing runs any more. It is called once.
func (h *heartbeat) Stop(grace time.Duration) {
	defer close(h.done)
	for _, b := range h.jobs {
		b.paused.Store(true)
	}
	timer := time.AfterFunc(grace, h.cut)
	defer timer.Stop()
	close(h.quit)
	<-h.cron.Stop().Done()
	<-h.ended
	h.cut()
}

// Wait waits for a Stop to be done.
func (h *heartbeat) Wait() { <-h.done }

// Run is one beat. It returns at once where the last one still runs.
func (b *beating) Run() {
	if !b.running.TryLock() {
		return
	}
	defer b.running.Unlock()
	if b.paused.Load() {
		return
	}
	b.last.Store(int64(time.Since(b.start)))
	err := b.once()
	switch {
	case b.ctx.Err() != nil:
	case err != nil && err.Error() != b.failing:
		b.log.ErrorContext(b.ctx, "a job failed; it is tried again", "job", b.name, "every", b.every, "error", err)
	case err == nil && b.failing != "":
		b.log.InfoContext(b.ctx, "a job works again", "job", b.name)
	}
	b.failing = ""
	if err != nil {
		b.failing = err.Error()
	}
}

// once turns a panic into an error: the next beat comes all the same.
func (b *beating) once() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return b.run(b.ctx)
}
