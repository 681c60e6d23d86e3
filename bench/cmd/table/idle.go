package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	idleTrips = 2 // the access_token, then both tickets at a time
	idleExtra = 10 * time.Millisecond
)

// idle asks for pages of tenants that nobody has asked for in long.
func (h *house) idle(ctx context.Context, t *table) error {
	n := h.sized().idle
	pool, err := h.fresh(ctx, "idle")
	if err != nil {
		return err
	}
	defer pool.Close()
	never := func(int) (time.Duration, bool) { return 0, false }
	ended := func(int) (time.Duration, bool) { return -time.Hour, true }
	if err := h.fill(ctx, pool, stock{tenants: n + 1, platform: true, left: ended, due: never}); err != nil {
		return err
	}
	service, err := h.serve(ctx, plain.environ...)
	if err != nil {
		return err
	}
	defer service.stop()
	ask := func(i int) error { return h.call(ctx, http.MethodGet, service.origin+stockPath(i), nil, nil) }
	if err := ask(n); err != nil { // connections are made, statements prepared
		return err
	}
	var took, trips []time.Duration
	for i := range n {
		h.forgetCalls()
		began := time.Now()
		if err := ask(i); err != nil {
			return err
		}
		took = append(took, time.Since(began))
		trip, err := h.trip(ctx)
		if err != nil {
			return err
		}
		trips = append(trips, trip)
		if calls := h.asked("/cgi-bin/ticket/get"); calls != 1 {
			return fmt.Errorf("an idle tenant's first signature made %d calls for the agent's ticket, want 1", calls)
		}
	}
	m, upstream := percentile(took, 50), idleTrips*percentile(trips, 50)
	t.judged(fmt.Sprintf("the first signature of an idle tenant (median of %d) beyond its two round trips to the platform", n),
		fmt.Sprintf("**%s** (%s with them, p99 %s)", millis((m-upstream).Seconds()), millis(m.Seconds()), millis(percentile(took, 99).Seconds())),
		"≤ 10 ms", m-upstream <= idleExtra)
	return nil
}

// trip is how long the simulator takes to answer a call, the way there and back included.
func (h *house) trip(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := h.call(ctx, http.MethodGet, h.simURL+"/cgi-bin/get_jsapi_ticket?access_token=none", nil, nil)
	return time.Since(began), err
}
