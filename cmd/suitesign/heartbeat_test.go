package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHeartbeatBeatsAndOutlivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good, bad atomic.Int64
		var log bytes.Buffer
		h := startHeartbeat(slog.New(slog.NewTextHandler(&log, nil)), []job{
			{"good", time.Second, func(context.Context) error { good.Add(1); return nil }},
			{"bad", time.Second, func(context.Context) error {
				if bad.Add(1) < 3 {
					panic("torn")
				}
				return nil
			}},
		})
		time.Sleep(10*time.Second + time.Millisecond) // virtual time
		synctest.Wait()
		h.Stop(time.Second)
		if g, b := good.Load(), bad.Load(); g < 9 || g > 11 || b < 9 || b > 11 {
			t.Errorf("beats = %d and %d, want about ten each", g, b)
		}
		if n := strings.Count(log.String(), "a job works again"); n != 1 {
			t.Errorf("told to work again %d times, want once:\n%s", n, log.String())
		}
	})
}

func TestHeartbeatNeverRunsAJobTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, beats atomic.Int64
		h := startHeartbeat(slog.New(slog.DiscardHandler), []job{{"slow", time.Second, func(context.Context) error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(7 * time.Second) // virtual time
			beats.Add(1)
			running.Add(-1)
			return nil
		}}})
		time.Sleep(30 * time.Second) // virtual time
		h.Stop(10 * time.Second)
		if most.Load() != 1 || beats.Load() < 3 {
			t.Errorf("at most %d at once in %d beats, want 1 at once and three beats or more", most.Load(), beats.Load())
		}
	})
}

func TestHeartbeatStopWaitsThenCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended error
		h := startHeartbeat(slog.New(slog.DiscardHandler), []job{{"endless", time.Second, func(ctx context.Context) error {
			<-ctx.Done()
			ended = ctx.Err()
			return ended
		}}})
		time.Sleep(3 * time.Second) // virtual time
		began := time.Now()
		h.Stop(12 * time.Second)
		if took := time.Since(began); took != 12*time.Second || !errors.Is(ended, context.Canceled) {
			t.Errorf("stopped after %s with %v, want 12s and a cut", took, ended)
		}
	})
}

// The ticker makes the beats where cron makes none, as when the wall clock stepped back.
func TestHeartbeatBeatsWithoutCron(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var beats atomic.Int64
		h := startHeartbeat(slog.New(slog.DiscardHandler), []job{{"job", time.Second, func(context.Context) error { beats.Add(1); return nil }}})
		<-h.cron.Stop().Done()
		before := beats.Load()
		time.Sleep(20 * time.Second) // virtual time
		synctest.Wait()
		h.Stop(time.Second)
		if got := beats.Load() - before; got < 4 {
			t.Errorf("%d beats in 20 s without cron, want several", got)
		}
	})
}
