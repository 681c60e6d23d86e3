package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// What a cold start is held against: half of the 40,000 calls a minute that WeCom allows
// an address for each API, which is what refresh.share leaves to the service.
const coldWindow = 20_000

// coldAPIs are what a cycle calls.
var coldAPIs = []string{"/cgi-bin/gettoken", "/cgi-bin/get_jsapi_ticket", "/cgi-bin/ticket/get"}

// cold starts two replicas over many tenants that are all due, with the default limits;
// both are killed half way and start again. What the simulator saw is counted each second.
func (h *house) cold(ctx context.Context, t *table) error {
	n, lasts := h.sized().cold, h.sized().coldFor
	pool, err := h.fresh(ctx, "cold")
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := h.fill(ctx, pool, stock{tenants: n, platform: true, left: none, due: atOnce}); err != nil {
		return err
	}
	h.forgetCalls()
	say("a cold start of %d tenants for %s", n, lasts)
	var seen coldSeen
	var schedule struct {
		Schedule struct {
			Due        int     `json:"due"`
			PerSecond  float64 `json:"per_second"`
			EtaSeconds float64 `json:"eta_seconds"`
		} `json:"schedule"`
	}
	for half := range 2 {
		replicas, err := h.replicas(ctx, 2, "SUITESIGN_LOG_LEVEL=info")
		if err == nil {
			err = seen.watch(ctx, h, lasts/2)
		}
		if err == nil && half == 1 {
			err = h.call(ctx, http.MethodGet, local(h.admin)+"/v1/stats", nil, &schedule)
		}
		for _, p := range replicas {
			text, _ := os.ReadFile(p.log.Name())
			seen.told += strings.Count(string(text), "refreshes are behind")
			_ = p.cmd.Process.Signal(syscall.SIGKILL) // nothing is given back
			p.stop()
		}
		if err != nil {
			return err
		}
	}
	worst, total := seen.worst()
	t.judged(fmt.Sprintf("cold start of %d tenants, two replicas, the limits on, both killed half way: the most calls of one API in any 60 of %s", n, lasts),
		fmt.Sprintf("**%d** (%d in all)", worst, total), fmt.Sprintf("≤ %d", coldWindow), worst <= coldWindow)
	s := schedule.Schedule
	t.judged("told of it: by the log, and by `/v1/stats`", fmt.Sprintf("%d lines; %d due, %.0f a second, done in %s", seen.told, s.Due, s.PerSecond, time.Duration(s.EtaSeconds)*time.Second),
		"both", seen.told > 0 && s.Due > 0 && s.EtaSeconds > 0)
	return nil
}

// coldSeen is how often each API had been called, second by second.
type coldSeen struct {
	calls [][]int64
	told  int
}

func (c *coldSeen) watch(ctx context.Context, h *house, d time.Duration) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			var now []int64
			for _, api := range coldAPIs {
				now = append(now, h.asked(api))
			}
			c.calls = append(c.calls, now)
		}
	}
	if len(c.calls) == 0 {
		return errors.New("nothing was watched")
	}
	return nil
}

// worst is the most that came within 60 seconds, and all that came, of the API that was
// called most.
func (c *coldSeen) worst() (worst, total int64) {
	for api := range coldAPIs {
		for i, now := range c.calls {
			before := int64(0)
			if i >= 60 {
				before = c.calls[i-60][api]
			}
			worst = max(worst, now[api]-before)
		}
	}
	return worst, slices.Max(c.calls[len(c.calls)-1])
}
